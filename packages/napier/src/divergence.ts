import { checkOneOf, checkOptions, typeError } from "./check.ts";
import { elementJob, elements, elementsLike } from "./elements.ts";
import type { HalfName } from "./half.ts";
import { combine } from "./reduction.ts";
import { runNow } from "./runner.ts";
import {
  type AnyData,
  type Computed,
  type Data,
  type Logits,
  type OnnxTensor,
  type Out,
  type Output,
  receiver,
  type Tensor,
  type View,
  wrapRows,
} from "./tensor.ts";
import { wide } from "./wide.ts";

export type KlDivReduction = "mean" | "batchmean" | "sum" | "none";

export interface KlDivOptions {
  /** the shape of flat arrays */
  shape?: readonly number[];
  /** what a Uint16Array holds, where no `type` says it */
  dtype?: HalfName;
  /** "mean" over all numbers (default), "batchmean" over the first axis, "sum", or "none": one term for each number */
  reduction?: KlDivReduction;
  /** whether the targets are log-probabilities, as their gradient is often better; false by default */
  logTarget?: boolean;
}

type Each = KlDivOptions & Out & { reduction: "none" };

export interface KlDiv {
  (logProbs: Logits, targets: Logits, options?: KlDivOptions & { reduction?: Exclude<KlDivReduction, "none"> }): number;
  (logProbs: readonly number[], targets: Logits, options: Each): number[];
  <D extends Exclude<AnyData, readonly number[]>>(logProbs: D, targets: Logits, options: Each): Computed<D>;
  <D extends AnyData>(logProbs: OnnxTensor<D>, targets: Logits, options: Each): OnnxTensor<Computed<D>>;
  <D extends AnyData>(logProbs: Tensor<D>, targets: Logits, options: Each): Tensor<Computed<D>>;
  (logProbs: Logits, targets: Logits, options: KlDivOptions & Out): number | Output;
}

interface KlArguments {
  readonly x: View;
  readonly t: View;
  readonly reduction: KlDivReduction;
  readonly logTarget: boolean;
  /** What a sum over all terms is divided by; what is empty has a mean of 0. */
  readonly count: number;
}

function klArguments(caller: string, logProbs: Logits, targets: Logits, options: KlDivOptions & Out): KlArguments {
  checkOptions(caller, options, ["shape", "dtype", "out", "reduction", "logTarget"]);
  const { reduction = "mean", logTarget = false } = options;
  checkOneOf(caller, "options.reduction", reduction, ["mean", "batchmean", "sum", "none"]);
  if (typeof logTarget !== "boolean") throw typeError(caller, "options.logTarget", "true or false", logTarget);
  const x = elements(caller, "logProbs", logProbs, options, targets);
  const t = elementsLike(caller, "targets", targets, x, options, logProbs);
  const size = reduction === "mean" ? x.rows : reduction === "batchmean" ? (x.shape[0] ?? 1) : 1;
  return { x, t, reduction, logTarget, count: Math.max(1, size) };
}

/**
 * The Kullback–Leibler divergence of probabilities from log-probabilities: how much the targets' distribution would lose by
 * being told by the other.
 *
 *   term[k] = t[k]·(log t[k] − logp[k]), 0 where t[k] is 0; with logTarget exp(t[k])·(t[k] − logp[k])
 *
 * @param logProbs  any shape, of 16, 32 or 64 bits, in nats, as logSoftmax returns them
 * @param targets  probabilities, or with logTarget log-probabilities; same shape, any kind of array
 * @param options.reduction  "mean" over all numbers (default, as PyTorch's), "batchmean": the sum over the size of the first
 * axis, which is the divergence; "sum", or "none"
 * @param options.logTarget  false by default
 * @param options.shape  shape of flat arrays; `out` (for "none") as in logSoftmax
 * @returns a number; with "none" the terms, in the kind and shape of logProbs
 * @throws {RangeError} the shapes differ; no such reduction
 *
 * Edges: follows its formula on whatever it is given: a target at logp = −∞ gives +∞, a negative one NaN; a target of 0
 * adds 0 beside −∞ too, but not beside a NaN. No numbers give 0.
 * Accuracy: ≤ 4 ulp of the largest term, the terms of one sign counted as one.
 * Cost: reads each argument once. Source: PyTorch's kl_div, whose target of 0 at −∞ is NaN
 *
 * @example
 * klDiv([Math.log(0.5), -Infinity], [1, 0], { reduction: "sum" }); // 0.6931471805599453
 */
