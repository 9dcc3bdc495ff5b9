import { classWeightsOf, keptRows, maskOf } from "./broadcast.ts";
import { checkOptions } from "./check.ts";
import { type Counted, clearRows, counted, leftOut } from "./counting.ts";
import {
  type GeneralLoss,
  isGeneral,
  prepareGeneralLoss,
  prepareGeneralLossWithGrad,
  prepareGeneralMean,
} from "./generalloss.ts";
import { areaOf, type Job, type Prepared, perRow } from "./job.ts";
import { type CrossEntropyOptions, checkIgnoreIndex, checkTerms, HARD_OPTIONS } from "./lossoptions.ts";
import { type Loss, type LossWithGrad, type ReductionName, reductionOf } from "./reduction.ts";
import { RowLosses, scalesOf } from "./rowlosses.ts";
import { runNow } from "./runner.ts";
import { maskedCalls } from "./steps.ts";
import { classIndices, type Targets } from "./targets.ts";
import { type Dtype, type Logits, type Out, type Output, receiver, type View, view, wrap } from "./tensor.ts";
import { core } from "./wasm.ts";

const CROSS_ENTROPY = {
  f32: [{ kernel: "cross_entropy_f32", areas: [0, 1, 2, 3] }],
  f64: [{ kernel: "cross_entropy_f64", areas: [0, 1, 2] }],
} as const;
const CROSS_ENTROPY_WITH_GRAD = {
  f32: [{ kernel: "cross_entropy_with_grad_f32", areas: [0, 1, 2, 3, 4, 5] }],
  f64: [{ kernel: "cross_entropy_with_grad_f64", areas: [0, 1, 2, 3, 4] }],
} as const;

/** The arguments, checked. */
interface Arguments {
  readonly reduction: ReductionName;
  readonly x: View;
  readonly y: Int32Array;
  readonly mask: Uint8Array | undefined;
  readonly classWeights: Float64Array | undefined;
  readonly rows: Counted;
}

function read(caller: string, logits: Logits, targets: Targets, options: CrossEntropyOptions & Out): Arguments {
  checkOptions(caller, options, HARD_OPTIONS);
  const reduction = reductionOf(caller, options);
  checkIgnoreIndex(caller, options);
  checkTerms(caller, options);
  const { weight, ignoreIndex } = options;
  const x = view(caller, "logits", logits, options);
  const classWeights = weight === undefined ? undefined : classWeightsOf(caller, weight, x);
  const mask = maskOf(caller, options.mask, x);
  const y = classIndices(caller, targets, x, "logits", ignoreIndex);
  const left =
    ignoreIndex === undefined && mask === undefined ? undefined : leftOut(x.rows, y, mask && keptRows(mask, x));
  return { reduction, x, y, mask, classWeights, rows: counted(x.rows, left, classWeights, y, reduction) };
}

/** Where the options ask for more than the kernels for one class a row do. */
function general(caller: string, given: Arguments, options: CrossEntropyOptions): GeneralLoss {
  return {
    ...given,
    caller,
    options,
    targets(steps, t, weights, mask) {
      const y = steps.area(perRow("i32", given.y));
      steps.call("hard_targets_f64", [t, y, weights, mask], options.labelSmoothing ?? 0);
    },
  };
}

/** The job of hard targets on their own kernels. */
function lossJob(given: Arguments, losses: RowLosses): Job {
  const { x, y, mask } = given;
  const own = losses.areas(given);
  const areas = [...own, areaOf(x, x.data), perRow("i32", y)];
  const calls = maskedCalls(x, mask, areas, CROSS_ENTROPY[x.dtype], [own.length, -Infinity]);
  return { rows: x.rows, classes: x.classes, areas, calls };
}

export function prepareCrossEntropy(
  logits: Logits,
  targets: Targets,
  options: CrossEntropyOptions & Out = {},
): Prepared<number | Output> {
  const caller = "crossEntropy";
  const given = read(caller, logits, targets, options);
  const { x, reduction } = given;
  if (reduction === "none" && options.out !== undefined) receiver(caller, x, x.rows, options.out, [x]);
  if (isGeneral(given, options)) return prepareGeneralLoss(general(caller, given, options), options.out);
  const losses = new RowLosses(given);
  return { family: core, job: lossJob(given, losses), finish: () => losses.reduced(caller, given, options.out) };
}

/** The mean loss before it is rounded to the logits' dtype, in another function's name. */
export function prepareMeanLoss(
  caller: string,
  logits: Logits,
  targets: Targets,
  options: CrossEntropyOptions,
): Prepared<{ mean: number; dtype: Dtype }> {
  const given = read(caller, logits, targets, options);
  const { dtype } = given.x;
  if (isGeneral(given, options)) {
    const { family, job, finish } = prepareGeneralMean(general(caller, given, options));
    return { family, job, finish: () => ({ mean: finish(), dtype }) };
  }
  const losses = new RowLosses(given);
  return { family: core, job: lossJob(given, losses), finish: () => ({ mean: losses.mean(given), dtype }) };
}

export function prepareCrossEntropyWithGrad(
  logits: Logits,
  targets: Targets,
  options: CrossEntropyOptions & Out = {},
): Prepared<{ loss: number | Output; dlogits: Output }> {
  const caller = "crossEntropyWithGrad";
  const given = read(caller, logits, targets, options);
  const { x, y, mask, rows } = given;
  const out = receiver(caller, x, x.data.length, options.out, [x]);
  if (isGeneral(given, options)) return prepareGeneralLossWithGrad(general(caller, given, options), out);
  const losses = new RowLosses(given);
  const own = losses.areas(given);
  const gradient = own.length;
  const areas = [
    ...own,
    areaOf(x, undefined, out),
    areaOf(x, x.data),
    perRow("i32", y),
    perRow("f64", scalesOf(given)),
  ];
  const calls = maskedCalls(x, mask, areas, CROSS_ENTROPY_WITH_GRAD[x.dtype], [gradient + 1, -Infinity], [gradient, 0]);
  return {
    family: core,
    job: { rows: x.rows, classes: x.classes, areas, calls },
    finish: () => {
      clearRows(out, x, rows.left);
      return { loss: losses.reduced(caller, given), dlogits: wrap(x, out, x.shape) };
    },
  };
}

