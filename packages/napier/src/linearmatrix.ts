import { type HalfName, widen } from "./half.ts";
import type { Data, Dtype, Numbers, Writable } from "./tensor.ts";
import type { Memory } from "./wasm.ts";

/** Rows of numbers as they lie, row-major. */
export interface Matrix {
  readonly data: Data | Uint16Array;
  /** what a Uint16Array's numbers are */
  readonly format: HalfName | undefined;
  readonly columns: number;
}

export function matrixOf({ view, bits }: Numbers, columns: number): Matrix {
  return { data: bits?.data ?? view.data, format: bits?.format, columns };
}

/** Rows by their places, or so many from one on. */
export type Rows = Int32Array | number;

/** How many of `count` rows, from the n-th on, follow each other. */
function run(rows: Rows, n: number, count: number): number {
  if (typeof rows === "number") return count - n;
  let end = n + 1;
  while (end < count && rows[end] === rows[end - 1] + 1) end++;
  return end - n;
}

const elementOf = (address: number, dtype: Dtype): number => address / (dtype === "f32" ? 4 : 8);

/** Copies `width` columns from `first` on of `count` rows to an address. What is contiguous goes at once. */
export function copyRowsIn(
  memory: Memory,
  dtype: Dtype,
  address: number,
  { data, format, columns }: Matrix,
  rows: Rows,
  count: number,
  first: number,
  width: number,
): void {
  const to = memory[dtype];
  const start = elementOf(address, dtype);
  for (let n = 0; n < count; ) {
    const whole = width === columns ? run(rows, n, count) : 1;
    const from = (typeof rows === "number" ? rows + n : rows[n]) * columns + first;
    const [at, length] = [start + n * width, whole * width];
    if (Array.isArray(data)) for (let k = 0; k < length; k++) to[at + k] = data[from + k];
    else if (data instanceof Uint16Array && format !== undefined)
      widen(memory.f32.subarray(at, at + length), data.subarray(from, from + length), format);
    else to.set((data as Float32Array).subarray(from, from + length), at);
    n += whole;
  }
}

/** The way back, into rows of `columns` numbers. */
export function copyRowsOut(
  memory: Memory,
  dtype: Dtype,
  address: number,
  out: Writable,
  columns: number,
  rows: Rows,
  count: number,
  first: number,
  width: number,
): void {
  const from = memory[dtype];
  const start = elementOf(address, dtype);
  for (let n = 0; n < count; ) {
    const whole = width === columns ? run(rows, n, count) : 1;
    const to = (typeof rows === "number" ? rows + n : rows[n]) * columns + first;
    const [at, length] = [start + n * width, whole * width];
    if (Array.isArray(out)) for (let k = 0; k < length; k++) out[to + k] = from[at + k];
    else out.set(from.subarray(at, at + length), to);
    n += whole;
  }
}
