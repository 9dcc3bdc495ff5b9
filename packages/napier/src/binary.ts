import { broadcastOf, type Weights } from "./broadcast.ts";
import { checkOptions, rangeError } from "./check.ts";
import { type ElementOptions, elementJob, elements, elementsLike, type Source } from "./elements.ts";
import type { Half, HalfName } from "./half.ts";
import type { RowKernel } from "./kernels.ts";
import { type ReductionName, reduce, reductionOf } from "./reduction.ts";
import { runNow } from "./runner.ts";
import {
  type AnyData,
  allocate,
  type Computed,
  type Data,
  type Elementwise,
  type Elementwise2,
  isFlat,
  type Logits,
  type OnnxArgument,
  type OnnxTensor,
  type Out,
  type Output,
  receiver,
  type Tensor,
  type View,
  wrap,
} from "./tensor.ts";
import { wide } from "./wide.ts";

function map(caller: string, kernel: RowKernel, name: string, value: Logits, options: ElementOptions): Output {
  checkOptions(caller, options, ["shape", "dtype", "out"]);
  const x = elements(caller, name, value, options);
  const out = receiver(caller, x, x.rows, options.out, [x]);
  const job = elementJob(kernel, x.rows, [out], [x.data]);
  return runNow({ family: wide, job, finish: () => wrap(x, out, x.shape) });
}

function backward(
  caller: string,
  kernel: RowKernel,
  gradient: Logits,
  names: readonly [string, string],
  logits: Logits,
  options: ElementOptions,
): Output {
  checkOptions(caller, options, ["shape", "dtype", "out"]);
  const x = elements(caller, names[1], logits, options, gradient);
  const g = elementsLike(caller, names[0], gradient, x, options, logits);
  const out = receiver(caller, x, x.rows, options.out, [x, g]);
  const job = elementJob(kernel, x.rows, [out], [g.data, x.data]);
  return runNow({ family: wide, job, finish: () => wrap(x, out, x.shape) });
}

/**
 * The logarithm of the sigmoid, number by number.
 *
 *   out = log σ(x) = −log(1 + e^−x)
 *
 * @param logits  x, any shape, of 16, 32 or 64 bits, in nats; any value, see Edges
 * @param options.shape  the shape of a flat array
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds; such results are f32
 * @param options.out  receives the result; may be the logits' own array
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape
 *
 * Edges: 0 at +∞, −∞ at −∞, NaN at NaN. Accuracy: ≤ 2 ulp, results near 0 and subnormal ones included; never above 0.
 * Cost: one exponential and one logarithm a number, in f64. Source: Mächler 2012, "Accurately computing log(1 − exp(−|a|))"
 *
 * @example
 * logSigmoid([40, 0, -1000]); // [-4.248354255291589e-18, -0.6931471805599453, -1000]
 */
export const logSigmoid: Elementwise<ElementOptions> = ((logits: Logits, options: ElementOptions = {}) =>
  map("logSigmoid", "log_sigmoid_f64", "logits", logits, options)) as Elementwise<ElementOptions>;

/**
 * Softplus, number by number: the logarithm of 1 + e^x, a smooth max(x, 0).
 *
 *   out = log(1 + e^x) = −log σ(−x)
 *
 * @param logits  as in logSigmoid
 * @param options  `shape`, `dtype`, `out` as in logSigmoid
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape
 *
 * Edges: +∞ at +∞, 0 at −∞, NaN at NaN. Accuracy: ≤ 2 ulp, results near 0 and subnormal ones included; never below 0.
 * Cost and source: as logSigmoid
 *
 * @example
 * log1pExp([-40, 0, 1000]); // [4.248354255291589e-18, 0.6931471805599453, 1000]
 */
export const log1pExp: Elementwise<ElementOptions> = ((logits: Logits, options: ElementOptions = {}) =>
  map("log1pExp", "log1p_exp_f64", "logits", logits, options)) as Elementwise<ElementOptions>;

/**
 * The logarithm of 1 − e^x, number by number: from the log of a probability that of its complement.
 *
 *   out = log(1 − e^x), x ≤ 0
 *
 * @param logProbs  x, any shape, of 16, 32 or 64 bits, in nats; any value, see Edges
 * @param options  `shape`, `dtype`, `out` as in logSigmoid
 * @returns same kind, dtype and shape as logProbs
 * @throws {RangeError} the data's length is not the product of the shape
 *
 * Edges: −∞ at 0, 0 at −∞, NaN above 0 and at NaN. Accuracy: ≤ 2 ulp, results near 0 and subnormal ones included.
 * Cost: as logSigmoid, twice that above −ln 2. Source: as logSigmoid; the crossover is at −ln 2
 *
 * @example
 * log1mExp([-1e-20, -0.6931471805599453, -40]); // [-46.051701859880914, -0.6931471805599453, -4.248354255291589e-18]
 */
