import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { normals } from "../../../tools/hostile.ts";
import { crossEntropy, logSoftmax, softmax } from "../src/index.ts";
import {
  calibrate,
  fit,
  Model,
  type Reliability,
  type ReliabilityOptions,
  reliability,
  temperatureScaling,
} from "../src/train/index.ts";
import type { Labelled } from "../src/train/labelled.ts";
import { Passes } from "../src/train/passes.ts";
import { type FoundTemperature, TemperatureSearch } from "../src/train/temperature.ts";
import { blobs } from "./blobs.ts";

interface Bins {
  accuracy: number[];
  confidence: number[];
  count: number[];
  ece: number;
}

interface Report {
  temperature: number;
  nll: number;
  brier: number;
  accuracy: number;
  uniform: Bins;
  quantile: Bins;
}

interface Case {
  name: string;
  classes: number;
  logits: number[];
  targets: number[];
  weights: number[] | null;
  exact: number;
  scipy: number;
  sklearn: number;
  bins: number;
  before: Report;
  after: Report;
}

const { cases } = JSON.parse(readFileSync(new URL("sklearn/calibration.json", import.meta.url), "utf8")) as {
  cases: Case[];
};
const EPSILON = 2 ** -52;

function given({ logits, targets, classes, weights }: Case) {
  const options = weights === null ? {} : { sampleWeight: weights };
  return [{ data: logits, shape: [targets.length, classes] }, targets, options] as const;
}

/** Within so many f64 ulps of about the number. */
function expectNear(value: number, expected: number, ulps: number): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(ulps * EPSILON * Math.abs(expected));
}

describe.each(cases.map((c) => [c.name, c] as const))("%s", (_, c) => {
  test("the temperature is that of 60 digits, SciPy's and scikit-learn's", () => {
    const { temperature, limit } = temperatureScaling(...given(c));
    expectNear(temperature, c.exact, 4);
    expect(Math.abs(temperature / c.scipy - 1)).toBeLessThan(1e-8);
    // scikit-learn compares losses, whose digits say half as much about the temperature
    expect(Math.abs(temperature / c.sklearn - 1)).toBeLessThan(1e-6);
    expect(limit).toBeUndefined();
  });

  test.each(["before", "after"] as const)("metrics and bins %s are scikit-learn's", (when) => {
    const theirs = c[when];
    const [logits, targets, weights] = given(c);
    for (const strategy of ["uniform", "quantile"] as const) {
      const options: ReliabilityOptions = { ...weights, bins: c.bins, strategy, temperature: theirs.temperature };
      const ours = reliability(logits, targets, options);
      const bins = theirs[strategy];
      expect(ours.rows).toBe(targets.length);
      expectNear(ours.nll, theirs.nll, 64);
      expectNear(ours.brier, theirs.brier, 64);
      expectNear(ours.accuracy, theirs.accuracy, 16);
      expectNear(ours.ece, bins.ece, 4096);
      expect(ours.bins.map((bin) => bin.count)).toEqual(bins.count);
      if (c.weights) continue; // calibration_curve takes none
      ours.bins.forEach((bin, b) => {
        expectNear(bin.accuracy, bins.accuracy[b]!, 4);
        expectNear(bin.confidence, bins.confidence[b]!, 16);
        expect(bin.weight).toBe(bin.count);
        expect(bin.confidence >= bin.from && bin.confidence <= bin.to).toBe(true);
      });
    }
  });

  test("no temperature beside it has a smaller loss", () => {
    const [logits, targets, { sampleWeight }] = given(c);
    const { temperature } = temperatureScaling(...given(c));
    const lossAt = (t: number): number => {
      const each = crossEntropy(logits, targets, { reduction: "none", temperature: t }).data;
      return each.reduce((sum, loss, i) => sum + loss * (sampleWeight?.[i] ?? 1), 0);
    };
    for (const factor of [0.5, 0.99, 0.9999, 1.0001, 1.01, 2]) {
      expect(lossAt(temperature)).toBeLessThan(lossAt(temperature * factor));
    }
  });
});

