import { describe, expect, test } from "vitest";
import { logSoftmax, softmax } from "../src/index.ts";
import { rng } from "../src/rng.ts";
import { type FitOptions, fit, type Label, type Matrix, Model, type Progress } from "../src/train/index.ts";
import { blobs, matrix } from "./blobs.ts";

type EpochReport = Extract<Progress, { kind: "epoch" }>;

/** Every weight of a model, in one row. */
const weightsOf = (model: Model<Label>): number[] => model.layers.flatMap(({ weight, bias }) => [...weight, ...bias]);

async function epochsOf<L extends Label>(options: FitOptions<L>): Promise<{ model: Model<L>; epochs: EpochReport[] }> {
  const epochs: EpochReport[] = [];
  const onProgress = (progress: Progress): void => {
    if (progress.kind === "epoch") epochs.push(progress);
  };
  return { model: await fit({ ...options, onProgress }), epochs };
}

describe("learning", () => {
  test("a linear model reaches the known optimum", async () => {
    // One binary feature: the best NLL is the entropy of y given x; 10 rows at x = 0, 3 of them "a"; 10 at x = 1, 8 "a".
    const x = matrix([...Array(10).fill(0), ...Array(10).fill(1)], 1);
    const y = [...Array(3).fill("a"), ...Array(7).fill("b"), ...Array(8).fill("a"), ...Array(2).fill("b")];
    const entropy = (p: number): number => -p * Math.log(p) - (1 - p) * Math.log(1 - p);
    const optimum = (entropy(0.3) + entropy(0.8)) / 2;
    const settings = { scale: "none", weightDecay: 0, learningRate: 0.02, epochs: 1000, batchSize: 20 } as const;
    const model = await fit({ x, y, optimizer: "adamw", ...settings });
    const { nll, rows, accuracy } = model.evaluate(x, y);
    // The excess is quadratic in what the logits are off. Below, only the logits' rounding: 20 losses of 2 ulp.
    expect(nll - optimum).toBeLessThan(1e-7);
    expect(nll - optimum).toBeGreaterThan(-(2 ** -24));
    expect({ rows, accuracy }).toEqual({ rows: 20, accuracy: 0.75 });
  });

  test("the docstring's example", async () => {
    const x = { data: [0, 1, 2, 3], shape: [4, 1] };
    const model = await fit({ x, y: ["low", "low", "high", "high"] });
    expect(model.predict(x)).toEqual(["low", "low", "high", "high"]);
  });

  test("a hidden layer learns XOR, which no linear model can", async () => {
    const x = matrix([0, 0, 0, 1, 1, 0, 1, 1], 2);
    const y = [0, 1, 1, 0];
    const options = { x, y, learningRate: 0.02, epochs: 400, weightDecay: 0, seed: 3 };
    expect((await fit({ ...options, hidden: [16] })).evaluate(x, y)).toMatchObject({ accuracy: 1 });
    expect((await fit({ x, y })).evaluate(x, y).nll).toBeCloseTo(Math.LN2, 6);
  });

  test("three classes in eight dimensions, two hidden layers, a validation fraction", async () => {
    const train = blobs(600, 8, 3, 1);
    const { model, epochs } = await epochsOf({
      ...train,
      hidden: [20, 12],
      validation: 0.2,
      epochs: 8,
      learningRate: 0.01,
    });
    const test = blobs(300, 8, 3, 2);
    expect(model.evaluate(test.x, test.y).accuracy).toBeGreaterThan(0.97);
    expect(model.layers.map(({ inputs, outputs }) => [inputs, outputs])).toEqual([
      [8, 20],
      [20, 12],
      [12, 3],
    ]);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(epochs[7].train.nll).toBeLessThan(epochs[0].train.nll / 4);
  });
});

