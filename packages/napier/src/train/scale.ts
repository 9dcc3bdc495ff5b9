import { BlockSums } from "./blocksums.ts";
import type { Reducer } from "./reducer.ts";
import type { Rows } from "./rows.ts";

/** x → (x − center)·factor, each step rounded to f32. */
export interface Scaling {
  readonly kind: "standard" | "minmax" | "none";
  readonly center: Float32Array;
  readonly factor: Float32Array;
}

/** The training rows that are read here; how many there are in all, and in how many blocks. */
interface Walk {
  readonly columns: number;
  readonly rows: number;
  readonly blocks: number;
  readonly reducer: Reducer | undefined;
  /** Calls `each` with every row's data and where it starts in it, and `end` after each block. */
  readonly walk: (each: (data: Float32Array, from: number) => void, end?: () => void) => Promise<void>;
}

/** Adds a row's terms to the sums. */
type AddRow = (sums: Float64Array, data: Float32Array, from: number) => void;

/** Mean over the rows: sums over the rows of each block, then over the blocks. */
async function meanOf({ columns, rows, blocks, reducer, walk }: Walk, add: AddRow): Promise<Float64Array> {
  const sums = new BlockSums(columns);
  let partial = new Float64Array(columns);
  await walk(
    (data, from) => add(partial, data, from),
    () => {
      sums.add(partial);
      partial = new Float64Array(columns);
    },
  );
  return (await sums.total(blocks, reducer)).map((sum) => sum / rows);
}

/** Mean and (population) standard deviation of each column. A constant column's sums are exact up to 2^29 rows: it gets 0. */
async function standard(rows: Walk): Promise<Float64Array[]> {
  const { columns } = rows;
  const mean = await meanOf(rows, (sums, data, from) => {
    for (let j = 0; j < columns; j++) sums[j] += data[from + j];
  });
  const variance = await meanOf(rows, (sums, data, from) => {
    for (let j = 0; j < columns; j++) {
      const deviation = data[from + j] - mean[j];
      sums[j] += deviation * deviation;
    }
  });
  return [mean, variance.map(Math.sqrt)];
}

/** The largest of all ranks' numbers. As integers f32 have their own order, once the negative ones are turned round. */
async function largestOf(values: Float32Array, reducer: Reducer | undefined): Promise<Float32Array> {
  if (reducer === undefined) return values;
  const turned = (bits: number): number => bits ^ ((bits >> 31) & 0x7fffffff);
  const ordered = new Int32Array(values.buffer.slice(0)).map(turned);
  await reducer.max(ordered);
  return new Float32Array(ordered.map(turned).buffer);
}

/** Least value and range of each column. */
async function minmax({ columns, reducer, walk }: Walk): Promise<Float64Array[]> {
  const largest = new Float32Array(columns).fill(-Infinity);
  const lowest = new Float32Array(columns).fill(-Infinity); // of the negated numbers
  await walk((data, from) => {
    for (let j = 0; j < columns; j++) {
      const value = data[from + j];
      if (-value > lowest[j]) lowest[j] = -value;
      if (value > largest[j]) largest[j] = value;
    }
  });
  // +0, so that it does not matter which zero came first
  const least = Float64Array.from(await largestOf(lowest, reducer), (value) => 0 - value);
  return [least, Float64Array.from(await largestOf(largest, reducer), (value, j) => value - least[j])];
}

/**
 * Scaling computed over the rows that are not held for validation, in f64, then rounded to f32: "standard" gives mean 0
 * and standard deviation 1, "minmax" gives 0 to 1. A column without spread keeps its unit: factor 1.
 */
export async function scalingOf(
  training: Pick<Rows, "blocks">,
  shape: Pick<Walk, "columns" | "rows" | "blocks">,
  kind: Scaling["kind"],
  reducer: Reducer | undefined,
  pace: () => Promise<void>,
): Promise<Scaling> {
  const { columns } = shape;
  const factor = new Float32Array(columns).fill(1);
  if (kind === "none") return { kind, center: new Float32Array(columns), factor };
  const walk: Walk["walk"] = async (each, end) => {
    for await (const { x, count, held } of training.blocks()) {
      for (let i = 0; i < count; i++) if (held?.[i] !== 1) each(x, i * columns);
      end?.();
      await pace();
    }
  };
  const [center, spread] = await (kind === "minmax" ? minmax : standard)({ ...shape, reducer, walk });
  spread.forEach((width, j) => {
    const inverse = Math.fround(1 / width);
    // a spread so small that its inverse leaves f32 counts as none
    if (inverse < Infinity) factor[j] = inverse;
  });
  return { kind, center: Float32Array.from(center), factor };
}

/** The largest size that each feature has in any of the rows. */
async function largestSizes(
  rows: Pick<Rows, "blocks">,
  columns: number,
  reducer: Reducer | undefined,
  pace: () => Promise<void>,
): Promise<Float32Array> {
  const largest = new Float32Array(columns);
  for await (const { x, count } of rows.blocks()) {
    for (let i = 0, from = 0; i < count; i++, from += columns) {
      for (let k = 0; k < columns; k++) largest[k] = Math.max(largest[k], Math.abs(x[from + k]));
    }
    await pace();
  }
  return largestOf(largest, reducer);
}

/**
 * What no scaled training row is above in size, for each feature. Standard: no deviation is above √rows standard deviations,
 * and the center is between the least and the largest value, so 2·√rows; some ulps of that are for rounding.
 */
export async function largestInputs(
  training: Pick<Rows, "blocks">,
  { kind, center }: Scaling,
  rows: number,
  reducer: Reducer | undefined,
  pace: () => Promise<void>,
): Promise<Float32Array> {
  if (kind === "none") return largestSizes(training, center.length, reducer, pace);
  return new Float32Array(center.length).fill(kind === "minmax" ? 1.01 : 2.02 * Math.sqrt(rows));
}
