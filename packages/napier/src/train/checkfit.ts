import { type Caller, checkNumber, checkOneOf, checkOptions, rangeError, typeError, words } from "../check.ts";
import { checkMiniBatch, MINI_BATCH_NAMES } from "./batchoptions.ts";
import { checkLabels } from "./labels.ts";
import { checkMatrix, type Label } from "./matrix.ts";
import { Model } from "./model.ts";
import type { FitOptions, FitSettings } from "./options.ts";
import { checkWeights } from "./source.ts";

const DATA = ["x", "y", "sampleWeight", "source"] as const;
const ANY = [
  ...(["hidden", "optimizer", "validation", "classWeight", "warmStart", "scale", "seed"] as const),
  ...(["features", "pool", "reducer", "checkpoint", "resume", "signal", "onProgress"] as const),
];
/** What only some optimizers know. */
const OWN = {
  lbfgs: ["C", "tolerance", "maxIterations"],
  batches: ["epochs", "batchSize", "loss", "reportEvery", ...MINI_BATCH_NAMES],
} as const;
const NAMES: readonly string[] = [...DATA, ...ANY, ...OWN.lbfgs, ...OWN.batches];

function checkInteger(caller: Caller, name: string, value: unknown, from: number, to: number): void {
  if (Number.isInteger(value) && (value as number) >= from && (value as number) <= to) return;
  const range = to < Number.MAX_SAFE_INTEGER ? `from ${from} to ${to}` : `from ${from}`;
  throw rangeError(caller, name, `an integer ${range}`, value);
}

function checkRate(caller: Caller, name: string, value: unknown, zero: boolean): void {
  if (typeof value === "number" && value < Infinity && (zero ? value >= 0 : value > 0)) return;
  throw rangeError(caller, name, zero ? "a finite number from 0" : "a finite number above 0", value);
}

function checkFeatures(caller: Caller, features: unknown, columns: number | undefined): void {
  if (!Array.isArray(features)) throw typeError(caller, "features", "an array of { name, size }", features);
  let sum = 0;
  features.forEach((feature, n) => {
    if (typeof feature?.name !== "string") throw typeError(caller, `features[${n}].name`, "a string", feature?.name);
    checkInteger(caller, `features[${n}].size`, feature.size, 1, Number.MAX_SAFE_INTEGER);
    sum += feature.size;
  });
  if (columns !== undefined && sum !== columns) {
    throw rangeError(caller, "features", `sizes that add up to ${columns}`, sum);
  }
}

function isSource(value: unknown): boolean {
  return typeof (value as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator] === "function";
}

/** Rows in memory or a source, and not both; how many rows and columns, where that is known. */
function checkData(caller: Caller, { x, y, sampleWeight, source }: FitOptions): readonly number[] | undefined {
  if (source !== undefined) {
    const given =
      x !== undefined ? "x" : y !== undefined ? "y" : sampleWeight !== undefined ? "sampleWeight" : undefined;
    if (given !== undefined) throw rangeError(caller, given, "nothing beside source", words("both"));
    if (!isSource(source)) throw typeError(caller, "source", "an async iterable of blocks { x, y }", source);
    return undefined;
  }
  checkMatrix(caller, "x", x);
  const [rows, columns] = x.shape;
  if (rows === 0) throw rangeError(caller, "x", "at least 1 row", 0);
  if (columns === 0) throw rangeError(caller, "x", "at least 1 feature", 0);
  checkLabels(caller, "y", y, rows);
  if (sampleWeight !== undefined) checkWeights(caller, "sampleWeight", sampleWeight, rows);
  return x.shape;
}

function checkValidation(caller: Caller, validation: unknown, shape: readonly number[] | undefined): void {
  if (validation === undefined) return;
  if (typeof validation === "number") {
    if (!(validation > 0 && validation < 1)) {
      throw rangeError(caller, "validation", "a fraction between 0 and 1, both excluded", validation);
    }
    if (shape === undefined) return;
    const held = Math.round(shape[0] * validation);
    if (held > 0 && held < shape[0]) return;
    const got = words(`${held} of ${shape[0]} rows`);
    throw rangeError(caller, "validation", "a fraction that leaves rows on both sides", got);
  }
  if (typeof validation !== "object" || validation === null) {
    throw typeError(caller, "validation", "a fraction, { x, y } or a source", validation);
  }
  if (isSource(validation)) return;
  const { x, y } = validation as { x: unknown; y: unknown };
  checkMatrix(caller, "validation.x", x, shape?.[1]);
  if (x.shape[0] === 0) throw rangeError(caller, "validation.x", "at least 1 row", 0);
  checkLabels(caller, "validation.y", y, x.shape[0]);
}

function checkClassWeight(caller: Caller, classWeight: unknown): void {
  if (classWeight === undefined || classWeight === "balanced") return;
  if (typeof classWeight !== "object" || classWeight === null) {
    throw typeError(caller, "classWeight", '"balanced" or an object with a weight for each label', classWeight);
  }
  for (const [label, weight] of Object.entries(classWeight)) {
    checkRate(caller, `classWeight[${JSON.stringify(label)}]`, weight, true);
  }
}

