import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compileKernels } from "../../../tools/compile.ts";

const folder = fileURLToPath(new URL("../src/kernels/", import.meta.url));

test("the committed kernels are what their sources compile to, byte for byte", async () => {
  expect(await compileKernels(folder)).toBe(readFileSync(`${folder}bytes.ts`, "utf8"));
});
