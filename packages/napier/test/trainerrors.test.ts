import { describe, expect, test } from "vitest";
import { type FitOptions, fit, type Label, type Matrix, Model, type ModelParts } from "../src/train/index.ts";
import { blobs, matrix } from "./blobs.ts";

const x = matrix([1, 2, 3, 4, 5, 6], 2);
const y = ["a", "b", "a"];

/** What each wrong option says; the rest of the options is sound. */
const WRONG: [string, Record<string, unknown>, ErrorConstructor][] = [
  [
    "fit: options expected only x, y, sampleWeight, source, hidden, optimizer, validation, classWeight, warmStart, scale, seed, features, pool, reducer, checkpoint, resume, signal, onProgress, C, tolerance, maxIterations, epochs, batchSize, loss, reportEvery, learningRate, weightDecay, l2, momentum, nesterov, schedule, warmup, clipNorm, patience, got batchsize; did you mean batchSize",
    { batchsize: 3 },
    TypeError,
  ],
  [
    "fit: x expected { data, shape }, got nested arrays; fromRows(rows) makes it from number[][]",
    { x: [[1, 2]] },
    TypeError,
  ],
  [
    "fit: x expected { data, shape }, got undefined; fromRows(rows) makes it from number[][]",
    { x: undefined },
    TypeError,
  ],
  [
    "fit: x.data expected number[], Float32Array or Float64Array, got a Uint8Array",
    { x: { data: new Uint8Array(6), shape: [3, 2] } },
    TypeError,
  ],
  ["fit: x.shape expected [rows, features], got [6]", { x: { data: x.data, shape: [6] } }, RangeError],
  ["fit: x.shape expected an array of sizes, got 6", { x: { data: x.data, shape: 6 } }, TypeError],
  ["fit: x.shape[1] expected an integer from 0, got 1.5", { x: { data: x.data, shape: [4, 1.5] } }, RangeError],
  ["fit: x.data expected 3 × 3 numbers, got 6", { x: { data: x.data, shape: [3, 3] } }, RangeError],
  ["fit: x expected at least 1 row, got 0", { x: { data: [], shape: [0, 2] } }, RangeError],
  ["fit: x expected at least 1 feature, got 0", { x: { data: [], shape: [3, 0] } }, RangeError],
  [
    'fit: x expected finite numbers within f32, got NaN at row 1, feature "x"[0]',
    { x: matrix([1, 2, Number.NaN, 4, 5, 6], 2) },
    RangeError,
  ],
  [
    'fit: x expected finite numbers within f32, got -Infinity at row 2, feature "b"',
    {
      x: matrix([1, 2, 3, 4, 5, -Infinity], 2),
      features: [
        { name: "a", size: 1 },
        { name: "b", size: 1 },
      ],
    },
    RangeError,
  ],
  [
    'fit: x expected finite numbers within f32, got 1e+39 at row 0, feature "x"[1]',
    { x: { data: [1, 1e39, 3, 4, 5, 6], shape: [3, 2] } },
    RangeError,
  ],
  [
    'fit: x expected finite numbers within f32, got undefined at row 1, feature "x"[1]',
    { x: { data: Object.assign(Array(6), [1, 2, 3], { 4: 5, 5: 6 }), shape: [3, 2] } },
    RangeError,
  ],
  [
    'fit: x expected finite numbers within f32, got "4" at row 1, feature "x"[1]',
    { x: { data: [1, 2, 3, "4", 5, 6], shape: [3, 2] } },
    RangeError,
  ],
  ["fit: y expected an array of labels, Int32Array or Float64Array, got undefined", { y: undefined }, TypeError],
  ["fit: y expected 3 labels, one a row, got 2", { y: ["a", "b"] }, RangeError],
  ["fit: y[1] expected a string or a number, got null", { y: ["a", null, "b"] }, TypeError],
  ["fit: y[2] expected a string, as y[0], got 1", { y: ["a", "b", 1] }, TypeError],
  ["fit: y[0] expected a finite number, got NaN", { y: [Number.NaN, 1, 2] }, RangeError],
  ['fit: y expected at least 2 classes, got only "a"', { y: ["a", "a", "a"] }, RangeError],
  ["fit: hidden expected an array of layer widths, got 128", { hidden: 128 }, TypeError],
  ["fit: hidden[1] expected an integer from 1, got 0", { hidden: [8, 0] }, RangeError],
  ["fit: epochs expected an integer from 1, got 0", { epochs: 0 }, RangeError],
  ['fit: epochs expected an integer from 1, got "5"', { epochs: "5" }, RangeError],
  ["fit: batchSize expected an integer from 1, got 1.5", { batchSize: 1.5 }, RangeError],
  ["fit: learningRate expected a finite number above 0, got 0", { optimizer: "adamw", learningRate: 0 }, RangeError],
  [
    "fit: learningRate expected a finite number above 0, got NaN",
    { optimizer: "adamw", learningRate: Number.NaN },
    RangeError,
  ],
  ["fit: weightDecay expected a finite number from 0, got -1", { optimizer: "adamw", weightDecay: -1 }, RangeError],
  ['fit: scale expected "standard" or "minmax" or "none", got "log"', { scale: "log" }, RangeError],
  ["fit: seed expected an integer from 0 to 4294967295, got -1", { seed: -1 }, RangeError],
  ['fit: loss expected "cross-entropy" or "naive-f32" or "naive-f16", got "mse"', { loss: "mse" }, RangeError],
  ["fit: reportEvery expected milliseconds, a number from 0, got -1", { reportEvery: -1 }, RangeError],
  ['fit: reportEvery expected milliseconds, a number from 0, got "all"', { reportEvery: "all" }, TypeError],
  ['fit: features expected an array of { name, size }, got "a"', { features: "a" }, TypeError],
  ["fit: features[0].name expected a string, got undefined", { features: [{ size: 2 }] }, TypeError],
  ["fit: features[0].size expected an integer from 1, got 0", { features: [{ name: "a", size: 0 }] }, RangeError],
  ["fit: features expected sizes that add up to 2, got 3", { features: [{ name: "a", size: 3 }] }, RangeError],
  ["fit: validation expected a fraction between 0 and 1, both excluded, got 1", { validation: 1 }, RangeError],
  [
    "fit: validation expected a fraction between 0 and 1, both excluded, got NaN",
    { validation: Number.NaN },
    RangeError,
  ],
  [
    "fit: validation expected a fraction that leaves rows on both sides, got 0 of 3 rows",
    { validation: 0.1 },
    RangeError,
  ],
  ['fit: validation expected a fraction, { x, y } or a source, got "10%"', { validation: "10%" }, TypeError],
  [
    "fit: validation.x expected { data, shape }, got undefined; fromRows(rows) makes it from number[][]",
    { validation: {} },
    TypeError,
  ],
  [
    "fit: validation.x.shape expected [rows, 2], got [1, 3]",
    { validation: { x: matrix([1, 2, 3], 3), y: ["a"] } },
    RangeError,
  ],
  [
    "fit: validation.x expected at least 1 row, got 0",
    { validation: { x: { data: [], shape: [0, 2] }, y: [] } },
    RangeError,
  ],
  [
    'fit: validation.x expected finite numbers within f32, got Infinity at row 0, feature "x"[1]',
    { validation: { x: matrix([1, Infinity], 2), y: ["a"] } },
    RangeError,
  ],
  [
    "fit: validation.y expected 1 labels, one a row, got 0",
    { validation: { x: matrix([1, 2], 2), y: [] } },
    RangeError,
  ],
  [
    'fit: validation.y expected classes of the model, got "c" at row 0',
    { validation: { x: matrix([1, 2], 2), y: ["c"] } },
    RangeError,
  ],
  ["fit: signal expected an AbortSignal, got an object with no keys", { signal: {} }, TypeError],
  ["fit: onProgress expected a function, got 1", { onProgress: 1 }, TypeError],
];