export const klDiv: KlDiv = ((logProbs: Logits, targets: Logits, options: KlDivOptions & Out = {}) => {
  const caller = "klDiv";
  const { x, t, reduction, logTarget, count } = klArguments(caller, logProbs, targets, options);
  const isEach = reduction === "none";
  const terms = isEach ? receiver(caller, x, x.rows, options.out, [x, t]) : new Float64Array(x.rows);
  const job = elementJob(logTarget ? "kl_div_log_f64" : "kl_div_f64", x.rows, [terms], [x.data, t.data]);
  const finish = (): number | Output => {
    if (isEach) return wrapRows(x, terms);
    const value = combine(terms as Float64Array, count);
    return (x.dtype === "f32" ? Math.fround(value) : value) + 0;
  };
  return runNow({ family: wide, job, finish });
}) as KlDiv;

export interface KlDivBackward {
  (dloss: number | Data, logProbs: readonly number[], targets: Logits, options?: KlDivOptions & Out): number[];
  <D extends Exclude<AnyData, readonly number[]>>(
    dloss: number | Data,
    logProbs: D,
    targets: Logits,
    options?: KlDivOptions & Out,
  ): Computed<D>;
  <D extends AnyData>(
    dloss: number | Logits,
    logProbs: OnnxTensor<D>,
    targets: Logits,
    options?: KlDivOptions & Out,
  ): OnnxTensor<Computed<D>>;
  <D extends AnyData>(
    dloss: number | Logits,
    logProbs: Tensor<D>,
    targets: Logits,
    options?: KlDivOptions & Out,
  ): Tensor<Computed<D>>;
}

/**
 * The gradient of the log-probabilities, from that of their divergence.
 *
 *   dlogp[k] = −dloss·t[k], with logTarget −dloss·exp(t[k]); divided as klDiv's sum is; dloss[k] with "none"
 *
 * @param dloss  the gradient of what klDiv returned: a number, or with "none" one for each of logProbs
 * @param logProbs  what klDiv was given; only its kind and shape count
 * @param targets  as in klDiv
 * @param options  as in klDiv; `out` receives the gradient
 * @returns same kind, dtype and shape as logProbs
 * @throws {RangeError} the shapes differ; no such reduction
 *
 * Edges: follows its formula on whatever it is given. Accuracy: ≤ 1 ulp (f32), ≤ 4 ulp (f64).
 *
 * @example
 * klDivBackward(1, [-1, -2], [0.75, 0.25], { reduction: "sum" }); // [-0.75, -0.25]
 */
export const klDivBackward: KlDivBackward = ((
  dloss: number | Logits,
  logProbs: Logits,
  targets: Logits,
  options: KlDivOptions & Out = {},
) => {
  const caller = "klDivBackward";
  const { x, t, reduction, logTarget, count } = klArguments(caller, logProbs, targets, options);
  const inputs = [x, t];
  let gradients: Data | number;
  if (reduction === "none") {
    const g = elementsLike(caller, "dloss", dloss as Logits, x, options, logProbs);
    inputs.push(g);
    gradients = g.data;
  } else {
    if (typeof dloss !== "number") throw typeError(caller, "dloss", `a number for reduction "${reduction}"`, dloss);
    gradients = dloss / count;
  }
  const out = receiver(caller, x, x.rows, options.out, inputs);
  const kernel = logTarget ? "kl_div_log_backward_f64" : "kl_div_backward_f64";
  const job = elementJob(kernel, x.rows, [out], [gradients, t.data]);
  return runNow({ family: wide, job, finish: () => wrapRows(x, out) });
}) as KlDivBackward;
