import { add, compare, div, type Exact, exact, exp, log, log1p, mul, neg, sub, ZERO } from "../exact.ts";

/** Σ w·e^(x − m) where it is finite and not 0, or the value and the sign that the edges give. */
export interface WeightedSum {
  readonly value: Exact | number;
  readonly sign: number;
  /** the logit of the largest term */
  readonly m: number;
  /** w·e^(x − m) */
  readonly terms: readonly Exact[];
  readonly sum: Exact;
  /** the larger of the sums of either sign, without it */
  readonly largest: Exact;
}

const HALF = exact(-0.5);
const magnitude = (a: Exact): Exact => (a.n < 0n ? neg(a) : a);

/** log |Σ w·e^x| */
export function weightedRow(x: readonly number[], w: readonly number[]): WeightedSum {
  const special = (value: number, sign: number): WeightedSum => {
    return { value, sign, m: Number.NaN, terms: [], sum: ZERO, largest: ZERO };
  };
  const kept = x.map((v, j) => (w[j] === 0 ? -Infinity : v));
  if (kept.some(Number.isNaN)) return special(Number.NaN, Number.NaN);
  const signs = new Set(w.filter((_, j) => kept[j] === Infinity).map(Math.sign));
  if (signs.size === 2) return special(Number.NaN, Number.NaN);
  for (const sign of signs) return special(Infinity, sign);
  // 1. the largest term
  const sizes = kept.map((v, j) => (v === -Infinity ? undefined : add(exact(v), log(magnitude(exact(w[j]))))));
  const at = sizes.reduce((best, size, j) => {
    if (size === undefined) return best;
    return best === -1 || compare(size, sizes[best] as Exact) > 0 ? j : best;
  }, -1);
  if (at === -1) return special(-Infinity, 0);
  const m = x[at];
  // 2. the sum; e^-6000 times any two weights' quotient is below every result
  const terms = kept.map((v, j) => (v - m < -6000 ? ZERO : mul(exact(w[j]), exp(sub(exact(v), exact(m))))));
  const sumOf = (sign: number): Exact => terms.filter((_, j) => Math.sign(w[j]) === sign).reduce(add, ZERO);
  const [up, down] = [sumOf(1), neg(sumOf(-1))];
  const sum = sub(up, down);
  if (sum.n === 0n) return { ...special(-Infinity, 0), m, terms };
  // 3. the logarithm; with a largest term of 1, of what is beside it
  const others = terms.reduce((rest, term, j) => (j === at ? rest : add(rest, term)), ZERO);
  const l = w[at] === 1 && compare(others, HALF) > 0 ? log1p(others) : log(magnitude(sum));
  return {
    value: add(exact(m), l),
    sign: sum.n < 0n ? -1 : 1,
    ...{ m, terms, sum, largest: compare(up, down) > 0 ? up : down },
  };
}

/** dx[j] = g·w·e^x / Σ w·e^x, for a sum that is finite and not 0 */
export function weightedBackwardRow(g: number, x: readonly number[], w: readonly number[]): Exact[] {
  const { terms, sum } = weightedRow(x, w);
  return terms.map((term) => div(mul(exact(g), term), sum));
}
