import { BLOCK } from "./shuffle.ts";

/**
 * What processes that train one model together have in common. Each calls `fit` with the same options and the same rows, and
 * reads its own share of them; `@napier/mpi` has one over MPI. All make the same calls in the same order, with arrays of the
 * same length.
 */
export interface Reducer {
  /** This process, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** In place: each number becomes the sum of all ranks' ones, modulo 2^64. */
  sum(values: BigInt64Array<ArrayBuffer>): void | Promise<void>;
  /** In place: each number becomes the largest of all ranks' ones. */
  max(values: Int32Array<ArrayBuffer>): void | Promise<void>;
}

/**
 * Which blocks of 4,096 rows are a rank's: from `first` to before `end`.
 *
 * @param rows  of all ranks
 * @param parts  what ranks may share: by default every block, with mini-batches `batchParts`
 */
export function ownBlocks(
  { rank, size }: Pick<Reducer, "rank" | "size">,
  rows: number,
  parts?: number,
): { first: number; end: number } {
  const blocks = Math.ceil(rows / BLOCK);
  const count = parts ?? blocks;
  const border = (r: number): number => Math.floor((blocks * Math.floor((count * r) / size)) / count);
  return rows === 0 ? { first: 0, end: 0 } : { first: border(rank), end: border(rank + 1) };
}

/** Parts that a mini-batch is made of, at most: blocks whose rows are mixed with each other. */
const MOST_PARTS = 16;
/** Rows that a part of a batch has at least. */
const LEAST_ROWS = 32;

/** In how many parts, each with its own blocks of the rows, a mini-batch is computed: 1 to 16, and no more than blocks. */
export function batchParts(batchSize: number, rows: number): number {
  let parts = 1;
  while (parts < MOST_PARTS && parts * 2 * LEAST_ROWS <= batchSize) parts *= 2;
  return Math.max(1, Math.min(parts, Math.ceil(rows / BLOCK)));
}
