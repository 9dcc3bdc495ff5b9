import { add, type Exact, exact, log1p, mul } from "../exact.ts";
import { softmaxRow } from "./softmax.ref.ts";
import { rowSum } from "./sum.ref.ts";

/** log Σ e^x = m + log1p(s) */
export function logSumExpRow(x: readonly number[]): Exact | number {
  const { m, s, special } = rowSum(x);
  if (special) return m;
  // 3. the logarithm
  return add(exact(m), log1p(s));
}

/** dx[j] = g · softmax(x)[j] */
export function logSumExpBackwardRow(g: number, x: readonly number[]): (Exact | number)[] {
  return softmaxRow(x).map((p) => (typeof p === "number" ? p : mul(exact(g), p)));
}
