import { add, compare, div, type Exact, exact, mul, neg, ONE, ZERO } from "../exact.ts";
import { expShifted } from "./exp.ref.ts";
import { logSumExpRow } from "./logsumexp.ref.ts";
import type { Terms } from "./softmax.ref.ts";
import { rowSum } from "./sum.ref.ts";

/** out[j] = log Σ_{k ≤ j} e^x[k] */
export function logCumSumExpRow(x: readonly number[]): (Exact | number)[] {
  return x.map((_, j) => logSumExpRow(x.slice(0, j + 1)));
}

/** dx[k] = Σ_{j ≥ k} g[j]·e^x[k] / Σ_{i ≤ j} e^x[i], finite inputs but for −∞ after the first; terms of one sign are one */
export function logCumSumExpBackwardRow(g: readonly number[], x: readonly number[]): Terms[] {
  const sums = x.map((_, j) => rowSum(x.slice(0, j + 1)));
  return x.map((v, k) => {
    let up = ZERO;
    let down = ZERO;
    for (let j = k; j < x.length && v > -Infinity; j++) {
      const { m, s } = sums[j];
      const term = mul(exact(g[j]), div(expShifted(v, m), add(ONE, s)));
      if (g[j] > 0) up = add(up, term);
      else down = add(down, neg(term));
    }
    return { value: add(up, neg(down)), largest: compare(up, down) > 0 ? up : down };
  });
}
