import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compileKernels } from "../../../tools/compile.ts";

const folder = fileURLToPath(new URL("../src/kernels/", import.meta.url));

test("the committed kernels are what their sources compile to, byte for byte", async () => {
  for (const [name, text] of Object.entries(await compileKernels(folder))) {
    expect(text, name).toBe(readFileSync(`${folder}${name}.ts`, "utf8"));
  }
});
