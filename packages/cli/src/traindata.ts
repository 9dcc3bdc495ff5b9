import type { Label, Reducer } from "napier/train";
import type { Choice } from "./columns.ts";
import { inputError, nearest, shortName } from "./errors.ts";
import { type Held, hold } from "./hold.ts";
import { checkLabels } from "./labels.ts";
import { isMatrix } from "./matrix.ts";
import { checkApart, type Files } from "./output.ts";
import { rowCounter } from "./progress.ts";
import type { SourceOptions } from "./rows.ts";
import { holdOwn } from "./share.ts";
import { openSource } from "./source.ts";

/** Which rows, and what of them; the part of `train`'s options that is about the source. */
export interface DataOptions {
  /** The column to predict. */
  target?: string;
  /** The file with the labels of a matrix. */
  labels?: string;
  /** A column that says how much each row counts. */
  weight?: string;
  /** Only these columns are features. */
  features?: string[];
  exclude?: string[];
  /** Columns that would be left out. */
  keep?: string[];
  validation?: number | string;
  validationLabels?: string;
  classWeight?: "balanced" | Record<string, number>;
}

/** Throws where nothing says what to predict. */
export function checkTarget(source: string, { target, labels }: { target?: string; labels?: string }): void {
  if (target !== undefined || labels !== undefined) return;
  if (isMatrix(source)) throw inputError(`required option '--labels <file>' not specified: ${source} has no columns`);
  throw inputError("required option '--target <column>' not specified");
}

/** How rows are read. */
export interface Reading {
  /** Whether blocks are asked for in any order. */
  random: boolean;
  outputs: Files;
  onRow: () => void;
  /** Where ranks share the rows; and their batches. */
  reducer?: Reducer | undefined;
  batchSize?: number | undefined;
}

async function load(
  name: string,
  options: SourceOptions,
  what: string,
  { random, outputs, onRow, reducer, batchSize }: Reading,
): Promise<Held> {
  const source = await openSource(name, options);
  try {
    checkApart(outputs, { [what]: source.inputs });
  } catch (error) {
    source.close();
    throw error;
  }
  const counter = rowCounter(`reading ${shortName(name)}`);
  const onRows = (done: number): void => {
    onRow();
    counter.rows(done);
  };
  const held = reducer ? await holdOwn(source, reducer, batchSize, { onRows }) : await hold(source, { random, onRows });
  counter.end();
  return held;
}

function checkClasses(source: string, labelled: string, { labels }: Held): void {
  if (labels.size > 1) return;
  const [only] = labels.keys();
  throw inputError(
    `${source}: ${labelled} has one class only, ${JSON.stringify(only)}`,
    "a classifier needs two classes at least",
  );
}

/** Throws where a weight is given to a class that the rows do not have. */
function checkClassWeight(classWeight: DataOptions["classWeight"], { labels }: Held): void {
  if (classWeight === undefined || classWeight === "balanced") return;
  const known = [...labels.keys()].map(String);
  for (const name of Object.keys(classWeight)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? undefined : `did you mean ${JSON.stringify(near)}?`;
    throw inputError(`--class-weight: no class ${JSON.stringify(name)}`, hint);
  }
}

function checkFraction(validation: number | undefined, rows: number): void {
  const held = validation && Math.round(rows * validation);
  if (held === undefined || (held > 0 && held < rows)) return;
  const got = `${held} of ${rows} rows`;
  throw inputError(`--validation expected a fraction that leaves rows on both sides, got ${got}`);
}

/** What to train on, and what to choose the best epoch by: rows of their own, or a fraction. */
export interface Data {
  rows: Held;
  validation: Held | number | undefined;
}

/** Reads both sources and checks that they fit each other. `opened` gets what is to be closed, whatever happens. */
export async function loadData(name: string, options: DataOptions, reading: Reading, opened: Held[]): Promise<Data> {
  const { target, labels, weight, features, exclude, keep, validation, validationLabels, classWeight } = options;
  checkTarget(name, options);
  const choice: Choice = { features, exclude, keep };
  const rows = await load(name, { target, labels, weight, choice }, "the source", reading);
  opened.push(rows);
  checkClasses(shortName(name), rows.source.labelled, rows);
  checkClassWeight(classWeight, rows);
  if (typeof validation !== "string") {
    if (validationLabels !== undefined) throw inputError("--validation-labels: --validation is no matrix");
    checkFraction(validation, rows.rows);
    return { rows, validation };
  }
  const isOwn = isMatrix(validation);
  if (isOwn && validationLabels === undefined) {
    throw inputError(`--validation ${validation} has no labels`, "add --validation-labels <file>");
  }
  const wanted = isOwn ? { labels: validationLabels } : { target, labels: validationLabels };
  const own = await load(validation, { ...wanted, features: rows.features }, "the source of --validation", {
    ...reading,
    batchSize: undefined,
  });
  opened.push(own);
  const classes: Label[] = [...rows.labels.keys()];
  for (const [label, { first }] of own.labels)
    checkLabels(shortName(validation), own.source.labelled, [label], classes, first);
  return { rows, validation: own };
}
