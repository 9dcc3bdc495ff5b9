import { createPool } from "napier/pool";
import { describe, expect, test } from "vitest";
import { normals, rowsByKind, typed } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { logSoftmax, logSoftmaxBackward, logSumExp, softmax, softmaxBackward } from "../src/index.ts";
import { logSoftmaxRow, softmaxRow } from "../src/kernels/softmax.ref.ts";
import { ulpError } from "../src/ulp.ts";

const DTYPES = ["f32", "f64"] as const;

describe.each(DTYPES)("masks in %s", (dtype) => {
  test("a row is as if what is masked were not there: hostile rows among NaN, ±∞ and huge logits", () => {
    const random = normals(21);
    const intruders = [Number.NaN, Infinity, -Infinity, 3e38, -3e38, 1e6];
    let [worst, worstProb] = [0, 0];
    let rows = 0;
    for (const { row } of rowsByKind(dtype, 0.2)) {
      const mask: number[] = [];
      const data: number[] = [];
      row.forEach((v, j) => {
        while (random() > 0.8) {
          data.push(intruders[(data.length + j) % intruders.length]);
          mask.push(0);
        }
        data.push(v);
        mask.push(1);
      });
      const x = typed(data, dtype) as Float64Array;
      const kept = (values: ArrayLike<number>) => Array.from(values).filter((_, k) => mask[k] === 1);
      const [logProbs, probs] = [logSoftmax(x, { mask }), softmax(x, { mask })];
      const [logTruth, truth] = [logSoftmaxRow(row), softmaxRow(row)];
      kept(logProbs).forEach((v, j) => {
        worst = Math.max(worst, ulpError(v, logTruth[j] as never, dtype));
      });
      kept(probs).forEach((v, j) => {
        worstProb = Math.max(worstProb, ulpError(v, truth[j] as never, dtype));
      });
      mask.forEach((keeps, k) => {
        if (keeps === 0) expect([logProbs[k], probs[k]]).toEqual([-Infinity, 0]);
      });
      rows++;
    }
    expect(rows).toBeGreaterThan(100);
    expect(worst).toBeLessThanOrEqual(BOUNDS.logSoftmax[dtype]);
    expect(worstProb).toBeLessThanOrEqual(BOUNDS.softmax[dtype]);
  });

  test("a mask broadcasts, on any axis, and what it is applied to stays as it was", () => {
    const normal = normals(22);
    const shape = [3, 4, 5];
    const x = { data: typed(Array.from({ length: 60 }, normal), dtype), shape };
    const before = x.data.slice();
    const [row, full] = [[1, 0, 1, 1, 0], Array.from({ length: 60 }, (_, k) => [1, 0, 1, 1, 0][k % 5])];
    for (const axis of [0, 1, 2]) {
      for (const of of [logSoftmax, softmax]) {
        const expected = of(x, { axis, mask: { data: full, shape } });
        if (axis === 2) expect(of(x, { axis, mask: row })).toEqual(expected);
        expect(of(x, { axis, mask: { data: row.map((v) => v === 1), shape: [1, 1, 5] } })).toEqual(expected);
        expect(of(x, { axis, mask: { data: BigInt64Array.from(row, BigInt), dims: [5], type: "int64" } })).toEqual(
          expected,
        );
      }
    }
    // a flat mask is one for each class, wherever the classes are
    const second = { data: Array.from({ length: 60 }, (_, k) => [1, 0, 1, 1][Math.floor(k / 5) % 4]), shape };
    expect(softmax(x, { axis: 1, mask: [1, 0, 1, 1] })).toEqual(softmax(x, { axis: 1, mask: second }));
    expect(x.data).toEqual(before);
    const own = x.data.slice() as Float64Array;
    const mask = { data: full, shape };
    expect(logSoftmax(own, { shape, mask, out: own })).toEqual(logSoftmax(x, { mask }).data);
  });

  test("gradients are those of the rows without what is masked", () => {
    const normal = normals(23);
    const [x, g] = [Array.from({ length: 7 }, normal), Array.from({ length: 7 }, normal)];
    const mask = [1, 0, 1, 1, 0, 1, 1];
    const kept = (values: ArrayLike<number>) => Array.from(values).filter((_, k) => mask[k] === 1);
    const of = (values: readonly number[]) => typed(values, dtype) as Float64Array;
    const few = of(kept(x));
    for (const [forward, backward] of [
      [logSoftmax, logSoftmaxBackward],
      [softmax, softmaxBackward],
    ] as const) {
      const dx = backward(of(g), forward(of(x), { mask }), { mask });
      const truth = backward(of(kept(g)), forward(few));
      kept(dx).forEach((v, j) => {
        expect(v).toBeCloseTo(truth[j], dtype === "f32" ? 5 : 13);
      });
      expect([dx[1], dx[4]]).toEqual([0, 0]);
    }
    expect(logSumExp(of(x), { mask })).toBeCloseTo(logSumExp(few), dtype === "f32" ? 5 : 13);
  });

  test("the same bits on a pool", async () => {
    const normal = normals(24);
    const shape = [700, 33];
    const x = { data: typed(Array.from({ length: 700 * 33 }, normal), dtype), shape };
    const mask = { data: Uint8Array.from(x.data, (_, k) => Number(k % 5 !== 2)), shape };
    const pool = createPool({ threads: 2 });
    for (const options of [{ mask }, { mask, temperature: 0.7 }]) {
      expect(await pool.logSoftmax(x, options)).toEqual(logSoftmax(x, options));
      expect(await pool.softmax(x, options)).toEqual(softmax(x, options));
    }
    await pool.close();
  });
});
