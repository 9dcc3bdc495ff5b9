import { describe, expect, test } from "vitest";
import { type Dtype, normals, typed } from "../../../tools/hostile.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  fromRows,
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  nllLoss,
  nllLossBackward,
  softmax,
  softmaxBackward,
} from "../src/index.ts";

const normal = normals(3);
const random = (length: number) => Array.from({ length }, () => 4 * normal());

describe("what comes in comes out", () => {
  const rows = [
    [1, 2, 3],
    [0, -1, 5],
  ];
  test("kinds of array", () => {
    expect(Array.isArray(logSoftmax([1, 2]))).toBe(true);
    expect(logSoftmax(Float32Array.of(1, 2))).toBeInstanceOf(Float32Array);
    expect(logSoftmax(Float64Array.of(1, 2))).toBeInstanceOf(Float64Array);
    expect(logSoftmax(fromRows(rows))).toEqual({ data: expect.any(Float64Array), shape: [2, 3] });
    const onnx = logSoftmax({ data: Float32Array.of(1, 2, 3, 4), dims: [2, 2], type: "float32" });
    expect(onnx).toEqual({ data: expect.any(Float32Array), dims: [2, 2], type: "float32" });
  });
  test("reductions drop the class axis; a flat row is a number", () => {
    expect(logSumExp([0, 0])).toBe(Math.LN2);
    expect(logSumExp([0, 0], { shape: [2] })).toBe(Math.LN2);
    expect(logSumExp([0, 0, 0, 0], { shape: [2, 2] })).toEqual([Math.LN2, Math.LN2]);
    expect(logSumExp({ data: [0, 0], shape: [2] })).toEqual({ data: [Math.LN2], shape: [] });
    expect(logSumExp({ data: new Float32Array(12), dims: [2, 2, 3], type: "float32" }, { axis: 1 }).dims).toEqual([
      2, 3,
    ]);
    expect(crossEntropy([0, 0], 1, { reduction: "none" })).toBe(Math.LN2);
    expect(crossEntropy(fromRows(rows), [2, 2], { reduction: "none" }).shape).toEqual([2]);
    expect(typeof crossEntropy(fromRows(rows), [2, 2])).toBe("number");
  });
  test("targets of every kind", () => {
    const x = fromRows(rows);
    const expected = crossEntropy(x, [0, 1]);
    expect(crossEntropy(x, Int32Array.of(0, 1))).toBe(expected);
    expect(crossEntropy(x, BigInt64Array.of(0n, 1n))).toBe(expected);
    expect(crossEntropy(x, { data: Int32Array.of(0, 1), shape: [2] })).toBe(expected);
    expect(crossEntropy(x, { data: BigInt64Array.of(0n, 1n), dims: [2], type: "int64" })).toBe(expected);
  });
  test("out receives the result and is returned", () => {
    const out = new Float32Array(2);
    expect(logSoftmax(Float32Array.of(20, 0), { out })).toBe(out);
    expect(out[0]).toBe(Math.fround(-2.0611536e-9));
    const x = Float64Array.of(40, 0);
    expect(crossEntropyWithGrad(x, 0, { out: x }).dlogits).toBe(x);
    expect([...x]).toEqual([-4.248354255291589e-18, 4.248354255291589e-18]);
  });
});

describe("reductions of losses", () => {
  const x = random(15);
  const y = [0, 4, 2];
  const shape = [3, 5] as const;
  test("sum and mean of the rows", () => {
    const each = crossEntropy(x, y, { shape, reduction: "none" });
    expect(crossEntropy(x, y, { shape, reduction: "sum" })).toBeCloseTo(each[0] + each[1] + each[2], 14);
    expect(crossEntropy(x, y, { shape })).toBeCloseTo((each[0] + each[1] + each[2]) / 3, 14);
    expect(nllLoss(logSoftmax(x, { shape }), y, { shape })).toBeCloseTo((each[0] + each[1] + each[2]) / 3, 14);
  });
  test("the mean's gradient is the rows' divided by their number", () => {
    const each = crossEntropyWithGrad(x, y, { shape, reduction: "none" }).dlogits;
    const mean = crossEntropyWithGrad(x, y, { shape }).dlogits;
    mean.forEach((g, k) => {
      expect(Math.abs(g - each[k] / 3)).toBeLessThanOrEqual(2 ** -51 * Math.abs(g));
    });
  });
  test("a compensated mean: 1e16 does not swallow the ones beside it", () => {
    const logProbs = [-1e16, -1, -1, -1, -1, -1, -1, -1];
    expect(nllLoss(logProbs, new Array(8).fill(0), { shape: [8, 1], reduction: "sum" })).toBe(1e16 + 8);
  });
});

