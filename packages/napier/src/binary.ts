import { checkOptions, rangeError, words } from "./check.ts";
import { type ElementOptions, elementJob, elements, elementsLike } from "./elements.ts";
import type { Half } from "./half.ts";
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
  type Logits,
  type OnnxArgument,
  type OnnxTensor,
  type Out,
  type Output,
  receiver,
  type Tensor,
  type View,
  wrapRows,
} from "./tensor.ts";
import { wide } from "./wide.ts";

function map(caller: string, kernel: RowKernel, name: string, value: Logits, options: ElementOptions): Logits {
  checkOptions(caller, options, ["shape", "out"]);
  const x = elements(caller, name, value, options);
  const out = receiver(caller, x, x.rows, options.out, [x]);
  const job = elementJob(kernel, x.rows, [out], [x.data]);
  return runNow({ family: wide, job, finish: () => wrapRows(x, out) as Logits });
}

function backward(
  caller: string,
  kernel: RowKernel,
  gradient: Logits,
  names: readonly [string, string],
  logits: Logits,
  options: ElementOptions,
): Logits {
  checkOptions(caller, options, ["shape", "out"]);
  const x = elements(caller, names[1], logits, options);
  const g = elementsLike(caller, names[0], gradient, x);
  const out = receiver(caller, x, x.rows, options.out, [x, g]);
  const job = elementJob(kernel, x.rows, [out], [g.data, x.data]);
  return runNow({ family: wide, job, finish: () => wrapRows(x, out) as Logits });
}

/**
 * The logarithm of the sigmoid, number by number.
 *
 *   out = log σ(x) = −log(1 + e^−x)
 *
 * @param logits  x, any shape, f32 or f64, in nats; any value, see Edges
 * @param options.shape  the shape of a flat array
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
 * @param options  `shape`, `out` as in logSigmoid
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
 * @param logProbs  x, any shape, f32 or f64, in nats; any value, see Edges
 * @param options  `shape`, `out` as in logSigmoid
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
 * @param dout  g, the gradient of a loss with respect to logSigmoid's result; the logits' shape, any kind of array
 * @param logits  x, as logSigmoid was given them
 * @param options  `shape`, `out` as in logSigmoid; `out` may be the own array of either argument
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
  /** a factor of each loss: a number, or an array or tensor that broadcasts to the logits' shape */
  weight?: number | Logits;
  /** a factor of the targets' term, likewise */
  posWeight?: number | Logits;
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

/** The factor of each number: one for all, or as many as there are; the largest magnitude goes first. */
function factorOf(caller: string, name: string, value: number | Logits | undefined, x: View): [number, Data | number] {
  const given = typeof value === "number" ? [value] : (value ?? [1]);
  const w = elements(caller, name, given, {});
  let largest = 0;
  for (let k = 0; k < w.rows; k++) {
    const factor = w.data[k];
    if (!Number.isFinite(factor)) {
      throw rangeError(caller, typeof value === "number" ? name : `${name}[${k}]`, "a finite number", factor);
    }
    largest = Math.max(largest, Math.abs(factor));
  }
  return [largest, w.rows === 1 ? w.data[0] : broadcast(caller, name, w, x)];
}

/** The numbers of w for each number of x: an axis of w, counted from the last, is as long as that of x, or 1. */
function broadcast(caller: string, name: string, w: View, x: View): Data {
  const [own, shape] = [w.shape.slice(0, -1), x.shape.slice(0, -1)];
  const skip = shape.length - own.length;
  if (skip < 0 || own.some((size, d) => size !== 1 && size !== shape[d + skip])) {
    throw rangeError(caller, name, `a shape that broadcasts to [${shape.join(", ")}]`, words(`[${own.join(", ")}]`));
  }
  const strides = shape.map((_, d) =>
    d < skip || own[d - skip] === 1 ? 0 : own.slice(d - skip + 1).reduce((total, size) => total * size, 1),
  );
  return Float64Array.from(x.data, (_, k) => {
    let at = 0;
    for (let d = shape.length - 1, left = k; d >= 0; left = Math.floor(left / shape[d]), d--) {
      at += (left % shape[d]) * strides[d];
    }
    return w.data[at];
  });
}

/** What both losses are computed from: logits, targets and factors. */
function prepare(caller: string, logits: Logits, targets: Logits, options: LossOut) {
  checkOptions(caller, options, ["shape", "out", "weight", "posWeight", "reduction"]);
  const reduction = reductionOf(caller, options);
  const x = elements(caller, "logits", logits, options);
  const t = elementsLike(caller, "targets", targets, x);
  const [most, weights] = factorOf(caller, "options.weight", options.weight, x);
  const [mostPositive, posWeights] = factorOf(caller, "options.posWeight", options.posWeight, x);
  // so that ∞·0 cannot make a NaN of finite logits
  if (!Number.isFinite(most * mostPositive)) {
    throw rangeError(caller, "options.posWeight", "a finite product with options.weight", mostPositive);
  }
  return { reduction, x, t, sources: [x.data, t.data, weights, posWeights] };
}

/**
 * Binary cross-entropy between logits and the probabilities of their being true.
 *
 *   loss = weight·(−posWeight·t·log σ(x) − (1 − t)·log σ(−x));  "mean": Σ loss / numbers
 *
 * @param logits  x, any shape, f32 or f64, in nats; any value, see Edges
 * @param targets  t, the logits' shape, any kind of array: 0 and 1, or probabilities; other values follow the formula
 * @param options.weight  a factor of each loss: a number, or an array or tensor that broadcasts to the logits' shape
 * @param options.posWeight  a factor of the targets' term, likewise
 * @param options.reduction  "mean" (default), "sum" or "none"
 * @param options  `shape`, `out` (for "none") as in logSigmoid
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
    finish: () => (isEach ? wrapRows(x, losses) : reduce(caller, losses as Float64Array, reduction, x)),
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
      loss: isEach ? wrapRows(x, losses) : reduce(caller, losses as Float64Array, reduction, x),
      dlogits: wrapRows(x, out),
    }),
  });
}) as BceWithLogitsWithGrad;
