import { putBack, viewAxes } from "./axes.ts";
import { broadcastOf, type Mask, maskOf, type Weights } from "./broadcast.ts";
import { typeError, words } from "./check.ts";
import type { Half } from "./half.ts";
import { type Area, areaOf, type Job, type KernelCall, type Prepared, perRow } from "./job.ts";
import { runNow } from "./runner.ts";
import {
  type Alike,
  type AnyData,
  type AxesOptions,
  allocate,
  type Computed,
  type Logits,
  type ManyRows,
  type OneAxis,
  type OneRow,
  type OnnxArgument,
  type OnnxTensor,
  type Out,
  type Output,
  type Reduction,
  type Result,
  receiver,
  rowShape,
  type Tensor,
  type View,
  viewRows,
  type Writable,
  wrap,
  wrapRows,
} from "./tensor.ts";
import { core } from "./wasm.ts";
import { weightedBackwardJob, weightedJob } from "./weighted.ts";
import { wide } from "./wide.ts";

/** What the operations on rows of logits take that give one number each. */
export interface RowOptions extends AxesOptions, Out {
  /** 1 keeps a class, 0 leaves it out; broadcasts to the logits */
  mask?: Mask;
}

export interface LogSumExpOptions extends RowOptions {
  /** a factor for each exponential, of any sign; broadcasts to the logits */
  weights?: Weights;
}

/** log |sum|, and the sum's sign: −1, 0, 1 or NaN, in the same kind. */
export interface Signed<T> {
  value: T;
  sign: T;
}

/** As Reduction, with signs. */
interface SignedReduction<O extends AxesOptions, P> {
  (logits: AnyData, options: O & OneRow): Result<P, Signed<number>>;
  (logits: readonly number[], options: O & ManyRows & OneAxis): Result<P, Signed<number[]>>;
  (logits: Float32Array | Half, options: O & ManyRows & OneAxis): Result<P, Signed<Float32Array>>;
  (logits: Float64Array, options: O & ManyRows & OneAxis): Result<P, Signed<Float64Array>>;
  <D extends AnyData>(logits: D, options: O): Result<P, Signed<number | Computed<D>>>;
  <D extends AnyData>(logits: OnnxArgument<D>, options: O): Result<P, Signed<OnnxTensor<Computed<D>>>>;
  <D extends AnyData>(logits: Tensor<D>, options: O): Result<P, Signed<Tensor<Computed<D>>>>;
}

export interface LogSumExp<P = false>
  extends SignedReduction<LogSumExpOptions & { returnSign: true }, P>,
    Reduction<LogSumExpOptions & { returnSign?: false }, P> {}

const OPTIONS = ["shape", "axis", "keepDims", "dtype", "out", "mask", "weights"];

const LOG_SUM_EXP = {
  f32: { kernel: "log_sum_exp_f32", areas: [0, 1] },
  f64: { kernel: "log_sum_exp_f64", areas: [0, 1] },
} as const;
const LOG_SUM_EXP_BACKWARD = {
  f32: { kernel: "log_sum_exp_backward_f32", areas: [0, 1, 2] },
  f64: { kernel: "log_sum_exp_backward_f64", areas: [0, 1, 2] },
} as const;

/** What a mask leaves out is −∞ before a kernel, and 0 in the gradient after it. */
const fill = ({ dtype }: View, areas: readonly number[], value: number): KernelCall => {
  return { kernel: `fill_masked_${dtype}`, areas, numbers: [value] };
};
const maskAreas = ({ classes, inner }: View, mask: Uint8Array | undefined): Area[] =>
  mask === undefined ? [] : [{ type: "u8", width: classes, inner, from: mask, to: undefined }];

function plainJob(x: View, mask: Uint8Array | undefined, out: Writable): Job {
  const areas = [perRow(x.dtype, undefined, out), areaOf(x, x.data), ...maskAreas(x, mask)];
  const calls = [...(mask ? [fill(x, [1, 2], -Infinity)] : []), LOG_SUM_EXP[x.dtype]];
  return { rows: x.rows, classes: x.classes, areas, calls };
}