describe("bits", () => {
  const dtypes: Dtype[] = ["f32", "f64"];
  const functions = {
    logSoftmax: (x: Float64Array, shape: readonly [number, number]) => logSoftmax(x, { shape }),
    softmax: (x: Float64Array, shape: readonly [number, number]) => softmax(x, { shape }),
    gradient: (x: Float64Array, shape: readonly [number, number]) =>
      crossEntropyWithGrad(x, new Array(shape[0]).fill(0), { shape, reduction: "sum" }).dlogits,
  };
  test.each(Object.entries(functions))("%s: a row alone equals the row in any batch, lengths 1 to 67", (_, f) => {
    for (const dtype of dtypes) {
      for (let classes = 1; classes <= 67; classes++) {
        const data = typed(random(5 * classes), dtype) as Float64Array;
        const batch = f(data, [5, classes]);
        for (let i = 0; i < 5; i++) {
          // at another offset and alignment of its own buffer
          const alone = f(data.slice(i * classes, (i + 1) * classes), [1, classes]);
          expect([...alone]).toEqual([...batch.slice(i * classes, (i + 1) * classes)]);
        }
      }
    }
  });
  test("nllLoss(logSoftmax(x), y) is crossEntropy(x, y), bit for bit", () => {
    for (const dtype of dtypes) {
      const shape = [200, 9] as const;
      const x = typed(
        random(1800).map((v) => 8 * v),
        dtype,
      ) as Float64Array;
      const y = Array.from({ length: 200 }, (_, i) => i % 9);
      const a = crossEntropy(x, y, { shape, reduction: "none" });
      const b = nllLoss(logSoftmax(x, { shape }), y, { shape, reduction: "none" });
      expect([...a]).toEqual([...b]);
      expect(crossEntropyWithGrad(x, y, { shape }).loss).toBe(crossEntropy(x, y, { shape }));
    }
  });
  test("an axis in the middle equals the rows taken out", () => {
    for (const dtype of dtypes) {
      const [outer, classes, inner] = [3, 11, 7];
      const data = typed(random(outer * classes * inner), dtype) as Float64Array;
      const x = { data, shape: [outer, classes, inner] };
      const y = Array.from({ length: outer * inner }, (_, i) => i % classes);
      const log = logSoftmax(x, { axis: 1 }).data;
      const grad = crossEntropyWithGrad(x, y, { axis: 1, reduction: "none" });
      const lse = logSumExp(x, { axis: -2 }).data;
      for (let o = 0; o < outer; o++) {
        for (let k = 0; k < inner; k++) {
          const at = Array.from({ length: classes }, (_, j) => (o * classes + j) * inner + k);
          const row = typed(
            at.map((p) => data[p]),
            dtype,
          ) as Float64Array;
          const i = o * inner + k;
          expect(at.map((p) => log[p])).toEqual([...logSoftmax(row)]);
          expect(lse[i]).toBe(logSumExp(row));
          const alone = crossEntropyWithGrad(row, y[i]);
          expect(grad.loss.data[i]).toBe(alone.loss);
          expect(at.map((p) => grad.dlogits.data[p])).toEqual([...alone.dlogits]);
        }
      }
    }
  });
  test("tiles: rows far beyond one tile, and one row larger than a tile", () => {
    for (const dtype of dtypes) {
      for (const [rows, classes] of [
        [5000, 10],
        [3, 40_000],
      ] as const) {
        const x = typed(random(rows * classes), dtype) as Float64Array;
        const whole = logSoftmax(x, { shape: [rows, classes] });
        for (const i of [0, rows >> 1, rows - 1]) {
          const range = [i * classes, (i + 1) * classes] as const;
          expect(logSoftmax(x.slice(...range))).toEqual(whole.slice(...range));
        }
      }
    }
  });
});

describe("nothing else is written", () => {
  test("inputs stay, guard words around out stay", () => {
    for (const dtype of ["f32", "f64"] as const) {
      for (const classes of [1, 3, 8, 17, 67]) {
        const x = typed(random(4 * classes), dtype) as Float64Array;
        const before = x.slice();
        const room = typed(new Array(4 * classes + 8).fill(123), dtype) as Float64Array;
        const out = room.subarray(4, 4 + 4 * classes);
        const shape = [4, classes] as const;
        const targets = [0, 0, 0, 0];
        for (const run of [
          () => logSoftmax(x, { shape, out }),
          () => softmax(x, { shape, out }),
          () => crossEntropyWithGrad(x, targets, { shape, out }),
          () => logSoftmaxBackward(x, x, { shape, out }),
          () => softmaxBackward(x, x, { shape, out }),
          () => nllLossBackward(1, x, targets, { shape, out }),
        ]) {
          run();
          expect(x).toEqual(before);
          expect([...room.subarray(0, 4), ...room.subarray(4 + 4 * classes)]).toEqual(new Array(8).fill(123));
        }
      }
    }
  });
  test("out is untouched when an argument is wrong", () => {
    const out = Float64Array.of(7, 7);
    expect(() => logSoftmax(Float64Array.of(1, 2, 3), { out })).toThrow(RangeError);
    expect(() => crossEntropyWithGrad(Float64Array.of(1, 2), 2, { out })).toThrow(RangeError);
    expect([...out]).toEqual([7, 7]);
  });
});

describe("gradients", () => {
  test("against central differences of the loss", () => {
    const x = random(9);
    const { dlogits } = crossEntropyWithGrad(x, 4);
    const h = 1e-5;
    x.forEach((_, j) => {
      const moved = (d: number) => crossEntropy(x.with(j, x[j] + d), 4);
      // h² / 6 of the third derivative, and the loss's rounding over h
      expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - dlogits[j])).toBeLessThan(1e-9);
    });
  });
  test("the chain nll ∘ log_softmax has the fused gradient", () => {
    const x = random(12);
    const logProbs = logSoftmax(x);
    const chained = logSoftmaxBackward(nllLossBackward(1, logProbs, 3), logProbs);
    const { dlogits } = crossEntropyWithGrad(x, 3);
    chained.forEach((g, j) => {
      expect(Math.abs(g - dlogits[j])).toBeLessThan(4 * 2 ** -53);
    });
  });
  test("a row sums to 0 within its entries' bounds", () => {
    for (let i = 0; i < 200; i++) {
      const { dlogits } = crossEntropyWithGrad(
        random(2 + (i % 30)).map((v) => 3 * v),
        1,
      );
      const sum = dlogits.reduce((a, b) => a + b, 0);
      const bound = dlogits.reduce((a, b) => a + 8 * 2 ** -52 * Math.abs(b), 0);
      expect(Math.abs(sum)).toBeLessThanOrEqual(bound);
    }
  });
});
