import type { Matrix } from "./matrix.ts";
import { BLOCK } from "./shuffle.ts";

/** x → (x − center)·factor, each step rounded to f32. */
export interface Scaling {
  readonly kind: "standard" | "minmax" | "none";
  readonly center: Float32Array;
  readonly factor: Float32Array;
}

/** Calls `each` with where every row starts in the data, and `end` after each block. */
type Walk = (each: (from: number) => void, end?: () => void) => Promise<void>;

/** Adds a row's terms to the sums. */
type AddRow = (sums: Float64Array, from: number) => void;

/** Mean over the rows: sums over the rows of a block, then over the blocks in order, so that a stream of blocks gives the same bits. */
async function meanOf(walk: Walk, rows: number, columns: number, add: AddRow): Promise<Float64Array> {
  const total = new Float64Array(columns);
  const partial = new Float64Array(columns);
  await walk(
    (from) => add(partial, from),
    () => {
      for (let j = 0; j < columns; j++) total[j] += partial[j];
      partial.fill(0);
    },
  );
  return total.map((sum) => sum / rows);
}

/** Mean and (population) standard deviation of each column. A constant column's sums are exact up to 2^29 rows: it gets 0. */
async function standard({ data, shape: [, columns] }: Matrix, walk: Walk, rows: number): Promise<Float64Array[]> {
  const mean = await meanOf(walk, rows, columns, (sums, from) => {
    for (let j = 0; j < columns; j++) sums[j] += Math.fround(data[from + j]);
  });
  const variance = await meanOf(walk, rows, columns, (sums, from) => {
    for (let j = 0; j < columns; j++) {
      const deviation = Math.fround(data[from + j]) - mean[j];
      sums[j] += deviation * deviation;
    }
  });
  return [mean, variance.map(Math.sqrt)];
}

/** Least value and range of each column. */
async function minmax({ data, shape: [, columns] }: Matrix, walk: Walk): Promise<Float64Array[]> {
  const least = new Float64Array(columns).fill(Infinity);
  const largest = new Float64Array(columns).fill(-Infinity);
  await walk((from) => {
    for (let j = 0; j < columns; j++) {
      const value = Math.fround(data[from + j]);
      if (value < least[j]) least[j] = value;
      if (value > largest[j]) largest[j] = value;
    }
  });
  return [least, largest.map((value, j) => value - least[j])];
}

/**
 * Scaling computed over these rows, in f64, then rounded to f32: "standard" gives mean 0 and standard deviation 1,
 * "minmax" gives 0 to 1. A column without spread keeps its unit: factor 1. `rows` ascend.
 */
export async function scalingOf(
  x: Matrix,
  rows: Uint32Array,
  kind: Scaling["kind"],
  pace: () => Promise<void>,
): Promise<Scaling> {
  const columns = x.shape[1];
  const factor = new Float32Array(columns).fill(1);
  if (kind === "none") return { kind, center: new Float32Array(columns), factor };
  const rest = Math.max(1, Math.floor(1e6 / columns)); // rows in a few ms
  const walk: Walk = async (each, end) => {
    for (let k = 0; k < rows.length; k++) {
      each(rows[k] * columns);
      if (k + 1 === rows.length || Math.floor(rows[k] / BLOCK) < Math.floor(rows[k + 1] / BLOCK)) end?.();
      if (k % rest === 0) await pace();
    }
  };
  const [center, spread] = kind === "minmax" ? await minmax(x, walk) : await standard(x, walk, rows.length);
  spread.forEach((width, j) => {
    const inverse = Math.fround(1 / width);
    // a spread so small that its inverse leaves f32 counts as none
    if (inverse < Infinity) factor[j] = inverse;
  });
  return { kind, center: Float32Array.from(center), factor };
}
