import type { Reducer } from "./reducer.ts";

/** Above all exponents: one of the numbers is ∞, or NaN. */
const INFINITE = 5000;
const NOT_A_NUMBER = 5001;
/** No exponent is taken for less, so that units stay in f64's range. */
const LEAST = -900;

const WORD = new DataView(new ArrayBuffer(8));

/** 2^n for n in f64's normal range. */
export function powerOfTwo(n: number): number {
  WORD.setUint32(0, (n + 1023) << 20);
  WORD.setUint32(4, 0);
  return WORD.getFloat64(0);
}

/** An n with |value| < 2^n, at most one above the least. */
function exponentOf(value: number): number {
  WORD.setFloat64(0, value);
  const n = ((WORD.getUint32(0) >>> 20) & 2047) - 1022;
  if (n < 1025) return Math.max(LEAST, n);
  return Number.isNaN(value) ? NOT_A_NUMBER : INFINITE;
}

/** The least n from 0 with count ≤ 2^n. */
function ceilLog2(count: number): number {
  let n = 0;
  while (powerOfTwo(n) < count) n++;
  return n;
}

/**
 * Sums of vectors whose bits depend neither on their order nor on which rank has which of them. Every entry of every vector
 * is rounded once to a multiple of a unit, and the multiples are added as integers. An entry's unit is 2^-62 of the next power of
 * two above its largest size in any vector, times how many vectors there are: so no sum overflows, and for P vectors it is
 * off by P²·2^-62 of the largest entry at most, and rounded once.
 */
export class BlockSums {
  readonly #length: number;
  readonly #parts: Float64Array[] = [];

  constructor(length: number) {
    this.#length = length;
  }

  /** The vector is kept, and must not be changed any more. */
  add(part: Float64Array): void {
    this.#parts.push(part);
  }

  /** @param count  vectors of all ranks, or more */
  async total(count: number, reducer: Reducer | undefined): Promise<Float64Array<ArrayBuffer>> {
    const exponents = new Int32Array(this.#length).fill(LEAST);
    for (const part of this.#parts) {
      for (let k = 0; k < part.length; k++) exponents[k] = Math.max(exponents[k], exponentOf(part[k]));
    }
    await reducer?.max(exponents);
    const room = 62 - ceilLog2(count);
    const sums = new BigInt64Array(this.#length);
    const up = Float64Array.from(exponents, (n) => (n < INFINITE ? powerOfTwo(room - n) : 0));
    for (const part of this.#parts) {
      for (let k = 0; k < part.length; k++) if (up[k] > 0) sums[k] += BigInt(Math.round(part[k] * up[k]));
    }
    await reducer?.sum(sums);
    return Float64Array.from(exponents, (n, k) => {
      if (n < INFINITE) return Number(sums[k]) / up[k];
      return n === INFINITE ? Infinity : NaN;
    });
  }
}
