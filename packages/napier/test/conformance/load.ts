/**
 * Suites that others wrote, as JSON files in a folder: `../shared/conformance` beside the checkout, or $NAPIER_CONFORMANCE.
 *
 * The data is not part of this repository. onnx.json: node tests of ONNX 1.22 (https://github.com/onnx/onnx), Apache-2.0,
 * copyright the ONNX Project Contributors. torch.json: OpInfo samples of PyTorch 2.13 (https://github.com/pytorch/pytorch),
 * BSD-3-Clause, copyright the PyTorch contributors; its outputs and gradients are what PyTorch computed in f64.
 *
 * A file is `{ source, tolerance: { rtol, atol }, cases }`; non-finite numbers are the strings "NaN", "Infinity", "-Infinity".
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

/** As ONNX has them: inputs and outputs by position. */
export interface OnnxCase {
  readonly name: string;
  readonly op: string;
  readonly attributes: Readonly<Record<string, number | string>>;
  readonly inputs: readonly (Stored & { readonly name: string })[];
  readonly outputs: readonly (Stored & { readonly name: string })[];
}

/** output = op(input, …args, …kwargs); grad_input is the gradient of the output's sum. */
export interface TorchCase {
  readonly name: string;
  readonly op: string;
  readonly input: Stored;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly output: Stored;
  readonly grad_input: Stored | null;
}

export interface Suite {
  readonly file: string;
  readonly source: string;
  readonly tolerance: { readonly rtol: number; readonly atol: number };
  readonly cases: readonly (OnnxCase | TorchCase)[];
}

export const FOLDER =
  process.env.NAPIER_CONFORMANCE ?? fileURLToPath(new URL("../../../../../shared/conformance", import.meta.url));

/** Every suite of the folder; none where there is no such folder. */
export function suites(): Suite[] {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => file.endsWith(".json")) : [];
  return files.sort().map((file) => ({ file, ...JSON.parse(readFileSync(join(FOLDER, file), "utf8")) }));
}

export function isStored(value: unknown): value is Stored {
  return typeof value === "object" && value !== null && "dtype" in value && "data" in value;
}

/** The numbers of a float tensor in its own dtype. */
export function floats({ dtype, data }: Stored): Float32Array | Float64Array {
  const numbers = data.map(Number);
  if (dtype.endsWith("float32")) return Float32Array.from(numbers);
  if (dtype.endsWith("float64")) return Float64Array.from(numbers);
  throw new Error(`a tensor of ${dtype} is no float tensor`);
}

export function tensor(stored: Stored): { data: Float64Array; shape: number[] } {
  return { data: floats(stored) as Float64Array, shape: [...stored.shape] };
}

export function classes(stored: Stored): { data: BigInt64Array; shape: number[] } {
  if (!stored.dtype.endsWith("int64")) throw new Error(`a tensor of ${stored.dtype} is none of class indices`);
  return { data: BigInt64Array.from(stored.data, (v) => BigInt(v)), shape: [...stored.shape] };
}
