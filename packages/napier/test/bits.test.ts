import { describe, expect, test } from "vitest";
import { type Dtype, normals, typed } from "../../../tools/hostile.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  nllLossBackward,
  softCrossEntropy,
  softCrossEntropyWithGrad,
  softmax,
  softmaxBackward,
} from "../src/index.ts";

type Numbers = Float32Array | Float64Array;
type Shape = readonly [number, number];
/** x and d of rows × classes; w one number a row */
interface Batch {
  readonly x: Numbers;
  readonly d: Numbers;
  readonly w: Numbers;
  readonly y: Int32Array;
  readonly shape: Shape;
}

type Out = Float64Array | undefined;

const TERMS = { labelSmoothing: 0.1, zLoss: 0.01, softcap: 20, temperature: 0.7 };

/** Every operation on rows of a flat array; one result for each row, or as many as the row has classes. */
const OPERATIONS: Record<string, (batch: Batch, out?: Out) => Numbers> = {
  logSumExp: ({ x, shape }, out) => logSumExp(x as Float64Array, { shape, out }),
  logSoftmax: ({ x, shape }, out) => logSoftmax(x as Float64Array, { shape, out }),
  softmax: ({ x, shape }, out) => softmax(x as Float64Array, { shape, out }),
  nllLoss: ({ x, y, shape }, out) => nllLoss(x as Float64Array, y, { shape, reduction: "none", out }),
  crossEntropy: ({ x, y, shape }, out) => crossEntropy(x as Float64Array, y, { shape, reduction: "none", out }),
  "crossEntropyWithGrad's loss": ({ x, y, shape }) =>
    crossEntropyWithGrad(x as Float64Array, y, { shape, reduction: "none" }).loss,
  "crossEntropyWithGrad's gradient": ({ x, y, shape }, out) =>
    crossEntropyWithGrad(x as Float64Array, y, { shape, reduction: "none", out }).dlogits,
  "crossEntropy, all options": ({ x, y, shape }, out) =>
    crossEntropy(x as Float64Array, y, { shape, reduction: "none", out, ...TERMS }),
  "crossEntropyWithGrad's gradient, all options": ({ x, y, shape }, out) =>
    crossEntropyWithGrad(x as Float64Array, y, { shape, reduction: "none", out, ...TERMS }).dlogits,
  softCrossEntropy: ({ x, d, shape }, out) =>
    softCrossEntropy(x as Float64Array, d as Float64Array, { shape, reduction: "none", out }),
  "softCrossEntropyWithGrad's gradient": ({ x, d, shape }, out) =>
    softCrossEntropyWithGrad(x as Float64Array, d as Float64Array, { shape, reduction: "none", out }).dlogits,
  "logSoftmax, temperature": ({ x, shape }, out) => logSoftmax(x as Float64Array, { shape, out, temperature: 0.3 }),
  "softmax, temperature": ({ x, shape }, out) => softmax(x as Float64Array, { shape, out, temperature: 3 }),
  softmaxBackward: ({ x, d, shape }, out) => softmaxBackward(d as Float64Array, x as Float64Array, { shape, out }),
  logSoftmaxBackward: ({ x, d, shape }, out) =>
    logSoftmaxBackward(d as Float64Array, x as Float64Array, { shape, out }),
  logSumExpBackward: ({ x, w, shape }, out) => logSumExpBackward(w as Float64Array, x as Float64Array, { shape, out }),
  nllLossBackward: ({ x, y, w, shape }, out) =>
    nllLossBackward(w as Float64Array, x as Float64Array, y, { shape, reduction: "none", out }),
};

const ROWS = 7;
const normal = normals(31);

/** Rows that go every way through the kernels: flat, dominated, far away, masked, special. */
function batchOf(classes: number, dtype: Dtype): Batch {
  const deviations = [1, 8, 30];
  const rows = Array.from({ length: ROWS }, (_, i) =>
    Array.from({ length: classes }, (_, j) => {
      const value = deviations[i % 3] * normal() + (i === 3 ? 1000 : 0);
      if (i === 4 && j % 3 === 1) return -Infinity;
      return i === 5 && j === classes >> 1 ? Number.NaN : value;
    }),
  );
  return {
    x: typed(rows.flat(), dtype),
    d: typed(Array.from({ length: ROWS * classes }, normal), dtype),
    w: typed(Array.from({ length: ROWS }, normal), dtype),
    y: Int32Array.from({ length: ROWS }, (_, i) => (5 * i) % classes),
    shape: [ROWS, classes],
  };
}

