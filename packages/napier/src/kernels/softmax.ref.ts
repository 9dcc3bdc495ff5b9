import { add, div, type Exact, exact, exp, log1p, mul, ONE, sub, ZERO } from "../exact.ts";
import { rowSum } from "./sum.ref.ts";

/** log_softmax(x)[j] = (x[j] − m) − log1p(s) */
export function logSoftmaxRow(x: readonly number[]): (Exact | number)[] {
  const { m, s, special } = rowSum(x);
  if (special) return x.map(() => Number.NaN);
  // 3. the logarithm; 4. the two differences
  const l = log1p(s);
  return x.map((v) => (v === -Infinity ? v : sub(sub(exact(v), exact(m)), l)));
}

/** softmax(x)[j] = e^(x[j] − m) / (1 + s) */
export function softmaxRow(x: readonly number[]): (Exact | number)[] {
  const { e, s, special } = rowSum(x);
  if (special) return x.map(() => Number.NaN);
  return e.map((term) => div(term, add(ONE, s)));
}

/** An entry of a …Backward's result; its bound is in ulps of its largest term, their sum over k counted as one too. */
export interface Terms {
  readonly value: Exact;
  readonly largest: Exact;
}

const magnitude = (a: Exact): Exact => (a.n < 0n ? { n: -a.n, e: a.e } : a);
const larger = (a: Exact, b: Exact): Exact => (sub(a, b).n < 0n ? b : a);

/** dx[j] = g[j] − Σ_k e^logp[j] g[k], finite inputs */
export function logSoftmaxBackwardRow(g: readonly number[], logp: readonly number[]): Terms[] {
  const gradients = g.map(exact);
  const total = gradients.reduce(add, ZERO);
  const largest = gradients.map(magnitude).reduce(larger, ZERO);
  return logp.map((v, j) => {
    const p = exp(exact(v));
    const terms = mul(p, larger(largest, magnitude(total)));
    return { value: sub(gradients[j], mul(p, total)), largest: larger(magnitude(gradients[j]), terms) };
  });
}

/** dx[j] = p[j] g[j] − Σ_k p[j] p[k] g[k], finite inputs */
export function softmaxBackwardRow(g: readonly number[], p: readonly number[]): Terms[] {
  const products = g.map((v, k) => mul(exact(v), exact(p[k])));
  const dot = products.reduce(add, ZERO);
  const largest = products.map(magnitude).reduce(larger, ZERO);
  return p.map((v, j) => {
    const pj = exact(v);
    return {
      value: mul(pj, sub(exact(g[j]), dot)),
      largest: larger(magnitude(products[j]), magnitude(mul(pj, larger(largest, magnitude(dot))))),
    };
  });
}
