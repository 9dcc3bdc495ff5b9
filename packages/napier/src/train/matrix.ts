import { type Caller, checkShape, rangeError, typeError, words } from "../check.ts";

/** A class as the caller names it. */
export type Label = string | number;

/** Rows of features, row-major; `shape` is [rows, features]. */
export interface Matrix {
  readonly data: Float32Array | Float64Array | readonly number[];
  readonly shape: readonly number[];
}

/** A named input; an image or an embedding is one feature of size > 1. */
export interface Feature {
  readonly name: string;
  readonly size: number;
}

/** From here on numbers round to an infinite f32. */
const F32_END = 3.4028235677973366e38;

export function checkMatrix(caller: Caller, argument: string, x: unknown, features?: number): asserts x is Matrix {
  if (typeof x !== "object" || x === null || !("data" in x) || !("shape" in x)) {
    throw typeError(caller, argument, "{ data, shape }", x, "fromRows(rows) makes it from number[][]");
  }
  const { data, shape } = x;
  if (!(data instanceof Float32Array) && !(data instanceof Float64Array) && !Array.isArray(data)) {
    throw typeError(caller, `${argument}.data`, "number[], Float32Array or Float64Array", data);
  }
  checkShape(caller, `${argument}.shape`, shape);
  if (shape.length !== 2)
    throw rangeError(caller, `${argument}.shape`, "[rows, features]", words(`[${shape.join(", ")}]`));
  if (features !== undefined && shape[1] !== features) {
    throw rangeError(caller, `${argument}.shape`, `[rows, ${features}]`, words(`[${shape.join(", ")}]`));
  }
  if (shape[0] * shape[1] !== data.length) {
    throw rangeError(caller, `${argument}.data`, `${shape[0]} × ${shape[1]} numbers`, words(`${data.length}`));
  }
}

/** Where column k stands, in the words of an error message. */
export function nameColumn(features: readonly Feature[], column: number): string {
  let k = column;
  for (const { name, size } of features) {
    if (k < size) return size === 1 ? `feature "${name}"` : `feature "${name}"[${k}]`;
    k -= size;
  }
  return `column ${column}`;
}

/** Throws at the first value that is no number, or not finite as an f32; `first` is the number of the first row. */
export function checkValues(
  caller: Caller,
  argument: string,
  { data, shape }: Matrix,
  features: readonly Feature[],
  first: number,
): void {
  const columns = shape[1];
  const numbers = !Array.isArray(data);
  for (let k = 0; k < data.length; k++) {
    if (Math.abs(data[k]) < F32_END && (numbers || typeof data[k] === "number")) continue;
    const where = `at row ${first + Math.floor(k / columns)}, ${nameColumn(features, k % columns)}`;
    const value = typeof data[k] === "string" ? JSON.stringify(data[k]) : data[k];
    throw rangeError(caller, argument, "finite numbers within f32", words(`${value} ${where}`));
  }
}

/** Copies a row to target[at …], rounded to f32. */
export function copyRow(target: Float32Array, at: number, { data, shape }: Matrix, row: number): void {
  const columns = shape[1];
  const from = row * columns;
  if (data instanceof Float32Array) target.set(data.subarray(from, from + columns), at);
  else for (let j = 0; j < columns; j++) target[at + j] = data[from + j];
}
