import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { typed } from "../../../tools/hostile.ts";
import {
  bceWithLogits,
  bceWithLogitsWithGrad,
  fromRows,
  log1mExp,
  log1mExpBackward,
  log1pExp,
  log1pExpBackward,
  logSigmoid,
  logSigmoidBackward,
} from "../src/index.ts";
import { rng } from "../src/rng.ts";
import type { Dtype } from "../src/tensor.ts";
import { anyNumber, check, checkBits, checkSame, DTYPES, make } from "./hostile.ts";

const MAPS = { logSigmoid, log1pExp, log1mExp };
const BACKWARDS = { logSigmoidBackward, log1pExpBackward, log1mExpBackward };

/** Every result of the family on numbers x, with g as gradients, t as targets and w as weights. */
function all(dtype: Dtype, x: readonly number[], g: readonly number[], t: readonly number[], w: readonly number[]) {
  const [logits, gradients, targets, weight] = [x, g, t, w].map((values) => make(dtype, values) as Float64Array);
  return {
    logSigmoid: logSigmoid(logits),
    log1pExp: log1pExp(logits),
    log1mExp: log1mExp(logits),
    logSigmoidBackward: logSigmoidBackward(gradients, logits),
    log1pExpBackward: log1pExpBackward(gradients, logits),
    log1mExpBackward: log1mExpBackward(gradients, logits),
    ...bceWithLogitsWithGrad(logits, targets, { weight, posWeight: 3, reduction: "none" }),
  };
}

describe.each(DTYPES)("%s", (dtype) => {
  const { uniform } = rng(51);
  const draw = (count: number, scale: number): number[] =>
    Array.from({ length: count }, (_, k) => scale * (uniform() - 0.5) ** (1 + 2 * (k % 5)));

  test("lengths 0 to 67: each number has the bits it has alone; nothing else is written", () => {
    for (let length = 0; length <= 67; length++) {
      const inputs = [draw(length, 99), draw(length, 2), draw(length, 1), draw(length, 4)] as const;
      const together = all(dtype, ...inputs);
      for (const [name, values] of Object.entries(together)) expect(values.length, name).toBe(length);
      for (let k = 0; k < length; k++) {
        const [x, g, t, w] = inputs.map((values) => [values[k]]);
        for (const [name, [value]] of Object.entries(all(dtype, x, g, t, w))) {
          expect(together[name as keyof typeof together][k], `${name}[${k}] of ${length}`).toBe(value);
        }
      }
      const x = make(dtype, inputs[0]) as Float64Array;
      const before = x.slice();
      const room = make(dtype, length + 16).fill(123);
      const out = room.subarray(7, 7 + length) as Float64Array;
      const runs = [
        ...Object.values(MAPS).map((f) => () => f(x, { out })),
        ...Object.values(BACKWARDS).map((f) => () => f(x, x, { out })),
        () => bceWithLogits(x, x, { out, reduction: "none" }),
        () => bceWithLogitsWithGrad(x, x, { out }).dlogits,
      ];
      for (const run of runs) {
        expect(run()).toBe(out);
        expect([...room.subarray(0, 7), ...room.subarray(7 + length)].every((v) => v === 123)).toBe(true);
        checkSame(x, before, "an input");
      }
    }
  });

  test("tiles: 20,001 numbers have the bits that any of them has alone, factors in rows of 7 too", () => {
    const [x, g, t, w] = [draw(20_001, 99), draw(20_001, 2), draw(20_001, 1), draw(20_001, 4)];
    const together = all(dtype, x, g, t, w);
    for (const k of [0, 1, 8190, 8191, 8192, 8193, 16_383, 16_384, 20_000]) {
      const one = all(dtype, [x[k]], [g[k]], [t[k]], [w[k]]);
      for (const [name, values] of Object.entries(one)) {
        expect(together[name as keyof typeof together][k], `${name}[${k}]`).toBe(values[0]);
      }
    }
    const rows = (values: readonly number[]) => ({ data: make(dtype, values.slice(0, 19_999)), shape: [2857, 7] });
    const [logits, targets] = [rows(x), rows(t)];
    const posWeight = [1, 2, 3, 4, 5, 6, 7];
    const repeated = { data: logits.data.map((_, k) => 1 + (k % 7)), shape: logits.shape };
    const none = { reduction: "none" } as const;
    expect(bceWithLogitsWithGrad(logits, targets, { posWeight, ...none })).toEqual(
      bceWithLogitsWithGrad(logits, targets, { posWeight: repeated, ...none }),
    );
  });

  test("any numbers: canonical NaN, +0, and NaN only where the table has it", () => {
    const row = fc.integer({ min: 1, max: 9 }).chain((length) => {
      const numbers = fc.array(anyNumber(dtype), { minLength: length, maxLength: length });
      return fc.tuple(numbers, numbers, numbers);
    });
    check(4000, row, ([x, g, t]) => {
      const values = all(
        dtype,
        x,
        g,
        t,
        x.map((_, k) => k % 3),
      );
      for (const [name, out] of Object.entries(values)) checkBits(out, name);
      const given = make(dtype, x);
      given.forEach((v, k) => {
        const finite = !Number.isNaN(v);
        expect(Number.isNaN(values.logSigmoid[k])).toBe(!finite);
        expect(Number.isNaN(values.log1pExp[k])).toBe(!finite);
        expect(Number.isNaN(values.log1mExp[k])).toBe(!(v <= 0));
      });
      // hard targets and finite logits: never NaN, never below 0
      const hard = x.map((_, k) => (k % 2) as number);
      const finite = given.map((v) => (Number.isFinite(v) ? v : 1)) as Float64Array;
      const { loss, dlogits } = bceWithLogitsWithGrad(finite, make(dtype, hard), { reduction: "none" });
      loss.forEach((v, k) => {
        expect(v).toBeGreaterThanOrEqual(0);
        expect(hard[k] === 1 ? -dlogits[k] : dlogits[k]).toBeGreaterThanOrEqual(0);
      });
    });
  });
});