describe("temperatureScaling", () => {
  const shape = [4, 2];
  const answer = Math.fround(2 / Math.log(3)); // where softmax([2, 0] / T) is [3/4, 1/4]
  const scaled = (by: number) => ({ data: [2, 0, 2, 0, 2, 0, 2, 0].map((x) => x * by), shape });

  test("finds what can be found by hand, at any scale within the limits, from saturated probabilities too", () => {
    for (const by of [1e-4, 1e-2, 1, 30, 1e3, 1.7e4]) {
      const { temperature, limit } = temperatureScaling(scaled(by), [0, 0, 0, 1]);
      expectNear(temperature, (2 * by) / Math.log(3), 4);
      expect(limit).toBeUndefined();
    }
    expect(temperatureScaling(Float32Array.from(scaled(1).data), [0, 0, 0, 1], { shape }).temperature).toBeCloseTo(
      answer,
    );
  });

  test("two classes of which a row in fifty goes wrong, where Newton's steps are long", () => {
    for (const [scale, hits] of [
      [1, 49],
      [1e-3, 49],
      [1000, 49],
      [1, 999],
      [50, 99999],
    ] as const) {
      const targets = new Int32Array(hits + 1);
      targets[hits] = 1;
      const data = Float64Array.from({ length: 2 * targets.length }, (_, k) => (k % 2 === 0 ? scale : 0));
      const { temperature } = temperatureScaling({ data, shape: [targets.length, 2] }, targets);
      expectNear(temperature, scale / Math.log(hits), 16);
    }
  });

  test("many classes: a sum of so many terms does not drift", () => {
    const classes = 30000;
    const data = new Float64Array(4 * classes);
    for (let i = 0; i < 4; i++) data[i * classes] = 6;
    // three rows of four have p = 3/4: (classes − 1)·e^(−6 / T) is 1/3
    const { temperature } = temperatureScaling({ data, shape: [4, classes] }, [0, 0, 0, 1]);
    expectNear(temperature, 6 / Math.log(3 * (classes - 1)), 8);
  });

  test("the search ends whatever the slopes are: Newton alone would take 700 steps here, or turn in circles", () => {
    for (const power of [0.501, 0.51, 0.6, 1, 3]) {
      for (const best of [2e-4, 0.3, 1.7, 9000]) {
        const search = new TemperatureSearch();
        let result: FoundTemperature | undefined;
        let passes = 0;
        for (; result === undefined && passes < 1000; passes++) {
          const far = 1 / search.temperature - 1 / best;
          const value = Math.sign(far) * Math.abs(far) ** power;
          const curvature = power * Math.abs(far) ** (power - 1);
          result = search.next({ gradient: { value }, curvature, cold: 1, isFlat: false });
        }
        expect(passes).toBeLessThan(130);
        expect(Math.abs(result!.temperature / best - 1)).toBeLessThan(1e-8);
      }
    }
  });

  test("beyond its limits it says so", () => {
    const least = { temperature: 2 ** -15, limit: "least" };
    const largest = { temperature: 2 ** 15, limit: "largest" };
    // every row right, also where every probability is 0 or 1 already
    expect(temperatureScaling(scaled(1), [0, 0, 0, 0])).toEqual(least);
    expect(temperatureScaling(scaled(1e5), [0, 0, 0, 0])).toEqual(least);
    expect(temperatureScaling(scaled(1e-9), [0, 0, 0, 1])).toEqual(least);
    // nothing, or the contrary, is known about the classes
    expect(temperatureScaling(scaled(1), [0, 1, 0, 1])).toEqual(largest);
    expect(temperatureScaling(scaled(1), [1, 1, 1, 1])).toEqual(largest);
    expect(temperatureScaling(scaled(1e6), [0, 0, 0, 1])).toEqual(largest);
    // every temperature is as good
    expect(temperatureScaling(scaled(0), [0, 0, 1, 1])).toEqual({ temperature: 1, limit: undefined });
    const masked = { data: [3, 3, -Infinity, 3, -Infinity, 3], shape: [2, 3] };
    expect(temperatureScaling(masked, [1, 0])).toEqual({ temperature: 1, limit: undefined });
    expect(temperatureScaling([5], 0)).toEqual({ temperature: 1, limit: undefined });
  });

  test("a masked class is one at no temperature", () => {
    const masked = [2, 0, -Infinity, 2, -Infinity, 0, -Infinity, 2, 0, 2, -Infinity, 0];
    const bare = temperatureScaling(scaled(1), [0, 0, 1, 0]);
    expect(temperatureScaling({ data: masked, shape: [4, 3] }, [0, 0, 2, 0])).toEqual(bare);
  });

  test("weights count as rows do, and a row of weight 0 is not there, whatever is in it", () => {
    const normal = normals(3);
    const data = Float64Array.from({ length: 60 }, () => 3 * normal());
    const targets = Array.from({ length: 20 }, (_, i) => i % 3);
    const sampleWeight = targets.map((_, i) => (i * 7) % 4);
    const rows = sampleWeight.flatMap((w, i) => new Array<number>(w).fill(i));
    const repeated = {
      data: rows.flatMap((i) => [...data.subarray(3 * i, 3 * i + 3)]),
      shape: [rows.length, 3],
    };
    const labels = rows.map((i) => targets[i]!);
    data.fill(Number.NaN, 0, 3);
    const logits = { data, shape: [20, 3] };
    expectNear(
      temperatureScaling(logits, targets, { sampleWeight }).temperature,
      temperatureScaling(repeated, labels).temperature,
      8,
    );
    const [weighted, plain] = [reliability(logits, targets, { sampleWeight }), reliability(repeated, labels)];
    for (const name of ["nll", "brier", "accuracy", "ece"] as const) expectNear(weighted[name], plain[name], 64);
    expect(weighted.bins.map((bin) => bin.weight)).toEqual(plain.bins.map((bin) => bin.count));
    expect(weighted.rows).toBe(15);
    const kept = targets.map((_, i) => i).filter((i) => sampleWeight[i]! > 0);
    const less = { data: kept.flatMap((i) => [...data.subarray(3 * i, 3 * i + 3)]), shape: [15, 3] };
    for (const strategy of ["uniform", "quantile"] as const) {
      const options = { strategy, sampleWeight: kept.map((i) => sampleWeight[i]!) };
      const without = reliability(
        less,
        kept.map((i) => targets[i]!),
        options,
      );
      expect(reliability(logits, targets, { strategy, sampleWeight })).toEqual(without);
    }
  });

  test("axis and kind of array change no bit", () => {
    const [first] = cases;
    const { logits, targets, classes } = first!;
    const single = Float32Array.from(logits);
    const rows = targets.length;
    const turned = Float32Array.from(single, (_, k) => single[(k % rows) * classes + Math.floor(k / rows)]!);
    const [a, b] = [
      { data: single, dims: [rows, classes], type: "float32" },
      { data: turned, shape: [1, classes, rows] },
    ];
    const y = { data: targets, shape: [1, rows] };
    expect(temperatureScaling(b, y, { axis: 1 })).toEqual(temperatureScaling(a, Int32Array.from(targets)));
    expect(reliability(b, y, { axis: 1 })).toEqual(reliability([...single], targets, { shape: [rows, classes] }));
  });
});

