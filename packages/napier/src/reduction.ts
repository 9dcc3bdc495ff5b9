import { checkOneOf } from "./check.ts";
import type { Half } from "./half.ts";
import type { Targets } from "./targets.ts";
import {
  type AnyData,
  type Computed,
  type Logits,
  type ManyRows,
  type OneRow,
  type OnnxArgument,
  type OnnxTensor,
  type Options,
  type Out,
  type Output,
  type Result,
  receiver,
  type Tensor,
  type View,
  type Writable,
  wrapRows,
} from "./tensor.ts";

export type ReductionName = "mean" | "sum" | "none";

export interface LossOptions extends Options {
  /** "mean" over the rows (default), "sum", or "none": one loss for each row */
  reduction?: ReductionName;
}

/** A loss: a number for "mean" and "sum", one for each row for "none". Y is what the targets are. */
export interface Loss<O extends LossOptions, P = false, Y = Targets> {
  (logits: Logits, targets: Y, options?: O & { reduction?: "mean" | "sum" }): Result<P, number>;
  (logits: AnyData, targets: Y, options: O & OneRow & { reduction: "none" }): Result<P, number>;
  (logits: readonly number[], targets: Y, options: O & Out & ManyRows & { reduction: "none" }): Result<P, number[]>;
  (
    logits: Float32Array | Half,
    targets: Y,
    options: O & Out & ManyRows & { reduction: "none" },
  ): Result<P, Float32Array>;
  (logits: Float64Array, targets: Y, options: O & Out & ManyRows & { reduction: "none" }): Result<P, Float64Array>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    targets: Y,
    options: O & Out & { reduction: "none" },
  ): Result<P, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(
    logits: Tensor<D>,
    targets: Y,
    options: O & Out & { reduction: "none" },
  ): Result<P, Tensor<Computed<D>>>;
  (logits: Logits, targets: Y, options: O & Out): Result<P, number | Output>;
}

type Each = { reduction: "none" };
type Total = { reduction?: "mean" | "sum" };

/** The loss and its gradient, the gradient in the logits' kind. */
export interface LossWithGrad<O extends LossOptions, P = false, Y = Targets> {
  (
    logits: readonly number[],
    y: Y,
    options?: O & Out & (Total | (OneRow & Each)),
  ): Result<P, { loss: number; dlogits: number[] }>;
  (
    logits: Float32Array | Half,
    y: Y,
    options?: O & Out & (Total | (OneRow & Each)),
  ): Result<P, { loss: number; dlogits: Float32Array }>;
  (
    logits: Float64Array,
    y: Y,
    options?: O & Out & (Total | (OneRow & Each)),
  ): Result<P, { loss: number; dlogits: Float64Array }>;
  <D extends AnyData>(
    logits: D,
    y: Y,
    options: O & Out & ManyRows & Each,
  ): Result<P, { loss: Computed<D>; dlogits: Computed<D> }>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    y: Y,
    options?: O & Out & Total,
  ): Result<P, { loss: number; dlogits: OnnxTensor<Computed<D>> }>;
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    y: Y,
    options: O & Out & Each,
  ): Result<P, { loss: OnnxTensor<Computed<D>>; dlogits: OnnxTensor<Computed<D>> }>;
  <D extends AnyData>(
    logits: Tensor<D>,
    y: Y,
    options?: O & Out & Total,
  ): Result<P, { loss: number; dlogits: Tensor<Computed<D>> }>;
  <D extends AnyData>(
    logits: Tensor<D>,
    y: Y,
    options: O & Out & Each,
  ): Result<P, { loss: Tensor<Computed<D>>; dlogits: Tensor<Computed<D>> }>;
}

export function reductionOf(caller: string, options: LossOptions): ReductionName {
  const { reduction = "mean" } = options;
  checkOneOf(caller, "options.reduction", reduction, ["mean", "sum", "none"]);
  return reduction;
}

/** Compensated sum (TwoSum) of the losses times a power of two, in row order: the same for any tiling, off by less than an ulp. */
function total(losses: Float64Array | Float32Array, factor: number): number {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < losses.length; i++) {
    const loss = losses[i] * factor;
    const next = sum + loss;
    const v = next - sum;
    const error = sum - (next - v) + (loss - v);
    if (!Number.isNaN(error)) lost += error; // an infinite loss has no rounding error, only a NaN in its place
    sum = next;
  }
  return sum + lost;
}

const DOWN = 1.1102230246251565e-16; // 2^-53: a sum of as many finite losses as there are indices stays finite

/** The sum over the divisor, 0 for 0/0. A partial sum may lie beyond the largest f64 where the result does not. */
export function combine(losses: Float64Array | Float32Array, divisor: number): number {
  const count = divisor === 0 ? 1 : divisor;
  const plain = total(losses, 1) / count;
  if (Number.isFinite(plain) || !losses.every(Number.isFinite)) return plain;
  return total(losses, DOWN) / count / DOWN;
}

/** Losses of the rows, f64 or already in the dtype, in the caller's reduction and dtype; a mean is their sum over `divisor`, plus `more`. */
export function reduce(
  caller: string,
  losses: Float64Array | Float32Array,
  reduction: ReductionName,
  x: View,
  out?: Writable,
  divisor: number = x.rows,
  more = 0,
): number | Output {
  if (reduction === "none") {
    const rows = receiver(caller, x, x.rows, out, [x]);
    for (let i = 0; i < losses.length; i++) rows[i] = losses[i];
    return wrapRows(x, rows);
  }
  const value = combine(losses, reduction === "mean" ? divisor : 1) + more;
  return (x.dtype === "f32" ? Math.fround(value) : value) + 0;
}
