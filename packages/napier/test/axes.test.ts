import * as napier from "napier";
import { logSumExp, logSumExpBackward } from "napier";
import { createPool } from "napier/pool";
import { describe, expect, test } from "vitest";
import { normals, typed } from "../../../tools/hostile.ts";
import { viewAxes } from "../src/axes.ts";
import { DTYPES } from "./hostile.ts";

const product = (sizes: readonly number[]): number => sizes.reduce((total, n) => total * n, 1);

/** Where each row's entries stand: an index at a time, by division. */
function places(shape: readonly number[], axes: readonly number[]): number[][] {
  const rows = new Map<string, number[]>();
  const stay = shape.map((_, d) => d).filter((d) => !axes.includes(d));
  for (let k = 0; k < product(shape); k++) {
    const index = shape.map((size, d) => Math.floor(k / product(shape.slice(d + 1))) % size);
    const key = stay.map((d) => index[d]).join();
    rows.set(key, [...(rows.get(key) ?? []), k]);
  }
  return [...rows.values()];
}

const subsets = (rank: number): number[][] =>
  Array.from({ length: 1 << rank }, (_, bits) =>
    Array.from({ length: rank }, (__, d) => d).filter((d) => bits & (1 << d)),
  );

const SHAPES = [[5], [3, 4], [2, 3, 4], [3, 1, 5], [1, 4, 1], [2, 3, 2, 5], [2, 1, 3, 1, 4], [1, 1]];

describe.each(DTYPES)("every set of axes of every shape, %s: the rows taken out, bit for bit", (dtype) => {
  test.each(SHAPES.map((shape) => [shape]))("[%j]", (shape) => {
    const data = typed(
      Array.from({ length: product(shape) }, normals(product(shape))).map((v) => 5 * v),
      dtype,
    ) as Float64Array;
    for (const chosen of subsets(shape.length)) {
      const axes = chosen.length === 0 ? shape.map((_, d) => d) : chosen;
      const rows = places(shape, axes).map((at) => ({ at, row: data.filter((_, k) => at.includes(k)) }));
      const dropped = shape.filter((_, d) => !axes.includes(d));
      const kept = shape.map((size, d) => (axes.includes(d) ? 1 : size));
      const what = `axes [${chosen}]`;
      // turned around and from behind: the order of the option does not matter
      for (const axis of [chosen, chosen.map((d) => d - shape.length).reverse()]) {
        const plain = logSumExp({ data, shape }, { axis });
        expect(plain.shape, what).toEqual(dropped);
        expect([...plain.data], what).toEqual(rows.map(({ row }) => logSumExp(row)));
        const long = logSumExp({ data, shape }, { axis, keepDims: true });
        expect(long.shape, what).toEqual(kept);
        expect(long.data, what).toEqual(plain.data);
        expect(logSumExp({ data, shape }, { axis, keepDims: false }), what).toEqual(plain);
        const flat = logSumExp(data, { shape, axis });
        expect(flat, what).toEqual(dropped.length === 0 ? plain.data[0] : plain.data);
        expect(logSumExp(data, { shape, axis, keepDims: true }), what).toEqual(flat);

        const g = plain.data.map((_, i) => (i % 3) - 0.75) as Float64Array;
        const expected = new (data.constructor as Float64ArrayConstructor)(data.length);
        rows.forEach(({ at, row }, i) => {
          logSumExpBackward(g[i], row).forEach((v, j) => {
            expected[at[j]] = v;
          });
        });
        const before = data.slice();
        for (const dlse of [{ data: g, shape: dropped }, { data: g, shape: kept }, g]) {
          expect(logSumExpBackward(dlse, { data, shape }, { axis }), what).toEqual({ data: expected, shape });
        }
        expect(data, what).toEqual(before);
        const out = data.slice();
        expect(logSumExpBackward(g, out, { shape, axis, out }), what).toBe(out);
        expect(out, what).toEqual(expected);
      }
    }
  });
});

