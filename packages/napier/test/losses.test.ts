import { describe, expect, test } from "vitest";
import { normals, typed } from "../../../tools/hostile.ts";
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
import { TORCH_LOSSES } from "./torchlosses.ts";

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-13) => {
  expect(actual.length).toBe(expected.length);
  for (let k = 0; k < expected.length; k++) {
    const allowed = relative * Math.max(1, Math.abs(expected[k]));
    expect(Math.abs(actual[k] - expected[k]), `[${k}] ${actual[k]}, not ${expected[k]}`).toBeLessThanOrEqual(allowed);
  }
};
const asArray = (loss: unknown): number[] => (typeof loss === "number" ? [loss] : Array.from(loss as number[]));

describe("what PyTorch answers (pytorch#63004, pytorch#104776)", () => {
  const cases = TORCH_LOSSES.map((one) => ({
    ...one,
    name: `${one.soft ? "soft" : "hard"}, ${one.reduction}, smoothing ${one.labelSmoothing}, ${one.weight ? "weights" : "no weights"}, [${one.shape}]`,
  }));
  test.each(cases)("$name", ({ x, shape, y, soft, weight, ignoreIndex, labelSmoothing, reduction, loss, dx }) => {
    const options = {
      ...{ shape, axis: 1, labelSmoothing, reduction },
      ...(weight && { weight }),
    } as unknown as { shape: [number, number]; reduction: "none" };
    const both = soft
      ? softCrossEntropyWithGrad([...x], [...y], options)
      : crossEntropyWithGrad([...x], [...y], { ...options, ignoreIndex });
    near(asArray(both.loss), loss);
    near(both.dlogits, dx);
    const alone = soft
      ? softCrossEntropy([...x], [...y], options)
      : crossEntropy([...x], [...y], { ...options, ignoreIndex });
    expect(alone).toEqual(both.loss);
  });
});

const [nan, inf] = [Number.NaN, Infinity];
const ROWS = [2, -1, 0.5, 0, 3, -2, 1, 1, 1];
const SHAPE = { shape: [3, 3] } as const;
const NONE = { ...SHAPE, reduction: "none" } as const;

