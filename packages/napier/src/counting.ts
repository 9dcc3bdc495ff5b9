import type { ReductionName } from "./reduction.ts";
import type { View, Writable } from "./tensor.ts";

/** The rows of a loss and how much each counts. */
export interface Counted {
  /** 1 for a row that is left out: its target is ignored, or all its classes are masked; undefined where none is */
  readonly left: Uint8Array | undefined;
  /** of each row, 0 where it is left out; undefined where all that are not left out count alike */
  readonly weights: Float64Array | undefined;
  /** the weights without `factor`, where one has lost digits to it */
  readonly whole?: Float64Array | undefined;
  /** rows that are not left out */
  readonly count: number;
  /** what a mean divides by */
  readonly divisor: number;
  /** the power of two that weights and divisor carry, 0 where they sum to 0 */
  readonly factor: number;
}

/** Rows that are ignored (class −1) become rows of class 0 that are left out, as those of which a mask keeps no class. */
export function leftOut(rows: number, y: Int32Array | undefined, kept: Uint8Array | undefined): Uint8Array | undefined {
  const left = new Uint8Array(rows);
  kept?.forEach((isKept, i) => {
    left[i] = 1 - isKept;
  });
  for (let i = 0; y !== undefined && i < rows; i++) {
    if (y[i] !== -1) continue;
    y[i] = 0;
    left[i] = 1;
  }
  return left.includes(1) ? left : undefined;
}

const TINY = 1e-100;
const LOST = 2.004168360008973e-292; // 2^-969: weights below it have fewer than 53 digits, or soon will
const FAR = 3.273390607896142e150; // 2^500
const UP = 2.037035976334486e90; // 2^300

/** A power of two that brings the largest of a mean's weights to at most 1, so that no weighted loss overflows where the mean does not. */
function normal(weights: Float64Array): number {
  const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  let factor = 1;
  while (largest * factor > 1) factor /= 2;
  while (largest > 0 && largest * factor < TINY) factor *= UP;
  return factor;
}

/** Which rows count, and how much: with class weights as much as their classes do. */
export function counted(
  rows: number,
  left: Uint8Array | undefined,
  classWeights: Float64Array | undefined,
  y: Int32Array,
  reduction: ReductionName,
): Counted {
  const count = left === undefined ? rows : left.reduce((sum, out) => sum - out, rows);
  if (classWeights === undefined) return { left, weights: undefined, count, divisor: count, factor: 1 };
  const weights = Float64Array.from(y, (j, i) => (left?.[i] === 1 ? 0 : classWeights[j]));
  if (reduction !== "mean") return { left, weights, count, divisor: count, factor: 1 };
  const factor = normal(weights);
  const whole = factor < 1 && weights.some((w) => w !== 0 && Math.abs(w) * factor < LOST) ? weights.slice() : undefined;
  // TwoSum: many weights must not drift
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < rows; i++) {
    const w = weights[i] * factor;
    weights[i] = w;
    const next = sum + w;
    const v = next - sum;
    lost += sum - (next - v) + (w - v);
    sum = next;
  }
  const divisor = sum + lost;
  // weights that sum to 0 make a mean of 0
  if (divisor === 0) return { left, weights: weights.fill(0), count, divisor, factor: 0 };
  return { left, weights, whole, count, divisor, factor };
}

/** weight·loss; a weight of 0 leaves nothing of an infinite loss. */
export const weighted = (weight: number, loss: number): number =>
  weight === 0 && !Number.isNaN(loss) ? 0 : weight * loss;

/** w·factor·loss for a factor below 1, with no step out of range before the product is; w < 2^57 where it has lost digits. */
function wholeProduct(w: number, factor: number, loss: number): number {
  return Math.abs(loss) > FAR ? w * (loss * factor) : w * loss * factor;
}

/** The losses as they count; left out, even a NaN is 0. */
export function weigh(losses: Float64Array | Float32Array, { left, weights, whole, factor }: Counted): void {
  for (let i = 0; weights !== undefined && i < losses.length; i++) {
    const w = whole?.[i] ?? weights[i];
    const isLost = whole !== undefined && w !== 0 && Math.abs(weights[i]) < LOST;
    losses[i] = isLost ? wholeProduct(w, factor, losses[i]) : weighted(weights[i], losses[i]);
  }
  for (let i = 0; left !== undefined && i < losses.length; i++) if (left[i] === 1) losses[i] = 0;
}

/** 0 in all classes of the rows that are left out. */
export function clearRows(out: Writable, { classes, inner }: View, left: Uint8Array | undefined): void {
  if (left === undefined) return;
  for (let i = 0; i < left.length; i++) {
    if (left[i] === 0) continue;
    let k = Math.floor(i / inner) * classes * inner + (i % inner);
    for (let j = 0; j < classes; j++, k += inner) out[k] = 0;
  }
}
