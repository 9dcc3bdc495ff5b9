import { checkOptions, typeError } from "../check.ts";
import { checkSampleWeight, type Labelled, noWeight, type SampleWeight } from "./labelled.ts";
import { checkLabels, indicesOf, type Labels } from "./labels.ts";
import { checkMatrix, type Label, type Matrix } from "./matrix.ts";
import { Model } from "./model.ts";
import { Passes } from "./passes.ts";
import { pacer } from "./prepare.ts";
import { checkBins, type Reliability, Tally } from "./reliability.ts";
import { type FoundTemperature, Slopes, type TemperatureLimit, TemperatureSearch } from "./temperature.ts";

/** Some rows, their classes, and what they weigh. */
export interface CalibrationBlock<L extends Label = Label> {
  readonly x: Matrix;
  readonly y: Labels<L>;
  readonly weight?: SampleWeight | undefined;
}

interface CalibrationRows<L extends Label> {
  /** [rows, inputs] */
  x: Matrix;
  /** the class of each row, one of the model's */
  y: Labels<L>;
  /** a number from 0 for each row: how much it counts */
  sampleWeight?: SampleWeight | undefined;
  source?: undefined;
}

interface CalibrationSource<L extends Label> {
  /** blocks of rows, instead of x and y: an iterable that can be read again and gives the same blocks each time */
  source: AsyncIterable<CalibrationBlock<L>> | Iterable<CalibrationBlock<L>>;
  x?: undefined;
  y?: undefined;
  sampleWeight?: undefined;
}

export type CalibrateOptions<L extends Label = Label> = (CalibrationRows<L> | CalibrationSource<L>) & {
  /** how many bins the reports have, 15 by default */
  bins?: number;
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
const OPTIONS = ["x", "y", "sampleWeight", "source", "bins", "signal"];
/** Rows that x is cut into: memory for their logits is all that a pass needs. */
const SLICE = 4096;

/** The rows of x and y, some after the other. */
function fromRows<L extends Label>(
  model: Model<L>,
  { x, y, sampleWeight }: CalibrationRows<L>,
): () => Iterable<Labelled> {
  checkMatrix(CALLER, "x", x, model.inputs);
  const [rows, inputs] = x.shape;
  checkLabels(CALLER, "y", y, rows);
  checkSampleWeight(CALLER, "sampleWeight", sampleWeight, rows);
  const targets = indicesOf(CALLER, "y", y, model.classes);
  return function* () {
    for (let first = 0; first < rows; first += SLICE) {
      const end = Math.min(rows, first + SLICE);
      const [from, to] = [first * inputs, end * inputs];
      const data = Array.isArray(x.data) ? x.data.slice(from, to) : (x.data as Float32Array).subarray(from, to);
      yield {
        logits: model.logits({ data, shape: [end - first, inputs] }).data,
        classes: model.classes.length,
        targets: targets.subarray(first, end),
        weights: sampleWeight?.slice(first, end),
      };
    }
  };
}

/** The rows of a source, each block checked as it comes. */
function fromSource<L extends Label>(model: Model<L>, { source }: CalibrationSource<L>): () => AsyncIterable<Labelled> {
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = Object(source);
  if (typeof (later ?? now) !== "function") throw typeError(CALLER, "source", "an iterable of blocks", source);
  return async function* () {
    let n = 0;
    for await (const block of source) {
      const name = `source[${n++}]`;
      if (typeof block !== "object" || block === null) throw typeError(CALLER, name, "{ x, y }", block);
      const { x, y, weight } = block;
      checkMatrix(CALLER, `${name}.x`, x, model.inputs);
      const rows = x.shape[0];
      checkLabels(CALLER, `${name}.y`, y, rows);
      checkSampleWeight(CALLER, `${name}.weight`, weight, rows);
      yield {
        logits: model.logits(x).data,
        classes: model.classes.length,
        targets: indicesOf(CALLER, `${name}.y`, y, model.classes),
        weights: weight && Float64Array.from(weight), // the source may write to its own again
      };
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
 * @param options.source  instead of x, y and sampleWeight: an iterable or async iterable of blocks `{ x, y, weight? }`,
 * read more than once where its logits are more than 256 MiB
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
 * const model = await fit({ x, y, optimizer: "adamw", learningRate: 1, epochs: 5, seed: 1 });
 * const { model: calibrated, before, after } = await calibrate(model, { x, y });
 * after.nll < before.nll; // true
 * calibrated.predict(x); // ["low", "low", "low", "low", "high", "high", "high", "high"]
 */
export async function calibrate<L extends Label>(
  model: Model<L>,
  options: CalibrateOptions<L>,
): Promise<Calibration<L>> {
  if (!(model instanceof Model)) throw typeError(CALLER, "model", "a Model", model);
  checkOptions(CALLER, options, OPTIONS);
  const { source, bins = 15, signal } = options;
  checkBins(CALLER, "bins", options.bins);
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw typeError(CALLER, "signal", "an AbortSignal", signal);
  }
  for (const name of source === undefined ? [] : (["x", "y", "sampleWeight"] as const)) {
    if (options[name] !== undefined) throw typeError(CALLER, name, "nothing beside source", options[name]);
  }
  const argument = source === undefined ? "x" : "source";
  const read = options.source === undefined ? fromRows(model, options) : fromSource(model, options);
  const passes = new Passes(CALLER, argument, read, pacer(signal));
  const search = new TemperatureSearch();
  const before = new Tally(bins);
  let found: FoundTemperature | undefined;
  for (let pass = 1; found === undefined; pass++) {
    const slopes = new Slopes();
    await passes.each((rows, first) => {
      slopes.add(CALLER, argument, rows, first, search.temperature);
      if (pass === 1) before.add(rows, model.temperature);
    });
    if (before.weight === 0) throw noWeight(CALLER, source === undefined ? "sampleWeight" : "weight");
    found = search.next(slopes);
  }
  const { classes, features, scaling, layers } = model;
  const calibrated = new Model({ classes, features, scaling, layers, temperature: found.temperature });
  const after = new Tally(bins);
  await passes.each((rows) => after.add(rows, calibrated.temperature));
  return { model: calibrated, limit: found.limit, before: before.report(), after: after.report() };
}