describe.each(["f32", "f64", "number[]"] as const)("rows that count, in %s", (kind) => {
  const make = (data: readonly number[]) => (kind === "number[]" ? [...data] : typed(data, kind)) as Float64Array;
  const x = make(ROWS);

  test("without weights the very bits of nllLoss(logSoftmax(x), y), with ignoreIndex too", () => {
    const y = [0, 7, 2];
    const options = { ...NONE, ignoreIndex: 7 };
    const losses = crossEntropy(x, y, options);
    expect(losses).toEqual(nllLoss(logSoftmax(x, SHAPE), y, options));
    expect(losses[1]).toBe(0);
    expect(crossEntropy(x, y, { ...SHAPE, ignoreIndex: 7, reduction: "sum" })).toBe(
      crossEntropy(make([...ROWS.slice(0, 3), ...ROWS.slice(6)]), [0, 2], { shape: [2, 3], reduction: "sum" }),
    );
  });

  test("an ignored row counts for nothing, even one of NaN", () => {
    const bad = make([nan, nan, nan, ...ROWS.slice(3)]);
    for (const more of [{}, { labelSmoothing: 0.1 }, { zLoss: 0.1 }, { temperature: 2 }, { softcap: 3 }]) {
      const options = { ...SHAPE, ignoreIndex: -100, ...more };
      const { loss, dlogits } = crossEntropyWithGrad(bad, [-100, 1, 2], options);
      const rest = crossEntropyWithGrad(make(ROWS.slice(3)), [1, 2], { shape: [2, 3], ...more });
      expect(loss).toBe(rest.loss);
      expect([...dlogits]).toEqual([0, 0, 0, ...rest.dlogits]);
    }
    expect(nllLoss(bad, [-100, 1, 2], { ...SHAPE, ignoreIndex: -100 })).toBe(-2);
    expect([...nllLossBackward(1, bad, [-100, 1, 2], { ...SHAPE, ignoreIndex: -100 })]).toEqual([
      0, 0, 0, 0, -0.5, 0, 0, 0, -0.5,
    ]);
  });

  test("every target ignored, or weights that sum to 0: mean 0, gradient 0", () => {
    const zeros = new Array<number>(9).fill(0);
    for (const more of [{}, { labelSmoothing: 0.1 }, { temperature: 2 }]) {
      const ignored = crossEntropyWithGrad(x, [5, 5, 5], { ...SHAPE, ignoreIndex: 5, ...more });
      expect([ignored.loss, ...ignored.dlogits]).toEqual([0, ...zeros]);
      for (const weight of [
        [0, 0, 0],
        [2, -1, 5],
      ]) {
        const weightless = crossEntropyWithGrad(x, [1, 1, 0], { ...SHAPE, weight, ...more });
        expect([weightless.loss, ...weightless.dlogits]).toEqual([0, ...zeros]);
      }
    }
    expect(nllLoss(x, [5, 5, 5], { ...SHAPE, ignoreIndex: 5 })).toBe(0);
    expect(nllLoss(x, [1, 1, 0], { ...SHAPE, weight: [0, 0, 1e-300].slice(0, 3) })).toBe(0);
  });

  test("a mean of weighted rows divides by their weights; ones change no bit", () => {
    const y = [2, 0, 1];
    const ones = { ...SHAPE, weight: [1, 1, 1] };
    expect(crossEntropyWithGrad(x, y, ones)).toEqual(crossEntropyWithGrad(x, y, SHAPE));
    expect(nllLoss(x, y, ones)).toBe(nllLoss(x, y, SHAPE));
    const weight = [1, 3, 0.5];
    const losses = crossEntropy(x, y, NONE);
    const sum = 0.5 * losses[0] + 1 * losses[1] + 3 * losses[2];
    near([crossEntropy(x, y, { ...SHAPE, weight })], [sum / 4.5], 1e-6);
    near([crossEntropy(x, y, { ...SHAPE, weight, reduction: "sum" })], [sum], 1e-6);
  });

  test("weights of any size", () => {
    const y = [2, 0, 1];
    const mean = crossEntropyWithGrad(x, y, { ...SHAPE, weight: [1, 2, 4] });
    for (const power of [2 ** -900, 2 ** 900, 2 ** 1021]) {
      const weight = [1, 2, 4].map((w) => w * power);
      expect(crossEntropyWithGrad(x, y, { ...SHAPE, weight })).toEqual(mean);
      const smooth = { ...SHAPE, labelSmoothing: 0.25 };
      near(
        crossEntropyWithGrad(x, y, { ...smooth, weight }).dlogits,
        crossEntropyWithGrad(x, y, { ...smooth, weight: [1, 2, 4] }).dlogits,
      );
    }
  });

  test("a masked class is as if it were not there", () => {
    const mask = [1, 0, 1, 1, 1, 0, 0, 1, 1];
    const y = [0, 1, 2];
    const pairs = { data: make([2, 0.5, 0, 3, 1, 1]), shape: [3, 2] };
    for (const more of [{}, { labelSmoothing: 0.2 }, { zLoss: 0.3 }, { softcap: 2, temperature: 0.5 }]) {
      const all = crossEntropyWithGrad(make([2, nan, 0.5, 0, 3, inf, -inf, 1, 1]), y, { ...SHAPE, mask, ...more });
      const few = crossEntropyWithGrad(pairs, [0, 1, 1], more);
      near([all.loss], [few.loss], kind === "f32" ? 1e-7 : 0);
      near(
        [...all.dlogits].filter((_, k) => mask[k] === 1),
        few.dlogits.data,
        kind === "f32" ? 1e-7 : 1e-16,
      );
      expect([...all.dlogits].filter((_, k) => mask[k] === 0)).toEqual([0, 0, 0]);
    }
  });

  test("rows masked whole are left out, a masked target gives +∞", () => {
    const mask = { data: [0, 0, 0, 1, 1, 1, 1, 0, 1], shape: [3, 3] };
    for (const more of [{}, { labelSmoothing: 0.2 }, { temperature: 2 }]) {
      const options = { ...NONE, mask, ...more };
      const { loss, dlogits } = crossEntropyWithGrad(x, [1, 1, 1], options);
      expect([loss[0], loss[2]]).toEqual([0, inf]);
      expect([...dlogits.slice(0, 3), dlogits[7]]).toEqual([0, 0, 0, 0]);
      expect([...crossEntropy(x, [1, 1, 1], options)]).toEqual([...loss]);
      const kept = crossEntropy(make(ROWS.slice(3)), [1, 0], { shape: [2, 3], mask: mask.data.slice(3), ...more });
      expect(crossEntropy(x, [1, 1, 0], { ...SHAPE, mask, ...more })).toBe(kept);
    }
    const q = make([0, 1, 0, 0, 1, 0, 0.5, 0.5, 0]);
    expect([...softCrossEntropy(x, q, { ...NONE, mask })].map((v) => v === inf)).toEqual([false, false, true]);
    expect(softCrossEntropy(x, q, { ...NONE, mask })[0]).toBe(0);
  });

  test("zLoss adds z·lse², a mean over the rows that count", () => {
    const options = { ...SHAPE, ignoreIndex: 9, weight: [1, 2, 4] };
    const y = [0, 9, 1];
    const plain = crossEntropy(x, y, options);
    const lse = [0, 6].map((k) => Math.log(ROWS.slice(k, k + 3).reduce((sum, v) => sum + Math.exp(v), 0)));
    const z = 0.01 * (lse[0] ** 2 + lse[1] ** 2);
    near([crossEntropy(x, y, { ...options, zLoss: 0.01 })], [plain + z / 2], 1e-6);
    const sum = crossEntropy(x, y, { ...options, reduction: "sum" });
    near([crossEntropy(x, y, { ...options, zLoss: 0.01, reduction: "sum" })], [sum + z], 1e-6);
    expect(crossEntropy(x, y, { ...NONE, ignoreIndex: 9, zLoss: 0.01 })[1]).toBe(0);
  });
});