function plainBackwardJob(x: View, mask: Uint8Array | undefined, out: Writable, gradients: Area["from"]): Job {
  const areas = [areaOf(x, undefined, out), perRow(x.dtype, gradients), areaOf(x, x.data), ...maskAreas(x, mask)];
  const kernel = LOG_SUM_EXP_BACKWARD[x.dtype];
  const calls = mask ? [fill(x, [2, 3], -Infinity), kernel, fill(x, [0, 3], 0)] : [kernel];
  return { rows: x.rows, classes: x.classes, areas, calls };
}

/** Weights that are read while results are written. */
const reading = (x: View, weights: ReturnType<typeof broadcastOf> | undefined): View[] =>
  ArrayBuffer.isView(weights) ? [x, { ...x, data: weights }] : [x];

/** The signs of sums of positive terms, from their logarithms. */
function putSigns(sign: Writable, values: Writable): void {
  for (let i = 0; i < sign.length; i++) {
    sign[i] = Number.isNaN(values[i]) ? Number.NaN : values[i] === -Infinity ? 0 : 1;
  }
}

/**
 * The logarithm of the sum of exponentials: the soft maximum that turns logits into log-probabilities.
 *
 *   out[i] = log Σ_j exp(x[i, j]), with weights log Σ_j w[i, j] exp(x[i, j])
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  which axis, or an array of axes, is summed over, −1 by default; [] is all of them
 * @param options.keepDims  whether a tensor's result keeps the summed axes, with size 1; false by default
 * @param options.mask  1 keeps a class, 0 leaves it out, whatever it holds; broadcasts to the logits
 * @param options.weights  factors of any sign, which broadcast to the logits; flat ones are one for each class, or as many
 * as logits. A weight of 0 leaves its class out, whatever it holds
 * @param options.returnSign  true gives `{ value, sign }`: log |sum| and the sum's sign
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds; such results are f32
 * @param options.out  receives the result of more than one row; with `returnSign` the value
 * @returns one number for a flat row; else the same kind and dtype without the summed axes
 * @throws {RangeError} the data's length is not the product of the shape; an axis is not there, or there twice; a mask or
 * weights of another shape; a NaN weight
 *
 * Edges: NaN in a row gives NaN, else +∞ gives +∞; nothing but −∞, an empty row, and one that is masked whole, give −∞.
 * With weights a sum of 0 gives −∞ and sign 0; a negative sum gives NaN without `returnSign`; +∞ under weights of both
 * signs gives NaN.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64); where maximum and logarithm cancel, max(2 ulp, 2^-44·|max|) for f32 and
 * max(4 ulp, 2^-51·|max|) for f64. By weights of both signs the sum is within 4 ulp of f64 of its largest term, where
 * those of one sign count as one, and its logarithm as precise as that makes it.
 * Cost: reads x twice in cache; axes that are not next to each other are copied together first. Weights are summed one by
 * one, in f64.
 * Source: as logSoftmax; weights and sign as in SciPy's logsumexp
 *
 * @example
 * logSumExp([1000, 1000]); // 1000.6931471805599
 * logSumExp([2, 1], { weights: [1, -1], returnSign: true }); // { value: 1.5413248546129181, sign: 1 }
 */
export const logSumExp: LogSumExp = ((logits: Logits, options?: LogSumExpOptions & { returnSign?: boolean }) =>
  runNow(prepareLogSumExp(logits, options))) as LogSumExp;

export function prepareLogSumExp(
  logits: Logits,
  options: LogSumExpOptions & { returnSign?: boolean } = {},
): Prepared<number | Output | Signed<number | Output>> {
  const caller = "logSumExp";
  const x = viewAxes(caller, "logits", logits, options, [...OPTIONS, "returnSign"]);
  const { returnSign = false, weights: given, keepDims } = options;
  if (typeof returnSign !== "boolean") throw typeError(caller, "options.returnSign", "true or false", returnSign);
  const mask = maskOf(caller, options.mask, x);
  const weights = given === undefined ? undefined : broadcastOf(caller, "options.weights", given, x);
  const out = receiver(caller, x, x.rows, options.out, reading(x, weights));
  const sign = returnSign ? allocate(x, x.rows) : undefined;
  const finish = () => {
    const value = wrapRows(x, out, keepDims);
    if (sign === undefined) return value;
    if (weights === undefined) putSigns(sign, out);
    return { value, sign: wrapRows(x, sign, keepDims) };
  };
  if (weights === undefined) return { family: core, job: plainJob(x, mask, out), finish };
  return { family: wide, job: weightedJob(x, weights, mask, out, sign), finish };
}

