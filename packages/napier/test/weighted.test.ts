import { describe, expect, test } from "vitest";
import { normals, rounded, rowsByKind, typed } from "../../../tools/hostile.ts";
import { WEIGHTED } from "../../../tools/lsetable.ts";
import { BOUNDS, SIGNED_SUM } from "../src/bounds.ts";
import { div, exact, sub, toF64 } from "../src/exact.ts";
import { logSumExp, logSumExpBackward } from "../src/index.ts";
import { weightedBackwardRow, weightedRow } from "../src/kernels/weighted.ref.ts";
import { rng } from "../src/rng.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";
import { checkBits, DTYPES } from "./hostile.ts";
import { logError, Worst } from "./within.ts";

/** What weights of both signs allow the logarithm: SIGNED_SUM ulps of f64 of the largest term, over the sum. */
function signedError(value: number, row: readonly number[], w: readonly number[], dtype: "f32" | "f64"): number {
  const { value: truth, largest, sum, m } = weightedRow(row, w);
  const inBound = logError(value, truth, m, dtype);
  if (typeof truth === "number" || inBound <= 1) return inBound;
  const part = Math.abs(toF64(div(ulpOf(largest, "f64"), sum))) * SIGNED_SUM;
  return Math.abs(toF64(sub(exact(value), truth))) / (part + toF64(ulpOf(truth, dtype)));
}

describe.each(DTYPES)("logSumExp by weights, in %s", (dtype) => {
  const of = (values: readonly number[]) => typed(values, dtype) as Float64Array;
  const rows = [...rowsByKind(dtype, 0.7)].filter(({ row }) => row.length < 400);
  const normal = normals(31);
  const random = rng(31, 0);
  const power = () => 2 ** (random.below(2000) - 1000) * (1 + random.uniform());
  const kinds: Record<string, () => number> = {
    ones: () => 1,
    positive: () => Math.abs(normal()),
    "as far apart as f64 goes": power,
    subnormal: () => random.below(50) * Number.MIN_VALUE,
    "of a few bits": () => 2 ** -random.below(4),
    "negative, and some 0": () => Math.min(0, normal()),
  };

  test.each(Object.keys(kinds))("%s", (kind) => {
    const [value, gradient] = [new Worst(), new Worst()];
    rows.forEach(({ kind: name, row }, i) => {
      const weights = row.map(kinds[kind]);
      const show = () => `${name}: ${row.slice(0, 8)}; ${weights.slice(0, 8)}`;
      const truth = weightedRow(row, weights);
      const result = logSumExp(of(row), { weights, returnSign: true });
      expect(result.sign).toBe(truth.sign);
      value.see(logError(result.value, truth.value, truth.m, dtype), show);
      const plain = logSumExp(of(row), { weights });
      expect(plain).toBe(truth.sign < 0 ? Number.NaN : result.value);
      if (typeof truth.value === "number") return;
      const g = rounded([[1, -3e-30, 1e30, dtype === "f32" ? 3e38 : 1.7e308][i % 4]], dtype)[0];
      const expected = weightedBackwardRow(g, row, weights);
      logSumExpBackward(g, of(row), { weights }).forEach((v, j) => {
        gradient.see(ulpError(v, expected[j], dtype), show);
      });
    });
    expect(value.error, value.where).toBeLessThanOrEqual(1);
    expect(value.error, value.where).toBeLessThanOrEqual(dtype === "f32" ? 0.26 : 0.4);
    expect(gradient.error, gradient.where).toBeLessThanOrEqual(BOUNDS.gradient[dtype]);
  });

  test("of both signs: as precise as the sum of the terms is", () => {
    const [value, gradient] = [new Worst(), new Worst()];
    for (const { kind, row } of rows) {
      const weights = row.map((_, j) => (j % 3 === 0 ? -1 : 1) * Math.abs(normal()));
      const truth = weightedRow(row, weights);
      const result = logSumExp(of(row), { weights, returnSign: true });
      expect(result.sign).toBe(truth.sign);
      value.see(signedError(result.value, row, weights, dtype), () => `${kind}: ${row.slice(0, 8)}`);
      const expected = weightedBackwardRow(1, row, weights);
      const loss = toF64(div(truth.largest, truth.sum));
      logSumExpBackward(1, of(row), { weights }).forEach((v, j) => {
        const ulps = ulpError(v, expected[j], dtype);
        const allowed = BOUNDS.gradient[dtype] + (dtype === "f64" ? SIGNED_SUM * Math.abs(loss) : 0);
        gradient.see(ulps / allowed, () => `${kind}: ${row.slice(0, 8)}`);
      });
    }
    expect(value.error, value.where).toBeLessThanOrEqual(1);
    expect(gradient.error, gradient.where).toBeLessThanOrEqual(1);
  });

  test("differences of near probabilities keep all digits that they have", () => {
    for (const d of [1e-3, 1e-9, 2 ** -52]) {
      const row = rounded([0.5, 0.5 - d], dtype);
      if (row[0] === row[1]) continue;
      const { value, sign } = logSumExp(of(row), { weights: [1, -1], returnSign: true });
      expect(sign).toBe(1);
      expect(ulpError(value, weightedRow(row, [1, -1]).value as never, dtype)).toBeLessThanOrEqual(1);
    }
  });

  test.each(WEIGHTED)("edges: $name", ({ row, weights, value, sign, grad }) => {
    for (const padded of [false, true]) {
      const x = of(padded ? [...row, 77] : row);
      const w = padded ? [...weights, 0] : [...weights];
      const result = logSumExp(x, { weights: w, returnSign: true });
      expect([result.value, result.sign]).toEqual([value, sign]);
      expect(logSumExp(x, { weights: w })).toBe(sign < 0 ? Number.NaN : value);
      const out = logSumExpBackward(1, x, { weights: w });
      expect([...out]).toEqual(padded ? [...grad, 0] : grad);
      checkBits(out, "gradient");
      checkBits(Float64Array.of(result.value, result.sign), "result");
    }
  });

  test("lengths from 0 to 67, alone and in a batch, in the middle of a shape", () => {
    for (let classes = 0; classes <= 67; classes++) {
      const data = of(Array.from({ length: 5 * classes }, () => 4 * normal()));
      const weights = Array.from({ length: 5 * classes }, () => normal());
      const options = { returnSign: true, shape: [5, classes] } as const;
      const all = logSumExp(data, { ...options, weights });
      for (let i = 0; i < 5; i++) {
        const part = <T>(a: { slice(from: number, to: number): T }) => a.slice(i * classes, (i + 1) * classes);
        const alone = logSumExp(part<Float64Array>(data), { weights: part<number[]>(weights), returnSign: true });
        expect([alone.value, alone.sign]).toEqual([all.value[i], all.sign[i]]);
      }
    }
  });
});