describe("gradients against central differences", () => {
  const normal = normals(12);
  const rows = 4;
  const classes = 5;
  const x = Array.from({ length: rows * classes }, () => 2 * normal());
  const q = softmax(Array.from({ length: rows * classes }, normal), { shape: [rows, classes] });
  const mask = x.map((_, k) => (k % 7 === 3 ? 0 : 1));
  const weight = [0.5, 1, 2, 0, 3];
  const step = 1e-5;
  const shape = [rows, classes] as const;
  const OPTIONS = {
    smoothing: { labelSmoothing: 0.1 },
    weights: { weight },
    "weights, smoothing, mask": { weight, labelSmoothing: 0.3, mask },
    zLoss: { zLoss: 0.2 },
    softcap: { softcap: 1.5 },
    temperature: { temperature: 0.3 },
    all: { weight, labelSmoothing: 0.3, mask, zLoss: 0.2, softcap: 3, temperature: 2.5 },
  };
  const differences = (loss: (moved: number[]) => number): number[] =>
    x.map((_, k) => {
      const at = (by: number) => loss(x.map((v, n) => (n === k ? v + by : v)));
      return (at(step) - at(-step)) / (2 * step);
    });
  for (const [name, options] of Object.entries(OPTIONS)) {
    for (const reduction of ["mean", "sum"] as const) {
      test(`${name}, ${reduction}`, () => {
        const all = { shape, reduction, ...options };
        const y = [0, 1, -100, 4];
        const hard = { ...all, ignoreIndex: -100 };
        near(
          crossEntropyWithGrad(x, y, hard).dlogits,
          differences((moved) => crossEntropy(moved, y, hard)),
          1e-8,
        );
        const kept = q.map((v, k) => v * ("mask" in options ? mask[k] : 1));
        near(
          softCrossEntropyWithGrad(x, kept, all).dlogits,
          differences((m) => softCrossEntropy(m, kept, all)),
          1e-8,
        );
      });
    }
  }

  test("softmax and logSoftmax over a temperature", () => {
    const options = { shape, temperature: 0.7 };
    const dot = (values: readonly number[]) => values.reduce((sum, v, k) => sum + v * q[k], 0);
    const logs = logSoftmax(x, options);
    near(
      logSoftmaxBackward(q, logs, options),
      differences((moved) => dot(logSoftmax(moved, options))),
      1e-8,
    );
    const probs = softmax(x, options);
    near(
      softmaxBackward(q, probs, options),
      differences((moved) => dot(softmax(moved, options))),
      1e-8,
    );
  });
});

