import { describe, expect, test } from "vitest";
import { normals, rowsByKind, typed } from "../../../tools/hostile.ts";
import { PAIRS } from "../../../tools/lsetable.ts";
import { BOUNDS } from "../src/bounds.ts";
import { add, type Exact, ZERO } from "../src/exact.ts";
import { logAddExp, logAddExpBackward } from "../src/index.ts";
import { logSumExpBackwardRow, logSumExpRow } from "../src/kernels/logsumexp.ref.ts";
import { ulpError } from "../src/ulp.ts";
import { checkBits, DTYPES, LIMITS } from "./hostile.ts";
import { logError, termError, Worst } from "./within.ts";

const inf = Infinity;

/** Pairs out of hostile rows, and all pairs of some numbers that are near a border. */
function pairs(dtype: "f32" | "f64"): [number, number][] {
  const { max, least } = LIMITS[dtype];
  const ends = dtype === "f32" ? [87, 88.8, 103, 104, 110] : [708, 709.8, 744, 745.5, 750, 1075, 4000, 4001];
  const grid = [0, least, 1e-30, 0.5, Math.LN2, 1, 20, 36, 37, 40, max, max / 2, ...ends].flatMap((v) => [v, -v]);
  const rounded = dtype === "f32" ? grid.map(Math.fround) : grid;
  const rows = [...rowsByKind(dtype)].filter(({ row }) => row.length > 1);
  return [
    ...rows.map(({ row }): [number, number] => [row[0], row[1]]),
    ...rounded.flatMap((a) => rounded.map((b): [number, number] => [a, b])),
    // −log of itself away: maximum and logarithm cancel
    ...Array.from({ length: 200 }, (_, i): [number, number] => {
      const a = Math.log1p(-(i + 1) / 201);
      return dtype === "f32"
        ? [Math.fround(a), Math.fround(Math.log(-Math.expm1(a)))]
        : [a, Math.log(-Math.expm1(a)) + i * 1e-17];
    }),
  ];
}

describe.each(DTYPES)("logAddExp in %s", (dtype) => {
  const all = pairs(dtype);
  const of = (values: readonly number[]) => typed(values, dtype) as Float64Array;
  const [a, b] = [of(all.map((pair) => pair[0])), of(all.map((pair) => pair[1]))];

  test("the value, either way round", () => {
    const out = logAddExp(a, b);
    expect(logAddExp(b, a)).toEqual(out);
    const worst = new Worst();
    all.forEach((pair, i) => {
      worst.see(logError(out[i], logSumExpRow(pair), Math.max(...pair), dtype), () => `${pair} gives ${out[i]}`);
    });
    expect(worst.error, worst.where).toBeLessThanOrEqual(1);
    // the middle of the bound is what the kernel is made for
    expect(worst.error, worst.where).toBeLessThanOrEqual(dtype === "f32" ? 0.26 : 0.5);
  });

  test("the gradients, of any size", () => {
    const { max, least } = LIMITS[dtype];
    const worst = new Worst();
    for (const size of [1, -0.7, max, -max, least, 1e-30]) {
      const g = of(new Array<number>(all.length).fill(size));
      const { da, db } = logAddExpBackward(g, a, b);
      all.forEach((pair, i) => {
        const [ta, tb] = logSumExpBackwardRow(g[i], pair) as Exact[];
        worst.see(ulpError(da[i], ta, dtype), () => `${pair}, g = ${size} gives ${da[i]}`);
        worst.see(ulpError(db[i], tb, dtype), () => `${pair}, g = ${size} gives ${db[i]}`);
      });
    }
    expect(worst.error, worst.where).toBeLessThanOrEqual(BOUNDS.gradient[dtype]);
  });

  test.each(PAIRS)("edges: $name", ({ a: u, b: v, lae, da, db }) => {
    expect([...logAddExp(of([u, v]), of([v, u]))]).toEqual([lae, lae]);
    const backward = logAddExpBackward(of([1, 1]), of([u, v]), of([v, u]));
    expect([[...backward.da], [...backward.db]]).toEqual([
      [da, db],
      [db, da],
    ]);
    checkBits(logAddExp(of([u]), of([v])), "logAddExp");
    checkBits(backward.da, "da");
    expect(logAddExp(u, v)).toBe(lae);
    const one = logAddExpBackward(1, u, v);
    expect([one.da, one.db]).toEqual([da, db]);
  });

  test("a gradient of 0, ±∞ or NaN multiplies the rounded share", () => {
    const far = dtype === "f32" ? 200 : 1000;
    const { da, db } = logAddExpBackward(of([0, inf, -inf, NaN, inf]), of([0, 0, 0, 0, 0]), of([1, 1, 0, 0, far * 10]));
    expect([...da]).toEqual([0, inf, -inf, NaN, NaN]);
    expect([...db]).toEqual([0, inf, -inf, NaN, inf]);
    checkBits(da, "da");
    checkBits(db, "db");
  });

  test("shapes broadcast as NumPy's", () => {
    const normal = normals(11);
    const random = (length: number) => of(Array.from({ length }, () => 5 * normal()));
    const [x, y] = [
      { data: random(6), shape: [2, 1, 3] },
      { data: random(4), shape: [4, 1] },
    ];
    const out = logAddExp(x, y);
    expect(out.shape).toEqual([2, 4, 3]);
    const places = Array.from({ length: 24 }, (_, k) => [Math.floor(k / 12) * 3 + (k % 3), Math.floor((k % 12) / 3)]);
    expect([...out.data]).toEqual(places.map(([i, j]) => logAddExp(x.data.slice(i, i + 1), y.data.slice(j, j + 1))[0]));
    const g = { data: random(24), shape: [2, 4, 3] };
    const { da, db } = logAddExpBackward(g, x, y);
    expect([da.shape, db.shape]).toEqual([x.shape, y.shape]);
    const terms = places.map(([i, j], k) => logSumExpBackwardRow(g.data[k], [x.data[i], y.data[j]]) as Exact[]);
    const check = (value: number, kept: Exact[]) => {
      const sumOf = (sign: number) => kept.filter(({ n }) => Math.sign(Number(n)) === sign).reduce(add, ZERO);
      const [up, down] = [sumOf(1), sumOf(-1)];
      const larger = add(up, down).n > 0n ? up : down;
      expect(termError(value, kept.reduce(add, ZERO), larger, dtype)).toBeLessThanOrEqual(BOUNDS.backward[dtype]);
    };
    da.data.forEach((value, i) => {
      check(
        value,
        terms.filter((_, k) => places[k][0] === i).map((pair) => pair[0]),
      );
    });
    db.data.forEach((value, j) => {
      check(
        value,
        terms.filter((_, k) => places[k][1] === j).map((pair) => pair[1]),
      );
    });
  });

  test("a sum over broadcast elements neither drifts nor overflows on its way", () => {
    const { max } = LIMITS[dtype];
    const backward = (g: readonly number[]) => logAddExpBackward(of(g), of(g.map(() => 0)), -inf).db;
    expect(backward(g3(max))).toBe(0);
    const sum = (g: readonly number[]) => {
      const shape = [g.length];
      return logAddExpBackward(
        { data: of(g), shape },
        { data: of([0]), shape: [1] },
        { data: of(g.map(() => -inf)), shape },
      ).da.data[0];
    };
    expect(sum([max, max, -max, -max, 3])).toBe(3);
    expect(sum([max, max, -max])).toBe(max);
    expect(sum([1e20, 1, -1e20])).toBe(dtype === "f32" ? 1e20 - 1e20 + 1 : 1);
    expect(sum([inf, -inf])).toBeNaN();
    expect(sum([inf, 1])).toBe(inf);
  });

  test("any length and no elements", () => {
    for (const length of [0, 1, 2, 3, 67, 20_000]) {
      const x = of(Array.from({ length }, (_, i) => i % 7));
      const out = logAddExp(x, 1);
      expect(out.length).toBe(length);
      for (const i of [0, length - 1]) if (length > 0) expect(out[i]).toBe(logAddExp(of([i % 7]), 1)[0]);
    }
    expect(logAddExp({ data: of([]), shape: [0, 3] }, { data: of([1, 2, 3]), shape: [3] }).shape).toEqual([0, 3]);
    const none = logAddExpBackward({ data: of([]), shape: [0, 3] }, { data: of([]), shape: [0, 3] }, 1);
    expect([none.da.shape, none.db]).toEqual([[0, 3], 0]);
  });
});

