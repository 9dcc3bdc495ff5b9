import { checkOneOf, checkOptions, typeError } from "./check.ts";
import { type Prepared, perRow } from "./job.ts";
import { Plan } from "./plan.ts";
import { combine } from "./reduction.ts";
import { runNow } from "./runner.ts";
import {
  type Data,
  type Logits,
  type OnnxTensor,
  type Out,
  receiver,
  type Tensor,
  type View,
  view,
  viewLike,
  wrap,
} from "./tensor.ts";

export type KlDivReduction = "mean" | "batchmean" | "sum" | "none";

export interface KlDivOptions {
  /** the shape of flat arrays */
  shape?: readonly number[];
  /** "mean" over all numbers (default), "batchmean" over the first axis, "sum", or "none": one term for each number */
  reduction?: KlDivReduction;
  /** whether the targets are log-probabilities, as their gradient is often better; false by default */
  logTarget?: boolean;
}

type Each = KlDivOptions & Out & { reduction: "none" };

export interface KlDiv {
  (logProbs: Logits, targets: Logits, options?: KlDivOptions & { reduction?: Exclude<KlDivReduction, "none"> }): number;
  (logProbs: readonly number[], targets: readonly number[], options: Each): number[];
  <D extends Float32Array | Float64Array>(logProbs: D, targets: D, options: Each): D;
  <D extends Data>(logProbs: OnnxTensor<D>, targets: OnnxTensor<D>, options: Each): OnnxTensor<D>;
  <D extends Data>(logProbs: Tensor<D>, targets: Tensor<D>, options: Each): Tensor<D>;
  (logProbs: Logits, targets: Logits, options: KlDivOptions & Out): number | Logits;
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
  checkOptions(caller, options, ["shape", "out", "reduction", "logTarget"]);
  const { reduction = "mean", logTarget = false, shape } = options;
  checkOneOf(caller, "options.reduction", reduction, ["mean", "batchmean", "sum", "none"]);
  if (typeof logTarget !== "boolean") throw typeError(caller, "options.logTarget", "true or false", logTarget);
  const flat = { ...(shape !== undefined && { shape }) };
  const x = view(caller, "logProbs", logProbs, flat);
  const t = viewLike(caller, "targets", targets, x, flat);
  const size = reduction === "mean" ? x.data.length : reduction === "batchmean" ? x.shape[0] : 1;
  return { x, t, reduction, logTarget, count: Math.max(1, size) };
}

function prepareKlDiv(logProbs: Logits, targets: Logits, options: KlDivOptions & Out = {}): Prepared<number | Logits> {
  const caller = "klDiv";
  const { x, t, reduction, logTarget, count } = klArguments(caller, logProbs, targets, options);
  const plan = new Plan();
  const [input, target] = [plan.read(x, x.data), plan.read(x, t.data)];
  const kernel = logTarget ? "kl_div_log_f64" : "kl_div_f64";
  if (reduction === "none") {
    const out = receiver(caller, x, x.data.length, options.out, [x, t]);
    const areas = [plan.write(x, out), input, target];
    return plan.prepare(x, [{ kernel, areas }], () => wrap(x, out, x.shape));
  }
  const sums = new Float64Array(x.rows);
  const [rows, terms] = [plan.add(perRow("f64", undefined, sums)), plan.write(x, undefined)];
  const calls = [
    { kernel, areas: [terms, input, target] },
    { kernel: "sum_rows_f64", areas: [rows, terms] },
  ] as const;
  return plan.prepare(x, calls, () => {
    const value = combine(sums, count);
    return (x.dtype === "f32" ? Math.fround(value) : value) + 0;
  });
}

/**
 * The Kullback–Leibler divergence of probabilities from log-probabilities: how much the targets' distribution would lose by
 * being told by the other.
 *
 *   term[k] = t[k]·(log t[k] − logp[k]), 0 where t[k] is 0; with logTarget exp(t[k])·(t[k] − logp[k])
 *
 * @param logProbs  any shape, f32 or f64, in nats, as logSoftmax returns them
 * @param targets  probabilities, or with logTarget log-probabilities; same kind and shape
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
export const klDiv: KlDiv = ((logProbs: Logits, targets: Logits, options?: KlDivOptions & Out) =>
  runNow(prepareKlDiv(logProbs, targets, options))) as KlDiv;

export interface KlDivBackward {
  (
    dloss: number | Data,
    logProbs: readonly number[],
    targets: readonly number[],
    options?: KlDivOptions & Out,
  ): number[];
  <D extends Float32Array | Float64Array>(dloss: number | D, logProbs: D, targets: D, options?: KlDivOptions & Out): D;
  <D extends Data>(
    d: number | Logits,
    logProbs: OnnxTensor<D>,
    t: OnnxTensor<D>,
    o?: KlDivOptions & Out,
  ): OnnxTensor<D>;
  <D extends Data>(d: number | Logits, logProbs: Tensor<D>, t: Tensor<D>, o?: KlDivOptions & Out): Tensor<D>;
}

function prepareKlDivBackward(
  dloss: number | Logits,
  logProbs: Logits,
  targets: Logits,
  options: KlDivOptions & Out = {},
): Prepared<Logits> {
  const caller = "klDivBackward";
  const { x, t, reduction, logTarget, count } = klArguments(caller, logProbs, targets, options);
  const inputs = [t];
  const plan = new Plan();
  let gradients: number;
  if (reduction === "none") {
    const { shape } = options;
    const g = viewLike(caller, "dloss", dloss as Logits, x, { ...(shape !== undefined && { shape }) });
    inputs.push(g);
    gradients = plan.read(x, g.data);
  } else {
    if (typeof dloss !== "number") throw typeError(caller, "dloss", `a number for reduction "${reduction}"`, dloss);
    gradients = plan.read(x, dloss / count);
  }
  const out = receiver(caller, x, x.data.length, options.out, inputs);
  const areas = [plan.write(x, out), gradients, plan.read(x, t.data)];
  const kernel = logTarget ? "kl_div_log_backward_f64" : "kl_div_backward_f64";
  return plan.prepare(x, [{ kernel, areas }], () => wrap(x, out, x.shape));
}

/**
 * The gradient of the log-probabilities, from that of their divergence.
 *
 *   dlogp[k] = −dloss·t[k], with logTarget −dloss·exp(t[k]); divided as klDiv's sum is; dloss[k] with "none"
 *
 * @param dloss  the gradient of what klDiv returned: a number, or with "none" an array or tensor like logProbs
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
  options?: KlDivOptions & Out,
) => runNow(prepareKlDivBackward(dloss, logProbs, targets, options))) as KlDivBackward;
