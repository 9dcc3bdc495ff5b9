import { type Caller, checkOneOf, checkOptions, rangeError, typeError, words } from "../check.ts";
import type { Pool } from "../pool.ts";
import { checkLabels, type Labels } from "./labels.ts";
import { checkMatrix, type Feature, type Label, type Matrix } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { Scaling } from "./scale.ts";
import type { Score } from "./score.ts";

export interface FitOptions<L extends Label = Label> {
  /** [rows, features] */
  x: Matrix;
  /** The class of each row. */
  y: Labels<L>;
  /** Widths of the hidden layers; [] (the default) is a linear model. */
  hidden?: readonly number[];
  /** A fraction of the rows in (0, 1), or a set of its own. */
  validation?: number | { x: Matrix; y: Labels<L> };
  /** 15 by default. */
  epochs?: number;
  /** Rows of a step, 128 by default. */
  batchSize?: number;
  /** AdamW's, 0.001 by default. */
  learningRate?: number;
  /** AdamW's, on weights and not on biases, 0.01 by default. */
  weightDecay?: number;
  /** How features are scaled, by what the training rows show; "standard" by default. */
  scale?: Scaling["kind"];
  /** An integer from 0 to 2^32 − 1, 0 by default. */
  seed?: number;
  /** Names for the model; the sizes add up to the columns of x. One feature "x" by default. */
  features?: readonly Feature[];
  /** "naive-f32" is the textbook formula in f32, and dies as it does; for demonstrations only. */
  loss?: "cross-entropy" | "naive-f32";
  /** Threads to train on, from `createPool`; steps too small to gain stay on the caller's. */
  pool?: Pool;
  /** Aborts: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** Steps are reported at most every 100 ms, and the first one whose loss is not finite. */
export type Progress =
  | {
      kind: "step";
      /** 1 to epochs */
      epoch: number;
      epochs: number;
      /** rows done in this epoch, of `rows` */
      row: number;
      rows: number;
      /** mean over the rows done in this epoch */
      loss: number;
      /** of this step */
      gradientNorm: number;
      maxLogit: number;
    }
  | {
      kind: "epoch";
      epoch: number;
      epochs: number;
      /** mean over the epoch's steps, while the weights changed */
      train: Score;
      validation?: Score;
      /** of this epoch, validation included */
      seconds: number;
      /** whether no epoch before had a lower validation NLL; without validation, always */
      best: boolean;
      /** the best model so far */
      model: () => Model;
    };

const NAMES: readonly (keyof FitOptions)[] = [
  ...(["x", "y", "hidden", "validation", "epochs", "batchSize", "learningRate", "weightDecay", "scale"] as const),
  ...(["seed", "features", "loss", "pool", "signal", "onProgress"] as const),
];

function checkInteger(caller: Caller, name: string, value: unknown, from: number, to: number): void {
  if (Number.isInteger(value) && (value as number) >= from && (value as number) <= to) return;
  const range = to < Number.MAX_SAFE_INTEGER ? `from ${from} to ${to}` : `from ${from}`;
  throw rangeError(caller, name, `an integer ${range}`, value);
}

function checkRate(caller: Caller, name: string, value: unknown, zero: boolean): void {
  if (typeof value === "number" && value < Infinity && (zero ? value >= 0 : value > 0)) return;
  throw rangeError(caller, name, zero ? "a finite number from 0" : "a finite number above 0", value);
}

function checkFeatures(caller: Caller, features: unknown, columns: number): void {
  if (!Array.isArray(features)) throw typeError(caller, "features", "an array of { name, size }", features);
  let sum = 0;
  features.forEach((feature, n) => {
    if (typeof feature?.name !== "string") throw typeError(caller, `features[${n}].name`, "a string", feature?.name);
    checkInteger(caller, `features[${n}].size`, feature.size, 1, Number.MAX_SAFE_INTEGER);
    sum += feature.size;
  });
  if (sum !== columns) throw rangeError(caller, "features", `sizes that add up to ${columns}`, sum);
}

type Defaulted =
  | "hidden"
  | "epochs"
  | "batchSize"
  | "learningRate"
  | "weightDecay"
  | "scale"
  | "seed"
  | "features"
  | "loss";

/** The options with their defaults; throws on all that can be seen without reading the numbers of x. */
export function checkFit<L extends Label>(
  options: FitOptions<L>,
): FitOptions<L> & Required<Pick<FitOptions<L>, Defaulted>> {
  const caller = "fit";
  checkOptions(caller, options, NAMES);
  const { x, y, validation, signal, onProgress } = options;
  checkMatrix(caller, "x", x);
  const [rows, columns] = x.shape;
  if (rows === 0) throw rangeError(caller, "x", "at least 1 row", 0);
  if (columns === 0) throw rangeError(caller, "x", "at least 1 feature", 0);
  checkLabels(caller, "y", y, rows);
  const { hidden = [], epochs = 15, batchSize = 128, learningRate = 1e-3, weightDecay = 0.01 } = options;
  const { scale = "standard", seed = 0, features = [{ name: "x", size: columns }], loss = "cross-entropy" } = options;
  if (!Array.isArray(hidden)) throw typeError(caller, "hidden", "an array of layer widths", hidden);
  hidden.forEach((width, l) => {
    checkInteger(caller, `hidden[${l}]`, width, 1, Number.MAX_SAFE_INTEGER);
  });
  checkInteger(caller, "epochs", epochs, 1, Number.MAX_SAFE_INTEGER);
  checkInteger(caller, "batchSize", batchSize, 1, Number.MAX_SAFE_INTEGER);
  checkRate(caller, "learningRate", learningRate, false);
  checkRate(caller, "weightDecay", weightDecay, true);
  checkOneOf(caller, "scale", scale, ["standard", "minmax", "none"]);
  checkInteger(caller, "seed", seed, 0, 4294967295);
  checkFeatures(caller, features, columns);
  checkOneOf(caller, "loss", loss, ["cross-entropy", "naive-f32"]);
  if (typeof validation === "number") {
    if (!(validation > 0 && validation < 1)) {
      throw rangeError(caller, "validation", "a fraction between 0 and 1, both excluded", validation);
    }
    const held = Math.round(rows * validation);
    if (held === 0 || held === rows) {
      throw rangeError(
        caller,
        "validation",
        "a fraction that leaves rows on both sides",
        words(`${held} of ${rows} rows`),
      );
    }
  } else if (validation !== undefined) {
    if (typeof validation !== "object" || validation === null) {
      throw typeError(caller, "validation", "a fraction or { x, y }", validation);
    }
    checkMatrix(caller, "validation.x", validation.x, columns);
    if (validation.x.shape[0] === 0) throw rangeError(caller, "validation.x", "at least 1 row", 0);
    checkLabels(caller, "validation.y", validation.y, validation.x.shape[0]);
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw typeError(caller, "signal", "an AbortSignal", signal);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw typeError(caller, "onProgress", "a function", onProgress);
  }
  return { ...options, hidden, epochs, batchSize, learningRate, weightDecay, scale, seed, features, loss };
}
