import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normals } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { div, exact, sub, toF64 } from "../src/exact.ts";
import { type KlDivOptions, klDiv, klDivBackward, logSoftmax, softmax } from "../src/index.ts";
import { klBackward, klParts, type Parts, sumParts } from "../src/kernels/divergence.ref.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";
import { anyRow, check, checkBits, DTYPES, make } from "./hostile.ts";

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];

/** The distance in ulps of the larger sum of one sign. */
function inTerms(value: number, { value: right, largest }: Parts, count: number, dtype: "f32" | "f64"): number {
  const n = exact(count);
  return Math.abs(toF64(sub(exact(value), div(right, n)))) / toF64(ulpOf(div(largest, n), dtype));
}

class Worst {
  ulps = 0;
  where = "";
  see(ulps: number, where: string): void {
    if (!(ulps <= this.ulps)) [this.ulps, this.where] = [ulps, where];
  }
  within(bound: number, what: string): void {
    if (process.env.NAPIER_WORST) console.log(`${what}: ${this.ulps.toFixed(3)} ulp, ${this.where}`);
    expect(this.ulps, this.where).toBeLessThanOrEqual(bound);
  }
}

/** Pairs of rows: log-probabilities and targets near them, far from them, 0 and subnormal. */
function* pairs(dtype: "f32" | "f64", logTarget: boolean): Generator<{ x: number[]; t: number[] }> {
  const normal = normals(dtype === "f32" ? 41 : 42);
  const reach = dtype === "f32" ? 100 : 740;
  for (let i = 0; i < 500; i++) {
    const n = 1 + (i % 30);
    const logits = Array.from({ length: n }, () => [0.1, 1, 5, 40][i % 4] * normal());
    const x = logSoftmax(make(dtype, logits) as Float64Array);
    const other = logits.map((v) => v + [1e-9, 0.01, 1, 20][(i >> 2) % 4] * normal());
    const p = (logTarget ? logSoftmax : softmax)(make(dtype, other) as Float64Array);
    const t = [...p].map((v, j) => {
      if (i % 5 === 1 && j % 3 === 1) return logTarget ? -inf : 0;
      if (i % 7 === 2 && j % 4 === 1) return logTarget ? -reach * Math.abs(Math.sin(i + j)) : 2 ** -reach;
      return v;
    });
    yield { x: [...x], t: [...make(dtype, t)] };
  }
}

describe.each(DTYPES)("in %s", (dtype) => {
  describe.each([false, true])("logTarget: %s", (logTarget) => {
    const all = [...pairs(dtype, logTarget)];
    const arrays = (x: number[], t: number[]) =>
      [make(dtype, x) as Float64Array, make(dtype, t) as Float64Array] as const;

    test("every term, and every reduction, within the bound", () => {
      const [each, sums] = [new Worst(), new Worst()];
      for (const { x, t } of all) {
        const parts = x.map((v, j) => klParts(v, t[j], logTarget));
        const terms = klDiv(...arrays(x, t), { logTarget, reduction: "none" });
        terms.forEach((value, j) => {
          each.see(inTerms(value, sumParts(parts[j]), 1, dtype), `x = ${x[j]}, t = ${t[j]}`);
        });
        const whole = sumParts(parts.flat());
        for (const [reduction, count] of [
          ["mean", x.length],
          ["batchmean", x.length],
          ["sum", 1],
        ] as const) {
          const value = klDiv(...arrays(x, t), { logTarget, reduction });
          sums.see(inTerms(value, whole, count, dtype), `${reduction} of x = ${x}, t = ${t}`);
        }
      }
      each.within(BOUNDS.klDiv[dtype], `terms, ${dtype}, ${logTarget}`);
      sums.within(BOUNDS.klDiv[dtype], `sums, ${dtype}, ${logTarget}`);
    });

    test("its gradient", () => {
      const worst = new Worst();
      const g = dtype === "f32" ? Math.fround(-1.7e-3) : -1.7e-3;
      for (const { x, t } of all) {
        const dx = klDivBackward(g, ...arrays(x, t), { logTarget, reduction: "sum" });
        dx.forEach((value, j) => {
          worst.see(ulpError(value, klBackward(g, t[j], logTarget), dtype), `t = ${t[j]}`);
        });
        const each = klDivBackward(
          make(
            dtype,
            x.map((_, j) => j - 2),
          ) as Float64Array,
          ...arrays(x, t),
          {
            logTarget,
            reduction: "none",
          },
        );
        each.forEach((value, j) => {
          worst.see(ulpError(value, klBackward(j - 2, t[j], logTarget), dtype), `g = ${j - 2}, t = ${t[j]}`);
        });
        const mean = klDivBackward(g, ...arrays(x, t), { logTarget });
        mean.forEach((value, j) => {
          const right = div(klBackward(g, t[j], logTarget), exact(x.length));
          worst.see(ulpError(value, right, dtype), `mean of ${x.length}, t = ${t[j]}`);
        });
      }
      worst.within(BOUNDS.klDivBackward[dtype], `gradient, ${dtype}, ${logTarget}`);
    });

    test("whatever comes: canonical NaN, +0, nothing written but the result", () => {
      const inputs = fc.tuple(anyRow(dtype, 12, false), anyRow(dtype, 12, false));
      check(1500, inputs, ([x, t]) => {
        const [a, b] = arrays(x, t);
        const copies = [a.slice(), b.slice()];
        checkBits(klDiv(a, b, { logTarget, reduction: "none" }), "klDiv");
        checkBits(klDivBackward(a, a, b, { logTarget, reduction: "none" }), "klDivBackward");
        checkBits([klDiv(a, b, { logTarget })], "klDiv");
        expect([a, b]).toEqual(copies);
      });
    });
  });

  test("the terms of what is not finite, or no probability", () => {
    const of = (...values: number[]) => make(dtype, values) as Float64Array;
    const x = of(-inf, -inf, nan, nan, -1, -1, inf, -1, inf, -inf);
    const t = of(0, 0.5, 0, 0.5, -0.5, nan, 0.5, inf, 0, inf);
    expect([...klDiv(x, t, { reduction: "none" })]).toEqual([0, inf, nan, nan, nan, nan, -inf, inf, 0, inf]);
    const logT = of(-inf, -1, -inf, -1, -1e30, nan, -1, inf, -inf, -1e30);
    expect([...klDiv(x, logT, { reduction: "none", logTarget: true })]).toEqual([
      ...[0, inf, nan, nan, 0, nan, -inf, inf, 0, inf],
    ]);
    expect(klDiv(of(1e30), of(1e30), { logTarget: true })).toBe(0);
    expect([...klDivBackward(0, of(0, 0), of(1e30, -inf), { logTarget: true })]).toEqual([0, 0]);
    expect(klDiv(of(-1, -inf), of(1, 0))).toBe(0.5);
  });
});

