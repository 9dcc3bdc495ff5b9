import { describe, expect, test } from "vitest";
import { normals, rounded, rowsByKind, typed } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { type Exact, exact, exp, mul, sub, toF64 } from "../src/exact.ts";
import { crossEntropy, entropy, entropyBackward, perplexity } from "../src/index.ts";
import { crossEntropyRow } from "../src/kernels/crossentropy.ref.ts";
import { entropyBackwardRow, entropyRow } from "../src/kernels/entropy.ref.ts";
import type { Terms } from "../src/kernels/softmax.ref.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";
import { anyRow, check, checkBits, DTYPES, make, rowKind } from "./hostile.ts";

const log = (what: string, worst: number, where: string): void => {
  if (process.env.NAPIER_WORST) console.log(`${what}: ${worst.toFixed(3)} ulp, ${where}`);
};

describe.each(DTYPES)("in %s", (dtype) => {
  const rows = [...rowsByKind(dtype)].map(({ kind, row }) => ({
    kind,
    row: kind === "ties" ? row : row.map((v, j) => (j % 7 === 5 && row.length > 8 ? -Infinity : v)),
  }));

  test("entropy is within its bound of the exact one, near 0 and far away", () => {
    let worst = 0;
    let where = "";
    for (const { kind, row } of rows) {
      const value = entropy(typed(row, dtype));
      expect(value).toBeGreaterThanOrEqual(0);
      const error = ulpError(value, entropyRow(row) as Exact, dtype);
      if (!(error <= worst)) [worst, where] = [error, `${kind}: ${row.slice(0, 8)}`];
    }
    log(`entropy ${dtype}`, worst, where);
    expect(worst, where).toBeLessThanOrEqual(BOUNDS.entropy[dtype]);
  });

  test("entropyBackward with gradients of any size", () => {
    const sizes = dtype === "f32" ? [1, -3e-30, 1e30, 0.7] : [1, -3e-200, 1e200, 0.7, -1e300];
    let worst = 0;
    let where = "";
    rows.forEach(({ kind, row }, i) => {
      const [g] = rounded([sizes[i % sizes.length]], dtype);
      const truth = entropyBackwardRow(g, row) as Terms[];
      entropyBackward(g, typed(row, dtype) as Float64Array).forEach((value, j) => {
        const { value: right, largest } = truth[j];
        const error = Math.abs(toF64(sub(exact(value), right))) / toF64(ulpOf(largest, dtype));
        if (!(error <= worst)) [worst, where] = [error, `${kind}, g = ${g}, class ${j}: ${row.slice(0, 8)}`];
      });
    });
    log(`entropyBackward ${dtype}`, worst, where);
    expect(worst, where).toBeLessThanOrEqual(BOUNDS.entropyBackward[dtype]);
  });

  test("special rows are NaN, all else is not; +0; no input written", () => {
    check(3000, anyRow(dtype, 13, false), (row) => {
      const x = make(dtype, row);
      const values = [...x];
      const both = make(dtype, [...row, ...row]) as Float64Array;
      const out = entropy(both, { shape: [2, 13] });
      const dx = entropyBackward(make(dtype, [1, -2]) as Float64Array, both, { shape: [2, 13] });
      checkBits(out, "entropy");
      checkBits(dx, "entropyBackward");
      expect([...both.slice(13)]).toEqual(values);
      expect(Number.isNaN(out[1])).toBe(rowKind(values) !== "finite");
      for (const v of dx) expect(Number.isNaN(v)).toBe(rowKind(values) !== "finite");
      values.forEach((v, j) => {
        if (v === -Infinity && rowKind(values) === "finite") expect(dx[j]).toBe(0);
      });
    });
  });

  test("perplexity is e to the mean loss", () => {
    for (const { row } of rows) {
      if (row.length < 2) continue;
      const y = row.indexOf(row.reduce((a, b) => Math.max(a, b)));
      const loss = crossEntropyRow(row, y) as Exact;
      const size = toF64(loss);
      const error = ulpError(perplexity(typed(row, dtype), y), exp(loss), dtype);
      expect(error, `${row}`).toBeLessThanOrEqual(dtype === "f32" ? 2 * (size + 1) : 2 * (4 * size + 1));
    }
  });
});

