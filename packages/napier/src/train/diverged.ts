import { rangeError, words } from "../check.ts";
import { type Feature, nameColumn } from "./matrix.ts";
import type { Network } from "./mlp.ts";
import { gatherJson, type Reducer } from "./reducer.ts";
import type { Scaling } from "./scale.ts";

/** Standardised inputs are within the root of the number of rows, so 10,000 is beyond those of 10^8 rows. */
const HUGE = 1e4;

/** What is known of a training that has diverged. */
export interface Training {
  readonly network: Network;
  /** Rows of the last batch that stand in the network, and where in the batch the first one is. */
  readonly rows: number;
  readonly firstRow: number;
  readonly features: readonly Feature[];
  readonly scale: Scaling["kind"];
  /** Of the last step. */
  readonly learningRate: number;
  readonly clipNorm?: number | undefined;
  /** What was seen last, while it was finite. */
  readonly before?: {
    readonly loss?: number;
    readonly gradientNorm?: number;
    readonly maxLogit?: number;
  };
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

interface Input {
  readonly value: number;
  /** Of the batch. */
  readonly row: number;
  readonly column: number;
}

/** The one that is farther from 0; the first that is not finite. */
const farther = (a: Input, b: Input): Input =>
  Number.isFinite(a.value) && !(Math.abs(b.value) <= Math.abs(a.value)) ? b : a;

/** The input of the last batch that is farthest from 0 as the first layer sees it, of the rows that are here. */
function farthestHere({ network, rows, firstRow }: Training): Input {
  const { space, at, sizes } = network;
  const { inputs } = sizes[0];
  const { fround } = Math;
  let far = { value: 0, row: 0, column: 0 };
  for (let k = 0; k < rows * inputs; k++) {
    const column = k % inputs;
    const center = space.f32[at.center / 4 + column];
    const value = fround(fround(space.f32[at.raw / 4 + k] - center) * space.f32[at.factor / 4 + column]);
    far = farther(far, { value, row: firstRow + Math.floor(k / inputs), column });
  }
  return far;
}

/** That of all ranks: they all have come here. */
async function farthestInput(training: Training, reducer: Reducer | undefined): Promise<Input> {
  const own = farthestHere(training);
  if (reducer === undefined) return own;
  // as text: JSON has no ∞ and NaN
  const all = await gatherJson({ ...own, value: `${own.value}` }, reducer);
  return all.map(({ value, ...where }) => ({ ...where, value: Number(value) })).reduce(farther);
}

/** The data's part in it, where it has one. */
function causeInData({ features, scale }: Training, { value, row, column }: Input): string | undefined {
  if (Math.abs(value) <= HUGE) return undefined;
  const name = nameColumn(features, column);
  const where = `${name} is ${short(value)} after scaling, in row ${row} of the batch`;
  if (!Number.isFinite(value)) return `${where}: bring its numbers nearer to 0`;
  return scale === "standard" ? `${where}: look for outliers` : `${where}: let scale be "standard"`;
}

/** What had happened to the weights: with inputs of a sound size, the steps were too large. */
function causeInRate({ network, learningRate, clipNorm, before = {} }: Training): string {
  const { parameters } = network.at;
  const weights = network.space.f32.subarray(parameters / 4, parameters / 4 + network.plan.length);
  const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  const grew = Number.isFinite(largest) ? `up to ${short(largest)}` : "out of bounds";
  const seen = [
    ["a loss of", before.loss],
    ["a gradient of norm", before.gradientNorm],
    ["a largest logit of", before.maxLogit],
  ].flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${short(value)}`] : []));
  const after = seen.length === 0 ? "" : `, after ${seen.join(", ")}`;
  const clip = clipNorm === undefined ? ", or set clipNorm" : "";
  return `the weights grew ${grew}${after}: lower learningRate, which is ${short(learningRate)}${clip}`;
}

/** The error of a loss or of weights that are not finite, with the likely cause; all ranks call it. */
export async function divergedError(
  what: "loss" | "weights",
  value: number,
  epoch: number,
  batch: number,
  training: Training,
  reducer: Reducer | undefined,
): Promise<RangeError> {
  const got = words(`${value} in epoch ${epoch}, batch ${batch}`);
  const cause = causeInData(training, await farthestInput(training, reducer)) ?? causeInRate(training);
  return rangeError("fit", what, "finite numbers", got, cause);
}
