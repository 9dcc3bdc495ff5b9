import { add, div, type Exact, exact, exp, log, log1p, mul, neg, ONE, sub, ZERO } from "../exact.ts";
import { expm1, sigmoid } from "./elementary.ref.ts";
import type { Terms } from "./softmax.ref.ts";

/** e^x of beyond −4000 counts as 0, far below any subnormal times the largest number. */
const BEYOND = 4000;

/** log(1 + e^x) = max(x, 0) + log(1 + e^−|x|) */
export function log1pExp(x: number): Exact | number {
  if (!Number.isFinite(x)) return x === -Infinity ? 0 : x;
  const l = x < -BEYOND || x > BEYOND ? ZERO : log1p(exp(exact(-Math.abs(x))));
  return add(exact(Math.max(x, 0)), l);
}

/** −log(1 + e^−x) */
export function logSigmoid(x: number): Exact | number {
  const value = log1pExp(-x);
  return typeof value === "number" ? 0 - value : neg(value);
}

/** log(1 − e^x) */
export function log1mExp(x: number): Exact | number {
  if (!(x <= 0)) return Number.NaN;
  if (x === 0) return -Infinity;
  if (x < -BEYOND) return ZERO;
  return x < -1 ? log1p(neg(exp(exact(x)))) : log(neg(expm1(exact(x))));
}

/** 1 / (1 + e^−x) for a finite x */
function sigma(x: number): Exact {
  return x < -BEYOND ? ZERO : x > BEYOND ? ONE : sigmoid(exact(x));
}

/** g / (1 + e^−x), finite numbers */
export function log1pExpBackward(g: number, x: number): Exact {
  return mul(exact(g), sigma(x));
}

/** g / (1 + e^x), finite numbers */
export function logSigmoidBackward(g: number, x: number): Exact {
  return mul(exact(g), sigma(-x));
}

/** −g / (e^−x − 1), finite numbers, x < 0 */
export function log1mExpBackward(g: number, x: number): Exact {
  return x < -BEYOND ? ZERO : neg(div(exact(g), expm1(exact(-x))));
}

const magnitude = (a: Exact): Exact => (a.n < 0n ? neg(a) : a);

/** A sum, and the largest of its terms and itself. */
function terms(a: Exact, b: Exact): Terms {
  const value = add(a, b);
  const largest = [a, b, value].map(magnitude).reduce((best, one) => (sub(best, one).n < 0n ? one : best));
  return { value, largest };
}

/** weight·(−posWeight·t·log σ(x) − (1 − t)·log σ(−x)), finite numbers */
export function bce(x: number, t: number, weight: number, posWeight: number): Terms {
  const w = exact(weight);
  const positive = mul(mul(w, exact(posWeight)), exact(t));
  const negative = mul(w, sub(ONE, exact(t)));
  return terms(mul(positive, log1pExp(-x) as Exact), mul(negative, log1pExp(x) as Exact));
}

/** scale·weight·((1 − t)·σ(x) − posWeight·t·σ(−x)), finite numbers */
export function bceGrad(x: number, t: number, weight: number, posWeight: number, scale: Exact): Terms {
  const w = mul(scale, exact(weight));
  const positive = mul(mul(w, exact(posWeight)), exact(t));
  const negative = mul(w, sub(ONE, exact(t)));
  return terms(mul(negative, sigma(x)), neg(mul(positive, sigma(-x))));
}
