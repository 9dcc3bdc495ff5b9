import { describe, expect, test } from "vitest";
import { typed } from "../../../tools/hostile.ts";
import { fused } from "../src/fused.ts";
import { dot, weightGradient } from "../src/kernels/products.ref.ts";
import { rng } from "../src/rng.ts";

const GUARD = 77;
const space = fused.create();
const { kernels } = space;
const up = (count: number, step: number): number => Math.ceil(count / step) * step;

describe.each(["f32", "f64"] as const)("products in %s", (dtype) => {
  const size = dtype === "f32" ? 4 : 8;
  const lanes = 16 / size;

  /** Areas of these lengths, filled with guard words, 8 of them around each. */
  function areas(...lengths: number[]): number[] {
    const addresses = space.layout(...lengths.flatMap((length) => [64, length * size, 64]));
    space[dtype].fill(GUARD, addresses[0] / size, (addresses[addresses.length - 1] + 64) / size);
    return lengths.map((_, n) => addresses[3 * n + 1]);
  }
  const put = (address: number, values: ArrayLike<number>): void => space[dtype].set(values, address / size);
  const take = (address: number, length: number): number[] => [
    ...space[dtype].subarray(address / size, address / size + length),
  ];
  const expectGuards = (address: number, length: number): void => {
    expect([...take(address - 64, 64 / size), ...take(address + length * size, 64 / size)]).toEqual(
      new Array(128 / size).fill(GUARD),
    );
  };

  /** Numbers of both signs over 40 binades: a sum in another order has other bits. */
  function numbers(length: number, seed: number): number[] {
    const random = rng(seed);
    return [
      ...typed(
        Array.from({ length }, () => (random.uniform() - 0.5) * 2 ** (random.below(40) - 20)),
        dtype,
      ),
    ];
  }
  const row = (all: readonly number[], n: number, i: number): number[] => all.slice(i * n, (i + 1) * n);
  const column = (all: readonly number[], n: number, k: number): number[] =>
    Array.from({ length: n === 0 ? 0 : all.length / n }, (_, i) => all[i * n + k]);

  const SIZES: [rows: number, columns: number, n: number][] = [
    ...[1, 2, 3, 4, 5, 8, 11].map((rows): [number, number, number] => [rows, 3, 5]),
    ...[1, 2, 3, 8, 16, 17].map((columns): [number, number, number] => [5, columns, 6]),
    ...Array.from({ length: 68 }, (_, n): [number, number, number] => [5, 3, n]),
  ];
  test.each(SIZES)("dots: %i rows, %i columns, %i products", (rows, columns, n) => {
    const [x, w] = [numbers(rows * n, 1), numbers(columns * n, 2)];
    const [given, xLanes, wLanes, out] = areas(
      Math.max(rows, columns) * n,
      up(rows, 4) * up(n, lanes),
      up(columns, 2) * up(n, lanes),
      up(rows, 4) * columns,
    );
    put(given, x);
    kernels[`pack_lanes_${dtype}`](xLanes, given, 0, rows, n, 4);
    expectGuards(xLanes, up(rows, 4) * up(n, lanes));
    // in pieces, as a block of weights comes
    for (let first = 0; first < columns; first += 4) {
      put(given, w.slice(first * n, (first + 4) * n));
      kernels[`pack_lanes_${dtype}`](wLanes, given, first, Math.min(4, columns - first), n, 2);
    }
    expectGuards(wLanes, up(columns, 2) * up(n, lanes));
    const sums = Array.from({ length: rows * columns }, (_, k) =>
      dot(row(x, n, Math.floor(k / columns)), row(w, n, k % columns), dtype),
    );
    kernels[`dots_${dtype}`](out, xLanes, wLanes, rows, columns, n, columns, 0);
    expect(take(out, rows * columns)).toEqual(sums);
    expectGuards(out, up(rows, 4) * columns);
    const before = numbers(rows * columns, 3);
    put(out, before);
    kernels[`dots_${dtype}`](out, xLanes, wLanes, rows, columns, n, columns, 1);
    expect(take(out, rows * columns)).toEqual([
      ...typed(
        sums.map((v, k) => v + before[k]),
        dtype,
      ),
    ]);
    expectGuards(out, up(rows, 4) * columns);
  });

  test.each(SIZES)("dots across: %i rows, %i columns of the other, %i products", (rows, columns, n) => {
    const [g, w] = [numbers(rows * n, 4), numbers(columns * n, 5)];
    const [given, gLanes, wAcross, out] = areas(
      Math.max(rows * n, 4 * columns),
      up(rows, 4) * up(n, lanes),
      up(columns, 2) * up(n, lanes),
      up(rows, 4) * columns,
    );
    put(given, g);
    kernels[`pack_lanes_${dtype}`](gLanes, given, 0, rows, n, 4);
    // w has n rows of `columns` numbers
    for (let first = 0; first < n; first += 4) {
      put(given, w.slice(first * columns, (first + 4) * columns));
      kernels[`pack_columns_${dtype}`](wAcross, given, first, Math.min(4, n - first), n, columns);
    }
    expectGuards(wAcross, up(columns, 2) * up(n, lanes));
    kernels[`dots_${dtype}`](out, gLanes, wAcross, rows, columns, n, columns, 0);
    expect(take(out, rows * columns)).toEqual(
      Array.from({ length: rows * columns }, (_, k) =>
        dot(row(g, n, Math.floor(k / columns)), column(w, columns, k % columns), dtype),
      ),
    );
  });

  test.each([
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 11].map((rows): [number, number, number] => [rows, 3, 5]),
    ...[1, 2, 3, 4, 5, 8, 9].map((classes): [number, number, number] => [7, classes, 6]),
    ...Array.from({ length: 20 }, (_, n): [number, number, number] => [5, 6, n + 1]),
  ])("outer: %i rows, %i classes, %i features", (rows, classes, features) => {
    const [g, x] = [numbers(2 * rows * classes, 6), numbers(2 * rows * features, 7)];
    const across = 32 / size;
    const sumsLength = (up(classes, 4) * up(features, across) * 8) / size;
    const lengths = [rows * classes, rows * features, rows * up(classes, 4), rows * up(features, across), sumsLength];
    const [gGiven, xGiven, gPanels, xPanels, sums, out] = areas(...lengths, classes * features);
    space[dtype].fill(0, sums / size, sums / size + sumsLength);
    for (const pass of [0, 1]) {
      put(gGiven, g.slice(pass * rows * classes, (pass + 1) * rows * classes));
      put(xGiven, x.slice(pass * rows * features, (pass + 1) * rows * features));
      kernels[`pack_panels_${dtype}`](gPanels, gGiven, rows, classes, 4 * size);
      kernels[`pack_panels_${dtype}`](xPanels, xGiven, rows, features, 32);
      kernels[`outer_${dtype}`](sums, gPanels, xPanels, rows, classes, features);
    }
    expectGuards(gPanels, lengths[2]);
    expectGuards(xPanels, lengths[3]);
    expectGuards(sums, sumsLength);
    kernels[`sums_rows_${dtype}`](out, sums, classes, features);
    expect(take(out, classes * features)).toEqual(weightGradient(g, x, 2 * rows, classes, features, rows, dtype));
    expectGuards(out, classes * features);
  });

  test("rows that are not finite are found and cleared", () => {
    for (let n = 1; n < 20; n++) {
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        for (let at = 0; at < n; at++) {
          const x = numbers(3 * n, n);
          x[n + at] = value;
          const [given, bad] = areas(3 * n, 8);
          put(given, x);
          expect(kernels[`clear_bad_rows_${dtype}`](bad, given, 3, n)).toBe(1);
          expect([...space.u8.subarray(bad, bad + 3)]).toEqual([0, 1, 0]);
          expect(take(given, 3 * n)).toEqual([...x.slice(0, n), ...new Array(n).fill(0), ...x.slice(2 * n)]);
        }
      }
      const x = numbers(3 * n, n).map((v) => v * 1e30);
      const [given, bad] = areas(3 * n, 8);
      put(given, typed(x, dtype));
      expect(kernels[`clear_bad_rows_${dtype}`](bad, given, 3, n)).toBe(0);
      expectGuards(given, 3 * n);
    }
  });
});
