import { putBack, viewAxes } from "./axes.ts";
import { typeError, words } from "./check.ts";
import type { Half } from "./half.ts";
import { areaOf, type Prepared, perRow } from "./job.ts";
import { runNow } from "./runner.ts";
import {
  type Alike,
  type AnyData,
  type AxesOptions,
  allocate,
  type Computed,
  type Logits,
  type OnnxArgument,
  type OnnxTensor,
  type Out,
  type Reduction,
  type Result,
  receiver,
  rowShape,
  type Tensor,
  type View,
  viewRows,
  wrap,
  wrapRows,
} from "./tensor.ts";
import { core } from "./wasm.ts";

const OPTIONS = ["shape", "axis", "keepDims", "dtype", "out"];
export type RowOptions = AxesOptions & Out;

const LOG_SUM_EXP = {
  f32: [{ kernel: "log_sum_exp_f32", areas: [0, 1] }],
  f64: [{ kernel: "log_sum_exp_f64", areas: [0, 1] }],
} as const;
const LOG_SUM_EXP_BACKWARD = {
  f32: [{ kernel: "log_sum_exp_backward_f32", areas: [0, 1, 2] }],
  f64: [{ kernel: "log_sum_exp_backward_f64", areas: [0, 1, 2] }],
} as const;

/**
 * The logarithm of the sum of exponentials: the soft maximum that turns logits into log-probabilities.
 *
 *   out[i] = log Σ_j exp(x[i, j])
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  which axis, or an array of axes, is summed over, −1 by default; [] is all of them
 * @param options.keepDims  whether a tensor's result keeps the summed axes, with size 1; false by default
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds; such results are f32
 * @param options.out  receives the result of more than one row
 * @returns one number for a flat row; else the same kind and dtype without the summed axes
 * @throws {RangeError} the data's length is not the product of the shape; an axis is not there, or there twice
 *
 * Edges: NaN in a row gives NaN, else +∞ gives +∞; nothing but −∞, and an empty row, give −∞.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64); where maximum and logarithm cancel, max(2 ulp, 2^-44·|max|) for f32 and
 * max(4 ulp, 2^-51·|max|) for f64.
 * Cost: reads x twice in cache; axes that are not next to each other are copied together first.
 * Source: as logSoftmax
 *
 * @example
 * logSumExp([1000, 1000]); // 1000.6931471805599
 */
export const logSumExp: Reduction<RowOptions> = ((logits: Logits, options?: RowOptions) =>
  runNow(prepareLogSumExp(logits, options))) as Reduction<RowOptions>;

export function prepareLogSumExp(logits: Logits, options: RowOptions = {}): Prepared<number | Logits> {
  const x = viewAxes("logSumExp", "logits", logits, options, OPTIONS);
  const out = receiver("logSumExp", x, x.rows, options.out, [x]);
  const areas = [perRow(x.dtype, undefined, out), areaOf(x, x.data)];
  const job = { rows: x.rows, classes: x.classes, areas, calls: LOG_SUM_EXP[x.dtype] };
  return { family: core, job, finish: () => wrapRows(x, out, options.keepDims) };
}

/** dlse of each row, in the logits' dtype. */
function perRowGradients(
  caller: string,
  name: string,
  value: number | Logits,
  x: View,
  options: RowOptions,
): View | number {
  if (typeof value === "number") {
    if (x.rows !== 1) throw typeError(caller, name, `an array of ${x.rows} numbers, one for each row`, value);
    return value;
  }
  const g = viewRows(caller, name, value, x, options, x.axes.length === 0 ? [[]] : [rowShape(x), rowShape(x, true)]);
  if (g.dtype !== x.dtype) throw typeError(caller, name, `${x.dtype} as the logits`, words(`${g.dtype}`));
  return g;
}

export interface LogSumExpBackward<P = false> {
  (dlse: number, logits: readonly number[], options?: RowOptions): Result<P, number[]>;
  (dlse: number, logits: Float32Array | Half, options?: RowOptions): Result<P, Float32Array>;
  (dlse: number, logits: Float64Array, options?: RowOptions): Result<P, Float64Array>;
  <D extends AnyData>(dlse: Alike<D>, logits: D, options?: RowOptions): Result<P, Computed<D>>;
  <D extends AnyData>(
    dlse: number | Logits,
    logits: OnnxArgument<D>,
    options?: RowOptions,
  ): Result<P, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(dlse: number | Logits, logits: Tensor<D>, options?: RowOptions): Result<P, Tensor<Computed<D>>>;
}

/**
 * The gradient of the logits, from that of their log-sum-exp.
 *
 *   dx[i, j] = dlse[i] · softmax(x)[i, j]
 *
 * @param dlse  a number for one row, else one for each row in the logits' dtype; a tensor with or without the summed axes
 * @param logits  what logSumExp was given
 * @param options  as in logSumExp, `out` receives the gradient
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} not one gradient for each row; a tensor of another shape than logSumExp's result
 *
 * Edges: as softmax; a dlse of ±∞ or NaN multiplies the rounded softmax, so that 0·∞ is NaN.
 * Accuracy: ≤ 4 ulp (f32), ≤ 8 ulp (f64). Cost: as softmax.
 *
 * @example
 * logSumExpBackward(2, [1000, 1000]); // [1, 1]
 */
export const logSumExpBackward: LogSumExpBackward = ((dlse: number | Logits, logits: Logits, options?: RowOptions) =>
  runNow(prepareLogSumExpBackward(dlse, logits, options))) as LogSumExpBackward;

export function prepareLogSumExpBackward(
  dlse: number | Logits,
  logits: Logits,
  options: RowOptions = {},
): Prepared<Logits> {
  const caller = "logSumExpBackward";
  const x = viewAxes(caller, "logits", logits, options, OPTIONS, dlse);
  const g = perRowGradients(caller, "dlse", dlse, x, options);
  const gradients = typeof g === "number" ? allocate(x, 1).fill(g) : g.data;
  const out = receiver(caller, x, x.data.length, options.out, typeof g === "number" ? [x] : [x, g]);
  const moved = x.order === undefined ? undefined : allocate(x, x.data.length);
  const areas = [areaOf(x, undefined, moved ?? out), perRow(x.dtype, gradients), areaOf(x, x.data)];
  const job = { rows: x.rows, classes: x.classes, areas, calls: LOG_SUM_EXP_BACKWARD[x.dtype] };
  const finish = (): Logits => {
    if (moved !== undefined) putBack(x, moved, out);
    return wrap(x, out, x.shape);
  };
  return { family: core, job, finish };
}
