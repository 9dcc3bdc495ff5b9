/**
 * Exact numbers for the references: n · 2^e with a BigInt n kept to 224 bits, so that every operation is good to
 * 2^−223 of its result; about 40 bits more than the 160 that the references promise after a row of 2^18 terms.
 */
export interface Exact {
  readonly n: bigint;
  readonly e: number;
}

const BITS = 224;
const FIXED = 288n; // fraction bits of the fixed-point series
const ONE_FIXED = 1n << FIXED;

export const ZERO: Exact = { n: 0n, e: 0 };
export const ONE: Exact = { n: 1n, e: 0 };

/** Bits of |n|. */
function bitLength(n: bigint): number {
  return n === 0n
    ? 0
    : (n < 0n ? -n : n).toString(16).length * 4 -
        Math.clz32(Number.parseInt((n < 0n ? -n : n).toString(16)[0], 16)) +
        28;
}

function shiftRound(n: bigint, bits: number): bigint {
  if (bits <= 0) return n << BigInt(-bits);
  const half = 1n << BigInt(bits - 1);
  const magnitude = n < 0n ? -n : n;
  let quotient = magnitude >> BigInt(bits);
  const rest = magnitude - (quotient << BigInt(bits));
  if (rest > half || (rest === half && (quotient & 1n) === 1n)) quotient += 1n;
  return n < 0n ? -quotient : quotient;
}

function trim(n: bigint, e: number): Exact {
  const extra = bitLength(n) - BITS;
  return extra > 0 ? { n: shiftRound(n, extra), e: e + extra } : { n, e };
}

const view = new DataView(new ArrayBuffer(8));

/** The finite number x, exactly. */
export function exact(x: number): Exact {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  if (exponent === 0x7ff) throw new RangeError(`exact: x expected a finite number, got ${x}`);
  const n = exponent === 0 ? fraction : fraction | (1n << 52n);
  return { n: x < 0 ? -n : n, e: (exponent === 0 ? 1 : exponent) - 1075 };
}

export function neg(a: Exact): Exact {
  return { n: -a.n, e: a.e };
}

export function add(a: Exact, b: Exact): Exact {
  if (a.n === 0n) return b;
  if (b.n === 0n) return a;
  const [high, low] = a.e >= b.e ? [a, b] : [b, a];
  // Beyond this distance the lower number is under the last kept bit of the higher.
  if (high.e - low.e > 2 * BITS + bitLength(low.n)) return high;
  return trim((high.n << BigInt(high.e - low.e)) + low.n, low.e);
}

export function sub(a: Exact, b: Exact): Exact {
  return add(a, neg(b));
}

export function mul(a: Exact, b: Exact): Exact {
  return trim(a.n * b.n, a.e + b.e);
}

export function div(a: Exact, b: Exact): Exact {
  if (b.n === 0n) throw new RangeError("div: b expected a number other than 0, got 0");
  const up = Math.max(0, BITS + 2 + bitLength(b.n) - bitLength(a.n));
  return trim((a.n << BigInt(up)) / b.n, a.e - b.e - up);
}

/** −1, 0 or 1. */
export function compare(a: Exact, b: Exact): number {
  const { n } = sub(a, b);
  return n < 0n ? -1 : n > 0n ? 1 : 0;
}

function toFixed(a: Exact): bigint {
  return shiftRound(a.n, -(a.e + Number(FIXED)));
}

// ln 2 = 2 atanh(1/3)
const LN2_FIXED = (() => {
  let sum = 0n;
  let power = ONE_FIXED / 3n;
  for (let k = 1n; power !== 0n; k += 2n, power /= 9n) sum += power / k;
  return 2n * sum;
})();

export const LN2: Exact = trim(LN2_FIXED, -Number(FIXED));

/** e^a for |a| < 2^20; good to 2^−220 of the result. */
export function exp(a: Exact): Exact {
  const x = toFixed(a);
  const k = (2n * x + LN2_FIXED) / (2n * LN2_FIXED) - (2n * x + LN2_FIXED < 0n ? 1n : 0n);
  // e^x = 2^k · (e^(r / 2^16))^(2^16); the sixteen squarings lose 16 of the 288 bits.
  const r = (x - k * LN2_FIXED) >> 16n;
  let term = ONE_FIXED;
  let sum = ONE_FIXED;
  for (let j = 1n; term !== 0n && term !== -1n; j++) {
    term = ((term * r) >> FIXED) / j;
    sum += term;
  }
  for (let j = 0; j < 16; j++) sum = (sum * sum) >> FIXED;
  return trim(sum, Number(k) - Number(FIXED));
}

/** log(1 + a) for a > −1; good to 2^−220 of the result, for tiny a too. */
export function log1p(a: Exact): Exact {
  const y = add(ONE, a);
  const k = bitLength(y.n) + y.e - 1; // 2^k ≤ y < 2^(k+1)
  if (k === 0 || k === -1) return a.n === 0n ? ZERO : twiceAtanh(div(a, add(a, exact(2))));
  const f: Exact = { n: y.n, e: y.e - k };
  return add(mul(exact(k), LN2), twiceAtanh(div(sub(f, ONE), add(f, ONE))));
}

/** log a for a > 0; far from 1, a − 1 would lose a's digits. */
export function log(a: Exact): Exact {
  const k = bitLength(a.n) + a.e; // 2^(k−1) ≤ a < 2^k
  if (k >= 0 && k < 3) return log1p(sub(a, ONE));
  return add(mul(exact(k), LN2), log1p(sub({ n: a.n, e: a.e - k }, ONE)));
}

/** 2 atanh z = 2z (1 + z²/3 + z⁴/5 + …), |z| ≤ 1/3 */
function twiceAtanh(z: Exact): Exact {
  const square = toFixed(mul(z, z));
  let power = ONE_FIXED;
  let sum = 0n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += power / k;
    power = (power * square) >> FIXED;
  }
  return mul(z, trim(2n * sum, -Number(FIXED)));
}

/** Rounds to nearest even into a binary format: `precision` bits, smallest quantum 2^lowest, largest exponent `highest`. */
function round(a: Exact, precision: number, lowest: number, highest: number): number {
  if (a.n === 0n) return 0;
  const quantum = Math.max(bitLength(a.n) + a.e - precision, lowest);
  const n = shiftRound(a.n, quantum - a.e);
  if (bitLength(n) + quantum > highest + 1) return n < 0n ? -Infinity : Infinity;
  let value = Number(n); // exact: at most 53 bits
  let left = quantum;
  for (; left > 0; left--) value *= 2;
  for (; left < 0; left++) value /= 2; // exact: the quantum is representable
  return value === 0 ? 0 : value;
}

/** The f64 nearest to a. */
export function toF64(a: Exact): number {
  return round(a, 53, -1074, 1023);
}

/** The f32 nearest to a. */
export function toF32(a: Exact): number {
  return round(a, 24, -149, 127);
}
