import { classWeightsOf } from "./broadcast.ts";
import { checkOptions, typeError } from "./check.ts";
import { type Counted, clearRows, counted, leftOut, weigh } from "./counting.ts";
import type { Half } from "./half.ts";
import { checkIgnoreIndex, NLL_OPTIONS, type NllOptions } from "./lossoptions.ts";
import { type Loss, type ReductionName, reduce, reductionOf } from "./reduction.ts";
import { classIndices, type Targets } from "./targets.ts";
import {
  type AnyData,
  type Computed,
  type Data,
  type Logits,
  type OnnxArgument,
  type OnnxTensor,
  type Out,
  receiver,
  type Tensor,
  type View,
  view,
  viewRows,
  wrap,
} from "./tensor.ts";

/** Where the target's entry of each row stands in the data. */
function positions(logProbs: View, y: Int32Array): Float64Array {
  const { classes, inner } = logProbs;
  const at = new Float64Array(y.length);
  for (let i = 0; i < y.length; i++) {
    at[i] = Math.floor(i / inner) * classes * inner + y[i] * inner + (i % inner);
  }
  return at;
}

interface Rows {
  readonly reduction: ReductionName;
  readonly x: View;
  readonly y: Int32Array;
  readonly rows: Counted;
}

/** The arguments, checked. */
function read(caller: string, logProbs: Logits, targets: Targets, options: NllOptions & Out, dloss?: unknown): Rows {
  checkOptions(caller, options, NLL_OPTIONS);
  const reduction = reductionOf(caller, options);
  checkIgnoreIndex(caller, options);
  const { weight, ignoreIndex } = options;
  const x = view(caller, "logProbs", logProbs, options, dloss);
  const weights = weight === undefined ? undefined : classWeightsOf(caller, weight, x);
  const y = classIndices(caller, targets, x, "logProbs", ignoreIndex);
  const left = ignoreIndex === undefined ? undefined : leftOut(x.rows, y, undefined);
  return { reduction, x, y, rows: counted(x.rows, left, weights, y, reduction) };
}

/** −v, without −0, and with the canonical NaN whatever the bits of v's. */
const negative = (v: number): number => (Number.isNaN(v) ? Number.NaN : 0 - v);

/**
 * Negative log-likelihood: minus the log-probability of the true class.
 *
 *   loss[i] = −w[y[i]]·logp[i, y[i]];  "mean": Σ_i loss[i] / Σ_i w[y[i]]
 *
 * It reads one number of each row, so there is no kernel: copying the rows would cost more than the loss.
 *
 * @param logProbs  any shape, classes on the last axis (or `axis`), in nats, as logSoftmax returns them
 * @param targets  the true class of each row: number (one row), number[], Int32Array, BigInt64Array or a tensor of these
 * @param options.reduction  "mean" (default), "sum" or "none"
 * @param options.weight  w, a finite number for each class; 1 without it
 * @param options.ignoreIndex  rows with this target are left out, of the mean's divisor too
 * @param options  `shape`, `axis`, `dtype`, `out` (for "none") as in logSoftmax
 * @returns a number; with "none" one for each row, in the kind of logProbs
 * @throws {RangeError} a target is neither a class nor ignoreIndex; not one target for each row; a weight that is not finite
 *
 * Edges: follows its formula on whatever it is given, but a weight of 0 gives 0 at −∞ too; no rows, none that count, and
 * weights that sum to 0 give a mean of 0.
 * Accuracy: exact for "none" without weights, ≤ 1 ulp with them; ≤ 2 ulp (f32), ≤ 4 ulp (f64) of the largest term for sums.
 * Source: PyTorch's nll_loss, ONNX's NegativeLogLikelihoodLoss
 *
 * @example
 * nllLoss(logSoftmax([1000, 0, -1000]), 1); // 1000
 */
export const nllLoss: Loss<NllOptions> = ((logProbs: Logits, targets: Targets, options: NllOptions & Out = {}) => {
  const caller = "nllLoss";
  const { reduction, x, y, rows } = read(caller, logProbs, targets, options);
  const losses = positions(x, y).map((k) => negative(x.data[k]));
  weigh(losses, rows);
  return reduce(caller, losses, reduction, x, options.out, rows.divisor);
}) as Loss<NllOptions>;

interface NllLossBackward {
  (dloss: number | AnyData, logProbs: readonly number[], y: Targets, options?: NllOptions & Out): number[];
  (dloss: number | AnyData, logProbs: Float32Array | Half, y: Targets, options?: NllOptions & Out): Float32Array;
  (dloss: number | AnyData, logProbs: Float64Array, y: Targets, options?: NllOptions & Out): Float64Array;
  <D extends AnyData>(
    dloss: number | Logits,
    logProbs: OnnxArgument<D>,
    y: Targets,
    options?: NllOptions & Out,
  ): OnnxTensor<Computed<D>>;
  <D extends AnyData>(
    dloss: number | Logits,
    logProbs: Tensor<D>,
    y: Targets,
    options?: NllOptions & Out,
  ): Tensor<Computed<D>>;
}

/**
 * The gradient of the log-probabilities, from that of their NLL.
 *
 *   dlogp[i, j] = −dloss · w[j] · [j = y[i]], divided by Σ_i w[y[i]] for "mean"; dloss[i] with "none"
 *
 * @param dloss  the gradient of what nllLoss returned: a number, or with "none" one for each row
 * @param logProbs  what nllLoss was given; only its kind and shape count
 * @param targets  as in nllLoss
 * @param options  as in nllLoss; `out` receives the gradient
 * @returns same kind, dtype and shape as logProbs
 * @throws {RangeError} a target is neither a class nor ignoreIndex; not one gradient for each row with "none", or a tensor
 * of another shape than the losses'; a weight that is not finite
 *
 * Edges: rows that are left out have a gradient of 0.
 * Accuracy: ≤ 1 ulp; ≤ 2 ulp with weights.
 *
 * @example
 * nllLossBackward(1, [-1.5, -0.25], 1); // [0, -1]
 */
export const nllLossBackward: NllLossBackward = ((
  dloss: number | Logits,
  logProbs: Logits,
  targets: Targets,
  options: NllOptions & Out = {},
) => {
  const caller = "nllLossBackward";
  const { reduction, x, y, rows } = read(caller, logProbs, targets, options, dloss);
  let gradients: Data;
  const inputs = [x];
  if (reduction === "none" && typeof dloss !== "number") {
    const g = viewRows(caller, "dloss", dloss, x, options);
    inputs.push(g);
    gradients = g.data;
  } else {
    if (typeof dloss !== "number") throw typeError(caller, "dloss", `a number for reduction "${reduction}"`, dloss);
    if (reduction === "none" && x.rows !== 1)
      throw typeError(caller, "dloss", `${x.rows} numbers, one for each row`, dloss);
    gradients = new Array<number>(x.rows).fill(dloss);
  }
  const { weights, divisor, left } = rows;
  const out = receiver(caller, x, x.data.length, options.out, inputs);
  const at = positions(x, y);
  // `out` may be dloss itself, where there is one class.
  if (x.classes > 1) out.fill(0);
  // Rounded before the sign turns: what underflows would leave as −0.
  const isF32 = x.dtype === "f32";
  for (let i = 0; i < at.length; i++) {
    const d = weights === undefined ? gradients[i] : weights[i] * gradients[i];
    const scaled = reduction === "mean" && divisor !== 0 ? d / divisor : d;
    out[at[i]] = negative(isF32 ? Math.fround(scaled) : scaled);
  }
  clearRows(out, x, left);
  return wrap(x, out, x.shape);
}) as NllLossBackward;
