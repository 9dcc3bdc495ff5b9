import { expect, test } from "vitest";
import {
  crossEntropy,
  crossEntropyWithGrad,
  logSoftmax,
  logSoftmaxBackward,
  nllLoss,
  nllLossBackward,
  softCrossEntropy,
  softCrossEntropyWithGrad,
  softmax,
  softmaxBackward,
} from "../src/index.ts";

// As a JavaScript caller would: the types would refuse most of these.
const wrong = (value: unknown) => value as never;

const MESSAGES: [() => unknown, string][] = [
  // targets
  [
    () => crossEntropy([1, 2, 3, 4], [0, -100], { shape: [2, 2] }),
    "RangeError: crossEntropy: targets[1] expected an integer from 0 to 1, got -100; pass ignoreIndex: -100 to leave such rows out",
  ],
  [
    () => nllLoss([1, 2], BigInt64Array.of(-100n)),
    "RangeError: nllLoss: targets[0] expected an integer from 0 to 1, got -100n; pass ignoreIndex: -100 to leave such rows out",
  ],
  [
    () => crossEntropy([1, 2], -100, { ignoreIndex: -1 }),
    "RangeError: crossEntropy: targets expected an integer from 0 to 1, got -100",
  ],
  [
    () => crossEntropy([1, 2], wrong(["-1"]), { ignoreIndex: -1 }),
    'RangeError: crossEntropy: targets[0] expected an integer from 0 to 1, got "-1"',
  ],
  [
    () => crossEntropy([1, 2], 0, { ignoreIndex: 0.5 }),
    "RangeError: crossEntropy: options.ignoreIndex expected an integer, got 0.5",
  ],
  [
    () => nllLossBackward(1, [1, 2], 0, { ignoreIndex: wrong("0") }),
    'TypeError: nllLossBackward: options.ignoreIndex expected an integer, got "0"',
  ],
  // weight
  [
    () => crossEntropy([1, 2], 0, { weight: [1] }),
    "RangeError: crossEntropy: options.weight expected 2 numbers, one for each class, got 1",
  ],
  [
    () => crossEntropyWithGrad([1, 2], 0, { weight: [1, -Infinity] }),
    "RangeError: crossEntropyWithGrad: options.weight[1] expected a finite number, got -Infinity",
  ],
  [
    () => nllLoss([1, 2], 0, { weight: Float32Array.of(1, Number.NaN) }),
    "RangeError: nllLoss: options.weight[1] expected a finite number, got NaN",
  ],
  [
    () => softCrossEntropy([1, 2], [0, 1], { weight: [Infinity, 1] }),
    "RangeError: softCrossEntropy: options.weight[0] expected a finite number, got Infinity",
  ],
  [
    () => nllLossBackward(1, [1, 2], 0, { weight: wrong("1") }),
    'TypeError: nllLossBackward: options.weight expected number[], Float32Array, Float64Array or a tensor of these, got "1"',
  ],
  // smoothing, zLoss, softcap, temperature
  [
    () => crossEntropy([1, 2], 0, { labelSmoothing: 1.5 }),
    "RangeError: crossEntropy: options.labelSmoothing expected a number from 0 to 1, got 1.5",
  ],
  [
    () => softCrossEntropy([1, 2], [0, 1], { labelSmoothing: Number.NaN }),
    "RangeError: softCrossEntropy: options.labelSmoothing expected a number from 0 to 1, got NaN",
  ],
  [
    () => crossEntropyWithGrad([1, 2], 0, { labelSmoothing: wrong(null) }),
    "TypeError: crossEntropyWithGrad: options.labelSmoothing expected a number from 0 to 1, got null",
  ],
  [
    () => crossEntropy([1, 2], 0, { zLoss: -1e-4 }),
    "RangeError: crossEntropy: options.zLoss expected a finite number from 0, got -0.0001",
  ],
  [
    () => crossEntropy([1, 2], 0, { zLoss: Infinity }),
    "RangeError: crossEntropy: options.zLoss expected a finite number from 0, got Infinity",
  ],
  [
    () => crossEntropy([1, 2], 0, { softcap: 0 }),
    "RangeError: crossEntropy: options.softcap expected a finite number above 0, got 0",
  ],
  [
    () => softCrossEntropyWithGrad([1, 2], [0, 1], { softcap: Infinity }),
    "RangeError: softCrossEntropyWithGrad: options.softcap expected a finite number above 0, got Infinity",
  ],
  [
    () => crossEntropy([1, 2], 0, { temperature: -1 }),
    "RangeError: crossEntropy: options.temperature expected a finite number above 0, got -1",
  ],
  [
    () => softmax([1, 2], { temperature: 0 }),
    "RangeError: softmax: options.temperature expected a finite number above 0, got 0",
  ],
  [
    () => logSoftmax([1, 2], { temperature: wrong("2") }),
    'TypeError: logSoftmax: options.temperature expected a finite number above 0, got "2"',
  ],
  [
    () => logSoftmaxBackward([1, 2], [1, 2], { temperature: Infinity }),
    "RangeError: logSoftmaxBackward: options.temperature expected a finite number above 0, got Infinity",
  ],
  [
    () => softmaxBackward([1, 2], [1, 2], { temperature: Number.NaN }),
    "RangeError: softmaxBackward: options.temperature expected a finite number above 0, got NaN",
  ],
  // soft targets
  [() => softCrossEntropy([1, 2], [1]), "RangeError: softCrossEntropy: targets expected shape [2], got [1]"],
  [
    () => softCrossEntropy(wrong(Float32Array.of(1, 2)), wrong([0, 1])),
    "TypeError: softCrossEntropy: targets expected f32 as the argument before, got f64",
  ],
  [
    () => softCrossEntropy([1, 2], wrong(1)),
    "TypeError: softCrossEntropy: targets expected number[], Float32Array, Float64Array or { data, shape }, got 1",
  ],
  [
    () => softCrossEntropy([1, 2], [0, 1], wrong({ ignoreIndex: 1 })),
    "TypeError: softCrossEntropy: options expected only shape, axis, dtype, out, reduction, weight, labelSmoothing, mask, zLoss, softcap, temperature, got ignoreIndex",
  ],
  [() => softCrossEntropy([], []), "RangeError: softCrossEntropy: logits expected at least 1 class, got 0"],
  [
    () => softCrossEntropyWithGrad([1, 2], [0, 1], { out: [0] }),
    "RangeError: softCrossEntropyWithGrad: options.out expected 2 elements, got 1",
  ],
  [
    () => softCrossEntropy([1, 2, 3, 4], [0, 1, 0, 1], { shape: [2, 2], reduction: "none", out: [0] }),
    "RangeError: softCrossEntropy: options.out expected 2 elements, got 1",
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

test("nothing is written to out where an argument is bad", () => {
  const out = [7, 7];
  for (const bad of [{ temperature: 0 }, { weight: [1] }, { labelSmoothing: 2 }, { ignoreIndex: 0.5 }]) {
    expect(() => crossEntropyWithGrad([1, 2], 0, { ...bad, out })).toThrow();
  }
  expect(() => crossEntropyWithGrad([1, 2], 5, { out, ignoreIndex: 7 })).toThrow();
  expect(() => softmax([1, 2], { temperature: -1, out })).toThrow();
  expect(out).toEqual([7, 7]);
});
