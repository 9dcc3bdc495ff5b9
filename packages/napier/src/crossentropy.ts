import { checkOptions } from "./check.ts";
import type { Half } from "./half.ts";
import { areaOf, type Job, type Prepared, perRow } from "./job.ts";
import { combine, type Loss, type LossOptions, type ReductionName, reduce, reductionOf } from "./reduction.ts";
import { runNow } from "./runner.ts";
import { classIndices, type Targets } from "./targets.ts";
import {
  type AnyData,
  type Computed,
  type Dtype,
  type Logits,
  type ManyRows,
  type OneRow,
  type OnnxArgument,
  type OnnxTensor,
  type Options,
  type Out,
  type Result,
  receiver,
  type Tensor,
  type View,
  view,
  wrap,
} from "./tensor.ts";
import { core } from "./wasm.ts";

const CROSS_ENTROPY = {
  f32: [{ kernel: "cross_entropy_f32", areas: [0, 1, 2, 3] }],
  f64: [{ kernel: "cross_entropy_f64", areas: [0, 1, 2] }],
} as const;
const CROSS_ENTROPY_WITH_GRAD = {
  f32: [{ kernel: "cross_entropy_with_grad_f32", areas: [0, 1, 2, 3, 4, 5] }],
  f64: [{ kernel: "cross_entropy_with_grad_f64", areas: [0, 1, 2, 3, 4] }],
} as const;

/**
 * Where the kernels' losses go: sums over rows take them as f64; each on its own is, in f32, −logSoftmax(x)[y] to the
 * bit, which is not always the f64 loss rounded.
 */
function rowLosses(x: View, reduction: ReductionName): { losses: Float64Array; rounded?: Float32Array } {
  const losses = new Float64Array(x.rows);
  return x.dtype === "f32" && reduction === "none" ? { losses, rounded: new Float32Array(x.rows) } : { losses };
}

/** The kernels for f32 take the rounded losses too. */
function lossAreas(x: View, losses: Float64Array, rounded: Float32Array | undefined): Job["areas"] {
  const exact = perRow("f64", undefined, losses);
  return x.dtype === "f32" ? [exact, perRow("f32", undefined, rounded)] : [exact];
}

export function prepareCrossEntropy(
  logits: Logits,
  targets: Targets,
  options: LossOptions & Out = {},
): Prepared<number | Logits> {
  const caller = "crossEntropy";
  checkOptions(caller, options, ["shape", "axis", "dtype", "out", "reduction"]);
  const reduction = reductionOf(caller, options);
  const x = view(caller, "logits", logits, options);
  const y = classIndices(caller, targets, x);
  if (reduction === "none" && options.out !== undefined) receiver(caller, x, x.rows, options.out, [x]);
  const { losses, rounded } = rowLosses(x, reduction);
  const areas = [...lossAreas(x, losses, rounded), areaOf(x, x.data), perRow("i32", y)];
  return {
    family: core,
    job: { rows: x.rows, classes: x.classes, areas, calls: CROSS_ENTROPY[x.dtype] },
    finish: () => reduce(caller, rounded ?? losses, reduction, x, options.out),
  };
}

/** The mean loss before it is rounded to the logits' dtype, in another function's name. */
export function prepareMeanLoss(
  caller: string,
  logits: Logits,
  targets: Targets,
  options: Options,
): Prepared<{ mean: number; dtype: Dtype }> {
  checkOptions(caller, options, ["shape", "axis", "dtype"]);
  const x = view(caller, "logits", logits, options);
  const y = classIndices(caller, targets, x);
  const losses = new Float64Array(x.rows);
  const areas = [...lossAreas(x, losses, undefined), areaOf(x, x.data), perRow("i32", y)];
  return {
    family: core,
    job: { rows: x.rows, classes: x.classes, areas, calls: CROSS_ENTROPY[x.dtype] },
    finish: () => ({ mean: combine(losses, Math.max(1, losses.length)), dtype: x.dtype }),
  };
}

export function prepareCrossEntropyWithGrad(
  logits: Logits,
  targets: Targets,
  options: GradOptions = {},
): Prepared<{ loss: number | Logits; dlogits: Logits }> {
  const caller = "crossEntropyWithGrad";
  checkOptions(caller, options, ["shape", "axis", "dtype", "out", "reduction"]);
  const reduction = reductionOf(caller, options);
  const x = view(caller, "logits", logits, options);
  const y = classIndices(caller, targets, x);
  const out = receiver(caller, x, x.data.length, options.out, [x]);
  const { losses, rounded } = rowLosses(x, reduction);
  const areas = [
    ...lossAreas(x, losses, rounded),
    areaOf(x, undefined, out),
    areaOf(x, x.data),
    perRow("i32", y),
    perRow("f64", reduction === "mean" ? 1 / x.rows : 1),
  ];
  return {
    family: core,
    job: { rows: x.rows, classes: x.classes, areas, calls: CROSS_ENTROPY_WITH_GRAD[x.dtype] },
    finish: () => ({ loss: reduce(caller, rounded ?? losses, reduction, x), dlogits: wrap(x, out, x.shape) }),
  };
}

