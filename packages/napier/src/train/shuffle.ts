import { type Rng, rng } from "../rng.ts";

/** Rows that belong together: a block is 4,096 consecutive rows of the input. */
export const BLOCK = 4096;
/** Blocks whose rows are in memory together. */
export const WINDOW = 16;

// Streams of one seed stand 4 apart: nearer ones share words of the generator's state.
export const STREAM = {
  weights: 0,
  split: (block: number): number => 4 * (2 * block + 1),
  epoch: (epoch: number, part: number): number => 4 * (2 * epoch + 2) + part * 268435456, // part·2^28
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

/** How many rows of a block are held. */
export function heldCount(block: number, count: number, fraction: number): number {
  const first = block * BLOCK;
  return Math.round((first + count) * fraction) - Math.round(first * fraction);
}

/**
 * Which rows of a block of 4,096 `fit` holds for validation, given as a fraction. Every block gives its share, chosen by
 * the seed and the block's number alone; the shares add up to round(rows·fraction).
 *
 * @param block  the block's number, from 0
 * @param count  its rows; 4,096 in all blocks but the last
 * @param fraction  `validation` as `fit` has it, between 0 and 1
 * @param seed  as `fit` has it
 * @returns 1 for each row that is held, 0 for the others
 *
 * @example
 * const held = heldRows(0, 10, 0.2, 0);
 * held.reduce((sum, row) => sum + row, 0); // 2
 */
export function heldRows(block: number, count: number, fraction: number, seed: number): Uint8Array<ArrayBuffer> {
  const share = heldCount(block, count, fraction);
  const order = allRows(count);
  shuffle(order, 0, count, rng(seed, STREAM.split(block)));
  const held = new Uint8Array(count);
  for (let k = 0; k < share; k++) held[order[k]] = 1;
  return held;
}

/** Blocks that are in memory together, and the order of their rows: of all of them, one block after the other, the numbers. */
export interface Window {
  readonly blocks: Uint32Array;
  readonly order: Uint32Array;
}

/**
 * The order of a part's rows in an epoch: blocks permuted, then rows mixed inside windows of some blocks; `counts` are the
 * blocks' rows.
 */
export function* epochWindows(
  counts: readonly number[],
  seed: number,
  epoch: number,
  part = 0,
  size = WINDOW,
): Generator<Window> {
  const random = rng(seed, STREAM.epoch(epoch, part));
  const blocks = allRows(counts.length);
  shuffle(blocks, 0, blocks.length, random);
  for (let first = 0; first < blocks.length; first += size) {
    const window = blocks.subarray(first, first + size);
    const order = allRows(window.reduce((sum, block) => sum + counts[block], 0));
    shuffle(order, 0, order.length, random);
    yield { blocks: window, order };
  }
}