describe("the same bits", () => {
  const data = blobs(500, 5, 3, 7);
  const options = { ...data, hidden: [9], epochs: 3, batchSize: 32, validation: 0.1, seed: 5 };

  test("for the same seed; others for another", async () => {
    const first = weightsOf(await fit(options));
    expect(weightsOf(await fit(options))).toEqual(first);
    expect(weightsOf(await fit({ ...options, seed: 6 }))).not.toEqual(first);
  });

  test("for number[], Float32Array and Float64Array, and with a listener", async () => {
    const first = weightsOf(await fit(options));
    const numbers = Array.from(data.x.data);
    for (const values of [numbers, Float64Array.from(numbers), Float32Array.from(numbers)]) {
      const x = { data: values, shape: data.x.shape };
      expect(weightsOf(await fit({ ...options, x, onProgress: () => {} }))).toEqual(first);
    }
  });

  test("for labels in a typed array", async () => {
    const y = data.y.map((label) => "abc".indexOf(label));
    const first = await fit({ ...options, y });
    expect(weightsOf(await fit({ ...options, y: Int32Array.from(y) }))).toEqual(weightsOf(first));
    expect((await fit({ ...options, y: Float64Array.from(y) })).classes).toEqual([0, 1, 2]);
  });

  test("for a row alone and in any batch, whatever the number of rows", async () => {
    const model = await fit(options);
    const all = model.logits(data.x);
    expect(all.shape).toEqual([500, 3]);
    const random = rng(1);
    for (const count of [1, 2, 3, 4, 5, 255, 256, 257]) {
      const first = random.below(500 - count + 1);
      const part = matrix(data.x.data.slice(first * 5, (first + count) * 5), 5);
      expect(model.logits(part).data).toEqual(all.data.slice(first * 3, (first + count) * 3));
    }
  });

  test("in logProbs and probs as in logSoftmax and softmax", async () => {
    const model = await fit(options);
    const logits = model.logits(data.x);
    expect(model.logProbs(data.x).data).toEqual(logSoftmax(logits).data);
    expect(model.probs(data.x).data).toEqual(softmax(logits).data);
  });
});

describe("validation", () => {
  // too high a rate: the NLL rises again after a few epochs
  const train = blobs(300, 4, 3, 1, 2.5);
  const set = blobs(200, 4, 3, 2, 2.5);
  const options = { ...train, hidden: [64], epochs: 12, learningRate: 0.05, validation: set, seed: 1 };

  test("the best epoch's weights are kept, and reported as best", async () => {
    const { model, epochs } = await epochsOf(options);
    const nlls = epochs.map(({ validation }) => validation?.nll ?? Number.NaN);
    const least = Math.min(...nlls);
    expect(least).toBeLessThan(nlls[11]);
    expect(model.evaluate(set.x, set.y)).toEqual({ rows: 200, ...epochs[nlls.indexOf(least)].validation });
    expect(epochs.map(({ best }) => best)).toEqual(
      nlls.map((nll, n) => n === 0 || nll < Math.min(...nlls.slice(0, n))),
    );
    // model() of any epoch is the best so far
    epochs.forEach((report, n) => {
      expect(report.model().evaluate(set.x, set.y).nll).toBe(Math.min(...nlls.slice(0, n + 1)));
    });
  });

  test("without it the last weights are kept", async () => {
    const { model, epochs } = await epochsOf({ ...options, validation: undefined, epochs: 3 });
    expect(epochs.map(({ best, validation }) => ({ best, validation }))).toEqual(Array(3).fill({ best: true }));
    expect(weightsOf(model)).toEqual(weightsOf(epochs[2].model()));
    expect(weightsOf(model)).not.toEqual(weightsOf(epochs[1].model()));
  });

  test("a validation set does not change the path of the training", async () => {
    const { epochs } = await epochsOf(options);
    const { epochs: without } = await epochsOf({ ...options, validation: undefined });
    expect(epochs.map(({ train }) => train)).toEqual(without.map(({ train }) => train));
  });
});

describe("the model", () => {
  const model = new Model({
    classes: ["x", "y", "z"],
    features: [{ name: "a", size: 2 }],
    scaling: { kind: "minmax", center: Float32Array.of(1, 0), factor: Float32Array.of(0.5, 1) },
    layers: [{ weight: Float32Array.of(1, 0, 0, 1, 1, 1), bias: Float32Array.of(0, 0, -1), inputs: 2, outputs: 3 }],
  });
  const x = matrix([1, 0, 3, 0, 3, 4, 1, 1], 2);

  test("scales, multiplies, adds", () => {
    expect(model.inputs).toBe(2);
    expect(model.logits(x)).toEqual({ data: Float32Array.of(0, 0, -1, 1, 0, 0, 1, 4, 4, 0, 1, 0), shape: [4, 3] });
  });

  test("predicts the first of equals, and ranks by class order among them", () => {
    expect(model.predict(x)).toEqual(["x", "x", "y", "y"]);
    const { classes, logProbs } = model.top(x, 2);
    expect(classes).toEqual([
      ["x", "y"],
      ["x", "y"],
      ["y", "z"],
      ["y", "x"],
    ]);
    const all = model.logProbs(x).data;
    expect(logProbs).toEqual([
      [all[0], all[1]],
      [all[3], all[4]],
      [all[7], all[8]],
      [all[10], all[9]],
    ]);
  });

  test("has no rows for no rows", () => {
    const none = matrix([], 2);
    expect(model.logits(none)).toEqual({ data: new Float32Array(), shape: [0, 3] });
    expect(model.predict(none)).toEqual([]);
    expect(model.top(none, 1)).toEqual({ classes: [], logProbs: [] });
  });

  test("orders its classes: numbers by value, strings by code units", async () => {
    const options = { x: matrix([1, 2, 3, 4], 1) };
    expect((await fit({ ...options, y: [10, 9, -1, 10] })).classes).toEqual([-1, 9, 10]);
    expect((await fit({ ...options, y: ["b", "é", "B", "a"] })).classes).toEqual(["B", "a", "b", "é"]);
    expect((await fit({ ...options, y: [0, -0, 1, 1] })).classes).toEqual([0, 1]);
  });

  test("keeps the names of its features", async () => {
    const features = [
      { name: "image", size: 3 },
      { name: "age", size: 1 },
    ];
    const data = blobs(20, 4, 2, 1);
    expect((await fit({ ...data, features })).features).toEqual(features);
    expect((await fit(data)).features).toEqual([{ name: "x", size: 4 }]);
  });
});