function checkReducer(caller: Caller, reducer: unknown): void {
  if (reducer === undefined) return;
  const { rank, size, sum, max } = (reducer ?? {}) as Record<string, unknown>;
  const isPlace = Number.isSafeInteger(rank) && Number.isSafeInteger(size) && (rank as number) < (size as number);
  if (isPlace && (rank as number) >= 0 && typeof sum === "function" && typeof max === "function") return;
  throw typeError(caller, "reducer", "{ rank, size, sum, max }", reducer, "@napier/mpi has one");
}

function checkCheckpoint(caller: Caller, checkpoint: unknown, resume: unknown): void {
  if (resume !== undefined && typeof resume !== "boolean") throw typeError(caller, "resume", "true or false", resume);
  if (checkpoint === undefined) {
    if (resume) throw rangeError(caller, "resume", "a checkpoint to go on from", words("none"), "set checkpoint");
    return;
  }
  const { store, every } = (checkpoint ?? {}) as { store?: Record<string, unknown>; every?: unknown };
  if (typeof store?.read !== "function" || typeof store.write !== "function") {
    const expected = "{ store, every } with a store { read, write }";
    throw typeError(caller, "checkpoint", expected, checkpoint, "napier/node has diskStore(folder)");
  }
  checkOptions(caller, checkpoint, ["store", "every"]);
  checkNumber(caller, "checkpoint.every", every, "seconds, a number from 0", (value) => value >= 0);
}

/** An option that the optimizer does not know would be a silent wish. */
function checkOwn(caller: Caller, options: FitSettings, optimizer: string): void {
  const others = optimizer === "lbfgs" ? OWN.batches : OWN.lbfgs;
  for (const name of others) {
    if (options[name] === undefined) continue;
    const todo = optimizer === "lbfgs" ? 'optimizer "adamw" has it' : 'optimizer "lbfgs" has it';
    throw rangeError(caller, name, `nothing with optimizer "${optimizer}"`, options[name], todo);
  }
}

function checkSettings(caller: Caller, settings: ReturnType<typeof withDefaults>): void {
  const { hidden, optimizer, C, tolerance, maxIterations, epochs, batchSize } = settings;
  const { scale, seed, loss, reportEvery, warmStart, signal, onProgress } = settings;
  if (!Array.isArray(hidden)) throw typeError(caller, "hidden", "an array of layer widths", hidden);
  hidden.forEach((width, l) => {
    checkInteger(caller, `hidden[${l}]`, width, 1, Number.MAX_SAFE_INTEGER);
  });
  checkOneOf(caller, "optimizer", optimizer, ["lbfgs", "adamw", "adam", "sgd"]);
  if (optimizer === "lbfgs" && hidden.length > 0) {
    throw rangeError(caller, "optimizer", "one of mini-batches with hidden layers", optimizer, 'take "adamw"');
  }
  checkNumber(caller, "C", C, "a number above 0, Infinity for no penalty", (value) => value > 0);
  if (C === undefined) throw typeError(caller, "C", "a number", C);
  checkRate(caller, "tolerance", tolerance, true);
  checkInteger(caller, "maxIterations", maxIterations, 0, Number.MAX_SAFE_INTEGER);
  checkInteger(caller, "epochs", epochs, 1, Number.MAX_SAFE_INTEGER);
  checkInteger(caller, "batchSize", batchSize, 1, Number.MAX_SAFE_INTEGER);
  checkOneOf(caller, "scale", scale, ["standard", "minmax", "none"]);
  checkInteger(caller, "seed", seed, 0, 4294967295);
  checkNumber(caller, "reportEvery", reportEvery, "milliseconds, a number from 0", (value) => value >= 0);
  checkOneOf(caller, "loss", loss, ["cross-entropy", "naive-f32", "naive-f16"]);
  if (warmStart !== undefined && !(warmStart instanceof Model)) {
    throw typeError(caller, "warmStart", "a Model", warmStart);
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw typeError(caller, "signal", "an AbortSignal", signal);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw typeError(caller, "onProgress", "a function", onProgress);
  }
}

function withDefaults<L extends Label>(options: FitOptions<L>) {
  const { hidden = [], epochs = 15, batchSize = 128 } = options;
  const {
    scale = "standard",
    seed = 0,
    loss = "cross-entropy",
    reportEvery = 100,
    C = 1,
    tolerance = 1e-6,
    maxIterations = 1000,
  } = options;
  const { optimizer = hidden.length > 0 ? "adamw" : "lbfgs" } = options;
  const given = { ...options, hidden, optimizer, C, tolerance, maxIterations };
  return { ...given, epochs, batchSize, scale, seed, loss, reportEvery };
}

/** The options with their defaults; throws on all that can be seen without reading the numbers of x. */
export function checkFit<L extends Label>(options: FitOptions<L>) {
  const caller = "fit";
  checkOptions(caller, options, NAMES);
  const shape = checkData(caller, options as FitOptions);
  const settings = withDefaults(options);
  checkSettings(caller, settings);
  checkOwn(caller, options, settings.optimizer);
  if (options.features !== undefined) checkFeatures(caller, options.features, shape?.[1]);
  checkClassWeight(caller, options.classWeight);
  checkReducer(caller, options.reducer);
  checkCheckpoint(caller, options.checkpoint, options.resume);
  checkValidation(caller, options.validation, shape);
  // L-BFGS has none of these
  const rule = settings.optimizer === "lbfgs" ? "adamw" : settings.optimizer;
  return { ...settings, batches: checkMiniBatch(caller, rule, options, options.validation !== undefined) };
}
