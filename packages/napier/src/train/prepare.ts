import { type Caller, rangeError, words } from "../check.ts";
import type { checkFit } from "./checkfit.ts";
import type { Identity } from "./checkpoint.ts";
import { ExactSum } from "./exactsum.ts";
import { Fingerprint, identityOf } from "./identity.ts";
import { checkValues, type Feature, type Label } from "./matrix.ts";
import { holder, Rows } from "./rows.ts";
import { type Scaling, scalingOf } from "./scale.ts";
import { checkWeightValues, type Look, type Source, type Table, tableFrom, tableOf } from "./source.ts";

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
  /** What to compute the validation score on, where there is one, and whether only held rows of it. */
  readonly validation: { readonly rows: Rows<L>; readonly heldOnly: boolean } | undefined;
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

/** Reads everything once and checks every number. */
async function survey<L extends Label>(
  table: Table<L>,
  argument: { x: string; weight: string },
  featuresOf: (columns: number) => readonly Feature[],
  held: ((block: number, count: number) => Uint8Array) | undefined,
  print: Fingerprint | undefined,
  pace: Pace,
): Promise<Survey<L>> {
  const caller: Caller = "fit";
  const sums = new Map<L, ExactSum>();
  const counts: number[] = [];
  let rows = 0;
  let columns = 0;
  const look: Look = (x, weight, first) => {
    checkValues(caller, argument.x, x, featuresOf(x.shape[1]), first);
    if (weight) checkWeightValues(caller, argument.weight, weight, first);
  };
  for await (const block of table.blocks(look)) {
    const { index, count, x, labels, weights } = block;
    print?.add(block);
    rows += count;
    columns = x.length / count;
    const left = held?.(index, count);
    let kept = 0;
    const here = new Map<L, number>();
    for (let i = 0; i < count; i++) {
      const label = labels[i] as L;
      const weight = left?.[i] === 1 ? 0 : (weights?.[i] ?? 1);
      kept += left?.[i] === 1 ? 0 : 1;
      here.set(label, (here.get(label) ?? 0) + weight);
    }
    for (const [label, weight] of here) {
      const sum = sums.get(label) ?? new ExactSum();
      sum.add(weight);
      sums.set(label, sum);
    }
    counts.push(kept);
    await pace();
  }
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

/** Classes, the rows on either side, what each counts, and the scaling that the training rows ask for. */
export async function prepare<L extends Label>(plan: ReturnType<typeof checkFit<L>>, pace: Pace): Promise<Prepared<L>> {
  const { x, y, source, sampleWeight, validation, seed, scale } = plan;
  const inMemory = x !== undefined && y !== undefined;
  const table = inMemory ? tableOf(x, y, sampleWeight) : tableFrom("fit", source as Source<L>);
  const names = inMemory
    ? { x: "x", y: "y", weight: "sampleWeight" }
    : { x: "source's x", y: "source's y", weight: "source's weight" };
  const held = typeof validation === "number" ? holder(validation, seed) : undefined;
  const newPrint = (): Fingerprint | undefined => (plan.checkpoint ? new Fingerprint() : undefined);
  const print = newPrint();
  const ownPrint = newPrint();
  const found = await survey(table, names, (columns) => features(plan.features, columns), held, print, pace);
  const { rows, columns, counts, weights } = found;
  if (rows === 0) throw rangeError("fit", names.x, "at least 1 row", 0);
  if (columns === 0) throw rangeError("fit", names.x, "at least 1 feature", 0);
  if (weights.size < 2) {
    throw rangeError("fit", names.y, "at least 2 classes", words(`only ${JSON.stringify([...weights.keys()][0])}`));
  }
  const kept = counts.reduce((sum, count) => sum + count, 0);
  if (typeof validation === "number" && (kept === 0 || kept === rows)) {
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
  const training = new Rows(table, { classes, classWeights, held }, "fit", names.y);
  let score: Prepared<L>["validation"] = held && { rows: training, heldOnly: true };
  if (typeof validation === "object") {
    const isTable = "x" in validation;
    const own = isTable
      ? tableOf(validation.x, validation.y, undefined)
      : tableFrom<L>("fit", validation as Source<L>, columns);
    const argument = isTable ? "validation.x" : "validation's x";
    const seen = await survey(
      own,
      { x: argument, weight: argument },
      (n) => features(plan.features, n),
      undefined,
      ownPrint,
      pace,
    );
    if (seen.rows === 0) throw rangeError("fit", argument, "at least 1 row", 0);
    const held = new Rows(own, { classes }, "fit", isTable ? "validation.y" : "validation's y");
    for await (const _ of held.blocks()) await pace(); // a label of no class is found before training begins
    score = { rows: held, heldOnly: false };
  }
  const named = features(plan.features, columns);
  const own = score?.heldOnly === false && ownPrint?.identity("validation.x", "validation.y", "validation.weight");
  const prints = print && { ...print.identity("x", "y", "weight"), ...own };
  return {
    ...{ classes, features: named, columns, training, counts, rows, weight, classWeight },
    identity: prints && identityOf(plan, classes, named, prints),
    validation: score,
    scaling: await scalingOf(training, columns, scale, pace),
  };
}
