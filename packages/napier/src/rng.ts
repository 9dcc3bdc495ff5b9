/** The one seeded generator: xoshiro128**, its state filled from the seed by splitmix32. Only 32-bit integer steps, so the same numbers everywhere. */
export interface Rng {
  /** The next 32 bits, 0 to 2^32 − 1. */
  next(): number;
  /** Uniform in [0, 1), 24 bits. */
  uniform(): number;
  /** Uniform integer, 0 to bound − 1; bound ≤ 2^32. */
  below(bound: number): number;
}

const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** @param stream  independent sequences of one seed (weights, shuffling of epoch n, …) */
export function rng(seed: number, stream = 0): Rng {
  let counter = seed | 0;
  const fill = (): number => {
    counter = (counter + 0x9e3779b9) | 0;
    let z = counter ^ (counter >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  counter = fill() ^ stream; // hashed first: streams side by side share nothing
  let a = fill();
  let b = fill();
  let c = fill();
  let d = fill();
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
  return {
    next,
    uniform: () => (next() >>> 8) / 16777216,
    below: (bound) => {
      // Rejecting the last, partial run keeps every result equally likely.
      const limit = 4294967296 - (4294967296 % bound);
      let x = next();
      while (x >= limit) x = next();
      return x % bound;
    },
  };
}