describe("reliability", () => {
  test("winners near 1 keep the digits of what is missing", () => {
    // 1 − p is e^-50 to 22 digits, and 0 by subtraction
    const missing = Math.exp(-50);
    const { nll, brier, ece, accuracy } = reliability({ data: [50, 0, 0, 50], shape: [2, 2] }, [0, 1]);
    expectNear(nll, missing, 8);
    expectNear(ece, missing, 8);
    expectNear(brier, 2 * missing * missing, 32);
    expect(accuracy).toBe(1);
  });

  test("a probability on the border belongs to the bin below it", () => {
    const { bins } = reliability({ data: [0, 0, 1, 1], shape: [2, 2] }, [0, 1], { bins: 2 });
    expect(bins).toEqual([{ from: 0, to: 0.5, count: 2, weight: 2, confidence: 0.5, accuracy: 0.5 }]);
    expect(reliability([1], 0).bins).toHaveLength(1);
  });

  test("what is broken in the logits shows", () => {
    const at = (data: number[], y: number): Reliability =>
      reliability({ data: [...data, 1, 0], shape: [2, 2] }, [y, 0]);
    for (const row of [
      [Number.NaN, 0],
      [Infinity, 0],
      [-Infinity, -Infinity],
    ]) {
      const { nll, brier, ece, rows } = at(row, 0);
      expect([nll, brier, ece, rows]).toEqual([Number.NaN, Number.NaN, Number.NaN, 2]);
    }
    expect(at([0, -Infinity], 1)).toMatchObject({ nll: Infinity, accuracy: 0.5 });
    expect(at([0, -Infinity], 1).brier).toBeGreaterThan(1);
  });

  test("log-probabilities are logits", () => {
    const [logits, targets] = given(cases[0]!);
    const [a, b] = [reliability(logits, targets), reliability(logSoftmax(logits), targets)];
    for (const name of ["nll", "brier", "ece"] as const) expectNear(b[name], a[name], 256);
  });
});

