import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fromOnnx, toOnnx } from "@napier/onnx";
import type { Model } from "napier/train";
import { inputError } from "./errors.ts";
import { replaceFile } from "./output.ts";
import { checkRegular } from "./regular.ts";

export async function readModel(path: string): Promise<Model> {
  checkRegular(path);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw inputError(`${path}: ${why}`, "train a model first: napier train <source> --target <column>", error);
  }
  try {
    return fromOnnx(bytes);
  } catch (error) {
    const why = (error as Error).message.replace(/^fromOnnx: bytes expected an ONNX file that toOnnx wrote, got /, "");
    throw inputError(`${path} is not a whole model of napier: ${why}`, undefined, error);
  }
}

/** Returns the sha256 of the file. */
export async function writeModel(path: string, model: Model): Promise<string> {
  const bytes = toOnnx(model);
  await replaceFile(path, (temporary) => writeFile(temporary, bytes, { flag: "wx" }));
  return createHash("sha256").update(bytes).digest("hex");
}