describe("abort", () => {
  const data = blobs(2000, 20, 3, 1);

  test("before the first step", async () => {
    const reason = new Error("not today");
    await expect(fit({ ...data, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("while it runs, from a timer: the event loop gets its turn", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 60);
    await expect(fit({ ...data, hidden: [256], epochs: 1000, signal: controller.signal })).rejects.toBe(reason);
  });
});

describe("the naive loss dies where the cross-entropy lives", () => {
  // features far from unit scale, as raw pixels are
  const data = blobs(400, 6, 3, 4);
  const x: Matrix = { data: data.x.data.map((v) => v * 10), shape: data.x.shape };
  const options = {
    x,
    y: data.y,
    scale: "none",
    hidden: [32],
    epochs: 6,
    batchSize: 8,
    seed: 1,
    learningRate: 0.03,
  } as const;

  test("NaN for good, and the first step of it is reported", async () => {
    const steps: Progress[] = [];
    const model = await fit({ ...options, loss: "naive-f32", onProgress: (progress) => steps.push(progress) });
    const first = steps.find((step) => step.kind === "step" && !Number.isFinite(step.loss));
    // step 30 of the first epoch: a logit passed 88.7, the end of f32's exponential
    expect(first).toMatchObject({ epoch: 1, row: 240, loss: Number.NaN, maxLogit: expect.closeTo(108, 0) });
    expect(steps.at(-1)).toMatchObject({ kind: "epoch", epoch: 6, train: { nll: Number.NaN } });
    expect(weightsOf(model).some(Number.isNaN)).toBe(true);

    const sound = await fit(options);
    expect(sound.evaluate(x, data.y).accuracy).toBeGreaterThan(0.95);
  });

  test("in f16 the gradient dies in the first step: −1 / p passes 65504 before the loss is lost", async () => {
    const steps: Progress[] = [];
    const all = { ...options, loss: "naive-f16", reportEvery: 0 } as const;
    await fit({ ...all, onProgress: (progress) => steps.push(progress) });
    expect(steps[0]).toMatchObject({ epoch: 1, row: 8, loss: expect.closeTo(10, -1), gradientNorm: Number.NaN });
    expect(steps[1]).toMatchObject({ epoch: 1, row: 16, loss: Number.NaN, maxLogit: Number.NaN });
  });

  test("reportEvery: 0 reports each step, and moves no bit", async () => {
    const rows: number[] = [];
    const onProgress = (p: Progress): void => void (p.kind === "step" && rows.push((p.epoch - 1) * p.rows + p.row));
    const model = await fit({ ...options, epochs: 2, reportEvery: 0, onProgress });
    expect(rows).toEqual(Array.from({ length: 100 }, (_, n) => 8 * (n + 1)));
    expect(weightsOf(model)).toEqual(weightsOf(await fit({ ...options, epochs: 2 })));
  });

  test("with small logits they take the same path", async () => {
    const settings = { ...data, hidden: [16], epochs: 2, seed: 1 };
    const naive = await epochsOf({ ...settings, loss: "naive-f32" });
    const sound = await epochsOf(settings);
    // per row both are off by a few ulp of 1
    naive.epochs.forEach(({ train }, n) => {
      expect(Math.abs(train.nll - sound.epochs[n].train.nll)).toBeLessThan(2 ** -18);
    });
  });
});