describe("fit rejects", () => {
  test.each(WRONG)("%s", async (message, wrong, kind) => {
    const error = await fit({ x, y, ...wrong } as FitOptions).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toBe(message);
  });

  test("no options", async () => {
    await expect(fit(undefined as unknown as FitOptions)).rejects.toThrow(
      new TypeError("fit: options expected an object, got undefined"),
    );
  });

  test("a loss that leaves the numbers, with epoch and batch", async () => {
    const data = blobs(64, 4, 2, 1);
    await expect(fit({ ...data, hidden: [8], learningRate: 1e30, batchSize: 16 })).rejects.toThrow(
      new RangeError(
        "fit: loss expected finite numbers, got NaN in epoch 1, batch 2; the weights grew out of bounds: lower learningRate, which is 1e+30, or set clipNorm",
      ),
    );
  });

  test("weights that the last step broke", async () => {
    const data = blobs(64, 4, 2, 1);
    const options = { ...data, weightDecay: 1e39, learningRate: 1, hidden: [4], batchSize: 64, epochs: 1 };
    await expect(fit(options)).rejects.toThrow(
      new RangeError(
        "fit: weights expected finite numbers, got -Infinity in epoch 1, batch 1; the weights grew out of bounds: lower learningRate, which is 1, or set clipNorm",
      ),
    );
  });
});

