import { add, div, type Exact, exact, log, ONE } from "../exact.ts";
import { rowSum } from "./sum.ref.ts";

/** log(1/n Σ e^x) = m + log((1 + s) / n) of the n entries */
export function logMeanExpRow(x: readonly number[]): Exact | number {
  const { m, s, special } = rowSum(x);
  if (special) return m;
  return add(exact(m), log(div(add(ONE, s), exact(x.length))));
}