describe("weights and masks", () => {
  const normal = normals(33);
  const data = Float64Array.from({ length: 60 }, () => 3 * normal());
  const x = { data, shape: [3, 4, 5] };
  const w = Float64Array.from({ length: 60 }, () => normal());
  const bits = Array.from({ length: 60 }, (_, k) => (k % 3 === 1 || (k >= 20 && k < 25) ? 0 : 1));

  test("a mask is a weight of 0, with weights and without", () => {
    const mask = { data: bits, shape: x.shape };
    const options = { axis: 2, returnSign: true } as const;
    const some = w.map((v, k) => v * bits[k]);
    for (const axis of [2, [0, 2], [1]]) {
      expect(logSumExp(x, { ...options, axis, weights: { data: w, shape: x.shape }, mask })).toEqual(
        logSumExp(x, { ...options, axis, weights: { data: some, shape: x.shape } }),
      );
      const value = logSumExp(x, { axis, mask });
      const same = logSumExp(x, { axis, weights: { data: bits, shape: x.shape } });
      value.data.forEach((v, i) => {
        expect(v === same.data[i] || Math.abs(v - same.data[i]) <= 2 ** -50 * (Math.abs(v) + 8)).toBe(true);
      });
      const g = { ...value, data: value.data.map((_, i) => 1 + i) };
      const dx = logSumExpBackward(g, x, { axis, mask });
      expect(dx.data.every((v, k) => (bits[k] === 0 ? Object.is(v, 0) : v >= 0))).toBe(true);
      const dw = logSumExpBackward(g, x, { axis, mask, weights: { data: w, shape: x.shape } });
      expect(dw.data.every((v, k) => bits[k] === 1 || Object.is(v, 0))).toBe(true);
      expect(dw).toEqual(logSumExpBackward(g, x, { axis, weights: { data: some, shape: x.shape } }));
    }
  });

  test("what is masked may be NaN; a row masked whole is −∞ of sign 0, its gradient 0", () => {
    for (const dtype of DTYPES) {
      const row = typed([Number.NaN, 1, Infinity], dtype) as Float64Array;
      const kept = { mask: [0, 1, 0] };
      expect(logSumExp(row, kept)).toBe(1);
      expect([...logSumExpBackward(2, row, kept)]).toEqual([0, 2, 0]);
      expect(logSumExp(row, { ...kept, weights: [1, -1, 1], returnSign: true })).toEqual({ value: 1, sign: -1 });
      const none = { mask: [0, 0, 0] };
      expect(logSumExp(row, { ...none, returnSign: true })).toEqual({ value: -Infinity, sign: 0 });
      expect([...logSumExpBackward(2, row, none)]).toEqual([0, 0, 0]);
      expect([...logSumExpBackward(2, row, { ...none, weights: [1, 1, 1] })]).toEqual([0, 0, 0]);
      expect([...row]).toEqual([Number.NaN, 1, Infinity]);
    }
  });

  test("returnSign without weights", () => {
    const rows = [
      [1, 2],
      [-Infinity, -Infinity],
      [Number.NaN, 1],
      [Infinity, 1],
    ];
    const signs = { value: [rows[0], rows[1]].map((row) => logSumExp(row)), sign: [1, 0] };
    expect(logSumExp(rows.slice(0, 2).flat(), { shape: [2, 2], returnSign: true })).toEqual(signs);
    expect(logSumExp(rows[2], { returnSign: true })).toEqual({ value: Number.NaN, sign: Number.NaN });
    expect(logSumExp(rows[3], { returnSign: true })).toEqual({ value: Infinity, sign: 1 });
    const tensor = logSumExp({ data: Float32Array.of(1, 2), shape: [1, 2] }, { returnSign: true, keepDims: true });
    expect(tensor.sign).toEqual({ data: Float32Array.of(1), shape: [1, 1] });
    const out = new Float64Array(2);
    const given = logSumExp(Float64Array.of(0, 0, 1, 1), { shape: [2, 2], weights: [1, -2], returnSign: true, out });
    expect(given.value).toBe(out);
    expect([...given.sign]).toEqual([-1, -1]);
  });

  test("types", () => {
    const number: { value: number; sign: number } = logSumExp([0], { returnSign: true });
    const numbers: { value: number[]; sign: number[] } = logSumExp([0, 0], { shape: [2, 1], returnSign: true });
    const f32: { sign: Float32Array } = logSumExp(Float32Array.of(0), { shape: [1, 1], returnSign: true });
    const plain: number = logSumExp([0], { weights: [1] });
    const rows: Float64Array = logSumExp(Float64Array.of(0), { shape: [1, 1], mask: [1] });
    expect([number, numbers, f32.sign, plain, rows]).toEqual([
      { value: 0, sign: 1 },
      { value: [0, 0], sign: [1, 1] },
      Float32Array.of(1),
      0,
      Float64Array.of(0),
    ]);
  });
});