test("what the kernels see: no copy where the axes are one, and the order of the shape", () => {
  const see = (shape: number[], axis: number[]) => {
    const data = Float64Array.from({ length: product(shape) }, (_, k) => k);
    const x = viewAxes("logSumExp", "logits", { data, shape }, { axis }, ["axis"]);
    expect(x.rows, `${shape} over ${axis}`).toBe(x.outer * x.inner);
    return [x.outer, x.classes, x.inner, x.data === data ? "as it stands" : [...x.data]];
  };
  expect(see([2, 3, 4], [1, 2])).toEqual([2, 12, 1, "as it stands"]);
  expect(see([2, 3, 4], [1, 0])).toEqual([1, 6, 4, "as it stands"]);
  expect(see([2, 3, 2, 5], [2, 1])).toEqual([2, 6, 5, "as it stands"]);
  expect(see([3, 1, 5], [0, 2])).toEqual([1, 15, 1, "as it stands"]);
  expect(see([1, 4, 5], [0, 2])).toEqual([4, 5, 1, "as it stands"]);
  expect(see([4, 5, 1], [2, 0])).toEqual([1, 4, 5, "as it stands"]);
  expect(see([2, 2, 2], [2, 0])).toEqual([2, 4, 1, [0, 1, 4, 5, 2, 3, 6, 7]]);
  expect(see([2, 3, 0], [0, 1])).toEqual([0, 6, 1, "as it stands"]);
});