describe("a model refuses", () => {
  const parts: ModelParts<Label> = {
    classes: ["a", "b"],
    features: [{ name: "x", size: 2 }],
    scaling: { kind: "none", center: new Float32Array(2), factor: new Float32Array(2).fill(1) },
    layers: [{ weight: new Float32Array(4), bias: new Float32Array(2), inputs: 2, outputs: 2 }],
  };
  const layer = parts.layers[0];
  const model = new Model(parts);

  const CALLS: [string, () => unknown][] = [
    ["logits: x.shape expected [rows, 2], got [2, 3]", () => model.logits(matrix([1, 2, 3, 4, 5, 6], 3))],
    ["logProbs: x.data expected 2 × 2 numbers, got 3", () => model.logProbs({ data: [1, 2, 3], shape: [2, 2] })],
    [
      "probs: x expected { data, shape }, got an array; fromRows(rows) makes it from number[][]",
      () => model.probs([1, 2] as unknown as Matrix),
    ],
    ["predict: x.shape expected [rows, features], got [2]", () => model.predict({ data: [1, 2], shape: [2] })],
    ["top: k expected an integer from 1 to 2, got 3", () => model.top(x, 3)],
    ["top: k expected an integer from 1 to 2, got 0", () => model.top(x, 0)],
    ["evaluate: x expected at least 1 row, got 0", () => model.evaluate({ data: [], shape: [0, 2] }, [])],
    ["evaluate: y expected 3 labels, one a row, got 1", () => model.evaluate(x, ["a"])],
    ['evaluate: y expected classes of the model, got "c" at row 2', () => model.evaluate(x, ["a", "b", "c"])],
    ["Model: layers expected at least 1 layer, got 0", () => new Model({ ...parts, layers: [] })],
    ["Model: layers[0].inputs expected 3, got 2", () => new Model({ ...parts, features: [{ name: "x", size: 3 }] })],
    [
      "Model: layers[1].inputs expected 2, got 3",
      () => new Model({ ...parts, layers: [layer, { ...layer, inputs: 3 }] }),
    ],
    [
      "Model: layers[0].weight expected 2 × 2 numbers, got 3",
      () => new Model({ ...parts, layers: [{ ...layer, weight: new Float32Array(3) }] }),
    ],
    [
      "Model: layers[0].bias expected 2 numbers, got 1",
      () => new Model({ ...parts, layers: [{ ...layer, bias: new Float32Array(1) }] }),
    ],
    ["Model: classes expected 2 labels, got 1", () => new Model({ ...parts, classes: ["a"] })],
    [
      "Model: scaling.factor expected 2 numbers, got 1",
      () => new Model({ ...parts, scaling: { ...parts.scaling, factor: new Float32Array(1) } }),
    ],
  ];

  test.each(CALLS)("%s", (message, call) => {
    expect(call).toThrow(expect.objectContaining({ message }));
  });

  test("no value in x: a NaN goes its way", () => {
    expect(model.logits(matrix([Number.NaN, 1], 2)).data).toEqual(Float32Array.of(Number.NaN, Number.NaN));
  });
});
