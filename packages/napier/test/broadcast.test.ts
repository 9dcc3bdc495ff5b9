import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { viewAxes } from "../src/axes.ts";
import { broadcastOf, classWeightsOf, keptRows, type Mask, maskOf, type Weights } from "../src/broadcast.ts";
import type { View } from "../src/tensor.ts";
import { SEED } from "./hostile.ts";

const product = (sizes: readonly number[]): number => sizes.reduce((total, n) => total * n, 1);

/** A view of an array whose numbers are their own places. */
function see(shape: readonly number[], axis: number | readonly number[] = -1): View {
  const data = Float64Array.from({ length: product(shape) }, (_, k) => k);
  return viewAxes("f", "x", { data, shape }, { axis }, ["axis"]);
}

/** NumPy's rule, entry by entry: what stands where x has place k. */
function entryAt<T>(data: ArrayLike<T>, own: readonly number[], shape: readonly number[], k: number): T {
  let at = 0;
  own.forEach((size, d) => {
    const e = d + shape.length - own.length;
    const index = Math.floor(k / product(shape.slice(e + 1))) % shape[e];
    at = at * size + (size === 1 ? 0 : index);
  });
  return data[at];
}

/** A shape, axes of it, and a shape that broadcasts to it. */
const cases = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: 4 }).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    axis: fc.oneof(
      fc.integer({ min: -Math.max(1, shape.length), max: Math.max(1, shape.length) - 1 }),
      fc.subarray(shape.map((_, d) => d)),
    ),
    own: fc
      .tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }))
      .map(([skip, ones]) => shape.map((size, d) => (ones[d] ? 1 : size)).slice(skip)),
    seed: fc.nat(),
  }),
);

const bitsOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, k) => (Math.imul(seed + k * 2654435761, 40503) >>> 16) & 1);

describe("NumPy's broadcasting, in the order of the kernels", () => {
  test("masks, of every kind", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, own, seed }) => {
        const x = see(shape, axis);
        const data = bitsOf(product(own), seed);
        const expected = Array.from(x.data, (k) => entryAt(data, own, shape, k));
        const kinds: Mask[] = [
          { data, shape: own },
          { data: data.map((v) => v === 1), shape: own },
          { data: Uint8Array.from(data), dims: own, type: "bool" },
          { data: Int32Array.from(data), dims: own, type: "int32" },
          { data: BigInt64Array.from(data, BigInt), dims: own, type: "int64" },
        ];
        for (const mask of kinds) expect([...maskOf("f", mask, x)!]).toEqual(expected);
        const isKept = Array.from({ length: x.rows }, (_, r) => {
          const row = Array.from(
            { length: x.classes },
            (__, j) => j * x.inner + Math.floor(r / x.inner) * x.classes * x.inner,
          );
          return Number(row.some((k) => expected[k + (r % x.inner)] === 1));
        });
        expect([...keptRows(Uint8Array.from(expected), x)]).toEqual(isKept);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test("weights, of every kind", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, own, seed }) => {
        const x = see(shape, axis);
        const data = Array.from({ length: product(own) }, (_, k) => ((seed + k * 7) % 11) - 5);
        const expected = Array.from(x.data, (k) => entryAt(data, own, shape, k));
        for (const kind of [data, Float32Array.from(data), Float64Array.from(data)]) {
          const weights = broadcastOf("f", "options.weights", { data: kind, shape: own }, x);
          const inner = "eachRow" in weights;
          const values = inner
            ? expected.map((_, k) => weights.eachRow[Math.floor(k / x.inner) % x.classes])
            : [...weights];
          expect(values).toEqual(expected);
          expect(inner ? weights.eachRow : weights).toBeInstanceOf(
            kind instanceof Float32Array ? Float32Array : Float64Array,
          );
        }
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });
});

