import * as napier from "napier";
import { createPool } from "napier/pool";
import { afterAll, describe, expect, test } from "vitest";
import { normals } from "../../../tools/hostile.ts";
import { HOSTILE } from "../../../tools/rows.ts";
import { rng } from "../src/rng.ts";
import { DTYPES } from "./hostile.ts";

type Numbers = Float32Array | Float64Array;

/** Hostile rows of every kind. */
function rows(dtype: "f32" | "f64", count: number, classes: number): Numbers {
  const random = rng(7, 4 * (count + classes));
  const draw = { classes, dtype, uniform: () => random.uniform(), normal: normals(count + classes) };
  const kinds = Object.values(HOSTILE);
  const data = dtype === "f32" ? new Float32Array(count * classes) : new Float64Array(count * classes);
  for (let i = 0; i < count; i++) data.set(kinds[i % kinds.length](draw), i * classes);
  return data;
}

function shared<T extends Numbers>(data: T): T {
  const copy = new (data.constructor as new (buffer: SharedArrayBuffer) => T)(new SharedArrayBuffer(data.byteLength));
  copy.set(data);
  return copy;
}

/** A value with the bytes of its arrays. */
function bits(value: unknown): unknown {
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, bits(part)]));
}

interface Case {
  x: Float32Array;
  g: Float32Array;
  y: Int32Array;
  options: { shape: readonly [number, number]; axis: number };
}

const keep = (x: Float32Array): Uint8Array => Uint8Array.from(x, (_, k) => (k % 7 === 3 ? 0 : 1));

const factors = (g: Float32Array): Float32Array => g.map((v) => (Number.isNaN(v) ? -1 : v));
/** Weights of the classes, and a mask of all numbers. */
function countingOptions(x: Float32Array, y: Int32Array, { shape }: Case["options"]) {
  const classes = y.length === 0 ? shape[1] : x.length / y.length;
  return {
    weight: Array.from({ length: classes }, (_, j) => (j % 5) / 4),
    mask: { data: Uint8Array.from(x, (_, k) => Number(k % 11 !== 4)), shape },
  };
}

/** Every operation that a pool has, on the library or on a pool. */
const OPERATIONS: Record<string, (on: typeof napier, input: Case) => unknown> = {
  logSoftmax: (on, { x, options }) => on.logSoftmax(x, options),
  softmax: (on, { x, options }) => on.softmax(x, options),
  logSumExp: (on, { x, options }) => on.logSumExp(x, options),
  crossEntropy: (on, { x, y, options }) => on.crossEntropy(x, y, options),
  'crossEntropy, "none"': (on, { x, y, options }) => on.crossEntropy(x, y, { ...options, reduction: "none" }),
  crossEntropyWithGrad: (on, { x, y, options }) => on.crossEntropyWithGrad(x, y, options),
  'crossEntropyWithGrad, "none"': (on, { x, y, options }) =>
    on.crossEntropyWithGrad(x, y, { ...options, reduction: "none" }),
  "crossEntropyWithGrad, weights, ignoreIndex, mask": (on, { x, y, options }) => {
    const { weight, mask } = countingOptions(x, y, options);
    return on.crossEntropyWithGrad(x, y, { ...options, weight, mask, ignoreIndex: 3 });
  },
  "crossEntropy, all options": (on, { x, y, options }) => {
    const { weight, mask } = countingOptions(x, y, options);
    const terms = { labelSmoothing: 0.1, zLoss: 1e-3, softcap: 20, temperature: 0.7 };
    return on.crossEntropy(x, y, { ...options, weight, mask, ...terms, ignoreIndex: 3, reduction: "none" });
  },
  softCrossEntropyWithGrad: (on, { x, g, options }) =>
    on.softCrossEntropyWithGrad(x, g, { ...options, labelSmoothing: 0.1, zLoss: 1e-3 }),
  softCrossEntropy: (on, { x, g, options }) => on.softCrossEntropy(x, g, { ...options, softcap: 9 }),
  "logSoftmax, temperature": (on, { x, options }) => on.logSoftmax(x, { ...options, temperature: 0.3 }),
  "softmax, temperature": (on, { x, options }) => on.softmax(x, { ...options, temperature: 3 }),
  "softmaxBackward, temperature": (on, { x, g, options }) => on.softmaxBackward(g, x, { ...options, temperature: 3 }),
  logSoftmaxBackward: (on, { x, g, options }) => on.logSoftmaxBackward(g, x, options),
  softmaxBackward: (on, { x, g, options }) => on.softmaxBackward(g, x, options),
  logSumExpBackward: (on, { x, g, y, options }) => on.logSumExpBackward(g.slice(0, y.length), x, options),
  "logSumExp by weights, with signs": (on, { x, g, options }) =>
    on.logSumExp(x, { ...options, weights: factors(g), returnSign: true }),
  "logSumExp of what a mask keeps": (on, { x, options }) => on.logSumExp(x, { ...options, mask: keep(x) }),
  "logSumExpBackward by weights, masked": (on, { x, g, y, options }) =>
    on.logSumExpBackward(g.slice(0, y.length), x, { ...options, weights: factors(g), mask: keep(x) }),
  "logSoftmax in place": async (on, { x, options }) => {
    const copy = x.slice();
    return [(await on.logSoftmax(copy, { ...options, out: copy })) === copy, bits(copy)];
  },
};