export const log1mExp: Elementwise<ElementOptions> = ((logProbs: Logits, options: ElementOptions = {}) =>
  map("log1mExp", "log1m_exp_f64", "logProbs", logProbs, options)) as Elementwise<ElementOptions>;

/**
 * The gradient of the logits, from that of their logSigmoid.
 *
 *   dx = g·σ(−x) = g / (1 + e^x)
 *
 * @param dout  g, the gradient of a loss with respect to logSigmoid's result; the logits' kind and shape
 * @param logits  x, as logSigmoid was given them
 * @param options  `shape`, `dtype`, `out` as in logSigmoid; `out` may be the own array of either argument
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the two shapes differ
 *
 * Edges: the factor is 0 at +∞ and 1 at −∞; 0·∞ and NaN give NaN. An infinite g stays infinite at every finite x.
 * Accuracy: ≤ 4 ulp; subnormal factors keep their digits under a large g. Cost: one exponential a number, in f64.
 *
 * @example
 * logSigmoidBackward([1, 1e300], [0, 745]); // [0.5, 2.8223507304719374e-24]
 */
export const logSigmoidBackward: Elementwise2<ElementOptions> = ((
  dout: Logits,
  logits: Logits,
  options: ElementOptions = {},
) =>
  backward(
    "logSigmoidBackward",
    "log_sigmoid_backward_f64",
    dout,
    ["dout", "logits"],
    logits,
    options,
  )) as Elementwise2<ElementOptions>;

/**
 * The gradient of the logits, from that of their log1pExp.
 *
 *   dx = g·σ(x) = g / (1 + e^−x)
 *
 * @param dout  g, as in logSigmoidBackward
 * @param logits  x, as log1pExp was given them
 * @param options  as in logSigmoidBackward
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the two shapes differ
 *
 * Edges: the factor is 1 at +∞ and 0 at −∞; the rest, accuracy and cost as logSigmoidBackward
 *
 * @example
 * log1pExpBackward([1, 1], [0, -40]); // [0.5, 4.248354255291589e-18]
 */
export const log1pExpBackward: Elementwise2<ElementOptions> = ((
  dout: Logits,
  logits: Logits,
  options: ElementOptions = {},
) =>
  backward(
    "log1pExpBackward",
    "log1p_exp_backward_f64",
    dout,
    ["dout", "logits"],
    logits,
    options,
  )) as Elementwise2<ElementOptions>;

/**
 * The gradient of the log-probabilities, from that of their log1mExp.
 *
 *   dx = −g·e^x / (1 − e^x) = −g / (e^−x − 1)
 *
 * @param dout  g, as in logSigmoidBackward
 * @param logProbs  x, as log1mExp was given them
 * @param options  as in logSigmoidBackward
 * @returns same kind, dtype and shape as logProbs
 * @throws {RangeError} the two shapes differ
 *
 * Edges: the factor is −∞ at 0 and 0 at −∞, NaN above 0; 0·∞ and NaN give NaN. Accuracy and cost: as logSigmoidBackward
 *
 * @example
 * log1mExpBackward([1, 1], [-1e-20, -40]); // [-100000000000000000000, -4.248354255291589e-18]
 */
export const log1mExpBackward: Elementwise2<ElementOptions> = ((
  dout: Logits,
  logProbs: Logits,
  options: ElementOptions = {},
) =>
  backward(
    "log1mExpBackward",
    "log1m_exp_backward_f64",
    dout,
    ["dout", "logProbs"],
    logProbs,
    options,
  )) as Elementwise2<ElementOptions>;

/** What a loss takes beside logits and targets. */
export interface BinaryLossOptions {
  /** the shape of flat logits */
  shape?: readonly number[];
  /** what a Uint16Array holds, where no `type` says it */
  dtype?: HalfName;
  /** a factor of each loss: a number, one for each class of the last axis, or what broadcasts to the logits' shape */
  weight?: number | Weights;
  /** a factor of the targets' term, likewise */
  posWeight?: number | Weights;
  /** "mean" over all numbers (default), "sum", or "none": one loss for each */
  reduction?: ReductionName;
}

