import { describe, expect, test } from "vitest";
import { linear } from "../src/linear.ts";
import { divergedError, type Training } from "../src/train/diverged.ts";
import { layerSizes, pack } from "../src/train/layers.ts";
import { Network } from "../src/train/mlp.ts";

const features = [
  { name: "age", size: 1 },
  { name: "pixel", size: 2 },
];

/** A linear network of 3 inputs and 2 classes with 2 rows at its entrance. */
function training(
  rows: readonly number[],
  given: Partial<Training> & { weights?: readonly number[]; factor?: number } = {},
): Training {
  const { weights = [1, 2, 3, 4, 5, 6], factor = 0.5, ...rest } = given;
  const sizes = layerSizes(3, [], 2);
  const network = new Network(linear.create(), sizes, 4, 1);
  const layer = { ...sizes[0], weight: Float32Array.from(weights), bias: new Float32Array(2) };
  network.load(pack([layer]), Float32Array.of(1, 1, 1), new Float32Array(3).fill(factor));
  network.space.f32.set(rows, network.at.raw / 4);
  return { network, rows: 2, firstRow: 0, features, scale: "none", learningRate: 0.5, ...rest };
}

const FINE = [0, 1, 2, 3, 4, 5];

describe("a training that has diverged says why", () => {
  test.each<[string, Training]>([
    [
      "the weights grew out of bounds: lower learningRate, which is 0.5, or set clipNorm",
      training(FINE, { weights: [1, Number.NaN, 3, 4, 5, 6] }),
    ],
    [
      "the weights grew up to 3.4e+38: lower learningRate, which is 0.5",
      training(FINE, { weights: [1, -3.4e38, 3, 4, 5, 6], clipNorm: 1 }),
    ],
    [
      "the weights grew up to 6, after a loss of 12.3, a gradient of norm 4.5, a largest logit of 1e+30: lower learningRate, which is 0.5, or set clipNorm",
      training(FINE, { before: { loss: 12.345, gradientNorm: 4.5, maxLogit: 1e30 } }),
    ],
    [
      "the weights grew up to 6, after a loss of 2: lower learningRate, which is 0.5, or set clipNorm",
      training(FINE, { before: { loss: 2 } }),
    ],
    // (20,003 − 1)·0.5 = 10,001
    [
      'feature "pixel"[1] is 10000 after scaling, in row 1 of the batch: let scale be "standard"',
      training([0, 1, 2, 3, 4, 20_003]),
    ],
    ['feature "age" is -5e+29 after scaling, in row 0 of the batch: let scale be "standard"', training([-1e30, 1e20])],
    [
      'feature "pixel"[0] is 5e+29 after scaling, in row 1 of the batch: look for outliers',
      training([0, 1, 2, 3, 1e30, 5], { scale: "standard" }),
    ],
    [
      'feature "pixel"[0] is Infinity after scaling, in row 0 of the batch: bring its numbers nearer to 0',
      training([0, 3e38, 2, 3e38, 1e30, 5], { factor: 4, scale: "minmax" }),
    ],
    [
      'feature "pixel"[1] is NaN after scaling, in row 1 of the batch: bring its numbers nearer to 0',
      training([0, 1, 2, 3, 1e30, Number.NaN], { scale: "minmax" }),
    ],
  ])("%s", async (cause, one) => {
    const error = await divergedError("loss", Number.NaN, 3, 7, one, undefined);
    expect(error).toEqual(new RangeError(`fit: loss expected finite numbers, got NaN in epoch 3, batch 7; ${cause}`));
  });

  test("rows beyond the batch are not looked at", async () => {
    const one = training([0, 1, 2, 3, 4, 5, 1e30]);
    expect(await divergedError("weights", -Infinity, 1, 1, one, undefined)).toEqual(
      new RangeError(
        "fit: weights expected finite numbers, got -Infinity in epoch 1, batch 1; the weights grew up to 6: lower learningRate, which is 0.5, or set clipNorm",
      ),
    );
  });
});
