import { expect, test } from "vitest";
import * as exact from "../src/exact.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  fromRows,
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  nllLossBackward,
  softmax,
  softmaxBackward,
} from "../src/index.ts";
import * as naive from "../src/naive.ts";
import { core } from "../src/wasm.ts";

// As a JavaScript caller would: the types would refuse most of these.
const wrong = (value: unknown) => value as never;
const buffer = new Float64Array(8);

const MESSAGES: [() => unknown, string][] = [
  [
    () => logSoftmax(wrong("1,2")),
    'TypeError: logSoftmax: logits expected number[], Float32Array, Float64Array or { data, shape }, got "1,2"',
  ],
  [
    () => logSoftmax(wrong(undefined)),
    "TypeError: logSoftmax: logits expected number[], Float32Array, Float64Array or { data, shape }, got undefined",
  ],
  [
    () => logSoftmax(wrong(null)),
    "TypeError: logSoftmax: logits expected number[], Float32Array, Float64Array or { data, shape }, got null",
  ],
  [
    () => logSoftmax(wrong({ values: [1] })),
    "TypeError: logSoftmax: logits expected number[], Float32Array, Float64Array or { data, shape }, got an object with values",
  ],
  [
    () => logSoftmax(wrong([[1, 2]])),
    "TypeError: logSoftmax: logits[0] expected a number, got an array; fromRows(rows) makes { data, shape }",
  ],
  [() => logSoftmax(wrong([1, "2"])), 'TypeError: logSoftmax: logits[1] expected a number, got "2"'],
  [
    () => logSoftmax(wrong(new Int32Array(2))),
    "TypeError: logSoftmax: logits expected number[], Float32Array or Float64Array, got an Int32Array",
  ],
  [
    () => logSoftmax(wrong({ data: [1, 2] })),
    "TypeError: logSoftmax: logits.shape expected an array of sizes, got undefined",
  ],
  [
    () => logSoftmax({ data: [1, 2], shape: [1.5] }),
    "RangeError: logSoftmax: logits.shape[0] expected an integer from 0, got 1.5",
  ],
  [
    () => logSoftmax({ data: [1, 2], shape: [] }),
    "RangeError: logSoftmax: logits expected 1 elements for shape [], got 2",
  ],
  [
    () => logSoftmax({ data: [1, 2, 3], shape: [2, 2] }),
    "RangeError: logSoftmax: logits expected 4 elements for shape [2, 2], got 3",
  ],
  [
    () => logSoftmax({ data: Float32Array.of(1), dims: [1], type: "float64" }),
    'TypeError: logSoftmax: logits.type expected "float32" for its data, got "float64"',
  ],
  [
    () => logSoftmax(wrong({ data: [1], shape: [1] }), wrong({ shape: [1] })),
    "TypeError: logSoftmax: options.shape expected nothing beside a tensor, got an array",
  ],
  [() => softmax([1, 2], { axis: 1 }), "RangeError: softmax: options.axis expected an integer from -1 to 0, got 1"],
  [() => softmax([1, 2], { axis: 0.5 }), "RangeError: softmax: options.axis expected an integer from -1 to 0, got 0.5"],
  [
    () => softmax([1, 2], wrong({ dim: 0 })),
    "TypeError: softmax: options expected only shape, axis, dtype, out, mask, temperature, got dim; did you mean axis",
  ],
  [() => softmax([1, 2], wrong(0)), "TypeError: softmax: options expected an object, got 0"],
  [
    () => softmax([1, 2], { shape: wrong("2") }),
    'TypeError: softmax: options.shape expected an array of sizes, got "2"',
  ],
  [
    () => softmax(Float32Array.of(1, 2), { out: new Float64Array(2) }),
    "TypeError: softmax: options.out expected a Float32Array, got a Float64Array",
  ],
  [
    () => softmax([1, 2], { out: new Float64Array(2) }),
    "TypeError: softmax: options.out expected number[], got a Float64Array",
  ],
  [() => softmax([1, 2], { out: [0] }), "RangeError: softmax: options.out expected 2 elements, got 1"],
  [
    () => softmax(buffer.subarray(0, 4), { out: buffer.subarray(2, 6) }),
    "RangeError: softmax: options.out expected an array that does not overlap an input, got one that does",
  ],
  [() => fromRows([[1, 2], [3]]), "RangeError: fromRows: rows[1] expected 2 numbers as in rows[0], got 1"],
  [() => fromRows(wrong([["a"]])), 'TypeError: fromRows: rows[0][0] expected a number, got "a"'],
  [
    () => logSumExp(wrong(() => 1)),
    "TypeError: logSumExp: logits expected number[], Float32Array, Float64Array or { data, shape }, got a function",
  ],
  [() => crossEntropy([1, 2], 2), "RangeError: crossEntropy: targets expected an integer from 0 to 1, got 2"],
  [() => crossEntropy([1, 2], -1), "RangeError: crossEntropy: targets expected an integer from 0 to 1, got -1"],
  [
    () => crossEntropy([1, 2], Number.NaN),
    "RangeError: crossEntropy: targets expected an integer from 0 to 1, got NaN",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], [0, 7], { shape: [2, 2] }),
    "RangeError: crossEntropy: targets[1] expected an integer from 0 to 1, got 7",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], BigInt64Array.of(0n, -1n), { shape: [2, 2] }),
    "RangeError: crossEntropy: targets[1] expected an integer from 0 to 1, got -1n",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], 0, { shape: [2, 2] }),
    "RangeError: crossEntropy: targets expected 2 class indices, got 1",
  ],
  [
    () => crossEntropy([1, 2], wrong(Float32Array.of(1))),
    "TypeError: crossEntropy: targets expected a number, number[], Int32Array, BigInt64Array or a tensor of these, got a Float32Array",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], { data: [0, 1], shape: [1, 2] }, { shape: [2, 2] }),
    "RangeError: crossEntropy: targets.shape expected [2], got [1, 2]",
  ],
  [() => crossEntropy([], 0), "RangeError: crossEntropy: logits expected at least 1 class, got 0"],
  [
    () => crossEntropy([1, 2], 0, { reduction: wrong("avg") }),
    'RangeError: crossEntropy: options.reduction expected "mean" or "sum" or "none", got "avg"',
  ],
  [
    () => crossEntropyWithGrad([1, 2], 0, wrong({ weights: [1, 2] })),
    "TypeError: crossEntropyWithGrad: options expected only shape, axis, dtype, out, reduction, weight, labelSmoothing, mask, zLoss, softcap, temperature, ignoreIndex, got weights; did you mean weight",
  ],
  [
    () => nllLoss(wrong(7), 0),
    "TypeError: nllLoss: logProbs expected number[], Float32Array, Float64Array or { data, shape }, got 7",
  ],
  [
    () => nllLossBackward(wrong([1, 2]), [1, 2], 0),
    'TypeError: nllLossBackward: dloss expected a number for reduction "mean", got an array',
  ],
  [
    () => nllLossBackward([1, 2, 3], [1, 2, 3, 4], [0, 0], { shape: [2, 2], reduction: "none" }),
    "RangeError: nllLossBackward: dloss expected 2 numbers, one for each row, got 3",
  ],
  [
    () => nllLossBackward(1, [1, 2, 3, 4], [0, 0], { shape: [2, 2], reduction: "none" }),
    "TypeError: nllLossBackward: dloss expected 2 numbers, one for each row, got 1",
  ],
  [
    () => logSoftmaxBackward(wrong([1, 2]), wrong(Float32Array.of(1, 2))),
    "TypeError: logSoftmaxBackward: logProbs expected f64 as the argument before, got f32",
  ],
  [() => logSoftmaxBackward([1, 2], [1, 2, 3]), "RangeError: logSoftmaxBackward: logProbs expected shape [2], got [3]"],
  [
    () => logSumExpBackward(1, [1, 2, 3, 4], { shape: [2, 2] }),
    "TypeError: logSumExpBackward: dlse expected an array of 2 numbers, one for each row, got 1",
  ],
  [
    () => logSumExpBackward([1], [1, 2, 3, 4], { shape: [2, 2] }),
    "RangeError: logSumExpBackward: dlse expected 2 numbers, one for each row, got 1",
  ],
  [
    () => logSumExpBackward(wrong(Float32Array.of(1)), wrong([1, 2])),
    "TypeError: logSumExpBackward: dlse expected f64 as the logits, got f32",
  ],
  // fromRows
  [() => fromRows(wrong(5)), "TypeError: fromRows: rows expected an array of arrays, got 5"],
  [() => fromRows(wrong(null)), "TypeError: fromRows: rows expected an array of arrays, got null"],
  [
    () => fromRows(wrong([[1], null])),
    "TypeError: fromRows: rows[1] expected number[], Float32Array or Float64Array, got null",
  ],
  [
    () => fromRows(wrong([1, 2])),
    "TypeError: fromRows: rows[0] expected number[], Float32Array or Float64Array, got 1",
  ],
  // data and shape of tensors
  [
    () => softmax(wrong({ data: "12", shape: [2] })),
    'TypeError: softmax: logits.data expected number[], Float32Array or Float64Array, got "12"',
  ],
  [
    () => softmax({ data: [1, wrong(null)], shape: [2] }),
    "TypeError: softmax: logits.data[1] expected a number, got null",
  ],
  [
    () => softmax(wrong({ data: [1, 2], dims: 2, type: "float64" })),
    "TypeError: softmax: logits.dims expected an array of sizes, got 2",
  ],
  [
    () => softmax({ data: [1, 2], dims: [-2], type: "float64" }),
    "RangeError: softmax: logits.dims[0] expected an integer from 0, got -2",
  ],
  [
    () => softmax(wrong({ data: [1, 2], dims: [2] })),
    'TypeError: softmax: logits.type expected "float64" for its data, got ""',
  ],
  [
    () => softmax([1, 2, 3], { shape: [2, 2] }),
    "RangeError: softmax: logits expected 4 elements for shape [2, 2], got 3",
  ],
  [
    () => softmax([1], { shape: [], axis: 1 }),
    "RangeError: softmax: options.axis expected an integer from -1 to 0, got 1",
  ],
  [
    () => softmax([1, 2], { shape: wrong([[2]]) }),
    "RangeError: softmax: options.shape[0] expected an integer from 0, got an array",
  ],
  [
    () => softmax([1, 2], { shape: [1, 2], axis: -3 }),
    "RangeError: softmax: options.axis expected an integer from -2 to 1, got -3",
  ],
  [
    () => softmax([1, 2], { axis: wrong({}) }),
    "RangeError: softmax: options.axis expected an integer from -1 to 0, got an object with no keys",
  ],
  [() => softmax([1, 2], wrong(null)), "TypeError: softmax: options expected an object, got null"],
  // out
  [
    () => softmax([1, 2], { out: wrong(new Array(2)) }),
    "TypeError: softmax: options.out[0] expected a number, got undefined",
  ],
  [
    () => softmax([1, 2], { out: wrong({}) }),
    "TypeError: softmax: options.out expected number[], Float32Array or Float64Array, got an object with no keys",
  ],
  [
    () => logSumExp(buffer.subarray(0, 4), { shape: [2, 2], out: buffer.subarray(3, 5) }),
    "RangeError: logSumExp: options.out expected an array that does not overlap an input, got one that does",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], [0, 1], { shape: [2, 2], reduction: "none", out: [0] }),
    "RangeError: crossEntropy: options.out expected 2 elements, got 1",
  ],
  [
    () => crossEntropyWithGrad([1, 2], 0, { out: [0] }),
    "RangeError: crossEntropyWithGrad: options.out expected 2 elements, got 1",
  ],
  [
    () => nllLossBackward(1, [1, 2], 0, { out: [0] }),
    "RangeError: nllLossBackward: options.out expected 2 elements, got 1",
  ],
  [
    () =>
      nllLossBackward(buffer.subarray(0, 2), new Float64Array(4), [0, 0], {
        shape: [2, 2],
        reduction: "none",
        out: buffer.subarray(0, 4),
      }),
    "RangeError: nllLossBackward: options.out expected an array that does not overlap an input, got one that does",
  ],
  [
    () => softmaxBackward(new Float64Array(4), buffer.subarray(0, 4), { out: buffer.subarray(2, 6) }),
    "RangeError: softmaxBackward: options.out expected an array that does not overlap an input, got one that does",
  ],
  // targets
  [
    () => crossEntropy([1, 2], wrong(null)),
    "TypeError: crossEntropy: targets expected a number, number[], Int32Array, BigInt64Array or a tensor of these, got null",
  ],
  [
    () => crossEntropy([1, 2], wrong({ data: [0.5, 0.5] as unknown, shape: [2] })),
    "RangeError: crossEntropy: targets.shape expected [], got [2]; softCrossEntropy takes probabilities",
  ],
  [
    () => crossEntropy([1, 2], wrong({ data: Float64Array.of(0), shape: [] })),
    "TypeError: crossEntropy: targets expected a number, number[], Int32Array, BigInt64Array or a tensor of these, got an object with data, shape",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], { data: [0, 1], dims: [2, 1], type: "int64" }, { shape: [2, 2] }),
    "RangeError: crossEntropy: targets.dims expected [2], got [2, 1]",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], wrong({ data: [0, 1] }), { shape: [2, 2] }),
    "RangeError: crossEntropy: targets.dims expected [2], got undefined",
  ],
  [
    () => crossEntropy([1, 2, 3, 4], { data: [0], shape: [2] }, { shape: [2, 2] }),
    "RangeError: crossEntropy: targets.data expected 2 class indices, got 1",
  ],
  [
    () => crossEntropy([1, 2], [0, 1]),
    "RangeError: crossEntropy: targets expected 1 class index, got 2; a flat array without options.shape is one row",
  ],
  [
    () => crossEntropy([1, 2], { data: [3], shape: [] }),
    "RangeError: crossEntropy: targets.data[0] expected an integer from 0 to 1, got 3",
  ],
  [
    () => crossEntropy([1, 2], wrong(["1"])),
    'RangeError: crossEntropy: targets[0] expected an integer from 0 to 1, got "1"',
  ],
  [() => crossEntropy([1, 2], [0.5]), "RangeError: crossEntropy: targets[0] expected an integer from 0 to 1, got 0.5"],
  [() => nllLoss([], 0), "RangeError: nllLoss: logProbs expected at least 1 class, got 0"],
  [() => nllLoss([-1, -2], 2), "RangeError: nllLoss: targets expected an integer from 0 to 1, got 2"],
  [
    () => nllLoss([-1], 0, wrong({ mask: [1] })),
    "TypeError: nllLoss: options expected only shape, axis, dtype, out, reduction, weight, ignoreIndex, got mask",
  ],
  // gradients that are given
  [
    () => nllLossBackward(wrong("1"), [1, 2], 0),
    'TypeError: nllLossBackward: dloss expected a number for reduction "mean", got "1"',
  ],
  [
    () => nllLossBackward(wrong([1]), [1, 2], 0, { reduction: "sum" }),
    'TypeError: nllLossBackward: dloss expected a number for reduction "sum", got an array',
  ],
  [
    () => nllLossBackward(wrong(null), [1, 2], 0, { reduction: "none" }),
    "TypeError: nllLossBackward: dloss expected number[], Float32Array, Float64Array or { data, shape }, got null",
  ],
  [
    () =>
      nllLossBackward(wrong({ data: [1, 1], shape: [2, 1] }), [1, 2, 3, 4], [0, 0], {
        shape: [2, 2],
        reduction: "none",
      }),
    "RangeError: nllLossBackward: dloss.shape expected [2], got [2, 1]",
  ],
  [() => nllLossBackward(1, [], 0), "RangeError: nllLossBackward: logProbs expected at least 1 class, got 0"],
  [
    () => logSumExpBackward(wrong(undefined), [1, 2]),
    "TypeError: logSumExpBackward: dlse expected number[], Float32Array, Float64Array or { data, shape }, got undefined",
  ],
  [
    () =>
      logSumExpBackward(
        { data: [1, 1, 1, 1], dims: [4], type: "float64" },
        { data: new Array(8).fill(0), shape: [2, 2, 2] },
      ),
    "RangeError: logSumExpBackward: dlse.dims expected [2, 2] or [2, 2, 1], got [4]",
  ],
  [
    () => logSumExpBackward({ data: [1, 2], shape: [] }, { data: [1, 2], shape: [2] }),
    "RangeError: logSumExpBackward: dlse expected 1 elements for shape [], got 2",
  ],
  [
    () => softmaxBackward(wrong(Float32Array.of(1)), wrong([1])),
    "TypeError: softmaxBackward: probs expected f32 as the argument before, got f64",
  ],
  [
    () => softmaxBackward({ data: [1, 2], shape: [1, 2] }, { data: [1, 2], shape: [2, 1] }),
    "RangeError: softmaxBackward: probs expected shape [1, 2], got [2, 1]",
  ],
  [
    () => softmaxBackward(wrong(Symbol("g")), [1]),
    "TypeError: softmaxBackward: dprobs expected number[], Float32Array, Float64Array or { data, shape }, got Symbol(g)",
  ],
  // naive
  [
    () => naive.round(1, wrong(undefined)),
    'RangeError: round: format expected "f16" or "bf16" or "f32" or "f64", got undefined',
  ],
  [
    () => naive.softmax(wrong(1), "f32"),
    "TypeError: softmax: logits expected number[], Float32Array or Float64Array, got 1",
  ],
  [
    () => naive.logOfSoftmax(wrong([[1, 2]]), "f32"),
    "TypeError: logOfSoftmax: logits[0] expected a number, got an array; fromRows(rows) makes { data, shape }",
  ],
  [
    () => naive.logOfSoftmax([1], wrong("float32")),
    'RangeError: logOfSoftmax: format expected "f16" or "bf16" or "f32" or "f64", got "float32"',
  ],
  [
    () => naive.logSumExpForm([1], wrong(32)),
    'RangeError: logSumExpForm: format expected "f16" or "bf16" or "f32" or "f64", got 32',
  ],
  // inside
  [() => exact.exact(Infinity), "RangeError: exact: x expected a finite number, got Infinity"],
  [() => exact.div(exact.ONE, exact.ZERO), "RangeError: div: b expected a number other than 0, got 0"],
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

test("rows beyond what WebAssembly can address", () => {
  const space = core.create();
  const [start] = space.layout(0);
  expect(() => space.layout(2 ** 33)).toThrow(
    new RangeError(`the kernels need ${start + 2 ** 33} bytes of WebAssembly memory, more than this runtime gives`),
  );
});
