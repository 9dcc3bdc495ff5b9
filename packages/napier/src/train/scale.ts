import type { Matrix } from "./matrix.ts";
import { BLOCK } from "./shuffle.ts";

/** x → (x − center)·factor, each step rounded to f32. */
export interface Scaling {
  readonly kind: "standard" | "minmax" | "none";
  readonly center: Float32Array;
  readonly factor: Float32Array;
}

/** Calls `each` with every block of these rows. */
type Blocks = (each: (rows: Uint32Array) => void) => Promise<void>;

/** Sums over the rows of a block, then over the blocks in order: what a stream of blocks gives, bit for bit. */
async function columnSums(
  { data, shape: [, columns] }: Matrix,
  blocks: Blocks,
  term: (value: number, j: number) => number,
): Promise<Float64Array> {
  const total = new Float64Array(columns);
  const partial = new Float64Array(columns);
  await blocks((rows) => {
    partial.fill(0);
    for (const row of rows) {
      const from = row * columns;
      for (let j = 0; j < columns; j++) partial[j] += term(Math.fround(data[from + j]), j);
    }
    for (let j = 0; j < columns; j++) total[j] += partial[j];
  });
  return total;
}

/**
 * Scaling computed over these rows, in f64, then rounded to f32: "standard" gives mean 0 and (population) standard
 * deviation 1, "minmax" gives 0 to 1. A column without spread keeps its unit: factor 1.
 */
export async function scalingOf(
  x: Matrix,
  rows: Uint32Array,
  kind: Scaling["kind"],
  pace: () => Promise<void>,
): Promise<Scaling> {
  const columns = x.shape[1];
  const center = new Float32Array(columns);
  const factor = new Float32Array(columns).fill(1);
  if (kind === "none") return { kind, center, factor };
  const blocks: Blocks = async (each) => {
    for (let first = 0, end = 0; first < rows.length; first = end) {
      const block = Math.floor(rows[first] / BLOCK);
      while (end < rows.length && Math.floor(rows[end] / BLOCK) === block) end++;
      each(rows.subarray(first, end));
      await pace();
    }
  };
  const low = new Float64Array(columns).fill(Infinity);
  const high = new Float64Array(columns).fill(-Infinity);
  const sum = await columnSums(x, blocks, (value, j) => {
    if (value < low[j]) low[j] = value;
    if (value > high[j]) high[j] = value;
    return value;
  });
  const mean = sum.map((total, j) => (low[j] === high[j] ? low[j] : total / rows.length));
  const spread =
    kind === "minmax"
      ? low.map((least, j) => high[j] - least)
      : (await columnSums(x, blocks, (value, j) => (value - mean[j]) * (value - mean[j]))).map((total) =>
          Math.sqrt(total / rows.length),
        );
  for (let j = 0; j < columns; j++) {
    center[j] = kind === "minmax" ? low[j] : mean[j];
    const inverse = Math.fround(1 / spread[j]);
    // a spread so small that its inverse leaves f32 counts as none
    if (inverse < Infinity) factor[j] = inverse;
  }
  return { kind, center, factor };
}
