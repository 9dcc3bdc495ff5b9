import { expect, test } from "vitest";
import {
  entropy,
  entropyBackward,
  klDiv,
  klDivBackward,
  perplexity,
  type SampleOptions,
  sample,
  topLogProbs,
} from "../src/index.ts";

// As a JavaScript caller would: the types would refuse most of these.
const wrong = (value: unknown) => value as never;
const pick = (options: unknown) => () => sample([1, 2], options as SampleOptions & { shape: [2] });
const SEED = "; a seed makes the same draws on every machine";

const MESSAGES: [() => unknown, string][] = [
  [() => topLogProbs([1, 2], 0), "RangeError: topLogProbs: k expected an integer from 1 to 2, got 0"],
  [() => topLogProbs([1, 2], 3), "RangeError: topLogProbs: k expected an integer from 1 to 2, got 3"],
  [() => topLogProbs([1, 2], 1.5), "RangeError: topLogProbs: k expected an integer from 1 to 2, got 1.5"],
  [
    () => topLogProbs([1, 2], wrong(undefined)),
    "RangeError: topLogProbs: k expected an integer from 1 to 2, got undefined",
  ],
  [
    () => topLogProbs([1, 2], wrong({ k: 1 })),
    "RangeError: topLogProbs: k expected an integer from 1 to 2, got an object with k",
  ],
  [() => topLogProbs([], 1), "RangeError: topLogProbs: logits expected at least 1 class, got 0"],
  [
    () => topLogProbs([1, 2], 1, wrong({ out: [0] })),
    "TypeError: topLogProbs: options expected only shape, axis, dtype, got out",
  ],
  [
    () => topLogProbs([1, 2], 1, { axis: 1 }),
    "RangeError: topLogProbs: options.axis expected an integer from -1 to 0, got 1",
  ],
  [pick(undefined), `RangeError: sample: options.seed expected an integer from 0 to 4294967295, got undefined${SEED}`],
  [pick({}), `RangeError: sample: options.seed expected an integer from 0 to 4294967295, got undefined${SEED}`],
  [pick({ seed: -1 }), `RangeError: sample: options.seed expected an integer from 0 to 4294967295, got -1${SEED}`],
  [
    pick({ seed: 2 ** 32 }),
    `RangeError: sample: options.seed expected an integer from 0 to 4294967295, got 4294967296${SEED}`,
  ],
  [pick({ seed: 0.5 }), `RangeError: sample: options.seed expected an integer from 0 to 4294967295, got 0.5${SEED}`],
  [
    pick({ seed: 1, temperature: -1 }),
    "RangeError: sample: options.temperature expected a finite number from 0, got -1",
  ],
  [
    pick({ seed: 1, temperature: Number.NaN }),
    "RangeError: sample: options.temperature expected a finite number from 0, got NaN",
  ],
  [
    pick({ seed: 1, temperature: Infinity }),
    "RangeError: sample: options.temperature expected a finite number from 0, got Infinity",
  ],
  [
    pick({ seed: 1, temperature: "1" }),
    'RangeError: sample: options.temperature expected a finite number from 0, got "1"',
  ],
  [pick({ seed: 1, topK: 0 }), "RangeError: sample: options.topK expected an integer from 1, got 0"],
  [pick({ seed: 1, topK: 2.5 }), "RangeError: sample: options.topK expected an integer from 1, got 2.5"],
  [pick({ seed: 1, topP: 0 }), "RangeError: sample: options.topP expected a number above 0, up to 1, got 0"],
  [pick({ seed: 1, topP: 1.1 }), "RangeError: sample: options.topP expected a number above 0, up to 1, got 1.1"],
  [pick({ seed: 1, topP: Number.NaN }), "RangeError: sample: options.topP expected a number above 0, up to 1, got NaN"],
  [
    pick({ seed: 1, top_p: 1 }),
    "TypeError: sample: options expected only shape, axis, dtype, temperature, topK, topP, seed, got top_p; did you mean topP",
  ],
  [
    () => sample({ data: [], shape: [2, 0] }, { seed: 1 }),
    "RangeError: sample: logits expected at least 1 class, got 0",
  ],
  [() => klDiv([1], [1, 2]), "RangeError: klDiv: targets expected 1 numbers, got 2"],
  [
    () => klDiv({ data: [1, 2], shape: [2] }, { data: [1, 2], shape: [1, 2] }),
    "RangeError: klDiv: targets.shape expected [2], got [1, 2]",
  ],
  [() => klDiv([1, 2], [1, 2], { shape: [3] }), "RangeError: klDiv: logProbs expected 3 elements for shape [3], got 2"],
  [
    () => klDiv([1], [1], { reduction: wrong("avg") }),
    'RangeError: klDiv: options.reduction expected "mean" or "batchmean" or "sum" or "none", got "avg"',
  ],
  [() => klDiv([1], [1], { logTarget: wrong(1) }), "TypeError: klDiv: options.logTarget expected true or false, got 1"],
  [
    () => klDiv([1], [1], wrong({ axis: 0 })),
    "TypeError: klDiv: options expected only shape, dtype, out, reduction, logTarget, got axis",
  ],
  [
    () => klDiv([1], [1], { reduction: "none", out: [1, 2] }),
    "RangeError: klDiv: options.out expected 1 elements, got 2",
  ],
  [
    () => klDivBackward([1], [1], [1]),
    'TypeError: klDivBackward: dloss expected a number for reduction "mean", got an array',
  ],
  [
    () => klDivBackward(1, [1], [1], { reduction: "none" }),
    "TypeError: klDivBackward: dloss expected number[], Float32Array, Float64Array or { data, shape }, got 1",
  ],
  [
    () => klDivBackward([1, 2], [1], [1], { reduction: "none" }),
    "RangeError: klDivBackward: dloss expected 1 numbers, got 2",
  ],
  [() => klDivBackward(1, [1], [1, 2]), "RangeError: klDivBackward: targets expected 1 numbers, got 2"],
  [
    () => entropy([1], wrong({ dim: 0 })),
    "TypeError: entropy: options expected only shape, axis, keepDims, dtype, out, got dim; did you mean axis",
  ],
  [() => entropy([1, 2], { shape: [2, 1], out: [0] }), "RangeError: entropy: options.out expected 2 elements, got 1"],
  [
    () => entropyBackward(1, wrong([1, 2]), { shape: [2, 1] }),
    "TypeError: entropyBackward: dentropy expected an array of 2 numbers, one for each row, got 1",
  ],
  [
    () => entropyBackward(wrong(Float32Array.of(1)), wrong([1, 2])),
    "TypeError: entropyBackward: dentropy expected f64 as the logits, got f32",
  ],
  [() => perplexity([1, 2], 2), "RangeError: perplexity: targets expected an integer from 0 to 1, got 2"],
  [
    () => perplexity([1, 2], [0, 1]),
    "RangeError: perplexity: targets expected 1 class index, got 2; a flat array without options.shape is one row",
  ],
  [() => perplexity([], 0), "RangeError: perplexity: logits expected at least 1 class, got 0"],
  [
    () => perplexity([1, 2], 0, wrong({ reduction: "sum" })),
    "TypeError: perplexity: options expected only shape, axis, dtype, weight, ignoreIndex, mask, softcap, temperature, got reduction",
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

test("out is untouched when a call throws", () => {
  const out = Float64Array.of(7, 7);
  expect(() => klDiv(new Float64Array(2), new Float64Array(3), { reduction: "none", out })).toThrow("klDiv: ");
  expect(() => klDivBackward(1, new Float64Array(2), new Float64Array(2), { out, reduction: "none" })).toThrow(
    "klDivB",
  );
  expect(() => entropy(new Float64Array(4), { shape: [2, 2], axis: 2, out })).toThrow("entropy: ");
  expect(() => entropyBackward(new Float64Array(2), new Float64Array(2), { out })).toThrow("entropyBackward: ");
  expect([...out]).toEqual([7, 7]);
});