/**
 * Cross-entropy between logits and true classes: logSoftmax and nllLoss in one.
 *
 *   loss[i] = −w[y[i]]·logSoftmax(x)[i, y[i]];  "mean": Σ_i loss[i] / Σ_i w[y[i]] over the rows that count
 *
 * With labelSmoothing ε the target is a class to 1 − ε, and to ε all K classes that the mask keeps, each by its own weight;
 * "mean" still divides by the weights of the true classes, as PyTorch does (pytorch#63004, pytorch#104776):
 *
 *   loss[i] = −(1 − ε)·w[y[i]]·logp[i, y[i]] − ε/K·Σ_j w[j]·logp[i, j]
 *
 * zLoss adds z·lse[i]² to each row, lse after softcap and temperature (PaLM, arXiv:2204.02311, section 5); "mean" divides
 * that by the number of rows that count, whatever their weights, as Liger does.
 *
 * @param logits  x, any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param targets  the true class of each row: number (one row), number[], Int32Array, BigInt64Array or a tensor of these
 * @param options.reduction  "mean" (default), "sum" or "none"
 * @param options.weight  w, a finite number for each class; 1 without it
 * @param options.ignoreIndex  rows with this target are left out: loss and gradient 0, whatever their logits are
 * @param options.labelSmoothing  ε from 0 to 1
 * @param options.mask  1 keeps a class of a row, 0 leaves it out: as if it were not there; it broadcasts to the logits' shape
 * @param options.zLoss  z, a finite number from 0
 * @param options.softcap  c > 0: the logits become c·tanh(x / c) (Gemma 2, arXiv:2408.00118)
 * @param options.temperature  T > 0: the logits, after softcap, are divided by it
 * @param options  `shape`, `axis`, `dtype`, `out` (for "none") as in logSoftmax
 * @returns a number; with "none" one for each row, in the kind of the logits
 * @throws {RangeError} a target is neither a class nor ignoreIndex; not one target for each row; an option out of its
 * range; no classes
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, gives NaN; a target at −∞, or masked, gives +∞, with labelSmoothing any
 * class at −∞ does; a weight of 0 leaves nothing of +∞. A row masked whole is left out. No rows, none that count, and
 * weights that sum to 0 give a mean of 0 (PyTorch: NaN, pytorch#70348). softcap makes −c of −∞; below 1 a temperature makes
 * −∞ of a logit that is then further below the maximum than f64 reaches, and for zLoss ±∞ of an lse that is. A target's
 * part w·ε / K that is below f64's range counts as 0.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64), near 0 included; never below 0; with softcap, of the capped logits as f64 has
 * them, with zLoss of the largest of loss and z·(|m / T| + log of the rest)². With "none", without weights and what is
 * computed in f64, the very bits of nllLoss(logSoftmax(x), y).
 * Cost: reads x twice in cache; labelSmoothing, zLoss and temperature are computed in f64: f32 takes five
 * times, f64 twice as long, and so do f64 rows of weights above 4 without a mean; softcap about four times that.
 * Source: PyTorch's cross_entropy, ONNX's SoftmaxCrossEntropyLoss
 *
 * @example
 * crossEntropy([1000, 0, -1000], 1); // 1000
 */
export const crossEntropy: Loss<CrossEntropyOptions> = ((
  logits: Logits,
  targets: Targets,
  options?: CrossEntropyOptions & Out,
) => runNow(prepareCrossEntropy(logits, targets, options))) as Loss<CrossEntropyOptions>;

/**
 * Cross-entropy and its gradient in one pass over the logits.
 *
 *   dlogits[i, j] = w[y[i]]·(softmax(x)[i, j] − [j = y[i]]), divided by Σ_i w[y[i]] for "mean"
 *
 * The true class's entry is computed as minus the sum of the others: p − 1 is 0 long before the gradient is.
 *
 * @param logits  as in crossEntropy
 * @param targets  as in crossEntropy
 * @param options  as in crossEntropy; `out` receives the gradient and may be the logits' own array
 * @returns `loss` as crossEntropy returns it, and `dlogits` in the logits' kind, dtype and shape; with "none" the
 * gradient of each row's own loss
 * @throws {RangeError} a target is neither a class nor ignoreIndex; not one target for each row; an option out of its
 * range; no classes
 *
 * Edges: a row whose loss is NaN has a NaN gradient; a target at −∞ has loss +∞ and gradient p − onehot. Masked classes and
 * rows that are left out have a gradient of 0.
 * Accuracy: gradient ≤ 4 ulp (f32), ≤ 8 ulp (f64), the true class included; with labelSmoothing or zLoss ≤ 4 ulp of its
 * largest term. Cost: reads x twice, writes twice, in cache.
 * Source: as crossEntropy; scikit-learn, PyTorch and JAX return 0 where p rounds to 1
 *
 * @example
 * crossEntropyWithGrad([40, 0], 0).dlogits; // [-4.248354255291589e-18, 4.248354255291589e-18]
 */
export const crossEntropyWithGrad: LossWithGrad<CrossEntropyOptions> = ((
  logits: Logits,
  targets: Targets,
  options?: CrossEntropyOptions & Out,
) => runNow(prepareCrossEntropyWithGrad(logits, targets, options))) as LossWithGrad<CrossEntropyOptions>;