type Total = { reduction?: "mean" | "sum" };
type Each = { reduction: "none" };
type LossOut = BinaryLossOptions & Out;

interface BceWithLogits {
  (logits: Logits, targets: Logits, options?: BinaryLossOptions & Total): number;
  (logits: readonly number[], targets: Logits, options: LossOut & Each): number[];
  (logits: Float32Array | Half, targets: Logits, options: LossOut & Each): Float32Array;
  (logits: Float64Array, targets: Logits, options: LossOut & Each): Float64Array;
  <D extends AnyData>(logits: OnnxArgument<D>, targets: Logits, options: LossOut & Each): OnnxTensor<Computed<D>>;
  <D extends AnyData>(logits: Tensor<D>, targets: Logits, options: LossOut & Each): Tensor<Computed<D>>;
  (logits: Logits, targets: Logits, options: LossOut): number | Output;
}

type WithGrad<L, D> = { loss: L; dlogits: D };

interface BceWithLogitsWithGrad {
  (logits: readonly number[], targets: Logits, options?: LossOut & Total): WithGrad<number, number[]>;
  (logits: Float32Array | Half, targets: Logits, options?: LossOut & Total): WithGrad<number, Float32Array>;
  (logits: Float64Array, targets: Logits, options?: LossOut & Total): WithGrad<number, Float64Array>;
  (logits: readonly number[], targets: Logits, options: LossOut & Each): WithGrad<number[], number[]>;
  (logits: Float32Array | Half, targets: Logits, options: LossOut & Each): WithGrad<Float32Array, Float32Array>;
  (logits: Float64Array, targets: Logits, options: LossOut & Each): WithGrad<Float64Array, Float64Array>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    targets: Logits,
    options?: LossOut & Total,
  ): WithGrad<number, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(
    logits: Tensor<D>,
    targets: Logits,
    options?: LossOut & Total,
  ): WithGrad<number, Tensor<Computed<D>>>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    targets: Logits,
    options: LossOut & Each,
  ): WithGrad<OnnxTensor<Computed<D>>, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(
    logits: Tensor<D>,
    targets: Logits,
    options: LossOut & Each,
  ): WithGrad<Tensor<Computed<D>>, Tensor<Computed<D>>>;
}

/** A factor as kernels take it, and its largest magnitude; the classes are on the last axis. */
function factorOf(
  caller: string,
  name: string,
  value: number | Weights | undefined,
  x: View,
): { factor: Source; largest: number } {
  const axis = x.shape.length - 1;
  const rows = { ...x, axes: axis < 0 ? [] : [axis], classes: axis < 0 ? 1 : x.shape[axis] };
  const isNumber = typeof value === "number";
  const given = isNumber || value === undefined ? 1 : broadcastOf(caller, name, value, rows);
  // read above: an array, or a tensor
  const data = (isNumber ? [value] : isFlat(value) ? value : (value?.data ?? [])) as Data;
  let largest = 0;
  for (let k = 0; k < data.length; k++) {
    if (!Number.isFinite(data[k])) {
      const where = isNumber ? name : `${name}${isFlat(value) ? "" : ".data"}[${k}]`;
      throw rangeError(caller, where, "a finite number", data[k]);
    }
    largest = Math.max(largest, Math.abs(data[k]));
  }
  if (value === undefined) return { factor: 1, largest: 1 };
  if (data.length === 1) return { factor: data[0], largest };
  // as many as there are, or those of a single row
  return { factor: data.length === x.rows ? data : given, largest };
}

/** What both losses are computed from: logits, targets and factors. */
function prepare(caller: string, logits: Logits, targets: Logits, options: LossOut) {
  checkOptions(caller, options, ["shape", "dtype", "out", "weight", "posWeight", "reduction"]);
  const reduction = reductionOf(caller, options);
  const x = elements(caller, "logits", logits, options, targets);
  const t = elementsLike(caller, "targets", targets, x, options, logits);
  const weight = factorOf(caller, "options.weight", options.weight, x);
  const posWeight = factorOf(caller, "options.posWeight", options.posWeight, x);
  // so that ∞·0 cannot make a NaN of finite logits
  if (!Number.isFinite(weight.largest * posWeight.largest)) {
    throw rangeError(caller, "options.posWeight", "a finite product with options.weight", posWeight.largest);
  }
  return { reduction, x, t, sources: [x.data, t.data, weight.factor, posWeight.factor] };
}