/** The gradient of each row's number, in the logits' dtype. */
export function perRowGradients(
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

export interface LogSumExpBackward<P = false, O = LogSumExpOptions> {
  (dlse: number, logits: readonly number[], options?: O): Result<P, number[]>;
  (dlse: number, logits: Float32Array | Half, options?: O): Result<P, Float32Array>;
  (dlse: number, logits: Float64Array, options?: O): Result<P, Float64Array>;
  <D extends AnyData>(dlse: Alike<D>, logits: D, options?: O): Result<P, Computed<D>>;
  <D extends AnyData>(dlse: number | Logits, logits: OnnxArgument<D>, options?: O): Result<P, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(dlse: number | Logits, logits: Tensor<D>, options?: O): Result<P, Tensor<Computed<D>>>;
}

/**
 * The gradient of the logits, from that of their log-sum-exp.
 *
 *   dx[i, j] = dlse[i] · softmax(x)[i, j], with weights dlse[i] · w[i, j] exp(x[i, j]) / Σ_k w[i, k] exp(x[i, k])
 *
 * @param dlse  a number for one row, else one for each row in the logits' dtype; a tensor with or without the summed axes
 * @param logits  what logSumExp was given
 * @param options  as in logSumExp, `out` receives the gradient
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} not one gradient for each row; a tensor of another shape than logSumExp's result
 *
 * Edges: as softmax; a dlse of ±∞ or NaN multiplies the rounded softmax, so that 0·∞ is NaN. What a mask or a weight of
 * 0 leaves out gets 0; a weighted sum of 0 gives NaN. With weights it is the gradient of log |sum|.
 * Accuracy: ≤ 4 ulp (f32), ≤ 8 ulp (f64); by weights of both signs as precise as their sum. Cost: as softmax.
 *
 * @example
 * logSumExpBackward(2, [1000, 1000]); // [1, 1]
 */
export const logSumExpBackward: LogSumExpBackward = ((
  dlse: number | Logits,
  logits: Logits,
  options?: LogSumExpOptions,
) => runNow(prepareLogSumExpBackward(dlse, logits, options))) as LogSumExpBackward;

export function prepareLogSumExpBackward(
  dlse: number | Logits,
  logits: Logits,
  options: LogSumExpOptions = {},
): Prepared<Output> {
  return backward("logSumExpBackward", "dlse", dlse, logits, options, OPTIONS);
}

/** From a gradient for each row to that of its logits. */
export function backward(
  caller: string,
  name: string,
  gradient: number | Logits,
  logits: Logits,
  options: LogSumExpOptions,
  allowed: readonly string[],
): Prepared<Output> {
  const x = viewAxes(caller, "logits", logits, options, allowed, gradient);
  const g = perRowGradients(caller, name, gradient, x, options);
  const mask = maskOf(caller, options.mask, x);
  const weights =
    options.weights === undefined ? undefined : broadcastOf(caller, "options.weights", options.weights, x);
  const inputs = reading(x, weights);
  const out = receiver(caller, x, x.data.length, options.out, typeof g === "number" ? inputs : [...inputs, g]);
  const moved = x.order === undefined ? undefined : allocate(x, x.data.length);
  const gradients = typeof g === "number" ? g : g.data;
  const finish = (): Output => {
    if (moved !== undefined) putBack(x, moved, out);
    return wrap(x, out, x.shape);
  };
  if (weights === undefined) return { family: core, job: plainBackwardJob(x, mask, moved ?? out, gradients), finish };
  return { family: wide, job: weightedBackwardJob(x, weights, mask, moved ?? out, gradients), finish };
}
