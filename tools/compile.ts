import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import asc from "assemblyscript/asc";

/** The text of bytes.ts for the *.as.ts files of a folder: the same sources give the same text on every machine. */
export async function compileKernels(folder: string): Promise<string> {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".as.ts"))
    .sort();
  const sources = new Map(names.map((name) => [name, readFileSync(`${folder}/${name}`, "utf8")]));
  const sha256 = createHash("sha256");
  for (const [name, text] of sources) sha256.update(`${name}\n${text}`);

  let wasm: Uint8Array | undefined;
  const flags = [
    "-O3",
    "--converge",
    "--runtime",
    "stub",
    "--noAssert",
    "--enable",
    "simd",
    "--outFile",
    "kernels.wasm",
  ];
  const { error, stderr } = await asc.main(["index.as.ts", ...flags], {
    readFile: (path) => sources.get(basename(path)) ?? null,
    writeFile: (_, contents) => {
      wasm = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !wasm) throw new Error(`the kernels do not compile:\n${stderr.toString()}`);
  return `// Made by tools/kernels.ts (npm run gen) from the *.as.ts files beside it. Do not edit.

/** sha256 of the sources, names and texts in bytewise order. */
export const SOURCES_SHA256 = "${sha256.digest("hex")}";
export const KERNELS_BASE64 =
  "${Buffer.from(wasm).toString("base64")}";
`;
}
