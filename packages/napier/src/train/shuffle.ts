import { type Rng, rng } from "../rng.ts";

/** Rows that belong together: a block is 4,096 consecutive rows of the input. */
export const BLOCK = 4096;
/** Blocks whose rows are mixed with each other. */
const WINDOW = 16;

// Streams of one seed stand 4 apart: nearer ones share words of the generator's state.
export const STREAM = {
  weights: 0,
  split: (block: number): number => 4 * (2 * block + 1),
  epoch: (epoch: number): number => 4 * (2 * epoch + 2),
};

/** Fisher and Yates, in place, from `first` to before `end`. */
function shuffle(values: Uint32Array, first: number, end: number, random: Rng): void {
  for (let k = end - 1; k > first; k--) {
    const other = first + random.below(k - first + 1);
    const value = values[k];
    values[k] = values[other];
    values[other] = value;
  }
}

/** The rows 0 to count − 1. */
export function allRows(count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

/**
 * Rows for training and for validation, each in ascending order. Every block gives its share, chosen by the seed and
 * the block's number alone; the shares add up to round(rows·fraction).
 */
export function split(
  rows: number,
  fraction: number,
  seed: number,
): { training: Uint32Array; validation: Uint32Array } {
  const total = Math.round(rows * fraction);
  const training = new Uint32Array(rows - total);
  const validation = new Uint32Array(total);
  let t = 0;
  let v = 0;
  for (let first = 0; first < rows; first += BLOCK) {
    const count = Math.min(BLOCK, rows - first);
    const share = Math.round((first + count) * fraction) - v;
    const order = allRows(count);
    shuffle(order, 0, count, rng(seed, STREAM.split(first / BLOCK)));
    const chosen = new Uint8Array(count);
    for (let k = 0; k < share; k++) chosen[order[k]] = 1;
    for (let i = 0; i < count; i++) {
      if (chosen[i]) validation[v++] = first + i;
      else training[t++] = first + i;
    }
  }
  return { training, validation };
}

/** The order of an epoch: blocks permuted, then rows mixed inside windows of 16 blocks. `rows` ascend. */
export function epochOrder(rows: Uint32Array, seed: number, epoch: number): Uint32Array {
  const random = rng(seed, STREAM.epoch(epoch));
  const starts: number[] = [];
  rows.forEach((row, k) => {
    if (k === 0 || Math.floor(row / BLOCK) !== Math.floor(rows[k - 1] / BLOCK)) starts.push(k);
  });
  const blocks = allRows(starts.length);
  shuffle(blocks, 0, blocks.length, random);
  const order = new Uint32Array(rows.length);
  let length = 0;
  let first = 0;
  blocks.forEach((block, n) => {
    const part = rows.subarray(starts[block], starts[block + 1]);
    order.set(part, length);
    length += part.length;
    if (n % WINDOW < WINDOW - 1 && n < blocks.length - 1) return;
    shuffle(order, first, length, random);
    first = length;
  });
  return order;
}
