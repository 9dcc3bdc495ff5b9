import type { RowKernel } from "./kernels.ts";
import type { Dtype, View } from "./tensor.ts";

type Source = readonly number[] | Float32Array | Float64Array | Int32Array | Uint8Array;
type Sink = number[] | Float32Array | Float64Array | Int32Array;

/** One array that kernels take: `width` numbers for each row. With neither `from` nor `to` it is scratch. */
export interface Area {
  readonly type: Dtype | "i32" | "u8";
  readonly width: number;
  /** In the data, a row's numbers stand this far apart. */
  readonly inner: number;
  /** Copied into the workspace before the kernels run; a number, or numbers for one row, fill every row of the area. */
  readonly from: Source | number | { readonly eachRow: Source } | undefined;
  /** Receives the area after the kernels. */
  readonly to: Sink | undefined;
}

/** A kernel on all rows: (…areas, …numbers, rows, classes). Rows do not depend on each other. */
export interface KernelCall {
  readonly kernel: RowKernel;
  /** Which of the job's areas, in the kernel's order. */
  readonly areas: readonly number[];
  readonly numbers?: readonly number[];
}

/** What is done to all rows: the calls, one after another, on each tile of them. */
export interface Job {
  readonly rows: number;
  readonly classes: number;
  readonly areas: readonly Area[];
  readonly calls: readonly KernelCall[];
}

/** Kernels that are loaded together: a Family of wasm.ts, whose types would make every user's program need WebAssembly's. */
interface Loaded {
  space(): object;
}

/** A job and what becomes of its results: run by `runNow` on its family's kernels, or by a pool, whose module has all. */
export interface Prepared<R> {
  readonly family: Loaded;
  readonly job: Job;
  finish(): R;
}

/** As many numbers a row as the argument has. */
export function areaOf({ dtype, classes, inner }: View, from?: Area["from"], to?: Sink): Area {
  return { type: dtype, width: classes, inner, from, to };
}

/** One number a row. */
export function perRow(type: Area["type"], from?: Area["from"], to?: Sink): Area {
  return { type, width: 1, inner: 1, from, to };
}

/** Numbers of each row that calls leave for later ones. */
export function scratch(type: Area["type"], width: number): Area {
  return { type, width, inner: 1, from: undefined, to: undefined };
}
