import { type Caller, rangeError, words } from "../check.ts";
import { logSoftmax } from "../softmax.ts";
import { classIndices, type Targets } from "../targets.ts";
import { type Data, type Logits, type Options, view } from "../tensor.ts";
import { checkWeights, checkWeightValues } from "./source.ts";

/** Numbers from 0, one a row: how much it counts. */
export type SampleWeight = readonly number[] | Float32Array | Float64Array;

/** Logits [rows, classes], the class of each row and what it weighs: 1 where there are no weights. */
export interface Labelled {
  readonly logits: Data;
  readonly classes: number;
  readonly targets: Int32Array;
  readonly weights: SampleWeight | undefined;
}

/** What is thrown where no row counts. */
export function noWeight(caller: Caller, argument: string): RangeError {
  return rangeError(caller, argument, "a weight above 0", words("zeros only"));
}

/** Logits of any shape and kind as rows. */
export function labelled(
  caller: Caller,
  logits: Logits,
  targets: Targets,
  options: Options & { sampleWeight?: SampleWeight | undefined },
): Labelled {
  const x = view(caller, "logits", logits, options);
  const { classes, inner, rows } = x;
  const y = classIndices(caller, targets, x);
  if (rows === 0) throw rangeError(caller, "logits", "at least 1 row", 0);
  const { sampleWeight } = options;
  if (sampleWeight !== undefined) {
    checkWeights(caller, "options.sampleWeight", sampleWeight, rows);
    checkWeightValues(caller, "options.sampleWeight", sampleWeight, 0);
    if (sampleWeight.every((w) => w === 0)) throw noWeight(caller, "options.sampleWeight");
  }
  if (inner === 1) return { logits: x.data, classes, targets: y, weights: sampleWeight };
  const turned = new (x.dtype === "f32" ? Float32Array : Float64Array)(x.data.length);
  for (let i = 0; i < rows; i++) {
    const from = Math.floor(i / inner) * classes * inner + (i % inner);
    for (let j = 0; j < classes; j++) turned[i * classes + j] = x.data[from + j * inner];
  }
  return { logits: turned, classes, targets: y, weights: sampleWeight };
}

/** Numbers that stay in cache while a kernel and a loop read them. */
const TILE = 8192;

/** Calls `visit` with some rows of the logits after the other, in f64; they are gone after the call. */
export function eachTile(
  { logits, classes, targets }: Labelled,
  visit: (z: Float64Array, first: number, count: number) => void,
): void {
  const most = Math.max(1, Math.floor(TILE / classes));
  const tile = new Float64Array(Math.min(most, targets.length) * classes);
  for (let first = 0; first < targets.length; first += most) {
    const count = Math.min(most, targets.length - first);
    const from = first * classes;
    const z = tile.subarray(0, count * classes);
    if (Array.isArray(logits)) for (let k = 0; k < z.length; k++) z[k] = logits[from + k];
    else z.set((logits as Float32Array | Float64Array).subarray(from, from + z.length));
    visit(z, first, count);
  }
}

/** The NLL of each row of a tile of logits over a temperature; the tile becomes their log-probabilities. */
export function lossesOf(z: Float64Array, classes: number, targets: Int32Array, temperature: number): Float64Array {
  logSoftmax(z, { shape: [targets.length, classes], temperature, out: z });
  return Float64Array.from(targets, (y, i) => 0 - z[i * classes + y]);
}

/** Σ over rows of their NLL, in row order; weights are left aside. */
export function sumOfLosses(rows: Labelled, temperature: number): number {
  let sum = 0;
  eachTile(rows, (z, first, count) => {
    const losses = lossesOf(z, rows.classes, rows.targets.subarray(first, first + count), temperature);
    for (const loss of losses) sum += loss;
  });
  return sum;
}
