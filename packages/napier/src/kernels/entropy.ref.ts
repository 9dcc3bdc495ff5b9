import { add, div, type Exact, exact, log1p, mul, neg, ONE, sub, ZERO } from "../exact.ts";
import type { Terms } from "./softmax.ref.ts";
import { rowSum } from "./sum.ref.ts";

/** d[j] = m − x[j] and p[j], where p is not 0; the mean depth Σ p·d */
function depths(x: readonly number[]): { d: Exact[]; p: Exact[]; mean: Exact; s: Exact } {
  const { m, e, s } = rowSum(x);
  const d = x.map((v, j) => (e[j].n === 0n ? ZERO : sub(exact(m), exact(v))));
  const p = e.map((term) => div(term, add(ONE, s)));
  const mean = d.reduce((sum, depth, j) => add(sum, mul(p[j], depth)), ZERO);
  return { d, p, mean, s };
}

/** H = log1p(s) + Σ p·d */
export function entropyRow(x: readonly number[]): Exact | number {
  if (rowSum(x).special) return Number.NaN;
  const { mean, s } = depths(x);
  return add(log1p(s), mean);
}

/** dx[j] = g·p[j]·(d[j] − Σ p·d) */
export function entropyBackwardRow(g: number, x: readonly number[]): Terms[] | number[] {
  if (rowSum(x).special) return x.map(() => Number.NaN);
  const { d, p, mean } = depths(x);
  const magnitude = (a: Exact): Exact => (a.n < 0n ? neg(a) : a);
  return d.map((depth, j) => ({
    value: mul(mul(exact(g), p[j]), sub(depth, mean)),
    largest: magnitude(mul(mul(exact(g), p[j]), sub(depth, mean).n > 0n ? depth : mean)),
  }));
}
