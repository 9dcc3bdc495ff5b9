import { describe, expect, test } from "vitest";
import { crossEntropyWithGrad } from "../src/index.ts";
import { type Format, logOfSoftmax, logSumExpForm, naiveCrossEntropyWithGrad, round, softmax } from "../src/naive.ts";
import { rng } from "../src/rng.ts";

const inf = Infinity;
const nan = Number.NaN;
const FORMATS: Format[] = ["f16", "bf16", "f32", "f64"];

/** Every non-negative finite number of a 16-bit format, ascending: its bits, counted up. */
function every(digits: number, least: number, largest: number): number[] {
  const fraction = 2 ** (digits - 1);
  const numbers: number[] = [];
  for (let k = 0; k < fraction; k++) numbers.push(k * 2 ** (least - digits + 1));
  for (let e = least; e <= largest; e++) {
    for (let k = 0; k < fraction; k++) numbers.push((fraction + k) * 2 ** (e - digits + 1));
  }
  return numbers;
}

describe("round", () => {
  test.each([
    ["f16", every(11, -14, 15), 65504],
    ["bf16", every(8, -126, 127), 3.3895313892515355e38],
  ] as const)("%s: every number stays, every midpoint goes to the even neighbour", (format, numbers, max) => {
    expect(numbers.at(-1)).toBe(max);
    const wrong = numbers.flatMap((number, k) => {
      const next = numbers[k + 1] ?? 2 * number - numbers[k - 1];
      const up = k + 1 < numbers.length ? next : inf;
      const middle = (number + next) / 2;
      const cases: [number, number][] = [
        [number, number],
        [middle, k % 2 === 0 ? number : up],
        [middle * (1 - 2 ** -52), number],
        [middle * (1 + 2 ** -52), up],
      ];
      return cases.filter(([x, truth]) => !Object.is(round(x, format), truth) || !Object.is(round(-x, format), -truth));
    });
    expect(wrong).toEqual([]);
  });

  test.each(FORMATS)("%s keeps what is not finite, and the sign of zero", (format) => {
    for (const x of [nan, inf, -inf, 0, -0]) expect(round(x, format)).toBe(x);
    if (format === "f64") return;
    expect(round(Number.MAX_VALUE, format)).toBe(inf);
    expect(round(-Number.MIN_VALUE, format)).toBe(-0);
  });

  test("f32 is fround", () => {
    const random = rng(1);
    for (let k = 0; k < 1000; k++) {
      const x = (random.uniform() + random.uniform() * 2 ** -24 - 0.5) * 2 ** (random.below(300) - 150);
      expect(round(x, "f32")).toBe(Math.fround(x));
    }
  });
});

/** The first logit whose exponential is beyond the format, and the last before it. */
const OVERFLOW = { f16: [12, 11], bf16: [89, 88], f32: [89, 88], f64: [710, 709] } as const;

describe("softmax as it is written", () => {
  test.each(FORMATS)("%s overflows at 1000 and underflows at −1000", (format) => {
    expect(softmax([1000, 0], format)).toEqual({ exp: [inf, 1], sum: inf, softmax: [nan, 0] });
    expect(softmax([-1000, -1000], format)).toEqual({ exp: [0, 0], sum: 0, softmax: [nan, nan] });
    expect(logOfSoftmax([0, -1000], format)).toEqual({ exp: [1, 0], sum: 1, softmax: [1, 0], log: [0, -inf] });
    expect(logOfSoftmax([1000, 0, -1000], format)).toEqual({
      exp: [inf, 1, 0],
      sum: inf,
      softmax: [nan, 0, 0],
      log: [nan, -inf, -inf],
    });
  });

  test.each(FORMATS)("%s: where it begins", (format) => {
    const [over, under] = OVERFLOW[format];
    expect(softmax([over], format).exp).toEqual([inf]);
    expect(softmax([under], format).exp[0]).toBeLessThan(inf);
    expect(softmax([under], format).softmax).toEqual([1]);
  });

  test("every step is rounded", () => {
    // e = 2.718281828459045, 1 + e = 3.718281828459045
    expect(softmax([1, 0], "f16")).toEqual({
      exp: [2.71875, 1],
      sum: 3.71875,
      softmax: [0.73095703125, 0.268798828125],
    });
    expect(softmax([1, 0], "bf16")).toEqual({ exp: [2.71875, 1], sum: 3.71875, softmax: [0.73046875, 0.26953125] });
    const [a, b] = [Math.fround(Math.E), Math.fround(Math.fround(Math.E) + 1)];
    expect(softmax([1, 0], "f32")).toEqual({ exp: [a, 1], sum: b, softmax: [Math.fround(a / b), Math.fround(1 / b)] });
  });

  test("logits are rounded first", () => {
    expect(logSumExpForm([2049, 0], "f16").max).toBe(2048);
    expect(softmax(Float32Array.of(0.1), "f16").exp).toEqual(softmax([0.0999755859375], "f16").exp);
  });
});