/**
 * Binary cross-entropy between logits and the probabilities of their being true.
 *
 *   loss = weight·(−posWeight·t·log σ(x) − (1 − t)·log σ(−x));  "mean": Σ loss / numbers
 *
 * @param logits  x, any shape, of 16, 32 or 64 bits, in nats; any value, see Edges
 * @param targets  t, the logits' shape, any kind of array: 0 and 1, or probabilities; other values follow the formula
 * @param options.weight  a factor of each loss: a number, one for each class of the last axis, or what broadcasts to the
 * logits' shape
 * @param options.posWeight  a factor of the targets' term, likewise
 * @param options.reduction  "mean" (default), "sum" or "none"
 * @param options  `shape`, `dtype`, `out` (for "none") as in logSigmoid
 * @returns a number; with "none" one for each logit, in the kind of the logits
 * @throws {RangeError} shapes that differ or do not broadcast; a weight that is not finite
 *
 * Edges: 0·log 0 = 0, so x = ±∞ gives 0 where the target agrees, else +∞; NaN in logits or targets gives NaN.
 * Accuracy: targets 0 and 1: ≤ 2 ulp (f32), ≤ 4 ulp (f64), near 0 included, and never below 0 with weights from 0;
 * others: ≤ 4 ulp of the result or its largest term. Cost: one exponential and one logarithm a number, in f64.
 * Source: PyTorch's binary_cross_entropy_with_logits
 *
 * @example
 * bceWithLogits([40, -1000], [1, 1], { reduction: "none" }); // [4.248354255291589e-18, 1000]
 */
export const bceWithLogits: BceWithLogits = ((logits: Logits, targets: Logits, options: LossOut = {}) => {
  const caller = "bceWithLogits";
  const { reduction, x, t, sources } = prepare(caller, logits, targets, options);
  const isEach = reduction === "none";
  const losses = isEach ? receiver(caller, x, x.rows, options.out, [x, t]) : new Float64Array(x.rows);
  return runNow({
    family: wide,
    job: elementJob("bce_f64", x.rows, [losses], sources),
    finish: () => (isEach ? wrap(x, losses, x.shape) : reduce(caller, losses as Float64Array, reduction, x)),
  });
}) as BceWithLogits;

/**
 * Binary cross-entropy and its gradient in one pass over the logits.
 *
 *   dlogits = weight·((1 − t)·σ(x) − posWeight·t·σ(−x)), divided by the numbers for "mean"
 *
 * It is never σ(x) − t: that is 0 long before the gradient is.
 *
 * @param logits  as in bceWithLogits
 * @param targets  as in bceWithLogits
 * @param options  as in bceWithLogits; `out` receives the gradient and may be the own array of logits or targets
 * @returns `loss` as bceWithLogits returns it, and `dlogits` in the logits' kind, dtype and shape; with "none" the
 * gradient of each logit's own loss
 * @throws {RangeError} as bceWithLogits
 *
 * Edges: σ(±∞) is 1 and 0; NaN in logits or targets gives NaN.
 * Accuracy: gradient ≤ 4 ulp (f32), ≤ 8 ulp (f64) for targets 0 and 1; others ≤ 4 ulp of the largest term.
 * Cost: one exponential and one logarithm a number, in f64. Source: as bceWithLogits
 *
 * @example
 * bceWithLogitsWithGrad([40, -40], [1, 0]).dlogits; // [-2.1241771276457944e-18, 2.1241771276457944e-18]
 */
export const bceWithLogitsWithGrad: BceWithLogitsWithGrad = ((
  logits: Logits,
  targets: Logits,
  options: LossOut = {},
) => {
  const caller = "bceWithLogitsWithGrad";
  const { reduction, x, t, sources } = prepare(caller, logits, targets, options);
  const isEach = reduction === "none";
  const out = receiver(caller, x, x.rows, options.out, [x, t]);
  const losses = isEach ? allocate(x, x.rows) : new Float64Array(x.rows);
  return runNow({
    family: wide,
    job: elementJob("bce_with_grad_f64", x.rows, [losses, out], sources, [reduction === "mean" ? x.rows : 1]),
    finish: () => ({
      loss: isEach ? wrap(x, losses, x.shape) : reduce(caller, losses as Float64Array, reduction, x),
      dlogits: wrap(x, out, x.shape),
    }),
  });
}) as BceWithLogitsWithGrad;
