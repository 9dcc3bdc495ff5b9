import { add, type Exact, exact, exp, LN2, log, mul, neg, sub, ZERO } from "../exact.ts";

/** A sum of parts of both signs; its bound is in ulps of the larger of the two sums, each of one sign. */
export interface Parts {
  readonly value: Exact;
  readonly largest: Exact;
}

/** log a for any a > 0 */
function logOf(a: number): Exact {
  const { n, e } = exact(a);
  const bits = n.toString(2).length - 1;
  return add(log({ n, e: -bits }), mul(exact(e + bits), LN2));
}

/** The parts of a term, finite inputs: t·log t and −t·x, or e^t·t and −e^t·x. None where the target's probability is 0. */
export function klParts(x: number, t: number, logTarget: boolean): Exact[] {
  if (t === (logTarget ? -Infinity : 0)) return [];
  if (logTarget) {
    const p = exp(exact(t));
    return [mul(p, exact(t)), neg(mul(p, exact(x)))];
  }
  return [mul(exact(t), logOf(t)), neg(mul(exact(t), exact(x)))];
}

export function sumParts(parts: readonly Exact[]): Parts {
  const positive = parts.filter(({ n }) => n > 0n).reduce(add, ZERO);
  const negative = parts.filter(({ n }) => n < 0n).reduce(add, ZERO);
  const larger = sub(positive, neg(negative)).n > 0n ? positive : neg(negative);
  return { value: add(positive, negative), largest: larger };
}

/** dlogp = −g·t, or −g·e^t */
export function klBackward(g: number, t: number, logTarget: boolean): Exact {
  if (t === -Infinity) return ZERO;
  return neg(mul(exact(g), logTarget ? exp(exact(t)) : exact(t)));
}
