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

/** The module of some of a folder's *.as.ts files: the same sources give the same bytes on every machine. */
export async function compileModule(
  folder: string,
  entries: readonly string[],
  shared = false,
): Promise<Uint8Array<ArrayBuffer>> {
  const texts = sources(folder);
  // one entry for all lists
  texts.set("entry.as.ts", entries.map((entry) => texts.get(entry)).join("\n"));
  let wasm: Uint8Array<ArrayBuffer> | undefined;
  const flags = ["-O3", "--converge", "--runtime", "stub", "--noAssert", "--enable", "simd"];
  if (shared) flags.push(...SHARED);
  const { error, stderr } = await asc.main(["entry.as.ts", ...flags, "--outFile", "kernels.wasm"], {
    readFile: (path) => texts.get(basename(path)) ?? null,
    writeFile: (_, contents) => {
      wasm = contents as Uint8Array<ArrayBuffer>;
    },
    listFiles: () => [],
  });
  if (error || !wasm) throw new Error(`the kernels do not compile:\n${stderr.toString()}`);
  return wasm;
}

/** What each module exports, a file a list, and what all have. */
const FAMILIES = {
  core: ["losses.as.ts", "probabilities.as.ts", "core.as.ts"],
  linear: ["losses.as.ts", "probabilities.as.ts", "linear.as.ts"],
  fused: ["losses.as.ts", "fused.as.ts"],
  wide: ["wide.as.ts"],
  shared: ["losses.as.ts", "probabilities.as.ts", "core.as.ts", "linear.as.ts", "wide.as.ts"],
};
const ALL = ["frame.as.ts", "common.as.ts"];

/**
 * The texts of corebytes.ts, linearbytes.ts, fusedbytes.ts, widebytes.ts and, of all but the fused kernels, for a memory that threads
 * share, sharedbytes.ts.
 * probe.as.ts is for tests and no part of them.
 */
export async function compileKernels(folder: string): Promise<Record<string, string>> {
  const sha256 = createHash("sha256");
  for (const [name, text] of sources(folder)) if (name !== "probe.as.ts") sha256.update(`${name}\n${text}`);
  const source = sha256.digest("hex");
  const files: Record<string, string> = {};
  for (const [family, entries] of Object.entries(FAMILIES)) {
    const wasm = await compileModule(folder, [...ALL, ...entries], family === "shared");
    // hex: gzip sees whole bytes, and makes a quarter less of it than of base64 (measured)
    files[`${family}bytes`] =
      `// Made by tools/kernels.ts (npm run gen) from the *.as.ts files beside it, whose sha256 (names and texts in bytewise order) is
// ${source}. Do not edit.
export const ${family.toUpperCase()}_KERNELS =
  "${Buffer.from(wasm).toString("hex")}";
`;
  }
  return files;
}
