import { add, div, type Exact, exact, log1p, mul, neg, ONE, sub, ZERO } from "../exact.ts";
import { rowSum } from "./sum.ref.ts";

/** loss = log1p(s) − (x[y] − m) */
export function crossEntropyRow(x: readonly number[], y: number): Exact | number {
  const { m, s, special } = rowSum(x);
  if (special) return Number.NaN;
  if (x[y] === -Infinity) return Infinity;
  return sub(log1p(s), sub(exact(x[y]), exact(m)));
}

/** dx[j] = scale · softmax(x)[j]; at the target −scale · (the sum of the others) / (1 + s) */
export function crossEntropyGradRow(x: readonly number[], y: number, scale: number): (Exact | number)[] {
  const { e, s, special } = rowSum(x);
  if (special) return x.map(() => Number.NaN);
  const c = div(exact(scale), add(ONE, s));
  const others = e.reduce((sum, term, j) => (j === y ? sum : add(sum, term)), ZERO);
  return e.map((term, j) => mul(c, j === y ? neg(others) : term));
}