/**
 * Cross-entropy between logits and true classes: logSoftmax and nllLoss in one.
 *
 *   loss[i] = log Σ_k exp(x[i, k]) − x[i, y[i]];  "mean": Σ_i loss[i] / rows
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param targets  the true class of each row: number (one row), number[], Int32Array, BigInt64Array or a tensor of these
 * @param options.reduction  "mean" (default), "sum" or "none"
 * @param options  `shape`, `axis`, `dtype`, `out` (for "none") as in logSoftmax
 * @returns a number; with "none" one for each row, in the kind of the logits
 * @throws {RangeError} a target is not a class; not one target for each row; no classes
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, gives NaN; a target at −∞ gives +∞; no rows give 0.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64), near 0 included; never below 0. With "none" the very bits of
 * nllLoss(logSoftmax(x), y). Cost: reads x twice in cache.
 * Source: PyTorch's cross_entropy, ONNX's SoftmaxCrossEntropyLoss
 *
 * @example
 * crossEntropy([1000, 0, -1000], 1); // 1000
 */
export const crossEntropy: Loss<LossOptions> = ((logits: Logits, targets: Targets, options?: LossOptions & Out) =>
  runNow(prepareCrossEntropy(logits, targets, options))) as Loss<LossOptions>;

type GradOptions = LossOptions & Out;
type Each = { reduction: "none" };
type Total = { reduction?: "mean" | "sum" };

/** The loss and its gradient, the gradient in the logits' kind. */
export interface LossWithGrad<P = false> {
  (
    logits: readonly number[],
    y: Targets,
    options?: GradOptions & (Total | (OneRow & Each)),
  ): Result<P, { loss: number; dlogits: number[] }>;
  (
    logits: Float32Array | Half,
    y: Targets,
    options?: GradOptions & (Total | (OneRow & Each)),
  ): Result<P, { loss: number; dlogits: Float32Array }>;
  (
    logits: Float64Array,
    y: Targets,
    options?: GradOptions & (Total | (OneRow & Each)),
  ): Result<P, { loss: number; dlogits: Float64Array }>;
  <D extends AnyData>(
    logits: D,
    y: Targets,
    options: GradOptions & ManyRows & Each,
  ): Result<P, { loss: Computed<D>; dlogits: Computed<D> }>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    y: Targets,
    options?: GradOptions & Total,
  ): Result<P, { loss: number; dlogits: OnnxTensor<Computed<D>> }>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    y: Targets,
    options: GradOptions & Each,
  ): Result<P, { loss: OnnxTensor<Computed<D>>; dlogits: OnnxTensor<Computed<D>> }>;
  <D extends AnyData>(
    logits: Tensor<D>,
    y: Targets,
    options?: GradOptions & Total,
  ): Result<P, { loss: number; dlogits: Tensor<Computed<D>> }>;
  <D extends AnyData>(
    logits: Tensor<D>,
    y: Targets,
    options: GradOptions & Each,
  ): Result<P, { loss: Tensor<Computed<D>>; dlogits: Tensor<Computed<D>> }>;
}

/**
 * Cross-entropy and its gradient in one pass over the logits.
 *
 *   dlogits[i, j] = softmax(x)[i, j] − [j = y[i]], divided by the rows for "mean"
 *
 * The true class's entry is computed as minus the sum of the others: p − 1 is 0 long before the gradient is.
 *
 * @param logits  as in crossEntropy
 * @param targets  as in crossEntropy
 * @param options  as in crossEntropy; `out` receives the gradient and may be the logits' own array
 * @returns `loss` as crossEntropy returns it, and `dlogits` in the logits' kind, dtype and shape; with "none" the
 * gradient of each row's own loss
 * @throws {RangeError} a target is not a class; not one target for each row; no classes
 *
 * Edges: a row whose loss is NaN has a NaN gradient; a target at −∞ has loss +∞ and gradient p − onehot.
 * Accuracy: gradient ≤ 4 ulp (f32), ≤ 8 ulp (f64), the true class included. Cost: reads x twice, writes twice, in cache.
 * Source: as crossEntropy; scikit-learn, PyTorch and JAX return 0 where p rounds to 1
 *
 * @example
 * crossEntropyWithGrad([40, 0], 0).dlogits; // [-4.248354255291589e-18, 4.248354255291589e-18]
 */
export const crossEntropyWithGrad: LossWithGrad = ((logits: Logits, targets: Targets, options?: GradOptions) =>
  runNow(prepareCrossEntropyWithGrad(logits, targets, options))) as LossWithGrad;
