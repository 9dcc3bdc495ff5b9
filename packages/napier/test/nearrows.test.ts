import { describe, expect, test } from "vitest";
import { BOUNDS } from "../src/bounds.ts";
import type { Exact } from "../src/exact.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  logSoftmax,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  softmax,
} from "../src/index.ts";
import { crossEntropyGradRow, crossEntropyRow } from "../src/kernels/crossentropy.ref.ts";
import { logSumExpBackwardRow, logSumExpRow } from "../src/kernels/logsumexp.ref.ts";
import { logSoftmaxRow, softmaxRow } from "../src/kernels/softmax.ref.ts";
import { ulpError } from "../src/ulp.ts";

/** f32 inputs at which the near exponential is most off, in units of 2^-24 of the result. */
const ABOVE = 5.198859214782715; // +1.4071
const ABOVE_FAR_DOWN = -27.378768920898438; // +1.3756
const ABOVE_DEEP = -81.44355773925781; // +1.4014, the worst of the results about 2^-117
const BELOW = -5.862132549285889; // −1.3745
const BELOW_HIGH = 15.617837905883789; // −1.3714

const times = (count: number, value: number): number[] => new Array<number>(count).fill(value);
const error = (value: number, truth: Exact | number): number =>
  typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, "f32");

/** Every error of a row, in ulps, whatever the target. */
function errorsOf(row: readonly number[]): Record<string, number> {
  const x = Float32Array.from(row);
  const worst = (values: Float32Array, truth: readonly (Exact | number)[]): number =>
    values.reduce((most, value, j) => Math.max(most, error(value, truth[j])), 0);
  const targets = [0, row.length - 1];
  return {
    logSoftmax: worst(logSoftmax(x), logSoftmaxRow(row)),
    softmax: worst(softmax(x), softmaxRow(row)),
    logSumExp: error(logSumExp(x), logSumExpRow(row)),
    crossEntropy: Math.max(...targets.map((y) => error(crossEntropy(x, y), crossEntropyRow(row, y)))),
    gradient: Math.max(
      ...targets.map((y) => worst(crossEntropyWithGrad(x, y).dlogits, crossEntropyGradRow(row, y, 1))),
    ),
  };
}

function within(row: readonly number[]): void {
  for (const [name, ulps] of Object.entries(errorsOf(row))) {
    expect(ulps, name).toBeLessThanOrEqual(BOUNDS[name as keyof typeof BOUNDS].f32);
  }
}

// A truth just under a power of two: a computed value just over it is rounded to a grid twice as wide, so that a rounding
// costs up to 1 ulp of the truth, not 1/2.
describe("a result that the error lifts over a power of two", () => {
  test.each([
    ["the winner of three classes", [9.349920272827148, ABOVE, -9.080009460449219]],
    ["the same at 2^-9", [11.436243057250977, ABOVE, -5.035313606262207]],
    ["the same at 2^-39", [32.23169708251953, ABOVE, -4.033597469329834]],
    ["the winner of 18 classes", [21.895015716552734, ...times(17, ABOVE)]],
    ["the winner of a row that is not short", [9.349920272827148, ABOVE, -9.080009460449219, ...times(126, -80)]],
    ["the winner of 414 classes", [27.164691925048828, ...times(413, ABOVE)]],
    ["a log-sum-exp of a maximum 0", [0, ...times(45, ABOVE_FAR_DOWN), -28.847623825073242]],
    ["the same of a row that is not short", [0, ...times(45, ABOVE_FAR_DOWN), -28.847623825073242, ...times(82, -86)]],
    ["a probability of a short row", [15.835700988769531, ...times(124, BELOW_HIGH), ABOVE]],
    ["a probability of a row that is not short", [16.014505386352539, ...times(249, BELOW_HIGH), ABOVE]],
    [
      "a flat row: both f32 subtractions round over it",
      [0.70042353868484497, ...times(508, -4.504134654998779), 0.17811594903469086],
    ],
    ["the same over 4", [1.6112456321716309, ...times(2455, -3.810986757), 0.10158704966306686]],
  ])("%s", (_, row) => within(row.map(Math.fround)));
});

// The lower half of the factor times an exponential is rounded to 2^-149, a quarter of an ulp of a result in [2^-125, 2^-124).
describe("a product of two parts at the lower end of the normal range", () => {
  test.each([
    [15.759514808654785, 200, BELOW_HIGH, 13454132],
    [15.792789459228516, 1000, BELOW_HIGH, 66986400],
    [-5.783914566040039, 1000, BELOW, 0.03141186013817787],
  ])("logSumExpBackward, maximum %f, %i equal classes of %f, dlse %f", (m, count, value, dlse) => {
    const row = [m, ...times(count, value), ABOVE_DEEP];
    const found = logSumExpBackward(dlse, Float32Array.from(row))[count + 1];
    const truth = logSumExpBackwardRow(Math.fround(dlse), row)[count + 1];
    expect(error(found, truth)).toBeLessThanOrEqual(BOUNDS.gradient.f32);
  });

  test("a mean gradient of 251 short rows", () => {
    const row = [-5.802283763885498, ...times(126, BELOW), ABOVE_DEEP];
    const x = Float32Array.from(times(251, 0).flatMap(() => row));
    const { dlogits } = crossEntropyWithGrad(x, new Int32Array(251), { shape: [251, 128] });
    const truth = crossEntropyGradRow(row, 0, 1 / 251)[127];
    for (const i of [0, 3, 250]) {
      expect(error(dlogits[128 * i + 127], truth)).toBeLessThanOrEqual(BOUNDS.gradient.f32);
    }
  });
});

