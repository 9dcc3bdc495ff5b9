import type { Dtype, View } from "./tensor.ts";

type Source = readonly number[] | Float32Array | Float64Array | Int32Array;
type Sink = number[] | Float32Array | Float64Array;

/** One array that a kernel takes: `width` numbers for each row. */
export interface Area {
  readonly type: Dtype | "i32";
  readonly width: number;
  /** In the data, a row's numbers stand this far apart. */
  readonly inner: number;
  /** Copied into the workspace before the kernel runs; a number fills the area. */
  readonly from: Source | number | undefined;
  /** Receives the area after the kernel. */
  readonly to: Sink | undefined;
}

/** A kernel over rows that do not depend on each other: (…areas, rows, classes). */
type RowKernel = `${RowKernelName}_${Dtype}`;
type RowKernelName =
  | "log_sum_exp"
  | "log_softmax"
  | "softmax"
  | "cross_entropy"
  | "cross_entropy_with_grad"
  | `${"log_sum_exp" | "log_softmax" | "softmax"}_backward`;

/** A call of such a kernel on all rows. */
export interface Job {
  readonly kernel: RowKernel;
  readonly rows: number;
  readonly classes: number;
  /** In the kernel's order; the same area can be two arguments. */
  readonly args: readonly Area[];
}

/** A job and what becomes of its results: run by `runNow`, or by a pool. */
export interface Prepared<R> {
  readonly job: Job;
  finish(): R;
}

export function areaOf({ dtype, classes, inner }: View, from?: Area["from"], to?: Sink): Area {
  return { type: dtype, width: classes, inner, from, to };
}

/** One number a row. */
export function perRow(type: Area["type"], from?: Area["from"], to?: Sink): Area {
  return { type, width: 1, inner: 1, from, to };
}
