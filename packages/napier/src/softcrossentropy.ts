import { classWeightsOf, keptRows, maskOf } from "./broadcast.ts";
import { checkOptions, rangeError, words } from "./check.ts";
import { leftOut } from "./counting.ts";
import { type GeneralLoss, prepareGeneralLoss, prepareGeneralLossWithGrad } from "./generalloss.ts";
import { areaOf, type Prepared } from "./job.ts";
import { checkTerms, SOFT_OPTIONS, type SoftCrossEntropyOptions } from "./lossoptions.ts";
import { type Loss, type LossWithGrad, reductionOf } from "./reduction.ts";
import { runNow } from "./runner.ts";
import { type Logits, type Out, type Output, receiver, type View, view, viewLike } from "./tensor.ts";

type SoftOptions = SoftCrossEntropyOptions & Out;

/** The arguments, checked. */
function read(caller: string, logits: Logits, targets: Logits, options: SoftOptions): GeneralLoss & { q: View } {
  checkOptions(caller, options, SOFT_OPTIONS);
  const reduction = reductionOf(caller, options);
  checkTerms(caller, options);
  const { weight, labelSmoothing = 0 } = options;
  const x = view(caller, "logits", logits, options, targets);
  const q = viewLike(caller, "targets", targets, x, options);
  if (x.classes === 0) throw rangeError(caller, "logits", "at least 1 class", words("0"));
  const classWeights = weight === undefined ? undefined : classWeightsOf(caller, weight, x);
  const mask = maskOf(caller, options.mask, x);
  const left = mask === undefined ? undefined : leftOut(x.rows, undefined, keptRows(mask, x));
  const count = left === undefined ? x.rows : left.reduce((sum, isLeft) => sum - isLeft, x.rows);
  return {
    ...{ caller, x, q, reduction, mask, classWeights, options },
    rows: { left, weights: undefined, count, divisor: count, factor: 1 },
    targets(steps, t, weights, kept) {
      const rows = steps.area(areaOf(x, q.data));
      if (x.dtype === "f32") steps.call("widen_f32", [t, rows]);
      steps.call("soft_targets_f64", [t, x.dtype === "f32" ? t : rows, weights, kept], labelSmoothing);
    },
  };
}

export function prepareSoftCrossEntropy(
  logits: Logits,
  targets: Logits,
  options: SoftOptions = {},
): Prepared<number | Output> {
  const caller = "softCrossEntropy";
  const loss = read(caller, logits, targets, options);
  const { x, q, reduction } = loss;
  if (reduction === "none" && options.out !== undefined) receiver(caller, x, x.rows, options.out, [x, q]);
  return prepareGeneralLoss(loss, options.out);
}

export function prepareSoftCrossEntropyWithGrad(
  logits: Logits,
  targets: Logits,
  options: SoftOptions = {},
): Prepared<{ loss: number | Output; dlogits: Output }> {
  const caller = "softCrossEntropyWithGrad";
  const loss = read(caller, logits, targets, options);
  const { x, q } = loss;
  return prepareGeneralLossWithGrad(loss, receiver(caller, x, x.data.length, options.out, [x, q]));
}

/**
 * Cross-entropy between logits and probabilities as targets: distillation, mixed labels.
 *
 *   loss[i] = −Σ_j w[j]·q'[i, j]·logSoftmax(x)[i, j],  q' = (1 − ε)·q + ε / K;  "mean": Σ_i loss[i] / rows
 *
 * The probabilities are data: the formula is followed whether or not they are positive and sum to 1. K counts the classes
 * of a row that the mask keeps. "mean" divides by the rows, whatever the weights, as PyTorch does for such targets, and
 * unlike crossEntropy, which divides by the sum of the weights; rows that are masked whole do not count.
 *
 * @param logits  x, any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param targets  q, probabilities in the logits' shape and dtype
 * @param options.reduction  "mean" (default), "sum" or "none"
 * @param options.weight  w, a finite number for each class; 1 without it
 * @param options.labelSmoothing  ε from 0 to 1
 * @param options.mask  1 keeps a class of a row, 0 leaves it out: as if it were not there
 * @param options.zLoss  as in crossEntropy
 * @param options.softcap  as in crossEntropy
 * @param options.temperature  as in crossEntropy
 * @param options  `shape`, `axis`, `dtype`, `out` (for "none") as in logSoftmax
 * @returns a number; with "none" one for each row, in the kind of the logits
 * @throws {RangeError} the two shapes differ; an option out of its range; no classes
 *
 * Edges: a q or w of 0 adds 0 at a logit of −∞ too, any other q there gives +∞, and so does one at a masked class; a NaN or
 * +∞ in a row of logits, or nothing but −∞, gives NaN; a row masked whole gives 0. zLoss and w·ε / K as in crossEntropy.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64) for q from 0, near 0 included, else 4 ulp of the largest term.
 * Cost: f64 inside; reads x and q twice in cache.
 * Source: PyTorch's cross_entropy with class probabilities; pytorch#63004 and #104776 ask what is divided by what
 *
 * @example
 * softCrossEntropy([40, 0], [1, 0]); // 4.248354255291589e-18
 */
export const softCrossEntropy: Loss<SoftCrossEntropyOptions, false, Logits> = ((
  logits: Logits,
  targets: Logits,
  options?: SoftOptions,
) => runNow(prepareSoftCrossEntropy(logits, targets, options))) as Loss<SoftCrossEntropyOptions, false, Logits>;

/**
 * softCrossEntropy and the gradient of its logits.
 *
 *   dlogits[i, j] = softmax(x)[i, j]·Σ_k w[k]·q'[i, k] − w[j]·q'[i, j], divided by the rows for "mean"
 *
 * The largest logit's entry is computed from the other classes' targets and probabilities: p − q is 0 long before the
 * gradient is.
 *
 * @param logits  as in softCrossEntropy
 * @param targets  as in softCrossEntropy
 * @param options  as in softCrossEntropy; `out` receives the gradient and may be the logits' or the targets' own array
 * @returns `loss` as softCrossEntropy returns it, and `dlogits` in the logits' kind, dtype and shape
 * @throws {RangeError} the two shapes differ; an option out of its range; no classes
 *
 * Edges: a row whose loss is NaN has a NaN gradient; masked classes have a gradient of 0.
 * Accuracy: ≤ 4 ulp of the largest term, with softcap ≤ 8 ulp (f64). Cost: as softCrossEntropy, and writes x once.
 * Source: as softCrossEntropy
 *
 * @example
 * softCrossEntropyWithGrad([40, 0], [1, 0]).dlogits; // [-4.248354255291589e-18, 4.248354255291589e-18]
 */
export const softCrossEntropyWithGrad: LossWithGrad<SoftCrossEntropyOptions, false, Logits> = ((
  logits: Logits,
  targets: Logits,
  options?: SoftOptions,
) => runNow(prepareSoftCrossEntropyWithGrad(logits, targets, options))) as LossWithGrad<
  SoftCrossEntropyOptions,
  false,
  Logits
>;
