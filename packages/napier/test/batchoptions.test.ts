import { describe, expect, test } from "vitest";
import { checkMiniBatch, MINI_BATCH_NAMES, type MiniBatchOptions } from "../src/train/batchoptions.ts";

type Optimizer = "adamw" | "adam" | "sgd";

describe("options of mini-batches", () => {
  test.each<[string, Optimizer, unknown, ErrorConstructor]>([
    ["fit: learningRate expected a finite number above 0, got 0", "adamw", { learningRate: 0 }, RangeError],
    ["fit: learningRate expected a finite number above 0, got Infinity", "sgd", { learningRate: Infinity }, RangeError],
    ['fit: learningRate expected a finite number above 0, got "1"', "sgd", { learningRate: "1" }, TypeError],
    ["fit: weightDecay expected a finite number from 0, got -1", "adamw", { weightDecay: -1 }, RangeError],
    ['fit: weightDecay expected the optimizer "adamw", got "adam"', "adam", { weightDecay: 0.1 }, RangeError],
    ['fit: weightDecay expected the optimizer "adamw", got "sgd"', "sgd", { weightDecay: 0 }, RangeError],
    ["fit: l2 expected a finite number from 0, got NaN", "adam", { l2: Number.NaN }, RangeError],
    ['fit: l2 expected the optimizer "adam" or "sgd", got "adamw"', "adamw", { l2: 0.1 }, RangeError],
    ["fit: momentum expected a number from 0, below 1, got 1", "sgd", { momentum: 1 }, RangeError],
    ['fit: momentum expected the optimizer "sgd", got "adamw"', "adamw", { momentum: 0.9 }, RangeError],
    ["fit: nesterov expected true or false, got 1", "sgd", { nesterov: 1 }, TypeError],
    ['fit: nesterov expected the optimizer "sgd", got "adam"', "adam", { nesterov: false }, RangeError],
    ["fit: nesterov expected momentum above 0, got momentum 0", "sgd", { nesterov: true, momentum: 0 }, RangeError],
    ['fit: schedule expected "constant" or "cosine", got "linear"', "adamw", { schedule: "linear" }, RangeError],
    ["fit: warmup expected an integer from 0, got 0.1", "adamw", { warmup: 0.1 }, RangeError],
    ["fit: clipNorm expected a finite number above 0, got 0", "adamw", { clipNorm: 0 }, RangeError],
    ["fit: patience expected an integer from 1, got 0", "adamw", { patience: 0 }, RangeError],
  ])("%s", (message, optimizer, options, Kind) => {
    expect(() => checkMiniBatch("fit", optimizer, options as MiniBatchOptions, true)).toThrow(new Kind(message));
  });

  test("patience without validation", () => {
    expect(() => checkMiniBatch("fit", "adamw", { patience: 3 }, false)).toThrow(
      new RangeError("fit: patience expected validation, whose NLL it looks at, got none"),
    );
  });

  test.each<[Optimizer, object, number]>([
    ["adamw", { weightDecay: 0.01 }, 0.001],
    ["adam", { l2: 0 }, 0.001],
    ["sgd", { l2: 0, momentum: 0.9, nesterov: false }, 0.01],
  ])("the defaults of %s", (optimizer, constants, learningRate) => {
    expect(checkMiniBatch("fit", optimizer, {}, false)).toEqual({
      steps: { optimizer, learningRate, ...constants },
      schedule: { schedule: "constant", learningRate, warmup: 0 },
      patience: Infinity,
    });
  });

  test("all options at once", () => {
    const options: Required<Omit<MiniBatchOptions, "weightDecay">> = {
      ...{ learningRate: 0.5, l2: 0.25, momentum: 0.75, nesterov: true },
      ...{ schedule: "cosine", warmup: 10, clipNorm: 2, patience: 3 },
    };
    expect(MINI_BATCH_NAMES.filter((name) => !(name in options))).toEqual(["weightDecay"]);
    expect(checkMiniBatch("fit", "sgd", options, true)).toEqual({
      steps: { optimizer: "sgd", learningRate: 0.5, l2: 0.25, momentum: 0.75, nesterov: true, clipNorm: 2 },
      schedule: { schedule: "cosine", learningRate: 0.5, warmup: 10 },
      patience: 3,
    });
  });
});
