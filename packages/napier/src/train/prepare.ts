import { type Caller, rangeError, words } from "../check.ts";
import type { checkFit } from "./checkfit.ts";
import type { Identity } from "./checkpoint.ts";
import { ExactSum } from "./exactsum.ts";
import { Fingerprint, identityOf } from "./identity.ts";
import { checkValues, type Feature, type Label } from "./matrix.ts";
import { batchParts, gatherJson, ownBlocks, type Reducer } from "./reducer.ts";
import { holder, Rows } from "./rows.ts";
import { type Scaling, scalingOf } from "./scale.ts";
import { BLOCK, heldCount } from "./shuffle.ts";
import {
  type BlockRange,
  checkWeightValues,
  type Look,
  type Source,
  type Table,
  tableFrom,
  tableOf,
} from "./source.ts";

export type Pace = () => Promise<void>;

/** Called between short pieces of work: every 40 ms it lets timers and signals have their turn. */
export function pacer(signal: AbortSignal | undefined): Pace {
  signal?.throwIfAborted();
  let last = performance.now();
  return async () => {
    signal?.throwIfAborted();
    if (performance.now() - last < 40) return;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    last = performance.now();
  };
}

export interface Validation<L extends Label> {
  readonly rows: Rows<L>;
  /** Of all ranks. */
  readonly blocks: number;
  readonly range: BlockRange;
  readonly heldOnly: boolean;
}

export interface Prepared<L extends Label> {
  readonly classes: readonly L[];
  readonly features: readonly Feature[];
  readonly columns: number;
  /** All rows; those that are held for validation are marked. */
  readonly training: Rows<L>;
  /** Of the training, by block. */
  readonly counts: readonly number[];
  /** All rows, those held included. */
  readonly rows: number;
  /** What the training rows count together, and those of each class. */
  readonly weight: number;
  readonly classWeight: Float64Array;
  /** The blocks that this process reads. */
  readonly range: BlockRange;
  /** What to compute the validation score on, where there is one, and whether only held rows of it. */
  readonly validation: Validation<L> | undefined;
  readonly scaling: Scaling;
  /** What a checkpoint's training must have in common with this one, where checkpoints are asked for. */
  readonly identity: Identity | undefined;
}

/** What one reading of a table shows. */
interface Survey<L extends Label> {
  readonly rows: number;
  readonly columns: number;
  /** Rows of each block that are not held. */
  readonly counts: number[];
  /** What the rows of each label that are not held weigh together; labels in order. */
  readonly weights: ReadonlyMap<L, number>;
}

/** What `survey` needs to know. */
interface Reading {
  /** How messages name what is read. */
  readonly names: { readonly x: string; readonly y: string; readonly weight: string };
  readonly featuresOf: (columns: number) => readonly Feature[];
  /** The fraction that is held for validation, and which rows these are. */
  readonly fraction?: number | undefined;
  readonly held?: ((block: number, count: number) => Uint8Array) | undefined;
  readonly print: Fingerprint | undefined;
  /** The blocks that are read; all by default. */
  readonly range: BlockRange | undefined;
  readonly reducer: Reducer | undefined;
  readonly pace: Pace;
}

/** What a rank tells the others about its rows. */
interface Told<L> {
  readonly columns: number;
  readonly sums: readonly (readonly [label: L, sum: string])[];
}

/** Adds what the other ranks have found. Returns the columns. */
async function mergeSums<L extends Label>(
  sums: Map<L, ExactSum>,
  columns: number,
  name: string,
  reducer: Reducer,
): Promise<number> {
  const own: Told<L> = { columns, sums: [...sums].map(([label, sum]) => [label, sum.save()]) };
  const all = await gatherJson(own, reducer);
  all.forEach((told, rank) => {
    if (rank === reducer.rank) return;
    for (const [label, saved] of told.sums) {
      const sum = sums.get(label) ?? new ExactSum();
      sum.merge(saved);
      sums.set(label, sum);
    }
  });
  // a rank without rows has seen no columns
  const widths = all.map((told) => told.columns).filter((width) => width > 0);
  const wide = widths.find((width) => width !== widths[0]);
  if (wide !== undefined) throw rangeError("fit", name, `${widths[0]} columns on all ranks`, words(`${wide} too`));
  return widths[0] ?? 0;
}