describe("examples of optax's documentation (optax/losses/_classification.py), to the four digits printed there", () => {
  const printed = (losses: readonly number[]) => losses.map((v) => Number(v.toFixed(4)));
  const logits = { data: [1.2, -0.8, -0.5, 0.9, -1.2, 1.1], shape: [2, 3] };
  const none = { reduction: "none" } as const;

  test("softmax_cross_entropy, safe_softmax_cross_entropy", () => {
    const labels = { data: [1, 0, 0, 0, 1, 0], shape: [2, 3] };
    expect(printed(softCrossEntropy(logits, labels, none).data)).toEqual([0.2761, 2.9518]);
    // −∞ where the label is 0
    const safe = softCrossEntropyWithGrad([-Infinity, 0, 0], [0, 1, 0]);
    expect([safe.loss, ...safe.dlogits]).toEqual([Math.LN2, 0, -0.5, 0.5]);
  });

  test("softmax_cross_entropy_with_integer_labels", () => {
    expect(printed(crossEntropy(logits, [0, 1], none).data)).toEqual([0.2761, 2.9518]);
    const counting = { data: Array.from({ length: 24 }, (_, k) => k), shape: [1, 2, 12] };
    expect(printed(crossEntropy(counting, [5, 11], none).data)).toEqual([6.4587, 0.4587]);
  });
});

describe.each(["f32", "f64"] as const)("bugs of peers, in %s", (dtype) => {
  const of = (...values: number[]) => typed(values, dtype) as Float64Array;

  test("PyTorch: probabilities as targets make the loss NaN where a class is at −∞", () => {
    const { loss, dlogits } = softCrossEntropyWithGrad(of(2, -inf, 2), of(0.5, 0, 0.5));
    expect([loss, ...dlogits]).toEqual([of(Math.LN2)[0], 0, 0, 0]);
  });

  test("tfjs categoricalCrossentropy clips at 1e-7: a confidently wrong sample has loss 16.118 and gradient 0", () => {
    const { loss, dlogits } = softCrossEntropyWithGrad(of(800, 0), of(0, 1));
    expect([loss, ...dlogits]).toEqual([800, 1, -1]);
  });

  test("the winner's gradient is p − q: 0 long before q' of the others is", () => {
    const tiny = dtype === "f32" ? 2 ** -40 : 2 ** -70;
    // p − q is −2^-40 at the winner, from 1 − s − 1
    const { dlogits } = softCrossEntropyWithGrad(of(200, 0), of(1, tiny));
    expect([...dlogits]).toEqual([tiny, -tiny]);
  });

  test("PyTorch: every target ignored, or weights that sum to 0, make the mean NaN (pytorch#70348)", () => {
    const x = of(1, 2, 3, 4);
    expect(crossEntropy(x, [-100, -100], { shape: [2, 2], ignoreIndex: -100 })).toBe(0);
    expect(crossEntropy(x, [1, 1], { shape: [2, 2], weight: [1, 0], labelSmoothing: 0 })).toBe(0);
  });

  test("softcap keeps small logits", () => {
    expect(crossEntropy(of(1e-3, 0), 0, { softcap: 1e6 })).toBe(crossEntropy(of(1e-3, 0), 0, { temperature: 1 }));
  });
});

test("what a temperature divides is not rounded before the exponential", () => {
  // −700 / 3 rounded is off by up to 2^-46: 2^6 ulp of e^that in f64
  const [p] = softmax([0, 700], { temperature: 3 });
  expect(Math.abs(p / 4.619775690426936e-102 - 1)).toBeLessThan(5e-16);
});

