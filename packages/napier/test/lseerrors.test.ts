import { expect, test } from "vitest";
import {
  logAddExp,
  logAddExpBackward,
  logCumSumExp,
  logCumSumExpBackward,
  logMeanExp,
  logMeanExpBackward,
  logSumExp,
  logSumExpBackward,
} from "../src/index.ts";

// As a JavaScript caller would: the types would refuse most of these.
const wrong = (value: unknown) => value as never;
const tensor = (...shape: number[]) => ({ data: new Float64Array(shape.reduce((a, b) => a * b, 1)), shape });
const buffer = new Float64Array(8);

const MESSAGES: [() => unknown, string][] = [
  // logSumExp
  [
    () => logSumExp([1], wrong({ dims: 1 })),
    "TypeError: logSumExp: options expected only shape, axis, keepDims, dtype, out, mask, weights, returnSign, got dims; did you mean axis",
  ],
  [
    () => logSumExp([1], wrong({ returnSign: 1 })),
    "TypeError: logSumExp: options.returnSign expected true or false, got 1",
  ],
  [
    () => logSumExp([1, 2, 3], { weights: [1, 2] }),
    "RangeError: logSumExp: options.weights expected 3 numbers, one for each class, or 3, got 2",
  ],
  [
    () => logSumExp([1, 2], { weights: [1, Number.NaN] }),
    "RangeError: logSumExp: options.weights[1] expected a number, got NaN",
  ],
  [
    () => logSumExp(tensor(2, 3), { weights: { data: [1, 2], shape: [2] } }),
    "RangeError: logSumExp: options.weights.shape expected [2, 3] or a shape that broadcasts to it, got [2]; for whole rows give it the shape [2, 1]",
  ],
  [
    () => logSumExp([1, 2], { mask: [1, 2] }),
    "RangeError: logSumExp: options.mask[1] expected 0, 1, false or true, got 2",
  ],
  [
    () => logSumExp(buffer.subarray(0, 4), { weights: buffer.subarray(4), out: buffer.subarray(5, 7), shape: [2, 2] }),
    "RangeError: logSumExp: options.out expected an array that does not overlap an input, got one that does",
  ],
  [
    () => logSumExpBackward(1, [1, 2], wrong({ returnSign: true })),
    "TypeError: logSumExpBackward: options expected only shape, axis, keepDims, dtype, out, mask, weights, got returnSign",
  ],
  [
    () => logSumExpBackward(1, [1, 2], { weights: wrong("1") }),
    'TypeError: logSumExpBackward: options.weights expected number[], Float32Array, Float64Array or a tensor of these, got "1"',
  ],
  // logMeanExp
  [
    () => logMeanExp([1], wrong({ weights: [1] })),
    "TypeError: logMeanExp: options expected only shape, axis, keepDims, dtype, out, mask, got weights",
  ],
  [
    () => logMeanExpBackward(wrong([1, 2]), [1, 2]),
    "RangeError: logMeanExpBackward: dout expected 1 numbers, one for each row, got 2",
  ],
  [
    () => logMeanExpBackward(1, [1, 2], wrong({ weights: [1] })),
    "TypeError: logMeanExpBackward: options expected only shape, axis, keepDims, dtype, out, mask, got weights",
  ],
  // logAddExp
  [
    () => logAddExp([1], [1], wrong({ axis: 0 })),
    "TypeError: logAddExp: options expected only shape, dtype, out, got axis",
  ],
  [
    () => logAddExp(wrong("1"), 1),
    'TypeError: logAddExp: a expected number[], Float32Array, Float64Array or { data, shape }, got "1"',
  ],
  [() => logAddExp([1, 2], wrong(Float32Array.of(1, 2))), "TypeError: logAddExp: b expected f64 as a, got f32"],
  [
    () => logAddExp(wrong([1, 2]), wrong(tensor(2))),
    "TypeError: logAddExp: b expected a flat array as a, got an object with data, shape",
  ],
  [
    () => logAddExp(wrong(tensor(2)), wrong([1, 2])),
    "TypeError: logAddExp: b expected { data, shape } as a, got an array",
  ],
  [() => logAddExp([1, 2, 3], [1, 2]), "RangeError: logAddExp: b expected a shape that broadcasts with [3], got [2]"],
  [
    () => logAddExp(tensor(2, 3), tensor(2)),
    "RangeError: logAddExp: b expected a shape that broadcasts with [2, 3], got [2]",
  ],
  [
    () => logAddExp(tensor(0, 3), tensor(2, 3)),
    "RangeError: logAddExp: b expected a shape that broadcasts with [0, 3], got [2, 3]",
  ],
  [
    () => logAddExp(1, 2, wrong({ out: [0] })),
    "TypeError: logAddExp: options.out expected nothing beside two numbers, got an array",
  ],
  [() => logAddExp([1], [2, 3], { out: [0] }), "RangeError: logAddExp: options.out expected 2 elements, got 1"],
  [
    () => logAddExp(buffer.subarray(0, 4), buffer.subarray(4), { out: buffer.subarray(3, 7) }),
    "RangeError: logAddExp: options.out expected an array that does not overlap an input, got one that does",
  ],
  [
    () => logAddExpBackward(1, [1], [1], wrong({ out: [0] })),
    "TypeError: logAddExpBackward: options expected only shape, dtype, got out",
  ],
  [() => logAddExpBackward([1], 1, 2), "TypeError: logAddExpBackward: dout expected a number, got an array"],
  [() => logAddExpBackward(1, [1, 2], 2), "TypeError: logAddExpBackward: dout expected shape [2], got 1"],
  [() => logAddExpBackward([1], [1, 2], 2), "RangeError: logAddExpBackward: dout expected shape [2], got [1]"],
  [
    () => logAddExpBackward(Float32Array.of(1), [1], 2),
    "TypeError: logAddExpBackward: dout expected f64 as the result, got f32",
  ],
  // logCumSumExp
  [
    () => logCumSumExp([1], wrong({ reverse: 1 })),
    "TypeError: logCumSumExp: options.reverse expected true or false, got 1",
  ],
  [
    () => logCumSumExp([1], wrong({ axes: [0] })),
    "TypeError: logCumSumExp: options expected only shape, axis, dtype, out, reverse, got axes; did you mean axis",
  ],
  [
    () => logCumSumExp(tensor(2, 2), { axis: 2 }),
    "RangeError: logCumSumExp: options.axis expected an integer from -2 to 1, got 2",
  ],
  [
    () => logCumSumExpBackward(tensor(2, 2), tensor(2, 3)),
    "RangeError: logCumSumExpBackward: logits expected shape [2, 2], got [2, 3]",
  ],
  [
    () => logCumSumExpBackward([1], wrong(Float32Array.of(1))),
    "TypeError: logCumSumExpBackward: logits expected f64 as the argument before, got f32",
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

test("nothing is written where an argument is wrong", () => {
  const out = Float64Array.of(7, 7);
  expect(() => logCumSumExp(Float64Array.of(1, 2), wrong({ out, reverse: 1 }))).toThrow(TypeError);
  expect(() => logAddExp(Float64Array.of(1, 2), Float64Array.of(1, 2, 3), { out })).toThrow(RangeError);
  const weights = [1, Number.NaN];
  expect(() => logSumExp(Float64Array.of(1, 2, 3, 4), { shape: [2, 2], weights, out })).toThrow(RangeError);
  expect([...out]).toEqual([7, 7]);
});