/** Row i alone, in arrays that start `offset` elements into their buffers. */
function alone({ x, d, w, y, shape: [, classes] }: Batch, i: number, offset: number): Batch {
  const moved = (values: Numbers, from: number, to: number): Numbers => {
    const room = values.slice(0, 0).constructor as Float64ArrayConstructor;
    const copy = new room(offset + to - from).subarray(offset);
    copy.set(values.subarray(from, to));
    return copy;
  };
  const [from, to] = [i * classes, (i + 1) * classes];
  return {
    x: moved(x, from, to),
    d: moved(d, from, to),
    w: moved(w, i, i + 1),
    y: y.subarray(i, i + 1),
    shape: [1, classes],
  };
}

const bits = (values: Numbers): number[] => [...new Uint32Array(values.slice().buffer)];

describe.each(["f32", "f64"] as const)("%s: a row alone has the bits it has in a batch", (dtype) => {
  const lengths = [...Array.from({ length: 67 }, (_, k) => k + 1), 127, 128, 129, 255, 256, 257, 1000];
  const batches = lengths.map((classes) => batchOf(classes, dtype));

  test.each(Object.entries(OPERATIONS))("%s: lengths 1 to 67 and some, at offsets 0 to 15", (_, run) => {
    for (const [n, batch] of batches.entries()) {
      const whole = run(batch);
      const perRow = whole.length / ROWS;
      for (let i = 0; i < ROWS; i++) {
        const expected = bits(whole.subarray(i * perRow, (i + 1) * perRow));
        const offset = (n + 5 * i) % 16;
        const found = bits(run(alone(batch, i, offset)));
        if (found.some((word, k) => word !== expected[k])) {
          expect(found, `${batch.shape[1]} classes, row ${i}, offset ${offset}`).toEqual(expected);
        }
        expect(found.length).toBe(expected.length);
      }
    }
  });

  test.each(Object.entries(OPERATIONS))("%s: every offset, every place in a batch of any size", (_, run) => {
    for (const classes of [3, 17, 50, 67]) {
      const batch = batchOf(classes, dtype);
      for (let offset = 0; offset < 16; offset++) {
        const one = alone(batch, offset % ROWS, offset);
        const expected = bits(run(one));
        for (const rows of [2, 16 - offset, 23]) {
          // copies of the one row, others between them
          const at = (offset * 7) % rows;
          const fill = (values: Numbers, own: Numbers, width: number): Numbers => {
            const all = values.slice(0, 0).constructor as Float64ArrayConstructor;
            const data = new all(rows * width);
            for (let k = 0; k < data.length; k++) data[k] = values[k % values.length];
            data.set(own, at * width);
            return data;
          };
          const y = Int32Array.from({ length: rows }, (_, i) => (i === at ? one.y[0] : i % classes));
          const big = {
            x: fill(batch.x, one.x, classes),
            d: fill(batch.d, one.d, classes),
            w: fill(batch.w, one.w, 1),
            y,
            shape: [rows, classes] as const,
          };
          const whole = run(big);
          const perRow = whole.length / rows;
          expect(bits(whole.subarray(at * perRow, (at + 1) * perRow))).toEqual(expected);
        }
      }
    }
  });

  const withOut = Object.entries(OPERATIONS).filter(([name]) => !name.endsWith("loss"));
  test.each(withOut)("%s: into an out at offsets 0 to 15", (_, run) => {
    for (const batch of batches) {
      const whole = run(batch);
      const offset = batch.shape[1] % 16;
      const room = typed(new Array(whole.length + offset).fill(0), dtype) as Float64Array;
      const out = room.subarray(offset);
      expect(run(batch, out)).toBe(out);
      expect(bits(out).join(), `${batch.shape[1]} classes`).toBe(bits(whole).join());
    }
  });
});
