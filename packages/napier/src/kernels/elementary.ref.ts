import { add, compare, div, type Exact, exact, exp, mul, neg, ONE, sub, ZERO } from "../exact.ts";

const TWO = exact(2);
const SMALL = exact(2 ** -20);

/** e^a − 1 for |a| < 2^20; good to 2^−220 of the result, for tiny a too. */
export function expm1(a: Exact): Exact {
  if (compare(a, SMALL) > 0 || compare(neg(a), SMALL) > 0) return sub(exp(a), ONE);
  // a + a²/2! + …: thirteen terms of 2^-20 each are 260 bits
  let sum = ZERO;
  for (let n = 13; n > 0; n--) sum = mul(div(a, exact(n)), add(ONE, sum));
  return sum;
}

/** tanh a = (e^2a − 1) / (e^2a + 1) */
export function tanh(a: Exact): Exact {
  const e = expm1(mul(TWO, a));
  return div(e, add(e, TWO));
}

/** 1 − tanh² a = 4e^2a / (1 + e^2a)² */
export function sech2(a: Exact): Exact {
  const e = exp(mul(TWO, a));
  const d = add(ONE, e);
  return div(mul(exact(4), e), mul(d, d));
}

/** 1 / (1 + e^−a) */
export function sigmoid(a: Exact): Exact {
  return div(ONE, add(ONE, exp(neg(a))));
}
