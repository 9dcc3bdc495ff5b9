import { describe, expect, test } from "vitest";
import { BOUNDS } from "../src/bounds.ts";
import { div, type Exact, exact, exp, mul, neg, toF64 } from "../src/exact.ts";
import { crossEntropy, crossEntropyWithGrad, nllLoss, sample, softCrossEntropyWithGrad } from "../src/index.ts";
import { sech2 } from "../src/kernels/elementary.ref.ts";
import { softCrossEntropyRow, softTargets } from "../src/kernels/softcrossentropy.ref.ts";
import { ulpError } from "../src/ulp.ts";
import { termError } from "./within.ts";

const LARGEST = Number.MAX_VALUE;

describe("options so large or small that a factor alone leaves f64", () => {
  test("1 / T overflows where the gradient does not", () => {
    expect(crossEntropyWithGrad([1000, 0], 0, { temperature: 1e-310 })).toEqual({ loss: 0, dlogits: [0, 0] });
    expect(crossEntropyWithGrad([0, 0], 0, { temperature: 5e-324 }).dlogits).toEqual([-Infinity, Infinity]);
    const given = { temperature: 1e-310, weight: [1e-20, 1e-20], reduction: "sum" } as const;
    const { dlogits } = crossEntropyWithGrad([0, 0], 0, given);
    const truth = div(mul(exact(1e-20), exact(0.5)), exact(1e-310));
    expect(ulpError(dlogits[1], truth, "f64")).toBeLessThanOrEqual(BOUNDS.gradient.f64);
    expect(dlogits[0]).toBe(-dlogits[1]);
  });

  test("2·z and z·lse overflow where the probability is 0", () => {
    expect(crossEntropyWithGrad([1, -2000], 0, { zLoss: LARGEST }).dlogits).toEqual([Infinity, 0]);
    expect(crossEntropyWithGrad([-1e200, -2e200], 0, { zLoss: 1e200 }).dlogits).toEqual([-Infinity, 0]);
    // m / T is beyond f64
    expect(crossEntropyWithGrad([1e200, 0], 0, { zLoss: 1, temperature: 1e-200 }).dlogits).toEqual([Infinity, 0]);
  });

  test("z·lse is subnormal where z·lse² is not", () => {
    const lse = 1e5 / 3;
    const truth = mul(exact(Number.MIN_VALUE), mul(exact(lse), exact(lse)));
    expect(ulpError(crossEntropy([lse], 0, { zLoss: Number.MIN_VALUE }), truth, "f64")).toBeLessThanOrEqual(4);
  });

  const ROWS: readonly [readonly number[], number, object][] = [
    [[-0.38, 0.87], 0, { temperature: 4e-214, zLoss: 1e-300, labelSmoothing: 0.1 }],
    [[0.5, 0.25], 1, { temperature: 1e-300, zLoss: 1e-308 }],
    [[2.5, -26, 12.5], 0, { weight: [1e300, 1e-300, 1], labelSmoothing: 0.25, temperature: 1.7e308 }],
    [[1e308, -1e308, 3], 1, { temperature: 1.7e308, zLoss: 1e-10 }],
    [[0, -740e-300], 0, { temperature: 1e-300 }],
    [[740, 0, -3], 0, { weight: [1e300, 1, 1] }],
    [[745, 0], 0, { weight: [1000, 1] }],
    [[745, 0], 1, { weight: [1000, 5] }],
    [[700, 0, -20], 0, { weight: [1e300, 1, 1], zLoss: 1e-20 }],
    [[1000.5, 270], 0, { weight: [1e305, 1], labelSmoothing: 1e-300 }],
  ];
  test.each(ROWS)("%j, %i, %j", (row, y, given) => {
    const options = { temperature: 1, labelSmoothing: 0, zLoss: 0, weight: row.map(() => 1), ...given };
    const { temperature, labelSmoothing, zLoss, weight } = options;
    const q = row.map((_, j) => (j === y ? 1 : 0));
    const ones = row.map(() => 1);
    const truth = softCrossEntropyRow(row, softTargets(q, weight, ones, labelSmoothing), zLoss, temperature);
    const { loss, dlogits } = crossEntropyWithGrad([...row], y, { ...given, reduction: "sum" });
    expect(crossEntropy([...row], y, { ...given, reduction: "sum" })).toBe(loss);
    expect(ulpError(loss, truth.loss as Exact, "f64")).toBeLessThanOrEqual(BOUNDS.softCrossEntropy.f64);
    dlogits.forEach((value, j) => {
      const { value: exactly, largest } = (truth.gradient ?? [])[j];
      expect(termError(value, exactly, largest, "f64"), `${j}`).toBeLessThanOrEqual(BOUNDS.softGradient.f64);
    });
    expect(softCrossEntropyWithGrad([...row], q, { ...given, reduction: "sum" })).toEqual({ loss, dlogits });
  });

  test("f32: a heavy weight of a certain row", () => {
    const given = { weight: [1e300, 1], reduction: "sum" } as const;
    expect(crossEntropy(Float32Array.of(2000, 0), 0, given)).toBe(0);
    expect(crossEntropy(Float32Array.of(5, -Infinity), 0, given)).toBe(0);
    const truth = mul(exact(1e300), exp(exact(-720)));
    const { loss, dlogits } = crossEntropyWithGrad(Float32Array.of(720, 0), 0, given);
    expect(ulpError(loss, truth, "f32")).toBeLessThanOrEqual(BOUNDS.crossEntropy.f32);
    expect(ulpError(dlogits[0], neg(truth), "f32")).toBeLessThanOrEqual(BOUNDS.gradient.f32);
  });

  test("a mean by a tiny weight, smoothed by a large one", () => {
    const given = { weight: [1e-246, 1e281], labelSmoothing: 0.1 };
    expect(crossEntropyWithGrad([2, 1], 0, given)).toEqual({ loss: Infinity, dlogits: [Infinity, -Infinity] });
    const some = { weight: [1e-246, 1e40], labelSmoothing: 0.5 };
    const t = softTargets([1, 0], some.weight, [1, 1], 0.5);
    const truth = softCrossEntropyRow([2, 1], t, 0, 1);
    const { loss, dlogits } = crossEntropyWithGrad([2, 1], 0, some);
    const over = (v: Exact): Exact => div(v, exact(1e-246));
    expect(ulpError(loss, over(truth.loss as Exact), "f64")).toBeLessThanOrEqual(4);
    const { value, largest } = (truth.gradient ?? [])[1];
    expect(termError(dlogits[1], over(value), over(largest), "f64")).toBeLessThanOrEqual(4);
  });

  test("a mean by weights of extreme ratios", () => {
    const shape = [2, 2] as const;
    const none = [5, -Infinity, 5, -Infinity];
    expect(crossEntropy(none, [0, 1], { shape, weight: [1e308, 1e-308] })).toBe(Infinity);
    expect(nllLoss([0, 0, 0, -Infinity], [0, 1], { shape, weight: [1e308, 1e-308] })).toBe(Infinity);
    for (const [large, small, loss] of [
      [1e300, 1e-10, 1e300],
      [1e308, 1e-308, 1e308],
      [1e308, 1e7, 1e290],
      [1e300, 1e-20, 1e140],
    ]) {
      const truth = div(mul(exact(small), exact(loss)), exact(large));
      const mean = crossEntropy([0, -loss, 0, -Infinity], [1, 0], { shape, weight: [large, small] });
      expect(ulpError(mean, truth, "f64"), `${small}`).toBeLessThanOrEqual(4);
    }
  });

  test("softcap: x / c is subnormal where x is not", () => {
    const given = { softcap: 1e300, temperature: 1e-20 };
    expect(crossEntropy([1e-20, 0], 0, given)).toBe(crossEntropy([1e-20, 0], 0, { temperature: 1e-20 }));
  });

  test("softcap: a gradient as large as the slope is small", () => {
    const { dlogits } = crossEntropyWithGrad([370, 370], 0, { softcap: 1, temperature: 1e-300 });
    const truth = div(mul(exact(0.5), sech2(exact(370))), exact(1e-300));
    expect(ulpError(dlogits[1], truth, "f64")).toBeLessThanOrEqual(BOUNDS.gradient.f64);
    const none = crossEntropyWithGrad([-Infinity, Infinity], 0, { softcap: 5e-324, temperature: 5e-324 });
    expect(none.dlogits).toEqual([0, 0]);
  });

  test("sample: x − m overflows where (x − m) / T does not", () => {
    const drawn = Array.from({ length: 1000 }, (_, seed) => {
      return sample([LARGEST, -LARGEST], { temperature: LARGEST, seed });
    });
    const share = drawn.reduce((sum, j) => sum + j, 0) / 1000;
    expect(Math.abs(share - toF64(div(exp(exact(-2)), exact(1 + Math.exp(-2)))))).toBeLessThan(0.04);
  });
});