describe("shapes and kinds", () => {
  test("[N, C, d1] along axis 1, tensors, bigint targets, half floats", () => {
    const data = [1, 2, 3, 4, 5, 6, 0, 0, 1, 1, 2, 2];
    const x = { data, dims: [2, 3, 2], type: "float64" };
    const y = { data: BigInt64Array.of(0n, -100n, 2n, 1n), dims: [2, 2], type: "int64" };
    const options = { axis: 1, reduction: "none", ignoreIndex: -100, labelSmoothing: 0.1 } as const;
    const { loss, dlogits } = crossEntropyWithGrad(x, y, options);
    expect([loss.dims, loss.type, dlogits.dims]).toEqual([[2, 2], "float64", [2, 3, 2]]);
    const rows = [
      [1, 3, 5],
      [0, 1, 2],
      [0, 1, 2],
    ].map((row, i) => crossEntropy(row, [0, 2, 1][i], { labelSmoothing: 0.1 }));
    expect(loss.data).toEqual([rows[0], 0, rows[1], rows[2]]);
    const q = softmax(x, { axis: 1 });
    const soft = softCrossEntropyWithGrad(x, q, { axis: 1, reduction: "none" });
    expect(soft.loss.dims).toEqual([2, 2]);
    near(soft.dlogits.data, new Array(12).fill(0), 1e-15);
  });

  test("half floats are computed as f32", () => {
    const bits = Uint16Array.of(0x4000, 0x3c00, 0); // 2, 1, 0
    const f32 = Float32Array.of(2, 1, 0);
    const options = { labelSmoothing: 0.1, temperature: 2 };
    expect(crossEntropyWithGrad(bits, 1, { ...options, dtype: "float16" })).toEqual(
      crossEntropyWithGrad(f32, 1, options),
    );
    const q = Uint16Array.of(0x3800, 0x3800, 0); // 0.5, 0.5, 0
    expect(softCrossEntropy(bits, q, { dtype: "float16" })).toBe(softCrossEntropy(f32, Float32Array.of(0.5, 0.5, 0)));
    expect([...logSoftmax(bits, { dtype: "float16", temperature: 3 })]).toEqual([
      ...logSoftmax(f32, { temperature: 3 }),
    ]);
  });

  test("out receives losses and gradients, and may be the targets' own array", () => {
    const x = Float64Array.of(1, 2, 3, 4, 5, 7);
    const q = softmax(Float64Array.of(0, 1, 0, 2, 0, 1), { shape: [2, 3] });
    const expected = softCrossEntropyWithGrad(x, q, { shape: [2, 3] }).dlogits;
    const own = q.slice();
    expect(softCrossEntropyWithGrad(x, own, { shape: [2, 3], out: own }).dlogits).toBe(own);
    expect(own).toEqual(expected);
    const losses = new Float64Array(2);
    const none = { shape: [2, 3], reduction: "none" } as const;
    expect(crossEntropy(x, [0, 1], { ...none, zLoss: 0.1, out: losses })).toBe(losses);
    expect(losses).toEqual(crossEntropy(x, [0, 1], { ...none, zLoss: 0.1 }));
  });

  test("no rows, and what stays in range", () => {
    const none = { data: new Float32Array(0), shape: [0, 3] };
    for (const more of [{}, { labelSmoothing: 0.1, zLoss: 1 }]) {
      expect(crossEntropyWithGrad(none, [], more).loss).toBe(0);
      expect(softCrossEntropyWithGrad(none, none, more).loss).toBe(0);
    }
    // x − m overflows, the smoothed loss does not; nor does (x − m) / T
    expect(crossEntropy([1.7e308, -1.7e308], 0, { labelSmoothing: 1e-3 })).toBeCloseTo(1.7e305, -292);
    expect([...softmax([1.7e308, -1.7e308], { temperature: 1e308 })][1]).toBeCloseTo(
      Math.exp(-3.4) / (1 + Math.exp(-3.4)),
      14,
    );
    expect(logSoftmax([0, -5e-324], { temperature: 5e-324 })).toEqual(logSoftmax([0, -1]));
  });
});
