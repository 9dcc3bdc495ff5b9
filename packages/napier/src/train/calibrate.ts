import { checkOptions, rangeError, typeError, words } from "../check.ts";
import { type Labelled, noWeight } from "./labelled.ts";
import { checkLabels } from "./labels.ts";
import { checkMatrix, type Label } from "./matrix.ts";
import { Model } from "./model.ts";
import type { FitData } from "./options.ts";
import { Passes } from "./passes.ts";
import { pacer } from "./prepare.ts";
import { checkBins, type Reliability, Tally } from "./reliability.ts";
import { Rows } from "./rows.ts";
import { checkWeights, checkWeightValues, type Look, tableFrom, tableOf } from "./source.ts";
import { type FoundTemperature, Slopes, type TemperatureLimit, TemperatureSearch } from "./temperature.ts";

/** Rows with the model's features, in memory or read block by block. */
export type CalibrateOptions<L extends Label = Label> = FitData<L> & {
  /** How many bins the reports have, 15 by default. */
  bins?: number;
  /** Aborts: the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
};

export interface Calibration<L extends Label = Label> {
  /** The same model with the temperature. */
  readonly model: Model<L>;
  readonly limit: TemperatureLimit | undefined;
  /** The given model on these rows, and the new one. */
  readonly before: Reliability;
  readonly after: Reliability;
}

const CALLER = "calibrate";
const DATA = ["x", "y", "sampleWeight", "source"] as const;

/** What messages call the parts of the rows. */
interface Names {
  readonly x: string;
  readonly y: string;
  readonly weight: string;
}

/** The rows' logits under the model, 4,096 rows after the other. */
function logitsOf<L extends Label>(
  model: Model<L>,
  { x, y, sampleWeight, source }: FitData<L>,
  names: Names,
): () => AsyncIterable<Labelled> {
  if (source === undefined) {
    checkMatrix(CALLER, "x", x, model.inputs);
    checkLabels(CALLER, "y", y, x.shape[0]);
    if (sampleWeight !== undefined) checkWeights(CALLER, "sampleWeight", sampleWeight, x.shape[0]);
  } else {
    const given = DATA.find((name) => name !== "source" && { x, y, sampleWeight }[name] !== undefined);
    if (given !== undefined) throw rangeError(CALLER, given, "nothing beside source", words("both"));
    if (typeof source?.[Symbol.asyncIterator] !== "function") {
      throw typeError(CALLER, "source", "an async iterable of blocks { x, y }", source);
    }
  }
  const table = source === undefined ? tableOf(x, y, sampleWeight) : tableFrom(CALLER, source, model.inputs);
  const { classes, inputs } = model;
  const rows = new Rows(table, { classes }, CALLER, names.y);
  const look: Look = (_, weight, first) => {
    if (weight) checkWeightValues(CALLER, names.weight, weight, first);
  };
  return async function* () {
    for await (const { count, x, targets, weights } of rows.blocks(look)) {
      const { data } = model.logits({ data: x, shape: [count, inputs] });
      yield { logits: data, classes: classes.length, targets, weights };
    }
  };
}

/**
 * Calibrates a classifier: finds the temperature at which its probabilities have the least mean NLL on these rows.
 *
 *   T = argmin Σ_i w[i]·NLL(softmax(logits[i] / T), y[i]) / Σ_i w[i]
 *
 * Take rows that the model was not trained on, some hundreds at least. The new model's `logits` and `predict` give what
 * they gave before; `probs`, `logProbs`, `top` and `evaluate` are those of logits / T, and `toOnnx` writes T too. Whatever
 * temperature the given model has, the result is the same.
 *
 * @param model  a classifier of `fit` or `fromOnnx`
 * @param options.x  [rows, inputs]
 * @param options.y  the class of each row, one of the model's
 * @param options.sampleWeight  w, a finite number from 0 for each row; 1 without it
 * @param options.source  instead of x, y and sampleWeight: an async iterable of blocks `{ x, y, weight? }`, read more than
 * once where its logits are more than 256 MiB
 * @param options.bins  how many bins of one width the reports have, 15 by default
 * @param options.signal  rejects with its reason
 * @returns `model`, with T rounded to f32; `limit` as in temperatureScaling: where it is "least" or "largest" there is no
 * best temperature, and the model is better left as it was; `before` and `after`, as `reliability` reports on these rows
 * @throws {RangeError} a label is none of the model's classes; a row whose loss is NaN or +∞; no rows, or none with a
 * weight; a value that cannot be used
 * @throws {TypeError} an option has the wrong type, or does not exist
 *
 * Accuracy: T as temperatureScaling finds it on the model's f32 logits. The same rows in the same order give the same
 * bits, however they are cut into blocks. Cost: 5 to 10 softmaxes of all rows in f64; at most 256 MiB of logits are kept.
 * Source: Guo et al. 2017, arXiv:1706.04599
 *
 * @example
 * const x = { data: [0, 1, 2, 3, 4, 5, 6, 7], shape: [8, 1] };
 * const y = ["low", "low", "high", "low", "high", "low", "high", "high"];
 * const model = await fit({ x, y, C: 100 });
 * const { model: calibrated, before, after } = await calibrate(model, { x, y });
 * after.nll < before.nll; // true
 * calibrated.predict(x); // ["low", "low", "low", "low", "high", "high", "high", "high"]
 */
export async function calibrate<L extends Label>(
  model: Model<L>,
  options: CalibrateOptions<NoInfer<L>>,
): Promise<Calibration<L>> {
  if (!(model instanceof Model)) throw typeError(CALLER, "model", "a Model", model);
  checkOptions(CALLER, options, [...DATA, "bins", "signal"]);
  const { source, bins = 15, signal } = options;
  checkBins(CALLER, "bins", options.bins);
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw typeError(CALLER, "signal", "an AbortSignal", signal);
  }
  const names: Names =
    source === undefined
      ? { x: "x", y: "y", weight: "sampleWeight" }
      : { x: "source", y: "source's y", weight: "source's weight" };
  const passes = new Passes(CALLER, names.x, logitsOf(model, options, names), pacer(signal));
  const search = new TemperatureSearch();
  const before = new Tally(bins);
  let found: FoundTemperature | undefined;
  for (let pass = 1; found === undefined; pass++) {
    const slopes = new Slopes();
    await passes.each((rows, first) => {
      slopes.add(CALLER, names.x, rows, first, search.temperature);
      if (pass === 1) before.add(rows, model.temperature);
    });
    if (before.weight === 0) throw noWeight(CALLER, names.weight);
    found = search.next(slopes);
  }
  const { classes, features, scaling, layers } = model;
  const calibrated = new Model({ classes, features, scaling, layers, temperature: found.temperature });
  const after = new Tally(bins);
  await passes.each((rows) => after.add(rows, calibrated.temperature));
  return { model: calibrated, limit: found.limit, before: before.report(), after: after.report() };
}
