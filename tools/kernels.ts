/** Makes packages/napier/src/kernels/bytes.ts: the kernels compiled to WebAssembly, in base64, with the sha256 of their sources. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileKernels } from "./compile.ts";

const folder = fileURLToPath(new URL("../../packages/napier/src/kernels/", import.meta.url));
writeFileSync(`${folder}bytes.ts`, await compileKernels(folder));
