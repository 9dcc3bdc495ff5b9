import { describe, expect, test } from "vitest";
import { normals, rounded, rowsByKind, typed } from "../../../tools/hostile.ts";
import { RUNNING } from "../../../tools/lsetable.ts";
import { BOUNDS } from "../src/bounds.ts";
import { add, type Exact, exact, exp, log, ZERO } from "../src/exact.ts";
import { logCumSumExp, logCumSumExpBackward, logSumExp, logSumExpBackward } from "../src/index.ts";
import { logCumSumExpBackwardRow, logCumSumExpRow } from "../src/kernels/cumulative.ref.ts";
import { checkBits, DTYPES, LIMITS } from "./hostile.ts";
import { logError, termError, Worst } from "./within.ts";

/** Hostile rows as they are, ascending, descending, and climbing by steps about the threshold of a new reference. */
function rowsOf(dtype: "f32" | "f64"): { kind: string; row: number[] }[] {
  const normal = normals(21);
  const rows = [...rowsByKind(dtype, 0.3)].filter(({ row }) => row.length <= 67);
  const lengths = Array.from({ length: 67 }, (_, n) => Array.from({ length: n + 1 }, () => 6 * normal()));
  const climbs = [0.01, 0.5, 0.999, 1, 1.001, 3, 40, 300].map((step) =>
    Array.from({ length: 40 }, (_, j) => -14 + j * step),
  );
  // many at one depth, then one by one upwards: maximum and logarithm cancel while the references change
  const cancelling = Array.from({ length: 20 }, (_, i) => [
    ...new Array<number>(25).fill(-3.3 - i / 10),
    ...Array.from({ length: 20 }, (_, j) => -3.3 - i / 10 + 1.01 * (j + 1)),
  ]);
  return [
    ...rows,
    ...rows.map(({ kind, row }) => ({ kind: `${kind}, ascending`, row: [...row].sort((a, b) => a - b) })),
    ...rows.map(({ kind, row }) => ({ kind: `${kind}, descending`, row: [...row].sort((a, b) => b - a) })),
    ...lengths.map((row) => ({ kind: "lengths", row: rounded(row, dtype) })),
    ...[...climbs, ...cancelling].map((row) => ({ kind: "climbing", row: rounded(row, dtype) })),
  ];
}

describe.each(DTYPES)("logCumSumExp in %s", (dtype) => {
  const rows = rowsOf(dtype);
  const of = (values: readonly number[]) => typed(values, dtype) as Float64Array;
  const show = (kind: string, row: readonly number[], j: number) => () => `${kind}: ${row.slice(0, j + 1).slice(-12)}`;

  test("the value, forwards and backwards", () => {
    const worst = new Worst();
    for (const { kind, row } of rows) {
      const truth = logCumSumExpRow(row);
      const out = logCumSumExp(of(row));
      let m = -Infinity;
      row.forEach((v, j) => {
        m = Math.max(m, v);
        worst.see(logError(out[j], truth[j], m, dtype), show(kind, row, j));
      });
      const back = logCumSumExp(of([...row].reverse()), { reverse: true });
      expect([...back].reverse()).toEqual([...out]);
    }
    expect(worst.error, worst.where).toBeLessThanOrEqual(1);
    // half of it at most, so that no reference makes the difference
    expect(worst.error, worst.where).toBeLessThanOrEqual(0.5);
  });

  test("the gradient, of either sign and any size", () => {
    const normal = normals(22);
    const { max } = LIMITS[dtype];
    const worst = new Worst();
    rows.forEach(({ kind, row }, i) => {
      const size = [1, max, dtype === "f32" ? 1e-30 : 1e-290][i % 3];
      const sign = i % 2 === 0 ? () => 1 : () => Math.sign(normal());
      const g = rounded(
        row.map(() => Math.min(max, size * Math.abs(normal())) * sign()),
        dtype,
      );
      const truth = logCumSumExpBackwardRow(g, row);
      const out = logCumSumExpBackward(of(g), of(row));
      out.forEach((value, k) => {
        worst.see(termError(value, truth[k].value, truth[k].largest, dtype), () => `${kind}: ${row}; ${g}`);
      });
      const back = logCumSumExpBackward(of([...g].reverse()), of([...row].reverse()), { reverse: true });
      expect([...back].reverse()).toEqual([...out]);
    });
    expect(worst.error, worst.where).toBeLessThanOrEqual(BOUNDS.backward[dtype]);
  });

  test.each(RUNNING)("edges: $name", ({ row, out, grad }) => {
    const forward = logCumSumExp(of(row));
    expect([...forward]).toEqual(out);
    checkBits(forward, "logCumSumExp");
    const backward = logCumSumExpBackward(of(row.map(() => 1)), of(row));
    expect([...backward]).toEqual(grad);
    checkBits(backward, "logCumSumExpBackward");
    expect([...logCumSumExp(of([...row].reverse()), { reverse: true })].reverse()).toEqual(out);
  });

  test("the last of a row is its log-sum-exp, and its gradient alone that one's", () => {
    const normal = normals(23);
    const row = Array.from({ length: 30 }, () => 3 * normal());
    const last = logCumSumExp(of(row))[29];
    expect(Math.abs(last / logSumExp(of(row)) - 1)).toBeLessThanOrEqual(dtype === "f32" ? 2 ** -22 : 2 ** -51);
    const g = of(row.map((_, j) => (j === 29 ? 1 : 0)));
    const expected = logSumExpBackward(1, of(row));
    logCumSumExpBackward(g, of(row)).forEach((value, k) => {
      expect(Math.abs(value / expected[k] - 1)).toBeLessThanOrEqual(dtype === "f32" ? 2 ** -21 : 2 ** -49);
    });
  });

  test("20,000 classes, rising and falling: no error grows with them", () => {
    const row = rounded(
      Array.from({ length: 20_000 }, (_, j) => 20 * Math.sin(j / 2000) + (j % 17) / 10 - 15),
      dtype,
    );
    const out = logCumSumExp(of(row));
    const worst = new Worst();
    let sum: Exact = ZERO;
    let m = -Infinity;
    row.forEach((v, j) => {
      m = Math.max(m, v);
      sum = add(sum, exp(exact(v)));
      if (j % 20 === 0) worst.see(logError(out[j], log(sum), m, dtype), () => `class ${j}`);
    });
    expect(worst.error, worst.where).toBeLessThanOrEqual(0.5);
  });
});

