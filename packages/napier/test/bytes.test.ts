import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compileKernels } from "../../../tools/compile.ts";
import { SCRATCH } from "../src/thread.ts";
import { core } from "../src/wasm.ts";

const folder = fileURLToPath(new URL("../src/kernels/", import.meta.url));

test("the committed kernels are what their sources compile to, byte for byte", async () => {
  for (const [name, text] of Object.entries(await compileKernels(folder))) {
    expect(text, name).toBe(readFileSync(`${folder}${name}.ts`, "utf8"));
  }
});

test("each thread of a pool has as many bytes to scribble on as the kernels want, on cache lines of its own", () => {
  expect(SCRATCH).toBe(core.space().kernels.scratch_bytes.value);
  expect(SCRATCH % 64).toBe(0);
});
