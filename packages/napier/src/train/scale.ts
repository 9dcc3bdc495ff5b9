import type { Rows } from "./rows.ts";

/** x → (x − center)·factor, each step rounded to f32. */
export interface Scaling {
  readonly kind: "standard" | "minmax" | "none";
  readonly center: Float32Array;
  readonly factor: Float32Array;
}

/** Calls `each` with every training row's data and where it starts in it, and `end` after each block. */
type Walk = (each: (data: Float32Array, from: number) => void, end?: () => void) => Promise<void>;

/** Adds a row's terms to the sums. */
type AddRow = (sums: Float64Array, data: Float32Array, from: number) => void;

/** Mean over the rows: sums over the rows of a block, then over the blocks in order, so that a stream of blocks gives the same bits. */
async function meanOf(walk: Walk, rows: () => number, columns: number, add: AddRow): Promise<Float64Array> {
  const total = new Float64Array(columns);
  const partial = new Float64Array(columns);
  await walk(
    (data, from) => add(partial, data, from),
    () => {
      for (let j = 0; j < columns; j++) total[j] += partial[j];
      partial.fill(0);
    },
  );
  return total.map((sum) => sum / rows());
}

/** Mean and (population) standard deviation of each column. A constant column's sums are exact up to 2^29 rows: it gets 0. */
async function standard(walk: Walk, rows: () => number, columns: number): Promise<Float64Array[]> {
  const mean = await meanOf(walk, rows, columns, (sums, data, from) => {
    for (let j = 0; j < columns; j++) sums[j] += data[from + j];
  });
  const variance = await meanOf(walk, rows, columns, (sums, data, from) => {
    for (let j = 0; j < columns; j++) {
      const deviation = data[from + j] - mean[j];
      sums[j] += deviation * deviation;
    }
  });
  return [mean, variance.map(Math.sqrt)];
}

/** Least value and range of each column. */
async function minmax(walk: Walk, columns: number): Promise<Float64Array[]> {
  const least = new Float64Array(columns).fill(Infinity);
  const largest = new Float64Array(columns).fill(-Infinity);
  await walk((data, from) => {
    for (let j = 0; j < columns; j++) {
      const value = data[from + j];
      if (value < least[j]) least[j] = value;
      if (value > largest[j]) largest[j] = value;
    }
  });
  return [least, largest.map((value, j) => value - least[j])];
}

/**
 * Scaling computed over the rows that are not held for validation, in f64, then rounded to f32: "standard" gives mean 0
 * and standard deviation 1, "minmax" gives 0 to 1. A column without spread keeps its unit: factor 1.
 */
export async function scalingOf(
  rows: Pick<Rows, "blocks">,
  columns: number,
  kind: Scaling["kind"],
  pace: () => Promise<void>,
): Promise<Scaling> {
  const factor = new Float32Array(columns).fill(1);
  if (kind === "none") return { kind, center: new Float32Array(columns), factor };
  let seen = 0;
  const walk: Walk = async (each, end) => {
    seen = 0;
    for await (const { x, count, held } of rows.blocks()) {
      for (let i = 0; i < count; i++) {
        if (held?.[i] === 1) continue;
        each(x, i * columns);
        seen++;
      }
      end?.();
      await pace();
    }
  };
  const [center, spread] = kind === "minmax" ? await minmax(walk, columns) : await standard(walk, () => seen, columns);
  spread.forEach((width, j) => {
    const inverse = Math.fround(1 / width);
    // a spread so small that its inverse leaves f32 counts as none
    if (inverse < Infinity) factor[j] = inverse;
  });
  return { kind, center: Float32Array.from(center), factor };
}