const SHAPES: (readonly [rows: number, classes: number])[] = [
  [0, 5],
  [1, 7],
  [67, 3],
  [513, 129],
  [40, 4001],
  [3, 70_000], // rows larger than a tile
];

const pools = [1, 2, 3].map((threads) => createPool({ threads }));
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
});

describe.each(pools.map((pool) => [pool.threads, pool] as const))(
  "%i threads: the plain operation's bits",
  (_, pool) => {
    describe.each(DTYPES)("%s", (dtype) => {
      test.each(Object.entries(OPERATIONS))("%s", async (name, operation) => {
        for (const shape of SHAPES) {
          for (const axis of [1, 0]) {
            const [count, classes] = axis === 1 ? shape : [shape[1], shape[0]];
            if (classes === 0) continue;
            const x = rows(dtype, ...shape) as Float32Array;
            const g = x.map((v, k) => Math.fround(v / 3) + (k % 5));
            const y = Int32Array.from({ length: count }, (__, i) => (i * 7) % classes);
            const input = { x, g, y, options: { shape, axis } };
            const expected = bits(await operation(napier, input));
            const on = pool as unknown as typeof napier;
            const what = `${name} of [${shape}], axis ${axis}`;
            expect(bits(await operation(on, input)), what).toEqual(expected);
            const own = { ...input, x: shared(x), g: shared(g) };
            expect(bits(await operation(on, own)), `${what}, shared`).toEqual(expected);
          }
        }
      });
    });

    test("number[], tensors and single rows come out as they came in", async () => {
      expect(await pool.logSoftmax([1000, 0, -1000])).toEqual([0, -1000, -2000]);
      expect(await pool.logSumExp([1000, 1000])).toBe(1000.6931471805599);
      expect(await pool.crossEntropy([1000, 0, -1000], 1)).toBe(1000);
      const data = Array.from({ length: 40_000 }, (__, k) => (k * 7919) % 40);
      const tensor = { data, shape: [400, 100] };
      expect(await pool.logSoftmax(tensor)).toEqual(napier.logSoftmax(tensor));
      const onnx = { data: Float32Array.from(data), dims: [40, 10, 100], type: "float32" };
      expect(await pool.softmax(onnx)).toEqual(napier.softmax(onnx));
    });

    test("a bad argument is the plain operation's error, as a rejection", async () => {
      const bad = [1, 2, 3];
      const options = { shape: [2, 2] as const };
      expect(() => napier.logSoftmax(bad, options)).toThrow(RangeError);
      let message = "";
      try {
        napier.logSoftmax(bad, options);
      } catch (error) {
        message = (error as Error).message;
      }
      await expect(pool.logSoftmax(bad, options)).rejects.toThrow(new RangeError(message));
      await expect(pool.crossEntropy([1, 2], 2)).rejects.toThrow(
        new RangeError("crossEntropy: targets expected an integer from 0 to 1, got 2"),
      );
    });
  },
);

test("what comes in on a SharedArrayBuffer comes out on one", async () => {
  const x = shared(new Float32Array(40_000));
  expect((await pools[1].logSoftmax(x, { shape: [400, 100] })).buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(napier.logSoftmax(x, { shape: [400, 100] }).buffer).toBeInstanceOf(SharedArrayBuffer);
});

test("shared and plain arrays in one call", async () => {
  const shape = [700, 123] as const;
  const x = rows("f32", ...shape) as Float32Array;
  const g = x.map((v) => v / 3);
  const expected = [napier.logSoftmax(x, { shape }), napier.softmaxBackward(g, x, { shape })].map(bits);
  for (const pool of pools) {
    for (let mix = 0; mix < 8; mix++) {
      const [a, b, out] = [x, g, new Float32Array(x.length)].map((data, n) => ((mix >> n) & 1 ? shared(data) : data));
      expect(bits(await pool.logSoftmax(a, { shape, out })), `mix ${mix}`).toBe(expected[0]);
      expect(bits(await pool.softmaxBackward(b, a, { shape, out })), `mix ${mix}`).toBe(expected[1]);
    }
  }
});

test("calls that are made at once do not mix", async () => {
  const [, two, three] = pools;
  const inputs = Array.from({ length: 12 }, (_, n) => rows("f32", 300 + n, 100 + 31 * n) as Float32Array);
  const shapes = inputs.map((_, n) => [300 + n, 100 + 31 * n] as const);
  for (const pool of [two, three]) {
    const results = await Promise.all(inputs.map((x, n) => pool.softmax(x, { shape: shapes[n] })));
    results.forEach((result, n) => {
      expect(bits(result)).toBe(bits(napier.softmax(inputs[n], { shape: shapes[n] })));
    });
  }
});

describe("createPool", () => {
  test.each([0, 1.5, 257, Number.NaN])("threads: %d", (threads) => {
    expect(() => createPool({ threads })).toThrow(
      new RangeError(`createPool: options.threads expected an integer from 1 to 256, got ${threads}`),
    );
  });
  test("a misspelt option", () => {
    const options = { thread: 2 } as object;
    expect(() => createPool(options)).toThrow(
      new TypeError("createPool: options expected only threads, got thread; did you mean threads"),
    );
  });
  test("Node needs no reason", () => {
    expect(pools.map(({ threads, reason }) => [threads, reason])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, undefined],
    ]);
  });
});
