/** Makes packages/napier/src/kernels/corebytes.ts, linearbytes.ts, fusedbytes.ts, widebytes.ts and sharedbytes.ts: the kernels compiled to WebAssembly, in hex. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileKernels } from "./compile.ts";

const folder = fileURLToPath(new URL("../../packages/napier/src/kernels/", import.meta.url));
for (const [name, text] of Object.entries(await compileKernels(folder))) writeFileSync(`${folder}${name}.ts`, text);