describe("what comes in comes out", () => {
  test("axes, kinds, out, and what stays as it was", () => {
    const data = Float64Array.from({ length: 24 }, (_, k) => Math.sin(k));
    const x = { data, shape: [2, 3, 4] };
    const before = data.slice();
    const out = logCumSumExp(x, { axis: 1 });
    const g = { data: Float64Array.from({ length: 24 }, (_, k) => Math.cos(k)), shape: [2, 3, 4] };
    const dx = logCumSumExpBackward(g, x, { axis: 1, reverse: true });
    for (let i = 0; i < 8; i++) {
      const at = [0, 1, 2].map((j) => Math.floor(i / 4) * 12 + 4 * j + (i % 4));
      const row = at.map((k) => data[k]);
      expect(at.map((k) => out.data[k])).toEqual(logCumSumExp(row));
      expect(at.map((k) => dx.data[k])).toEqual(
        logCumSumExpBackward(
          at.map((k) => g.data[k]),
          row,
          { reverse: true },
        ),
      );
    }
    expect(data).toEqual(before);
    expect(logCumSumExp(Float32Array.of(0, 0))).toEqual(Float32Array.of(0, Math.LN2));
    const onnx = logCumSumExp({ data: Float32Array.of(0, 0), dims: [1, 2], type: "float32" });
    expect(onnx).toEqual({ data: Float32Array.of(0, Math.LN2), dims: [1, 2], type: "float32" });
    const own = Float64Array.of(0, 0, 0);
    expect(logCumSumExp(own, { out: own })).toBe(own);
    expect([...own]).toEqual([0, Math.LN2, Math.log(3)]);
    expect(logCumSumExp([])).toEqual([]);
    expect(logCumSumExp({ data: [], shape: [0, 3] })).toEqual({ data: [], shape: [0, 3] });
  });

  test("a row alone has the bits that it has among many, over several tiles", () => {
    const normal = normals(24);
    const [rows, classes] = [3000, 11];
    const x = Float32Array.from({ length: rows * classes }, () => 4 * normal());
    const all = logCumSumExp(x, { shape: [rows, classes] });
    const dall = logCumSumExpBackward(x, x, { shape: [rows, classes] });
    for (const i of [0, 1499, 2999]) {
      const row = x.slice(i * classes, (i + 1) * classes);
      expect(logCumSumExp(row)).toEqual(all.slice(i * classes, (i + 1) * classes));
      expect(logCumSumExpBackward(row, row)).toEqual(dall.slice(i * classes, (i + 1) * classes));
    }
  });
});
