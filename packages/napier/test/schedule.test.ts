import { describe, expect, test } from "vitest";
import { rng } from "../src/rng.ts";
import { cosineFall, learningRateAt, type Schedule } from "../src/train/schedule.ts";

const FRACTION = 200n;
const PI = 31415926535897932384626433832795028841971693993751058209749445923n; // 10^64 times
const TEN_64 = 10n ** 64n;

/** (1 + cos(π·k/n)) / 2 = cos²(π·k/2n), with 200 bits after the point: the series of the cosine, which is exact enough to 2^-180. */
function exactFall(k: number, n: number): bigint {
  const angle = ((PI * BigInt(k)) << FRACTION) / (2n * BigInt(n) * TEN_64);
  const square = (angle * angle) >> FRACTION;
  let term = 1n << FRACTION;
  let sum = term;
  for (let i = 1n; term !== 0n; i += 2n) {
    term = -((term * square) >> FRACTION) / (i * (i + 1n));
    sum += term;
  }
  return (sum * sum) >> FRACTION;
}

/** |value / truth − 1| in parts of 2^-53, for values from 2^-59. */
function relativeError(value: number, truth: bigint): number {
  const scaled = BigInt(Math.round(value * 2 ** 60 * 2 ** 52)) << (FRACTION - 112n);
  const difference = scaled > truth ? scaled - truth : truth - scaled;
  return Number((difference << 80n) / truth) / 2 ** 27;
}

describe("the cosine's fall", () => {
  test("is within 12·2^-53 of exact values", () => {
    const random = rng(8);
    let worst = 0;
    const see = (k: number, n: number): void => {
      worst = Math.max(worst, relativeError(cosineFall(k, n), exactFall(k, n)));
    };
    for (let n = 1; n < 60; n++) for (let k = 0; k < n; k++) see(k, n);
    for (let round = 0; round < 2000; round++) {
      const n = 1 + random.below(2 ** 20);
      see(random.below(n), n);
      // around the middle, where it changes its form, and at the end, where 1 + cos has lost all digits
      see(Math.floor(n / 2), n);
      see(n - 1, n);
    }
    expect(worst).toBeLessThanOrEqual(12);
    expect(worst).toBeGreaterThan(0.5);
  });

  test("begins at 1, ends at 0, is 1/2 in the middle and never rises", () => {
    expect([cosineFall(0, 7), cosineFall(7, 7), cosineFall(0, 1), cosineFall(1, 1)]).toEqual([1, 0, 1, 0]);
    expect(Math.abs(cosineFall(5, 10) - 0.5)).toBeLessThan(2 ** -52);
    for (const n of [10, 1001, 65_536]) {
      for (let k = 1; k <= n; k++) expect(cosineFall(k, n)).toBeLessThanOrEqual(cosineFall(k - 1, n));
    }
  });
});

describe("learningRateAt", () => {
  const rates = (steps: number, schedule: Schedule): number[] =>
    Array.from({ length: steps }, (_, n) => learningRateAt(n + 1, steps, schedule));

  test("constant", () => {
    expect(rates(3, { schedule: "constant", learningRate: 0.1, warmup: 0 })).toEqual([0.1, 0.1, 0.1]);
  });

  test("constant after a warm-up", () => {
    expect(rates(6, { schedule: "constant", learningRate: 2, warmup: 4 })).toEqual([0.5, 1, 1.5, 2, 2, 2]);
  });

  test("a warm-up that the training does not survive", () => {
    expect(rates(2, { schedule: "cosine", learningRate: 1, warmup: 4 })).toEqual([0.25, 0.5]);
  });

  // torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10) of PyTorch 2.13, lr = 0.1
  test("cosine is PyTorch's CosineAnnealingLR", () => {
    const torch = [
      0.1, 0.09755282581475769, 0.09045084971874738, 0.07938926261462367, 0.06545084971874739, 0.05000000000000001,
      0.03454915028125264, 0.020610737385376353, 0.009549150281252635, 0.002447174185242324,
    ];
    rates(10, { schedule: "cosine", learningRate: 0.1, warmup: 0 }).forEach((rate, n) => {
      expect(Math.abs(rate - torch[n])).toBeLessThanOrEqual(2 ** -50 * 0.1);
    });
  });

  test("cosine after a warm-up falls from the first step after it", () => {
    const schedule = { schedule: "cosine", learningRate: 3, warmup: 2 } as const;
    const falls = rates(8, { ...schedule, warmup: 0 }).map((_, n) => 3 * cosineFall(n, 8));
    expect(rates(10, schedule)).toEqual([1.5, 3, ...falls]);
  });
});