describe("the usual log-sum-exp form", () => {
  test.each(FORMATS)("%s lives at ±1000", (format) => {
    expect(logSumExpForm([1000, 0, -1000], format)).toEqual({
      max: 1000,
      shifted: [0, -1000, -2000],
      exp: [1, 0, 0],
      sum: 1,
      log: 0,
      logSoftmax: [0, -1000, -2000],
    });
  });

  test("it loses the winner of [20, 0] in f32 and of [40, 0] in f64", () => {
    expect(logSumExpForm([20, 0], "f32").logSoftmax).toEqual([0, -20]);
    expect(logSumExpForm([40, 0], "f64").logSoftmax).toEqual([0, -40]);
    expect(logSumExpForm([10, 0], "f16").logSoftmax).toEqual([0, -10]);
    expect(logSumExpForm([36, 0], "f64").logSoftmax[0]).toBeLessThan(0);
  });

  test("all −∞ is NaN, as it is everywhere with this form", () => {
    expect(logSumExpForm([-inf, -inf], "f64").logSoftmax).toEqual([nan, nan]);
  });
});

describe("the loss and gradient of the demonstration", () => {
  const run = (x: number[], y: number): { loss: number; dx: number[] } => {
    const dx = new Float32Array(x.length);
    return { loss: naiveCrossEntropyWithGrad(dx, Float32Array.from(x), y, 1), dx: [...dx] };
  };

  test("is the cross-entropy where nothing goes wrong", () => {
    const random = rng(3);
    for (let k = 0; k < 200; k++) {
      const x = Float32Array.from({ length: 10 }, () => (random.uniform() - 0.5) * 6);
      const y = k % 10;
      const dx = new Float32Array(10);
      const loss = naiveCrossEntropyWithGrad(dx, x, y, 1);
      const truth = crossEntropyWithGrad(Float32Array.from(x), y);
      // 11 additions and a division before the logarithm, relative to p; then the logarithm's own rounding
      expect(Math.abs(loss - truth.loss)).toBeLessThan(14 * 2 ** -24 + Math.abs(truth.loss) * 2 ** -24);
      for (let j = 0; j < 10; j++)
        expect(Math.abs(dx[j] - (truth.dlogits as Float32Array)[j])).toBeLessThan(16 * 2 ** -24);
    }
  });

  test("takes the steps of logOfSoftmax in f32, bit for bit", () => {
    const random = rng(4);
    for (let k = 0; k < 200; k++) {
      const x = Array.from({ length: 1 + (k % 12) }, () => Math.fround((random.uniform() - 0.5) * 100));
      const y = k % x.length;
      expect(run(x, y).loss).toBe(-logOfSoftmax(x, "f32").log[y]);
    }
  });

  test.each(["f16", "bf16"] as const)("takes them in %s, and its gradient is of that format", (format) => {
    const random = rng(5);
    for (let k = 0; k < 200; k++) {
      const x = Float32Array.from({ length: 1 + (k % 12) }, () => (random.uniform() - 0.5) * 16);
      const y = k % x.length;
      const dx = new Float32Array(x.length);
      expect(naiveCrossEntropyWithGrad(dx, x, y, 1, format)).toBe(-logOfSoftmax(x, format).log[y]);
      expect([...dx]).toEqual([...dx].map((d) => round(d, format)));
    }
  });

  test("f16 dies where e^x passes 65504, f32 does not", () => {
    const dx = new Float32Array(2);
    const x = Float32Array.of(11.1, 0);
    expect(naiveCrossEntropyWithGrad(dx, x, 0, 1, "f16")).toBe(Number.NaN);
    expect([...dx]).toEqual([Number.NaN, Number.NaN]);
    expect(naiveCrossEntropyWithGrad(dx, x, 0, 1)).toBeCloseTo(1.5e-5, 6);
  });

  test("an exponential that overflows gives NaN", () => {
    expect(run([89, 0], 0)).toEqual({ loss: nan, dx: [nan, nan] });
    expect(run([89, 0], 1)).toEqual({ loss: inf, dx: [nan, nan] });
  });

  test("a target's probability of 0 gives an infinite loss and a gradient of NaN", () => {
    expect(run([80, -30], 1)).toEqual({ loss: inf, dx: [nan, nan] });
    expect(run([-200, -200], 1)).toEqual({ loss: nan, dx: [nan, nan] });
  });

  test("a probability below the least normal number: the loss is still finite, its gradient is not", () => {
    const { loss, dx } = run([60, -30], 1);
    // p = e^-90 has 19 bits left
    expect(Math.abs(loss - 90)).toBeLessThan(2 ** -19 + 90 * 2 ** -24);
    expect(dx).toEqual([inf, nan]);
  });
});

describe("bad arguments", () => {
  test("each has its message", () => {
    expect(() => round(1, "f8" as Format)).toThrow(
      new RangeError('round: format expected "f16" or "bf16" or "f32" or "f64", got "f8"'),
    );
    expect(() => softmax("10" as unknown as number[], "f32")).toThrow(
      new TypeError('softmax: logits expected number[], Float32Array or Float64Array, got "10"'),
    );
    expect(() => logSumExpForm([1, "2" as unknown as number], "f32")).toThrow(
      new TypeError('logSumExpForm: logits[1] expected a number, got "2"'),
    );
  });
});