test("the entropy's gradient is that of central differences", () => {
  const normal = normals(5);
  for (let i = 0; i < 30; i++) {
    const x = Array.from({ length: 2 + (i % 9) }, () => 2 * normal());
    const dx = entropyBackward(1.5, x);
    const h = 1e-5;
    dx.forEach((g, j) => {
      const at = (step: number) => entropy(x.map((v, k) => (k === j ? v + step : v)));
      expect(Math.abs((1.5 * (at(h) - at(-h))) / (2 * h) - g)).toBeLessThan(1e-9);
    });
    expect(Math.abs(dx.reduce((a, b) => a + b, 0))).toBeLessThan(1e-15);
  }
});

test("what others lose", () => {
  expect(entropy([40, 0])).toBe(1.7418252446695514e-16);
  expect(entropy(Float32Array.of(20, 0))).toBe(Math.fround(4.328422640922e-8));
  expect(entropyBackward(1, [40, 0])[0]).toBe(-1.6993417021166355e-16);
  expect([...entropyBackward(1e300, [0, -750])].map((v) => v !== 0)).toEqual([true, true]);
});

test("shapes and kinds", () => {
  expect(entropy([0, 0, 0, 0], { shape: [2, 2] })).toEqual([Math.LN2, Math.LN2]);
  expect(entropy({ data: new Float32Array(4), dims: [2, 2], type: "float32" }, { axis: 0 })).toEqual({
    data: new Float32Array(2).fill(Math.LN2),
    dims: [2],
    type: "float32",
  });
  const out = new Float64Array(2);
  expect(entropy(new Float64Array(4), { shape: [2, 2], out })).toBe(out);
  expect([...out]).toEqual([Math.LN2, Math.LN2]);
  expect(entropyBackward(Float32Array.of(1, 2), Float32Array.of(0, 1, 0, 1), { shape: [2, 2] })).toBeInstanceOf(
    Float32Array,
  );
  expect(entropy({ data: [], shape: [0, 3] })).toEqual({ data: [], shape: [0] });
});

test("perplexity takes the f64 mean of f32 losses, and what is not finite as it comes", () => {
  const n = 40;
  const x = Float32Array.from({ length: n * 50 }, (_, k) => ((k * 7919) % 101) / 20);
  const y = Array.from({ length: n }, (_, i) => i);
  const mean = perplexity(x, y, { shape: [n, 50] });
  const exactMean = y
    .map((t, i) => crossEntropyRow([...x.subarray(50 * i, 50 * i + 50)], t) as Exact)
    .reduce((a, b) => a + toF64(b) / n, 0);
  expect(Math.abs(mean / Math.exp(exactMean) - 1)).toBeLessThan((exactMean + 1) * 2 ** -23);
  expect(Math.abs(Math.log(mean) - crossEntropy(x, y, { shape: [n, 50] }))).toBeLessThan(1e-6);
  expect(perplexity([0, -Infinity], 1)).toBe(Infinity);
  expect(perplexity([0, Number.NaN], 1)).toBeNaN();
  expect(perplexity([1000, 0], 1)).toBe(Infinity);
  expect(perplexity(Float32Array.of(100, 0), 1)).toBe(Infinity);
  expect(perplexity([1000, 0], 0)).toBe(1);
  expect(perplexity({ data: [], shape: [0, 2] }, [])).toBe(1);
  expect(toF64(mul(exact(1), exact(perplexity([0, 0, 0, 0], 2))))).toBe(4);
});

test("over several axes, as over one that holds them all; 16 bits; a scalar", () => {
  const shape = [2, 3, 4];
  const data = Float64Array.from({ length: 24 }, (_, k) => ((k * 7) % 11) / 3);
  const apart = entropy({ data, shape }, { axis: [0, 2], keepDims: true });
  expect(apart.shape).toEqual([1, 3, 1]);
  const g = { data: Float64Array.of(1, -2, 3), shape: [3] };
  const dx = entropyBackward(g, { data, shape }, { axis: [2, 0] });
  for (let b = 0; b < 3; b++) {
    const at = Array.from({ length: 8 }, (_, n) => ((n >> 2) * 3 + b) * 4 + (n & 3));
    const row = at.map((k) => data[k]);
    expect(apart.data[b]).toBe(entropy(row));
    expect(at.map((k) => dx.data[k])).toEqual(entropyBackward(g.data[b], row));
  }
  const half = { data: Uint16Array.of(0x3c00, 0), dims: [2], type: "float16" };
  expect(entropy(half).data[0]).toBe(entropy(Float32Array.of(1, 0)));
  expect(perplexity(half, { data: [0], shape: [] })).toBe(perplexity(Float32Array.of(1, 0), 0));
  expect(entropy({ data: [3], shape: [] })).toEqual({ data: [0], shape: [] });
});
