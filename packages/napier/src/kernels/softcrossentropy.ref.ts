import { add, compare, div, type Exact, exact, exp, log1p, mul, neg, ONE, sub, ZERO } from "../exact.ts";

/** A row over a temperature, or why it has no finite answer. */
export interface TemperedRow {
  /** (x[j] − m) / T */
  readonly d: readonly (Exact | number)[];
  /** e^d[j] */
  readonly e: readonly Exact[];
  /** Σ e[j] without `at`, the first class that holds the maximum */
  readonly s: Exact;
  readonly at: number;
  /** log1p(s) and m / T */
  readonly l: Exact;
  readonly shift: Exact;
  /** NaN somewhere, or a maximum of ±∞ */
  readonly special: boolean;
}

export function temperedRow(x: readonly number[], temperature: number): TemperedRow {
  const m = x.some(Number.isNaN) ? Number.NaN : x.reduce((best, v) => Math.max(best, v), -Infinity);
  const at = x.indexOf(m);
  if (!Number.isFinite(m)) return { d: [], e: [], s: ZERO, at, l: ZERO, shift: ZERO, special: true };
  // 1. the maximum; 2. the differences and the sum of the others; 3. the logarithm
  const t = exact(temperature);
  const d = x.map((v) => (v === -Infinity ? v : div(sub(exact(v), exact(m)), t)));
  const least = exact(-4000); // e^-4000 counts as 0, far below any subnormal
  const e = d.map((v) => (typeof v === "number" || compare(v, least) < 0 ? ZERO : exp(v)));
  const s = e.reduce((sum, term, j) => (j === at ? sum : add(sum, term)), ZERO);
  return { d, e, s, at, l: log1p(s), shift: div(exact(m), t), special: false };
}

/** log_softmax(x / T)[j] = d[j] − l */
export function temperedLogSoftmaxRow(x: readonly number[], temperature: number): (Exact | number)[] {
  const { d, l, special } = temperedRow(x, temperature);
  if (special) return x.map(() => Number.NaN);
  return d.map((v) => (typeof v === "number" ? v : sub(v, l)));
}

/** softmax(x / T)[j] = e[j] / (1 + s) */
export function temperedSoftmaxRow(x: readonly number[], temperature: number): (Exact | number)[] {
  const { e, s, special } = temperedRow(x, temperature);
  return special ? x.map(() => Number.NaN) : e.map((term) => div(term, add(ONE, s)));
}

/** t[j] = w[j]·((1 − ε)·q[j] + ε / kept, where the mask keeps j) */
export function softTargets(
  q: readonly number[],
  weights: readonly number[],
  mask: readonly number[],
  smoothing: number,
): Exact[] {
  const kept = mask.reduce((sum, keep) => sum + keep, 0);
  const each = kept === 0 ? ZERO : div(exact(smoothing), exact(kept));
  const own = sub(ONE, exact(smoothing));
  return q.map((v, j) => mul(exact(weights[j]), add(mul(own, exact(v)), mask[j] === 0 ? ZERO : each)));
}

/** An entry of a gradient, and the largest of the terms that it is the sum of. */
export interface SoftTerms {
  readonly value: Exact;
  readonly largest: Exact;
}

export interface SoftRow {
  readonly loss: Exact | number;
  readonly lse: Exact;
  readonly gradient: readonly SoftTerms[] | undefined;
}

const magnitude = (a: Exact): Exact => (a.n < 0n ? neg(a) : a);
const largestOf = (terms: readonly Exact[]): Exact =>
  terms.map(magnitude).reduce((best, v) => (compare(v, best) > 0 ? v : best), ZERO);

/**
 * loss = Σ_j t_j·(l − d_j) + z·lse²; gradient (p_j·(Σ t + 2·z·lse) − t_j) / T, at a maximum of p ≥ 1/2 from the other targets. What
 * has one sign is added first and counts as one term; the terms of lse, which may cancel, count by their sizes.
 */
export function softCrossEntropyRow(
  x: readonly number[],
  t: readonly Exact[],
  zLoss: number,
  temperature: number,
): SoftRow {
  const { d, e, s, at, l, shift, special } = temperedRow(x, temperature);
  if (special) return { loss: Number.NaN, lse: ZERO, gradient: undefined };
  const lse = add(shift, l);
  const z = exact(zLoss);
  let loss: Exact | number = mul(z, mul(lse, lse));
  for (let j = 0; j < x.length; j++) {
    const v = d[j];
    if (t[j].n === 0n || typeof loss === "number") continue;
    loss = typeof v === "number" ? Infinity : add(loss, mul(t[j], sub(l, v)));
  }
  const rest = t.reduce((sum, v, j) => (j === at ? sum : add(sum, v)), ZERO);
  const total = add(rest, t[at]);
  const more = mul(mul(exact(2), z), lse);
  const moreTerm = mul(mul(exact(2), z), add(magnitude(shift), l));
  const over = (v: Exact): Exact => div(v, exact(temperature));
  const gradient = e.map((term, j) => {
    const isWinner = j === at && compare(s, ONE) <= 0;
    const p = div(isWinner ? s : term, add(ONE, s));
    const pulled = mul(p, add(total, more));
    if (isWinner) {
      const terms = [add(rest, moreTerm), mul(p, add(total, moreTerm))];
      return { value: over(sub(add(rest, more), pulled)), largest: over(largestOf(terms)) };
    }
    return { value: over(sub(pulled, t[j])), largest: over(largestOf([mul(p, add(total, moreTerm)), t[j]])) };
  });
  return { loss, lse, gradient };
}