describe("SciPy's logsumexp", () => {
  const signed = { returnSign: true } as const;

  test("documented examples", () => {
    const a = Array.from({ length: 10 }, (_, i) => i);
    const b = Array.from({ length: 10 }, (_, i) => 10 - i);
    expect(logSumExp(a)).toBe(9.45862974442671);
    expect(logSumExp(a, { weights: b })).toBe(9.917017853303467);
    expect(logSumExp([1, 2], { weights: [1, -1], ...signed })).toEqual({ value: 1.5413248546129181, sign: -1 });
  });

  test("a class of weight 0 is left out, at any size", () => {
    expect(logSumExp([1, 10000], { weights: [1, 0] })).toBe(1);
  });

  test("a sum of 0 is −∞ with sign 0, not NaN", () => {
    expect(logSumExp([1, 1], { weights: [1, -1], ...signed })).toEqual({ value: -Infinity, sign: 0 });
    expect(logSumExp([1, 1, 1], { weights: [1, -1, -1], ...signed })).toEqual({ value: 1, sign: -1 });
  });

  test("scipy#18295: [0, −40] lost the smaller one", () => {
    expect(logSumExp([0, -40])).toBe(4.248354255291589e-18);
    expect(logSumExp([0, -40], { weights: [1, 1] })).toBe(4.248354255291589e-18);
  });

  test("scipy#22903: NaN where the largest had a negative weight and the sum is positive", () => {
    const a = [3.06409428, 0.37251854, 3.87471931];
    const weights = [1.88190708, 2.84174795, -0.85016884];
    const { value, sign } = logSumExp(a, { weights, ...signed });
    expect(sign).toBe(1);
    expect(logSumExp(a, { weights })).toBe(value);
    expect(ulpError(value, weightedRow(a, weights).value as never, "f64")).toBeLessThanOrEqual(1);
    expect(logSumExp(a, { weights: [1.88190708, 2.84174795, -3.85016884] })).toBeNaN();
  });

  test("scipy#23548: the sign beside ±∞ was NaN", () => {
    expect(logSumExp([Infinity], signed)).toEqual({ value: Infinity, sign: 1 });
    expect(logSumExp([Infinity], { weights: [-1], ...signed })).toEqual({ value: Infinity, sign: -1 });
  });
});