test("kinds of object, and numbers of 16 bits", () => {
  const data = Array.from({ length: 24 }, (_, k) => (k * 7) % 5);
  const shape = [2, 3, 4] as const;
  const axis = [0, 2];
  const expected = logSumExp({ data, shape }, { axis });
  expect(expected.data).toBeInstanceOf(Array);
  const dims = logSumExp({ data: Float64Array.from(data), dims: shape, type: "float64" }, { axis, keepDims: true });
  expect(dims).toEqual({ data: Float64Array.from(expected.data), dims: [1, 3, 1], type: "float64" });
  const bits = Uint16Array.from(data, (v) => new Uint32Array(Float32Array.of(v).buffer)[0] >>> 16);
  const half = logSumExp({ data: bits, shape }, { axis, dtype: "bfloat16" });
  expect(half).toEqual(logSumExp({ data: Float32Array.from(data), shape }, { axis }));
  const shared = new Float32Array(new SharedArrayBuffer(96));
  shared.set(data);
  expect(logSumExp({ data: shared, shape }, { axis }).data.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test("sizes of 0: a row without classes is −∞, no rows give nothing", () => {
  const data: number[] = [];
  const of = (shape: number[], axis: number[]) => logSumExp({ data, shape }, { axis });
  expect(of([0], [])).toEqual({ data: [-Infinity], shape: [] });
  expect(of([0, 3, 2], [0, 2])).toEqual({ data: new Array(3).fill(-Infinity), shape: [3] });
  expect(of([2, 0, 3], [0, 2])).toEqual({ data: [], shape: [0] });
  expect(of([2, 0, 3], [0, 1])).toEqual({ data: new Array(3).fill(-Infinity), shape: [3] });
  expect(logSumExpBackward([1, 2, 3], { data, shape: [0, 3, 2] }, { axis: [0, 2] })).toEqual({
    data,
    shape: [0, 3, 2],
  });
});

test("a scalar is one row of one class", () => {
  const x = { data: [3], shape: [] };
  for (const axis of [0, -1, [], [0], [-1]]) {
    expect(logSumExp(x, { axis })).toEqual(x);
    expect(logSumExp(x, { axis, keepDims: true })).toEqual(x);
    expect(logSumExp([3], { shape: [], axis })).toBe(3);
    for (const dlse of [2, [2], { data: [2], shape: [] }])
      expect(logSumExpBackward(dlse, x, { axis })).toEqual({ data: [2], shape: [] });
  }
  for (const axis of [0, -1]) {
    expect(napier.softmax(x, { axis })).toEqual({ data: [1], shape: [] });
    expect(napier.logSoftmax({ data: Float32Array.of(3), dims: [], type: "float32" }, { axis }).dims).toEqual([]);
    expect(napier.logSoftmaxBackward(x, x, { axis })).toEqual({ data: [3 - 3 * 20.085536923187668], shape: [] });
    expect(napier.crossEntropy(x, { data: [0], shape: [] }, { axis, reduction: "none" })).toEqual({
      data: [0],
      shape: [],
    });
    expect(napier.crossEntropyWithGrad(x, 0, { axis })).toEqual({ loss: 0, dlogits: { data: [0], shape: [] } });
    expect(napier.nllLoss(x, 0, { axis })).toBe(-3);
  }
});

test("on a pool", async () => {
  const pool = createPool({ threads: 2 });
  const shape = [40, 60, 50];
  const x = { data: Float32Array.from({ length: product(shape) }, normals(5)), shape };
  for (const axis of [[0, 2], [0, 1], [1, 2], []]) {
    const options = { axis, keepDims: true };
    const lse = logSumExp(x, options);
    expect(await pool.logSumExp(x, options)).toEqual(lse);
    expect(await pool.logSumExpBackward(lse, x, options)).toEqual(logSumExpBackward(lse, x, options));
  }
  await pool.close();
});

test("the types say what comes out", () => {
  const data = new Float32Array(6);
  const many: Float32Array = logSumExp(data, { shape: [2, 3], keepDims: true });
  const one: number = logSumExp(data, { axis: [0] });
  const either: number | Float32Array = logSumExp(data, { shape: [2, 3], axis: [0, 1] });
  const tensor: napier.Tensor<Float32Array> = logSumExp({ data, shape: [2, 3] }, { axis: [0, 1] });
  expect([many.length, typeof one, typeof either, tensor.shape]).toEqual([2, "number", "number", []]);
});

const wrong = (value: unknown) => value as never;
const x = { data: [1, 2, 3, 4], shape: [2, 2] };
test.each<[() => unknown, string]>([
  [
    () => logSumExp(x, { axis: [0, 2] }),
    "RangeError: logSumExp: options.axis[1] expected an integer from -2 to 1, got 2",
  ],
  [
    () => logSumExp(x, { axis: wrong([0.5]) }),
    "RangeError: logSumExp: options.axis[0] expected an integer from -2 to 1, got 0.5",
  ],
  [
    () => logSumExp(x, { axis: wrong(["0"]) }),
    'RangeError: logSumExp: options.axis[0] expected an integer from -2 to 1, got "0"',
  ],
  [
    () => logSumExp(x, { axis: wrong(new Array(1)) }),
    "RangeError: logSumExp: options.axis[0] expected an integer from -2 to 1, got undefined",
  ],
  [
    () => logSumExp(x, { axis: [1, -1] }),
    "RangeError: logSumExp: options.axis[1] expected an axis that is not there before, got -1",
  ],
  [
    () => logSumExp({ data: [1], shape: [] }, { axis: [1] }),
    "RangeError: logSumExp: options.axis[0] expected an integer from -1 to 0, got 1",
  ],
  [
    () => logSumExp(x, { axis: wrong("0") }),
    'RangeError: logSumExp: options.axis expected an integer from -2 to 1, got "0"',
  ],
  [() => logSumExp(x, { keepDims: wrong(1) }), "TypeError: logSumExp: options.keepDims expected true or false, got 1"],
  [
    () => napier.softmax(x, { axis: wrong([0]) }),
    "RangeError: softmax: options.axis expected an integer from -2 to 1, got an array",
  ],
  [
    () => napier.softmax(x, wrong({ keepDims: true })),
    "TypeError: softmax: options expected only shape, axis, dtype, out, mask, temperature, got keepDims",
  ],
  [
    () => logSumExpBackward({ data: [1, 2], shape: [2, 1] }, x, { axis: 0 }),
    "RangeError: logSumExpBackward: dlse.shape expected [2] or [1, 2], got [2, 1]",
  ],
  [
    () => logSumExpBackward({ data: [1], shape: [1] }, { data: [1], shape: [] }),
    "RangeError: logSumExpBackward: dlse.shape expected [], got [1]",
  ],
  [
    () => logSumExpBackward(1, x, { axis: [0] }),
    "TypeError: logSumExpBackward: dlse expected an array of 2 numbers, one for each row, got 1",
  ],
])("%s", (call, message) => {
  let text = "no error";
  try {
    call();
  } catch (error) {
    text = String(error);
  }
  expect(text).toBe(message);
});