describe("what comes in comes out", () => {
  const none = { reduction: "none" } as const;
  test("kinds of array, and a flat one with a shape", () => {
    expect(logSigmoid([0])).toEqual([-Math.LN2]);
    expect(log1pExp(Float32Array.of(0))).toEqual(Float32Array.of(Math.LN2));
    expect(log1mExp({ data: [-1, -2], shape: [2, 1] })).toEqual({ data: log1mExp([-1, -2]), shape: [2, 1] });
    expect(logSigmoid({ data: Float32Array.of(0), dims: [1, 1], type: "float32" })).toEqual({
      ...{ data: Float32Array.of(-Math.LN2), dims: [1, 1], type: "float32" },
    });
    expect(log1pExp([0, 0], { shape: [1, 2] })).toEqual([Math.LN2, Math.LN2]);
    expect(bceWithLogits({ data: [0], shape: [] }, { data: [1], shape: [] }, none)).toEqual({
      ...{ data: [Math.LN2], shape: [] },
    });
    expect(bceWithLogits([0], [1], none)).toEqual([Math.LN2]);
    expect(bceWithLogitsWithGrad(Float32Array.of(0), [1])).toEqual({
      ...{ loss: Math.fround(Math.LN2), dlogits: Float32Array.of(-0.5) },
    });
  });
  test("float16 in its bits gives float32", () => {
    const half = { data: Uint16Array.of(0x3c00, 0xbc00), dims: [2], type: "float16" };
    const logits = { data: Float32Array.of(1, -1), dims: [2], type: "float32" };
    expect(logSigmoid(half)).toEqual(logSigmoid(logits));
    expect(log1pExp(half.data, { dtype: "float16" })).toEqual(log1pExp(logits.data));
    expect(bceWithLogitsWithGrad(half, [1, 0], none)).toEqual(bceWithLogitsWithGrad(logits, [1, 0], none));
    expect(bceWithLogits([1, -1], half.data, { dtype: "float16" })).toBe(bceWithLogits([1, -1], [1, -1]));
  });
  test("targets and gradients in another kind of array than the logits", () => {
    const x = typed([1, -2, 3], "f32") as Float32Array;
    const expected = bceWithLogits(x, Float32Array.of(1, 0, 0.5));
    expect(bceWithLogits(x, [1, 0, 0.5])).toBe(expected);
    expect(bceWithLogits(x, { data: Float64Array.of(1, 0, 0.5), shape: [3] })).toBe(expected);
    expect(logSigmoidBackward([1, 1, 1] as never, x)).toEqual(logSigmoidBackward(Float32Array.of(1, 1, 1), x));
  });
  test("out may be the own array of logits, targets or gradients", () => {
    const [x, t] = [Float64Array.of(1, -2, 3), Float64Array.of(1, 0, 1)];
    const expected = bceWithLogitsWithGrad(x, t).dlogits;
    const [ownX, ownT] = [x.slice(), t.slice()];
    expect(bceWithLogitsWithGrad(ownX, t, { out: ownX }).dlogits).toEqual(expected);
    expect(bceWithLogitsWithGrad(x, ownT, { out: ownT }).dlogits).toEqual(expected);
    const g = Float64Array.of(1, 2, 3);
    const slope = log1pExpBackward(g, x);
    expect(log1pExpBackward(g, x, { out: g })).toEqual(slope);
  });
});

