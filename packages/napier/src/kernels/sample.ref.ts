import { add, compare, div, type Exact, exact, exp, mul, sub, toF64, ZERO } from "../exact.ts";
import { topRow } from "./top.ref.ts";

export interface Filters {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
}

const total = (weights: readonly Exact[]): Exact => weights.reduce(add, ZERO);

/** e^((x − m) / T) of the classes that the filters leave, else 0; T > 0, a row that is not special. */
function weights(x: readonly number[], { temperature = 1, topK = x.length, topP = 1 }: Filters): Exact[] {
  const m = exact(x.reduce((a, b) => Math.max(a, b)));
  const all = x.map((v) => {
    if (v === -Infinity) return ZERO;
    const d = div(sub(exact(v), m), exact(temperature));
    return toF64(d) < -4000 ? ZERO : exp(d);
  });
  // 1. the topK largest; 2. of these, the first that reach topP of their sum together
  let order = topRow(x, Math.min(topK, x.length));
  const target = mul(exact(topP), total(order.map((j) => all[j])));
  let sum = ZERO;
  const reached = order.findIndex((j) => {
    sum = add(sum, all[j]);
    return compare(sum, target) >= 0;
  });
  if (topP < 1) order = order.slice(0, reached + 1);
  return all.map((weight, j) => (order.includes(j) ? weight : ZERO));
}

/** The probability of each class to be drawn. */
export function sampleProbs(x: readonly number[], filters: Filters): Exact[] {
  const kept = weights(x, filters);
  const sum = total(kept);
  return kept.map((weight) => div(weight, sum));
}

/** The class that u, 0 ≤ u < 1, draws: the first up to which the probabilities add up to more. */
export function sampleRow(x: readonly number[], u: number, filters: Filters): number {
  let sum = ZERO;
  return sampleProbs(x, filters).findIndex((p) => {
    sum = add(sum, p);
    return compare(sum, exact(u)) > 0;
  });
}
