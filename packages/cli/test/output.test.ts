import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { replaceFile } from "../src/output.ts";
import { temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const out = join(folder, "m.onnx");

test("a file is replaced whole, and a write that fails half-way leaves the one from before alone", async () => {
  writeFileSync(out, "before");
  const failing = replaceFile(out, async (temporary) => {
    await writeFile(temporary, "ha");
    throw new Error("disk full");
  });
  await expect(failing).rejects.toThrow("disk full");
  expect(readFileSync(out, "utf8")).toBe("before");
  expect(readdirSync(folder)).toEqual(["m.onnx"]);
  await replaceFile(out, async (temporary) => {
    await writeFile(temporary, "after");
    expect(readFileSync(out, "utf8")).toBe("before");
  });
  expect(readFileSync(out, "utf8")).toBe("after");
  expect(readdirSync(folder)).toEqual(["m.onnx"]);
});