test("a sum whose parts leave the range", () => {
  const max = Number.MAX_VALUE;
  const huge = Float64Array.of(-max, -max, max, max);
  const even = new Float64Array(4).fill(1);
  expect(klDiv(huge, even, { reduction: "sum" })).toBe(0);
});

test("its gradient is that of central differences", () => {
  const normal = normals(6);
  for (const logTarget of [false, true]) {
    for (const reduction of ["mean", "batchmean", "sum"] as const) {
      const shape = [3, 4];
      const x = [...logSoftmax(Array.from({ length: 12 }, normal), { shape })];
      const t = [...(logTarget ? logSoftmax : softmax)(Array.from({ length: 12 }, normal), { shape })];
      const options: KlDivOptions = { shape, logTarget, reduction };
      const dx = klDivBackward(2, x, t, options);
      dx.forEach((g, k) => {
        const at = (step: number) =>
          klDiv(
            x.map((v, j) => (j === k ? v + step : v)),
            t,
            options,
          ) as number;
        expect(Math.abs(at(2 ** -10) - at(-(2 ** -10))) * 2 ** 10).toBeCloseTo(Math.abs(g), 11);
        expect(g).toBeLessThan(0);
      });
    }
  }
});

test("shapes and kinds", () => {
  const [x, t] = [Float32Array.of(-1, -2, -3, -4), Float32Array.of(0.25, 0.25, 0.25, 0.25)];
  const onnx = (data: Float32Array) => ({ data, dims: [2, 2], type: "float32" });
  expect(klDiv(onnx(x), onnx(t), { reduction: "none" })).toEqual(onnx(klDiv(x, t, { reduction: "none" })));
  const sum = klDiv(x, t, { reduction: "sum" });
  expect(klDiv(onnx(x), onnx(t), { reduction: "batchmean" })).toBe(Math.fround(sum / 2));
  expect(klDiv(x, t, { shape: [1, 4], reduction: "batchmean" })).toBe(sum);
  const scalar = (v: number) => ({ data: [v], shape: [] });
  expect(klDiv(scalar(-1), scalar(1), { reduction: "batchmean" })).toBe(1);
  expect(klDiv([...x], [...t], { reduction: "none" })).toEqual(expect.any(Array));
  const out = new Float32Array(4);
  expect(klDiv(x, t, { reduction: "none", out })).toBe(out);
  expect(klDivBackward(1, x, t, { out })).toBe(out);
  expect([...out]).toEqual([-0.0625, -0.0625, -0.0625, -0.0625]);
  expect(klDiv({ data: [], shape: [0, 3] }, { data: [], shape: [0, 3] }, { reduction: "batchmean" })).toBe(0);
  expect(klDiv([], [])).toBe(0);
});

test("16 bits, targets of another kind, a scalar", () => {
  const half = { data: Uint16Array.of(0xbc00, 0xc000), dims: [2], type: "float16" }; // −1, −2
  expect(klDiv(half, [0.5, 0.5])).toBe(klDiv(Float32Array.of(-1, -2), Float32Array.of(0.5, 0.5)));
  expect(klDivBackward(1, half, [0.5, 0.5]).data).toEqual(Float32Array.of(-0.25, -0.25));
  expect(klDiv({ data: [-1], shape: [] }, { data: [1], shape: [] }, { reduction: "batchmean" })).toBe(1);
});