describe("masks", () => {
  test("a flat one has x's length, or is one for each class, wherever the classes are", () => {
    const x = see([2, 2, 3], 1);
    const full = bitsOf(12, 5);
    expect([...maskOf("f", full, x)!]).toEqual(full);
    expect([...maskOf("f", [true, false], x)!]).toEqual([1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0]);
    expect([...maskOf("f", [true, false, true], see([2, 3]))!]).toEqual([1, 0, 1, 1, 0, 1]);
    expect([...maskOf("f", [0], see([]))!]).toEqual([0]);
    expect([...maskOf("f", [1, 0, 1], see([0, 3]))!]).toEqual([]);
    // as x's data stands, where that is a transpose
    const moved = see([2, 2, 2], [0, 2]);
    expect([...maskOf("f", [0, 0, 1, 1, 0, 1, 0, 1], moved)!]).toEqual([0, 0, 0, 1, 1, 1, 0, 1]);
  });
  test("no mask is none; a Uint8Array that fits is itself", () => {
    const x = see([2, 3]);
    expect(maskOf("f", undefined, x)).toBe(undefined);
    const bytes = Uint8Array.of(1, 0, 1, 1, 1, 0);
    expect(maskOf("f", bytes, x)).toBe(bytes);
    expect(maskOf("f", { data: bytes, shape: [2, 3] }, x)).toBe(bytes);
    expect(maskOf("f", { data: bytes, shape: [2, 1, 3] }, see([2, 1, 3], [0, 2]))).toBe(bytes);
  });
  test("the caller's mask stays as it is", () => {
    const bytes = Uint8Array.of(1, 0, 0, 1, 1, 0, 0, 1);
    const before = bytes.slice();
    expect(maskOf("f", bytes, see([2, 2, 2], [0, 2]))).not.toBe(bytes);
    expect(bytes).toEqual(before);
  });
  test("rows that keep a class", () => {
    const mask = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1);
    expect([...keptRows(mask, see([4, 3]))]).toEqual([0, 1, 0, 1]);
    expect([...keptRows(mask, see([2, 3, 2], 1))]).toEqual([0, 1, 1, 1]);
    expect([...keptRows(new Uint8Array(0), see([3, 0]))]).toEqual([0, 0, 0]);
    expect([...keptRows(new Uint8Array(0), see([0, 3]))]).toEqual([]);
  });
});

describe("weights", () => {
  test("a flat array has one for each class, or x's length", () => {
    const x = see([2, 3, 2], 1);
    expect(broadcastOf("f", "options.weights", [1, -2, Infinity], x)).toEqual({
      eachRow: Float64Array.of(1, -2, Infinity),
    });
    const all = Float32Array.from({ length: 12 }, (_, k) => -k);
    expect(broadcastOf("f", "options.weights", all, x)).toBe(all);
    const over = see([2, 2, 2], [0, 2]);
    expect(broadcastOf("f", "options.weights", [1, 2, 3, 4], over)).toEqual({ eachRow: Float64Array.of(1, 2, 3, 4) });
    expect(broadcastOf("f", "options.weights", [0, 1, 2, 3, 4, 5, 6, 7], over)).toEqual(over.data);
  });
  test("numbers that are those of each row are kept as one row", () => {
    const x = see([2, 3, 2], 1);
    const data = [1, 2, 3];
    const eachRow = Float64Array.from(data);
    expect(broadcastOf("f", "options.weights", { data, shape: [3, 1] }, x)).toEqual({ eachRow });
    expect(broadcastOf("f", "options.weights", { data, dims: [1, 3, 1], type: "float64" }, x)).toEqual({ eachRow });
  });
  test("of classes", () => {
    const x = see([2, 3]);
    for (const weight of [[1, 0, 2], Float32Array.of(1, 0, 2), { data: [1, 0, 2], shape: [3] }])
      expect(classWeightsOf("f", weight, x)).toEqual(Float64Array.of(1, 0, 2));
    const own = Float64Array.of(1, 2, 3);
    expect(classWeightsOf("f", own, x)).not.toBe(own);
  });
});

