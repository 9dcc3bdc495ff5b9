import { rangeError, words } from "../check.ts";
import { type Feature, nameColumn } from "./matrix.ts";
import type { Network } from "./mlp.ts";
import type { Scaling } from "./scale.ts";

/** Standardised inputs are within the root of the number of rows, so 10,000 is beyond those of 10^8 rows. */
const HUGE = 1e4;

/** What is known of a training that has diverged. */
export interface Training {
  readonly network: Network;
  /** The rows of the last batch, which stand in the network. */
  readonly rows: number;
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

/** The input of the last batch that is farthest from 0 as the first layer sees it; the first that is not finite. */
function farthestInput({ network, rows }: Training): { value: number; row: number; column: number } {
  const { space, at, sizes } = network;
  const { inputs } = sizes[0];
  const { fround } = Math;
  let far = { value: 0, row: 0, column: 0 };
  for (let k = 0; k < rows * inputs; k++) {
    const column = k % inputs;
    const center = space.f32[at.center / 4 + column];
    const value = fround(fround(space.f32[at.raw / 4 + k] - center) * space.f32[at.factor / 4 + column]);
    if (Math.abs(value) <= Math.abs(far.value)) continue;
    far = { value, row: Math.floor(k / inputs), column };
    if (!Number.isFinite(value)) break;
  }
  return far;
}

/** The data's part in it, where it has one. */
function causeInData(training: Training): string | undefined {
  const { value, row, column } = farthestInput(training);
  if (Math.abs(value) <= HUGE) return undefined;
  const name = nameColumn(training.features, column);
  const where = `${name} is ${short(value)} after scaling, in row ${row} of the batch`;
  if (!Number.isFinite(value)) return `${where}: bring its numbers nearer to 0`;
  return training.scale === "standard" ? `${where}: look for outliers` : `${where}: let scale be "standard"`;
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

/** The error of a loss or of weights that are not finite, with the likely cause. */
export function divergedError(
  what: "loss" | "weights",
  value: number,
  epoch: number,
  batch: number,
  training: Training,
): RangeError {
  const got = words(`${value} in epoch ${epoch}, batch ${batch}`);
  return rangeError("fit", what, "finite numbers", got, causeInData(training) ?? causeInRate(training));
}