describe("errors that add up", () => {
  const rows: [string, number[]][] = [
    // log1p(s) near 2^-k from below is where a relative error is most ulps
    ["one sign, short", [12.130044937133789, ABOVE, -34.936088562011719]],
    ["one sign, both borders of short", [21.89501, ...times(126, ABOVE)]],
    ["one sign, not short", [21.89501, ...times(128, ABOVE)]],
    ["s about FLAT", [ABOVE + Math.log(200 / 1.25), ...times(200, ABOVE)]],
    ["s about 2^-90", [0, ...times(130, -62.383 - Math.log(130))]],
    ["s just under 2^-90", [0, ...times(130, -62.384 - Math.log(130))]],
    ["entries at the least argument", [40, ...times(130, -87)]],
    ["|m| at the border of the shift", [-40, ...times(130, -40.5), -87]],
    ["|m| beyond it", [-40.000003814697266, ...times(130, -40.5), -80.00000762939453]],
    ["an entry outside 2m", [-40.000003814697266, ...times(130, -40.5), -80.00001525878906]],
    ["an entry at m / 2", [174, ...times(130, 173), 87]],
    ["an entry under m / 2", [173, ...times(130, 172), 86.49999237060547]],
    ["2^20", [1048576, ...times(130, 1048574.9375), 1048489]],
    ["−2^20 and a bit: m − 87 rounds", [-1048575.9375, ...times(130, -1048577), -1048663]],
    ["beyond 2^20", [1048576.125, ...times(130, 1048575), 1048490]],
  ];
  test.each(rows)("%s", (_, row) => within(row.map(Math.fround)));

  test.each([3, 4, 127, 128, 129, 144, 145])("the maximum first, last, and tied, of %i classes", (classes) => {
    const m = Math.fround(ABOVE + 6);
    for (const at of [0, 1, classes - 1]) {
      const row = times(classes, ABOVE);
      row[at] = m;
      within(row);
      row[classes - 1 - at] = m;
      within(row);
    }
    within(times(classes, ABOVE));
  });
});

test("special rows beside any other, in every lane, of 1 to 9 rows", () => {
  const same = (found: Float32Array, expected: Float32Array) =>
    found.length === expected.length && found.every((value, k) => Object.is(value, expected[k]));
  const kinds: ((classes: number) => number[])[] = [
    (classes) => [...times(classes - 1, 1), Number.NaN],
    (classes) => [Infinity, ...times(classes - 1, -1)],
    (classes) => times(classes, -Infinity),
    (classes) => [...times(classes - 1, -Infinity), 2],
    (classes) => [...times(classes - 1, -3e38), 3e38],
    (classes) => [41, ...times(classes - 1, 40.5)],
    (classes) => Array.from({ length: classes }, (_, j) => 0.25 * j - 3),
  ];
  for (const classes of [1, 2, 3, 5, 31, 127, 128, 129]) {
    for (let count = 1; count <= 9; count++) {
      const rows = Array.from({ length: count }, (_, i) => kinds[(3 * i + count) % kinds.length](classes));
      const x = Float32Array.from(rows.flat());
      const kept = x.slice();
      const y = Int32Array.from({ length: count }, (_, i) => (2 * i) % classes);
      const options = { shape: [count, classes] } as const;
      const each = { ...options, reduction: "none" } as const;
      const logs = logSoftmax(x, options);
      const probabilities = softmax(x, options);
      const { loss, dlogits } = crossEntropyWithGrad(x, y, each);
      expect(same(x, kept)).toBe(true);
      expect(same(crossEntropy(x, y, each), loss)).toBe(true);
      expect(same(nllLoss(logs, y, each), loss)).toBe(true);
      expect(same(logSoftmax(kept, { ...options, out: kept }), logs)).toBe(true);
      for (let i = 0; i < count; i++) {
        const one = x.slice(i * classes, (i + 1) * classes);
        const part = (values: Float32Array) => values.slice(i * classes, (i + 1) * classes);
        const what = `${classes} classes, row ${i} of ${count}`;
        expect(same(part(logs), logSoftmax(one)), what).toBe(true);
        expect(same(part(probabilities), softmax(one)), what).toBe(true);
        expect(same(part(dlogits), crossEntropyWithGrad(one, y[i]).dlogits), what).toBe(true);
      }
    }
  }
});

test("what is behind the bounds: w = s / ((1 + s)·log1p(s)) at most 1, and 0.69 from FLAT on", () => {
  const w = (s: number) => s / ((1 + s) * Math.log1p(s));
  expect(w(2 ** -40)).toBeLessThanOrEqual(1);
  expect(w(1.25)).toBeLessThan(0.69);
});