/** Reads everything once, each rank its own rows, and checks every number. */
async function survey<L extends Label>(table: Table<L>, reading: Reading): Promise<Survey<L>> {
  const { names, featuresOf, fraction, held, print, range, reducer, pace } = reading;
  const caller: Caller = "fit";
  const sums = new Map<L, ExactSum>();
  let rows = 0;
  let columns = 0;
  const look: Look = (x, weight, first) => {
    checkValues(caller, names.x, x, featuresOf(x.shape[1]), first);
    if (weight) checkWeightValues(caller, names.weight, weight, first);
  };
  for await (const block of table.blocks(look, range)) {
    const { index, count, x, labels, weights } = block;
    print?.add(block);
    rows += count;
    columns = x.length / count;
    const left = held?.(index, count);
    const here = new Map<L, number>();
    for (let i = 0; i < count; i++) {
      const label = labels[i] as L;
      const weight = left?.[i] === 1 ? 0 : (weights?.[i] ?? 1);
      here.set(label, (here.get(label) ?? 0) + weight);
    }
    for (const [label, weight] of here) {
      const sum = sums.get(label) ?? new ExactSum();
      sum.add(weight);
      sums.set(label, sum);
    }
    await pace();
  }
  if (reducer) {
    columns = await mergeSums(sums, columns, names.x, reducer);
    rows = table.rows as number;
  }
  const counts = Array.from({ length: Math.ceil(rows / BLOCK) }, (_, block) => {
    const count = Math.min(BLOCK, rows - block * BLOCK);
    return count - (fraction === undefined ? 0 : heldCount(block, count, fraction));
  });
  const labels = [...sums.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  // −0 counts as 0
  const weights = new Map(labels.map((label) => [label, (sums.get(label) as ExactSum).value()]));
  return { rows, columns, counts, weights };
}

/** What a row of each class counts; undefined where all count alike. */
function classWeightsOf<L extends Label>(
  classWeight: "balanced" | Readonly<Record<string, number>> | undefined,
  weights: ReadonlyMap<L, number>,
): Float64Array | undefined {
  if (classWeight === undefined) return undefined;
  const classes = [...weights.keys()];
  if (classWeight !== "balanced") {
    const known = classes.map(String);
    for (const name of Object.keys(classWeight)) {
      if (known.includes(name)) continue;
      throw rangeError("fit", "classWeight", `weights of ${known.map((k) => JSON.stringify(k)).join(", ")}`, name);
    }
    return Float64Array.from(known, (name) => classWeight[name] ?? 1);
  }
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return Float64Array.from(weights.values(), (weight) => (weight > 0 ? total / (classes.length * weight) : 0));
}

/** The features' names, once the columns are known. */
function features(given: readonly Feature[] | undefined, columns: number): readonly Feature[] {
  if (given === undefined) return [{ name: "x", size: columns }];
  const sum = given.reduce((total, { size }) => total + size, 0);
  if (sum !== columns) throw rangeError("fit", "features", `sizes that add up to ${columns}`, sum);
  return given;
}

/** The blocks of a table that this rank reads; undefined where there are no ranks. */
function rangeOf(table: Table, name: string, parts: number | undefined, reducer: Reducer | undefined) {
  if (reducer === undefined) return undefined;
  const { rows } = table;
  if (rows !== undefined && table.block !== undefined) return ownBlocks(reducer, rows, parts);
  throw rangeError("fit", name, "a source with rows and block(index) beside a reducer", words("another"));
}

const allOf = (blocks: number, range: BlockRange | undefined): BlockRange => range ?? { first: 0, end: blocks };

/** Classes, the rows on either side, what each counts, and the scaling that the training rows ask for. */
export async function prepare<L extends Label>(plan: ReturnType<typeof checkFit<L>>, pace: Pace): Promise<Prepared<L>> {
  const { x, y, source, sampleWeight, validation, seed, scale, reducer } = plan;
  const inMemory = x !== undefined && y !== undefined;
  const table = inMemory ? tableOf(x, y, sampleWeight) : tableFrom("fit", source as Source<L>);
  const names = inMemory
    ? { x: "x", y: "y", weight: "sampleWeight" }
    : { x: "source's x", y: "source's y", weight: "source's weight" };
  const parts = plan.optimizer === "lbfgs" ? undefined : batchParts(plan.batchSize, table.rows ?? 0);
  const range = rangeOf(table, "source", parts, reducer);
  const fraction = typeof validation === "number" ? validation : undefined;
  const held = fraction === undefined ? undefined : holder(fraction, seed);
  const newPrint = (): Fingerprint | undefined => (plan.checkpoint ? new Fingerprint() : undefined);
  const print = newPrint();
  const featuresOf = (columns: number): readonly Feature[] => features(plan.features, columns);
  const common = { featuresOf, reducer, pace };
  const found = await survey(table, { ...common, names, fraction, held, print, range });
  const { rows, columns, counts, weights } = found;
  if (rows === 0) throw rangeError("fit", names.x, "at least 1 row", 0);
  if (columns === 0) throw rangeError("fit", names.x, "at least 1 feature", 0);
  if (weights.size < 2) {
    throw rangeError("fit", names.y, "at least 2 classes", words(`only ${JSON.stringify([...weights.keys()][0])}`));
  }
  const kept = counts.reduce((sum, count) => sum + count, 0);
  if (fraction !== undefined && (kept === 0 || kept === rows)) {
    const got = words(`${rows - kept} of ${rows} rows`);
    throw rangeError("fit", "validation", "a fraction that leaves rows on both sides", got);
  }
  const classes = [...weights.keys()];
  const classWeights = classWeightsOf(plan.classWeight, weights);
  const classWeight = Float64Array.from(weights.values(), (sum, j) => sum * (classWeights?.[j] ?? 1));
  const weight = classWeight.reduce((sum, each) => sum + each, 0);
  if (!(weight > 0 && weight < Infinity)) {
    throw rangeError("fit", sampleWeight ? "sampleWeight" : "classWeight", "weights with a sum above 0", weight);
  }
  const training = new Rows(table, { classes, classWeights, held }, "fit", names.y, range);
  const blocks = counts.length;
  const own = allOf(blocks, range);
  const named = featuresOf(columns);
  let score: Validation<L> | undefined = held && { rows: training, blocks, range: own, heldOnly: true };
  let prints = await print?.identity(rows, columns, reducer, ["x", "y", "weight"]);
  if (typeof validation === "object") {
    const isTable = "x" in validation;
    const other = isTable
      ? tableOf(validation.x, validation.y, undefined)
      : tableFrom<L>("fit", validation as Source<L>, columns);
    const argument = isTable ? "validation.x" : "validation's x";
    const names = { x: argument, y: isTable ? "validation.y" : "validation's y", weight: argument };
    const range = rangeOf(other, "validation", undefined, reducer);
    const print = newPrint();
    const seen = await survey(other, { ...common, names, print, range });
    if (seen.rows === 0) throw rangeError("fit", argument, "at least 1 row", 0);
    const rows = new Rows(other, { classes }, "fit", names.y, range);
    for await (const _ of rows.blocks()) await pace(); // a label of no class is found before training begins
    const blocks = seen.counts.length;
    score = { rows, blocks, range: allOf(blocks, range), heldOnly: false };
    const more = await print?.identity(seen.rows, columns, reducer, [
      "validation.x",
      "validation.y",
      "validation.weight",
    ]);
    prints = prints && { ...prints, ...more };
  }
  return {
    ...{ classes, features: named, columns, training, counts, rows, weight, classWeight, range: own },
    identity: prints && identityOf(plan, classes, named, prints),
    validation: score,
    scaling: await scalingOf(training, { columns, rows: kept, blocks }, scale, reducer, pace),
  };
}