const g3 = (v: number): number[] => [v, v, -v];

describe("what comes in comes out", () => {
  test("kinds and types", () => {
    const number: number = logAddExp(0, 0);
    expect(number).toBe(Math.LN2);
    const numbers: number[] = logAddExp([0, 0], 0);
    expect(numbers).toEqual([Math.LN2, Math.LN2]);
    const f32: Float32Array = logAddExp(1, Float32Array.of(0));
    expect(f32).toBeInstanceOf(Float32Array);
    const f64: Float64Array = logAddExp(Float64Array.of(1), 2);
    expect(f64).toBeInstanceOf(Float64Array);
    const onnx = { data: Float32Array.of(0, 0), dims: [2], type: "float32" };
    expect(logAddExp(onnx, 0)).toEqual({ data: Float32Array.of(Math.LN2, Math.LN2), dims: [2], type: "float32" });
    expect(logAddExp({ data: [0], shape: [] }, { data: [0], shape: [] })).toEqual({ data: [Math.LN2], shape: [] });
    const { da, db } = logAddExpBackward({ data: [1, 1], shape: [2] }, { data: [0, 0], shape: [2] }, 0);
    const sum: number = db;
    expect([da, sum]).toEqual([{ data: [0.5, 0.5], shape: [2] }, 1]);
    const half = logAddExp(Uint16Array.of(0x3c00), 1, { dtype: "float16" });
    expect(half).toEqual(logAddExp(Float32Array.of(1), 1));
    expect(logAddExp([1, 2, 3, 4], [0, 0, 0, 0], { shape: [2, 2] }).length).toBe(4);
  });

  test("out receives the result, and may be an argument", () => {
    const a = Float64Array.of(0, 1);
    expect(logAddExp(a, a, { out: a })).toBe(a);
    expect([...a]).toEqual([Math.LN2, 1 + Math.LN2]);
    const b = Float64Array.of(5, 6);
    logAddExp(b, 0);
    expect([...b]).toEqual([5, 6]);
  });
});
