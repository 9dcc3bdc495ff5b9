import { batchParts, ownBlocks, type Reducer } from "./reducer.ts";
import type { RowBlock, Rows } from "./rows.ts";
import { epochWindows, type Window } from "./shuffle.ts";

/** Consecutive blocks whose rows are one part of every batch. */
export interface Part {
  /** From 0; what its order is drawn by. */
  readonly index: number;
  readonly firstBlock: number;
  /** Training rows of each of its blocks. */
  readonly counts: readonly number[];
  readonly rows: number;
}

/**
 * The parts of a training's batches, the same on any number of ranks.
 *
 * @param counts  training rows of each block
 * @param rows  held ones included
 */
export function partsOf(counts: readonly number[], rows: number, batchSize: number): Part[] {
  const size = batchParts(batchSize, rows);
  return Array.from({ length: size }, (_, index) => {
    const { first, end } = ownBlocks({ rank: index, size }, rows, size);
    const own = counts.slice(first, end);
    return { index, firstBlock: first, counts: own, rows: own.reduce((sum, count) => sum + count, 0) };
  });
}

/** The parts that a rank has. */
export function ownParts(parts: readonly Part[], reducer: Reducer | undefined): readonly Part[] {
  if (reducer === undefined) return parts;
  const border = (rank: number): number => Math.floor((parts.length * rank) / reducer.size);
  return parts.slice(border(reducer.rank), border(reducer.rank + 1));
}

/** How many rows of each part the epoch's batches take, one batch after the other: as many as the part has of the rows left. */
export function* batchShares(parts: readonly Part[], batchSize: number): Generator<number[]> {
  const left = parts.map(({ rows }) => rows);
  let all = left.reduce((sum, rows) => sum + rows, 0);
  while (all > 0) {
    let count = Math.min(batchSize, all);
    let others = all;
    all -= count;
    yield left.map((rows, p) => {
      const share = others === 0 ? 0 : Math.floor((count * rows) / others);
      others -= rows;
      count -= share;
      left[p] -= share;
      return share;
    });
  }
}

/** The rows of a part in the order of an epoch, a few blocks of them at a time in memory. */
export class PartReader {
  readonly #rows: Rows;
  readonly #windows: Iterator<Window>;
  readonly #firstBlock: number;
  #order: Uint32Array = new Uint32Array(0);
  #at = 0;
  #skip: number;
  #found: RowBlock[] = [];
  /** Of each row of the window, by its number there: the block in it, and the row in that. */
  #places: number[] = [];

  /**
   * @param window  blocks whose rows are mixed with each other
   * @param skip  rows that were taken before
   */
  constructor(rows: Rows, part: Part, window: number, seed: number, epoch: number, skip: number) {
    this.#rows = rows;
    this.#windows = epochWindows(part.counts, seed, epoch, part.index, window);
    this.#skip = skip;
    this.#firstBlock = part.firstBlock;
  }

  /** Whether `next` must wait for `load`. */
  get isEmpty(): boolean {
    return this.#at === this.#order.length;
  }

  /** Reads the next window's blocks. */
  async load(): Promise<void> {
    let blocks: Uint32Array;
    do {
      const { value, done } = this.#windows.next();
      if (done) return;
      ({ order: this.#order, blocks } = value as Window);
      this.#at = Math.min(this.#skip, this.#order.length);
      this.#skip -= this.#at;
    } while (this.isEmpty);
    this.#found = [];
    for (const index of blocks) this.#found.push(await this.#rows.block(this.#firstBlock + index));
    this.#places = [];
    this.#found.forEach(({ count, held }, n) => {
      for (let i = 0; i < count; i++) if (held?.[i] !== 1) this.#places.push(n * 65536 + i);
    });
  }

  /** Calls `put` with the next row. */
  next(put: (block: RowBlock, row: number) => void): void {
    const place = this.#places[this.#order[this.#at++]];
    put(this.#found[place >>> 16], place & 65535);
  }
}