async function* streamOf<T>(...blocks: T[]): AsyncGenerator<T> {
  yield* blocks;
}

describe("calibrate", async () => {
  const { x, y } = blobs(6000, 4, 3, 5, 3);
  const held = blobs(5000, 4, 3, 6, 3);
  const model = await fit({ x, y, hidden: [32], epochs: 3, learningRate: 0.02, weightDecay: 0, seed: 1 });
  const sharp = new Model({
    ...{ classes: model.classes, features: model.features, scaling: model.scaling },
    layers: model.layers.map((layer, l) =>
      l === 0 ? layer : { ...layer, weight: layer.weight.map((w) => 4 * w), bias: layer.bias.map((b) => 4 * b) },
    ),
  });
  const calibration = await calibrate(sharp, held);
  const calibrated = calibration.model;
  const targets = held.y.map((label) => model.classes.indexOf(label));

  test("a model whose logits are four times too large", () => {
    const plain = temperatureScaling(sharp.logits(held.x), targets);
    expect(calibrated.temperature).toBe(Math.fround(plain.temperature));
    expect(calibrated.temperature / 4).toBeCloseTo(temperatureScaling(model.logits(held.x), targets).temperature, 3);
    expect(calibration.limit).toBeUndefined();
    const { before, after } = calibration;
    expect(after.nll).toBeLessThan(before.nll);
    expect(after.ece).toBeLessThan(before.ece / 3);
    expect(after.brier).toBeLessThan(before.brier);
    expect(after.accuracy).toBe(before.accuracy);
    expect(before).toEqual(sharp.reliability(held.x, held.y));
    expect(after).toEqual(calibrated.reliability(held.x, held.y));
    const { temperature } = calibrated;
    expect(after).toEqual(reliability(sharp.logits(held.x), targets, { temperature }));
  });

  test("the model's probabilities are those of logits / T; logits and labels are what they were", () => {
    const { temperature } = calibrated;
    const logits = sharp.logits(held.x);
    expect(calibrated.logits(held.x)).toEqual(logits);
    expect(calibrated.predict(held.x)).toEqual(sharp.predict(held.x));
    expect(calibrated.logProbs(held.x)).toEqual(logSoftmax(logits, { temperature }));
    expect(calibrated.probs(held.x)).toEqual(softmax(logits, { temperature }));
    const { classes, logProbs } = calibrated.top(held.x, 2);
    expect(classes).toEqual(sharp.top(held.x, 2).classes);
    const ours = calibrated.logProbs(held.x).data;
    logProbs.forEach((best, i) => {
      expect(best).toEqual(classes[i]!.map((label) => ours[i * 3 + model.classes.indexOf(label)]));
    });
    const { nll, accuracy, rows } = calibrated.evaluate(held.x, held.y);
    expectNear(nll, crossEntropy(Float64Array.from(logits.data), targets, { shape: logits.shape, temperature }), 64);
    expect([accuracy, rows]).toEqual([sharp.evaluate(held.x, held.y).accuracy, 5000]);
    const empty = { data: [], shape: [0, 4] };
    expect(calibrated.logProbs(empty).shape).toEqual([0, 3]);
  });

  test("a source in any blocks, and calibrating again, give the same bits", async () => {
    const cut = (rows: number) => ({
      async *[Symbol.asyncIterator]() {
        for (let first = 0; first < 5000; first += rows) {
          const count = Math.min(rows, 5000 - first);
          const data = [...held.x.data.subarray(first * 4, (first + count) * 4)];
          yield { x: { data, shape: [count, 4] }, y: held.y.slice(first, first + count), weight: undefined };
        }
      },
    });
    for (const rows of [1, 77, 4096]) expect(await calibrate(sharp, { source: cut(rows) })).toEqual(calibration);
    const again = await calibrate(calibrated, { source: streamOf(held) });
    expect(again.model.temperature).toBe(calibrated.temperature);
    expect(again.before).toEqual(calibration.after);
    const sampleWeight = held.y.map((_, i) => (i % 7) / 4);
    const { model: weighted, after } = await calibrate(sharp, { ...held, sampleWeight, bins: 7 });
    const { model: streamed, after: other } = await calibrate(sharp, {
      source: streamOf({ ...held, weight: Float32Array.from(sampleWeight) }),
      bins: 7,
    });
    expect(streamed.temperature).toBe(weighted.temperature);
    expect(weighted.temperature).not.toBe(calibrated.temperature);
    expect(other).toEqual(after);
    expect(other).toEqual(weighted.reliability(held.x, held.y, { sampleWeight, bins: 7 }));
  });

  test("more logits than are kept are read again, and a source that changes is found out", async () => {
    const block: Labelled = {
      ...{ logits: new Float32Array(30), classes: 3 },
      ...{ targets: new Int32Array(10), weights: undefined },
    };
    const read = async (most: number): Promise<number> => {
      let blocks = 0;
      const source = function* () {
        for (let n = 0; n < 5; n++, blocks++) yield block;
      };
      const passes = new Passes("calibrate", "source", source, async () => {}, most);
      for (let pass = 0; pass < 3; pass++) {
        const firsts: number[] = [];
        await passes.each((_, first) => firsts.push(first));
        expect(firsts).toEqual([0, 10, 20, 30, 40]);
      }
      return blocks;
    };
    expect(await read(5 * 240)).toBe(5);
    expect(await read(5 * 240 - 1)).toBe(15);
    let left = 1;
    const once = new Passes(
      "calibrate",
      "source",
      () => (left-- > 0 ? [block] : []),
      async () => {},
      0,
    );
    await once.each(() => {});
    await expect(once.each(() => {})).rejects.toThrow(
      new Error(
        "calibrate: source expected 10 rows as in the first pass, got 0; a generator is read only once: pass an object whose [Symbol.asyncIterator] begins anew",
      ),
    );
  });

  test("limits are told, and the model has them", async () => {
    const right = await calibrate(sharp, { x: held.x, y: sharp.predict(held.x) });
    expect([right.limit, right.model.temperature]).toEqual(["least", 2 ** -15]);
    expect(right.after.nll).toBeLessThanOrEqual(right.before.nll);
    const turned = sharp.predict(held.x).map((label) => (label === "a" ? "b" : label === "b" ? "c" : "a"));
    const wrong = await calibrate(sharp, { x: held.x, y: turned });
    expect([wrong.limit, wrong.model.temperature]).toEqual(["largest", 2 ** 15]);
    expect(wrong.after.nll).toBeCloseTo(Math.log(3), 2);
  });

  test("a signal ends it", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(calibrate(sharp, { ...held, signal })).rejects.toThrow("enough");
  });
});
