import { describe, expect, test } from "vitest";
import { TABLE } from "../../../tools/edgetable.ts";
import { normals, rounded, rowsByKind, typed } from "../../../tools/hostile.ts";
import { logMeanExp, logMeanExpBackward, logSumExpBackward } from "../src/index.ts";
import { logMeanExpRow } from "../src/kernels/logmeanexp.ref.ts";
import { checkBits, DTYPES, LIMITS } from "./hostile.ts";
import { logError, Worst } from "./within.ts";

const largest = (row: readonly number[]): number => row.reduce((a, b) => Math.max(a, b), -Infinity);

describe.each(DTYPES)("logMeanExp in %s", (dtype) => {
  const of = (values: readonly number[]) => typed(values, dtype) as Float64Array;
  const normal = normals(41);
  const { least } = LIMITS[dtype];
  /** About equal logits, whose mean is about the largest; about twice as many at −∞ as not; and the usual. */
  const near = [0, 1e-30, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 0.69, 0.7, 1, 2].flatMap((spread) =>
    [1, 2, 3, 10, 67].map((n) => Array.from({ length: n }, () => spread * normal())),
  );
  const halves = [1, 2, 3, 7].flatMap((n) =>
    [0, 1, 2].map((more) => [...new Array(n).fill(0.25), ...new Array(n + more - 1).fill(-Infinity)]),
  );
  const tiny = [
    [least, -least],
    [1e-20, -1e-20],
    [0, -1e-20],
    [-least, -2 * least, -3 * least],
    [0, 0, -least],
  ];
  const rows = [
    ...rowsByKind(dtype),
    ...near.map((row) => ({ kind: "near", row: rounded(row, dtype) })),
    ...halves.map((row) => ({ kind: "halves", row })),
    ...tiny.map((row) => ({ kind: "tiny", row: rounded(row, dtype) })),
  ];

  test("the value", () => {
    const worst = new Worst();
    for (const { kind, row } of rows) {
      const value = logMeanExp(of(row));
      worst.see(
        logError(value, logMeanExpRow(row), largest(row), dtype),
        () => `${kind}: ${row.slice(0, 9)}: ${value}`,
      );
    }
    expect(worst.error, worst.where).toBeLessThanOrEqual(1);
    expect(worst.error, worst.where).toBeLessThanOrEqual(dtype === "f32" ? 0.26 : 0.4);
  });

  test("equal logits give themselves", () => {
    for (const v of [0, 0.1, -7, 1000, LIMITS[dtype].max, -LIMITS[dtype].max, least]) {
      for (const n of [1, 2, 3, 10, 999]) expect(logMeanExp(of(new Array(n).fill(v)))).toBe(of([v])[0]);
    }
    expect(logMeanExp(of([1e-20, -1e-20]))).toBe(0);
  });

  test.each(TABLE)("edges: $name", ({ row, lse }) => {
    if (Number.isFinite(lse) && row.length > 1) return;
    const value = logMeanExp(of(row));
    expect(value).toBe(lse);
    checkBits(Float64Array.of(value), "logMeanExp");
  });

  test("a mask leaves classes out of sum and number; −∞ counts", () => {
    const data = of(Array.from({ length: 40 }, () => 2 * normal()));
    const bits = Array.from({ length: 40 }, (_, k) => (k % 7 === 3 || k >= 35 ? 0 : 1));
    data[3] = Number.NaN;
    for (const [shape, axis, at] of [
      [[8, 5], 1, (i: number, j: number) => 5 * i + j],
      [[5, 8], 0, (i: number, j: number) => 8 * j + i],
    ] as const) {
      const out = logMeanExp({ data, shape }, { axis, mask: { data: bits, shape } });
      const g = { data: of(out.data.map((_, i) => i - 3) as never), shape: [8] };
      const dx = logMeanExpBackward(g, { data, shape }, { axis, mask: { data: bits, shape } });
      for (let i = 0; i < 8; i++) {
        const places = [0, 1, 2, 3, 4].map((j) => at(i, j));
        const kept = places.filter((k) => bits[k] === 1);
        const row = of(kept.map((k) => data[k]));
        expect(out.data[i]).toBe(logMeanExp(row));
        expect(places.filter((k) => bits[k] === 0).every((k) => Object.is(dx.data[k], 0))).toBe(true);
        const alone = logSumExpBackward(g.data[i], row);
        kept.forEach((k, j) => {
          expect(Math.abs(dx.data[k] - alone[j])).toBeLessThanOrEqual(2 ** -21 * Math.abs(alone[j]));
        });
      }
    }
    expect(logMeanExp(of([5, 7]), { mask: [0, 0] })).toBe(-Infinity);
    expect(logMeanExp(of([]))).toBe(-Infinity);
    expect(logMeanExp(of([0, -Infinity]))).toBe(of([-Math.LN2])[0]);
  });

  test("axes, keepDims, and the gradient of logSumExp", () => {
    const x = { data: of(Array.from({ length: 24 }, () => normal())), shape: [2, 3, 4] };
    const out = logMeanExp(x, { axis: [0, 2], keepDims: true });
    expect(out.shape).toEqual([1, 3, 1]);
    for (let i = 0; i < 3; i++) {
      const row = x.data.filter((_, k) => Math.floor((k % 12) / 4) === i);
      expect(out.data[i]).toBe(logMeanExp(of([...row])));
    }
    expect(logMeanExpBackward(out, x, { axis: [0, 2] })).toEqual(logSumExpBackward(out, x, { axis: [0, 2] }));
    const one: number = logMeanExp(of([1]));
    expect(one).toBe(1);
  });
});
