import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import asc from "assemblyscript/asc";

/** The sources of a folder's kernels by name, in bytewise order. */
function sources(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".as.ts"));
  return new Map(names.sort().map((name) => [name, readFileSync(`${folder}/${name}`, "utf8")]));
}

/** A memory that is imported and shared by threads: 1 page at first, which the tables fit into, and 4 GiB at most. */
const SHARED = "--enable threads --sharedMemory --importMemory --initialMemory 1 --maximumMemory 65536".split(" ");

/** The module of one of a folder's *.as.ts files: the same sources give the same bytes on every machine. */
export async function compileModule(folder: string, entry: string, shared = false): Promise<Uint8Array<ArrayBuffer>> {
  const texts = sources(folder);
  let wasm: Uint8Array<ArrayBuffer> | undefined;
  const flags = ["-O3", "--converge", "--runtime", "stub", "--noAssert", "--enable", "simd"];
  if (shared) flags.push(...SHARED);
  const { error, stderr } = await asc.main([entry, ...flags, "--outFile", "kernels.wasm"], {
    readFile: (path) => texts.get(basename(path)) ?? null,
    writeFile: (_, contents) => {
      wasm = contents as Uint8Array<ArrayBuffer>;
    },
    listFiles: () => [],
  });
  if (error || !wasm) throw new Error(`the kernels do not compile:\n${stderr.toString()}`);
  return wasm;
}

/** The texts of bytes.ts and, for a memory that threads share, of sharedbytes.ts. probe.as.ts is for tests and no part of them. */
export async function compileKernels(folder: string): Promise<{ bytes: string; sharedbytes: string }> {
  const sha256 = createHash("sha256");
  for (const [name, text] of sources(folder)) if (name !== "probe.as.ts") sha256.update(`${name}\n${text}`);
  const source = sha256.digest("hex");
  const text = async (prefix: string, shared: boolean): Promise<string> =>
    `// Made by tools/kernels.ts (npm run gen) from the *.as.ts files beside it. Do not edit.

/** sha256 of the sources, names and texts in bytewise order. */
export const ${prefix}SOURCES_SHA256 = "${source}";
export const ${prefix}KERNELS_BASE64 =
  "${Buffer.from(await compileModule(folder, "index.as.ts", shared)).toString("base64")}";
`;
  return { bytes: await text("", false), sharedbytes: await text("SHARED_", true) };
}