const wrong = (value: unknown) => value as never;
const x = see([2, 3, 4]);
const mask = (value: unknown) => () => maskOf("f", wrong(value), x);
const weights = (value: Weights) => () => broadcastOf("f", "options.weights", value, x);
const weight = (value: Weights) => () => classWeightsOf("f", value, x);
const KINDS = "boolean[], number[], Uint8Array, Int32Array";
test.each<[() => unknown, string]>([
  [mask("1"), `TypeError: f: options.mask expected ${KINDS}, BigInt64Array or a tensor of these, got "1"`],
  [mask(null), `TypeError: f: options.mask expected ${KINDS}, BigInt64Array or a tensor of these, got null`],
  [
    mask({ shape: [4] }),
    `TypeError: f: options.mask expected ${KINDS}, BigInt64Array or a tensor of these, got an object with shape`,
  ],
  [mask(new Float32Array(4)), `TypeError: f: options.mask expected ${KINDS} or BigInt64Array, got a Float32Array`],
  [
    mask({ data: new Float64Array(4), shape: [4] }),
    `TypeError: f: options.mask.data expected ${KINDS} or BigInt64Array, got a Float64Array`,
  ],
  [mask({ data: [1] }), "TypeError: f: options.mask.shape expected an array of sizes, got undefined"],
  [mask({ data: [1], dims: [-1] }), "RangeError: f: options.mask.dims[0] expected an integer from 0, got -1"],
  [mask([1, 1]), "RangeError: f: options.mask expected 24 entries or 4, one for each class, got 2"],
  [() => maskOf("f", [1], see([3])), "RangeError: f: options.mask expected 3 entries, got 1"],
  [mask([1, 2, 1, 1]), "RangeError: f: options.mask[1] expected 0, 1, false or true, got 2"],
  [mask([1, 1, 0.5, 1]), "RangeError: f: options.mask[2] expected 0, 1, false or true, got 0.5"],
  [mask([Number.NaN, 1, 1, 1]), "RangeError: f: options.mask[0] expected 0, 1, false or true, got NaN"],
  [mask(new Array(4)), "RangeError: f: options.mask[0] expected 0, 1, false or true, got undefined"],
  [mask(["1", 1, 1, 1]), 'RangeError: f: options.mask[0] expected 0, 1, false or true, got "1"'],
  [mask([[1], 1, 1, 1]), "RangeError: f: options.mask[0] expected 0, 1, false or true, got an array"],
  [mask(Uint8Array.of(1, 1, 1, 255)), "RangeError: f: options.mask[3] expected 0, 1, false or true, got 255"],
  [mask(Int32Array.of(1, 256, 1, 1)), "RangeError: f: options.mask[1] expected 0, 1, false or true, got 256"],
  [
    mask({ data: BigInt64Array.of(1n, 1n, -1n, 1n), dims: [4], type: "int64" }),
    "RangeError: f: options.mask.data[2] expected 0, 1, false or true, got -1n",
  ],
  [
    mask({ data: [1, 1, 1], shape: [3] }),
    "RangeError: f: options.mask.shape expected [2, 3, 4] or a shape that broadcasts to it, got [3]",
  ],
  [
    mask({ data: [1, 1, 1, 1], shape: [1, 1, 1, 4] }),
    "RangeError: f: options.mask.shape expected [2, 3, 4] or a shape that broadcasts to it, got [1, 1, 1, 4]",
  ],
  [
    mask({ data: [1, 1, 1, 1, 1, 1], dims: [2, 3], type: "bool" }),
    "RangeError: f: options.mask.dims expected [2, 3, 4] or a shape that broadcasts to it, got [2, 3]; for whole rows give it the shape [2, 3, 1]",
  ],
  [
    mask({ data: [1, 1, 1], shape: [3, 4] }),
    "RangeError: f: options.mask.data expected 12 elements for shape [3, 4], got 3",
  ],
  [
    weights(wrong(undefined)),
    "TypeError: f: options.weights expected number[], Float32Array, Float64Array or a tensor of these, got undefined",
  ],
  [
    weights(wrong(new Int32Array(4))),
    "TypeError: f: options.weights expected number[], Float32Array or Float64Array, got an Int32Array",
  ],
  [weights(wrong([1, "2", 3, 4])), 'TypeError: f: options.weights[1] expected a number, got "2"'],
  [weights([1, 2, 3, Number.NaN]), "RangeError: f: options.weights[3] expected a number, got NaN"],
  [
    weights({ data: Float32Array.of(1, Number.NaN, 3, 4), shape: [4] }),
    "RangeError: f: options.weights.data[1] expected a number, got NaN",
  ],
  [weights([1, 2]), "RangeError: f: options.weights expected 4 numbers, one for each class, or 24, got 2"],
  [
    weights({ data: [1, 2], shape: [2, 1] }),
    "RangeError: f: options.weights.shape expected [2, 3, 4] or a shape that broadcasts to it, got [2, 1]",
  ],
  [
    weights({ data: [1, 2], shape: [1, 4] }),
    "RangeError: f: options.weights.data expected 4 elements for shape [1, 4], got 2",
  ],
  [
    weight(wrong(3)),
    "TypeError: f: options.weight expected number[], Float32Array, Float64Array or a tensor of these, got 3",
  ],
  [weight([1, 2, 3]), "RangeError: f: options.weight expected 4 numbers, one for each class, got 3"],
  [weight([1, -Infinity, 1, 1]), "RangeError: f: options.weight[1] expected a finite number, got -Infinity"],
  [weight([1, 1, Infinity, 1]), "RangeError: f: options.weight[2] expected a finite number, got Infinity"],
  [weight([Number.NaN, 1, 1, 1]), "RangeError: f: options.weight[0] expected a finite number, got NaN"],
  [weight({ data: [1, 1, 1, 1], shape: [4, 1] }), "RangeError: f: options.weight.shape expected [4], got [4, 1]"],
  [
    weight({ data: [1, 1, 1], shape: [4] }),
    "RangeError: f: options.weight.data expected 4 numbers, one for each class, got 3",
  ],
])("%#: %s", (call, message) => {
  let text = "no error";
  try {
    call();
  } catch (error) {
    text = String(error);
  }
  expect(text).toBe(message);
});