describe("factors", () => {
  const x = fromRows([
    [1, -2, 3],
    [0, 4, -5],
  ]);
  const t = fromRows([
    [1, 0, 1],
    [0.5, 1, 0],
  ]);
  const none = { reduction: "none" } as const;
  const full = (values: readonly number[]) => ({ data: Float64Array.from(values), shape: [2, 3] });
  test.each([
    ["a number", 2, [2, 2, 2, 2, 2, 2]],
    ["a tensor of one number", { data: [2], shape: [1] }, [2, 2, 2, 2, 2, 2]],
    ["one for each class", [1, 2, 3], [1, 2, 3, 1, 2, 3]],
    ["as many as there are", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
    ["a column", { data: [2, 5], shape: [2, 1] }, [2, 2, 2, 5, 5, 5]],
    ["a row", { data: Float32Array.of(1, 2, 3), dims: [1, 3], type: "float32" }, [1, 2, 3, 1, 2, 3]],
    ["a scalar tensor", { data: [7], shape: [] }, [7, 7, 7, 7, 7, 7]],
  ] as const)("%s", (_, factor, numbers) => {
    for (const option of ["weight", "posWeight"] as const) {
      const broadcast = bceWithLogitsWithGrad(x, t, { [option]: factor as never, ...none });
      const plain = bceWithLogitsWithGrad(x, t, { [option]: full(numbers), ...none });
      expect(broadcast).toEqual(plain);
    }
  });
  test("both in rows", () => {
    const [weight, posWeight] = [
      [1, 0.5, 2],
      [3, 1, 0],
    ];
    const twice = (row: readonly number[]) => full([...row, ...row]);
    expect(bceWithLogits(x, t, { weight, posWeight, ...none })).toEqual(
      bceWithLogits(x, t, { weight: twice(weight), posWeight: twice(posWeight), ...none }),
    );
    expect(bceWithLogits(x, t, { weight, posWeight })).toBe(
      bceWithLogits(x, t, { weight, posWeight, reduction: "sum" }) / 6,
    );
  });
  test("flat logits of one row", () => {
    expect(bceWithLogits([1, 2], [1, 0], { weight: [2, 0], ...none })).toEqual([2 * log1pExp([-1])[0], 0]);
  });
});

// As a JavaScript caller would: the types would refuse most of these.
const wrong = (value: unknown) => value as never;
const buffer = new Float64Array(8);

const MESSAGES: [() => unknown, string][] = [
  [
    () => logSigmoid(wrong("1")),
    'TypeError: logSigmoid: logits expected number[], Float32Array, Float64Array or { data, shape }, got "1"',
  ],
  [() => log1pExp([1], wrong({ axis: 0 })), "TypeError: log1pExp: options expected only shape, dtype, out, got axis"],
  [() => log1mExp([1, 2], { shape: [3] }), "RangeError: log1mExp: logProbs expected 3 elements for shape [3], got 2"],
  [() => log1pExp([1, 2], { out: [0] }), "RangeError: log1pExp: options.out expected 2 elements, got 1"],
  [
    () => logSigmoid(Float32Array.of(1), { out: new Float64Array(1) }),
    "TypeError: logSigmoid: options.out expected a Float32Array, got a Float64Array",
  ],
  [
    () => logSigmoid([1], { dtype: "float16" }),
    'TypeError: logSigmoid: options.dtype expected nothing where there is no Uint16Array, got "float16"',
  ],
  [() => logSigmoidBackward([1], [1, 2]), "RangeError: logSigmoidBackward: dout expected 2 numbers, got 1"],
  [
    () => log1mExpBackward({ data: [1, 1], shape: [1, 2] }, { data: [1, 1], shape: [2, 1] }),
    "RangeError: log1mExpBackward: dout.shape expected [2, 1], got [1, 2]",
  ],
  [
    () => log1pExpBackward(buffer.subarray(0, 4), buffer.subarray(4), { out: buffer.subarray(2, 6) }),
    "RangeError: log1pExpBackward: options.out expected an array that does not overlap an input, got one that does",
  ],
  [() => bceWithLogits([1, 2], [1]), "RangeError: bceWithLogits: targets expected 2 numbers, got 1"],
  [
    () => bceWithLogits([1], wrong(1)),
    "TypeError: bceWithLogits: targets expected number[], Float32Array, Float64Array or { data, shape }, got 1",
  ],
  [
    () => bceWithLogits([1], { data: [1], dims: [1, 1], type: "float64" }),
    "RangeError: bceWithLogits: targets.dims expected [1], got [1, 1]",
  ],
  [
    () => bceWithLogits([1], [1], { reduction: wrong("avg") }),
    'RangeError: bceWithLogits: options.reduction expected "mean" or "sum" or "none", got "avg"',
  ],
  [
    () => bceWithLogitsWithGrad([1], [1], wrong({ pos_weight: 1 })),
    "TypeError: bceWithLogitsWithGrad: options expected only shape, dtype, out, weight, posWeight, reduction, got pos_weight; did you mean posWeight",
  ],
  [
    () => bceWithLogits([1], [1], { weight: Infinity }),
    "RangeError: bceWithLogits: options.weight expected a finite number, got Infinity",
  ],
  [
    () => bceWithLogits([1, 2], [1, 1], { posWeight: [1, -Infinity] }),
    "RangeError: bceWithLogits: options.posWeight[1] expected a finite number, got -Infinity",
  ],
  [
    () => bceWithLogits([1], [1], { posWeight: Number.NaN }),
    "RangeError: bceWithLogits: options.posWeight expected a finite number, got NaN",
  ],
  [
    () => bceWithLogits([1, 2], [1, 1], { weight: { data: [1, Infinity], shape: [2] } }),
    "RangeError: bceWithLogits: options.weight.data[1] expected a finite number, got Infinity",
  ],
  [
    () => bceWithLogits([1, 2], [1, 1], { weight: [1, Number.NaN] }),
    "RangeError: bceWithLogits: options.weight[1] expected a number, got NaN",
  ],
  [
    () => bceWithLogits([1, 2, 3, 4], [1, 1, 1, 1], { shape: [2, 2], weight: [1, 2, 3] }),
    "RangeError: bceWithLogits: options.weight expected 2 numbers, one for each class, or 4, got 3",
  ],
  [
    () => bceWithLogits([1, 2], [1, 1], { weight: { data: [1, 2, 3], shape: [3] } }),
    "RangeError: bceWithLogits: options.weight.shape expected [2] or a shape that broadcasts to it, got [3]",
  ],
  [
    () => bceWithLogits([1], [1], { weight: wrong("1") }),
    'TypeError: bceWithLogits: options.weight expected number[], Float32Array, Float64Array or a tensor of these, got "1"',
  ],
  [
    () => bceWithLogits([1], [1], { weight: 1e200, posWeight: [1e200] }),
    "RangeError: bceWithLogits: options.posWeight expected a finite product with options.weight, got 1e+200",
  ],
];

test.each(MESSAGES)("%s", (call, message) => {
  let text = "no error";
  try {
    call();
  } catch (error) {
    text = String(error);
  }
  expect(text).toBe(message);
});

test("out is untouched when an argument is wrong", () => {
  const out = [7, 7];
  const wrongCalls = [
    () => logSigmoid([1, 2, 3], { out }),
    () => log1pExpBackward([1], [1, 2], { out }),
    () => bceWithLogits([1, 2], [1], { out, reduction: "none" }),
    () => bceWithLogitsWithGrad([1, 2], [1, 0], { out, weight: [1, Infinity] }),
  ];
  for (const call of wrongCalls) expect(call).toThrow(RangeError);
  expect(out).toEqual([7, 7]);
});
