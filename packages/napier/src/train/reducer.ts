import { stateError } from "../check.ts";
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
  sum(values: BigInt64Array): void | Promise<void>;
  /** In place: each number becomes the largest of all ranks' ones. */
  max(values: Int32Array<ArrayBuffer>): void | Promise<void>;
}

/**
 * Which blocks of 4,096 rows `fit` reads on a rank: from `first` to before `end`. Blocks are shared by parts, consecutive blocks
 * each, and a rank has consecutive parts; some have none where there are fewer parts than ranks.
 *
 * @param place  the rank, from 0, and how many there are
 * @param rows  of all ranks
 * @param parts  with mini-batches `batchParts` of them; by default every block is one
 *
 * @example
 * ownBlocks({ rank: 1, size: 3 }, 13_000); // { first: 1, end: 2 }
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
const LEAST_ROWS = 64;

/**
 * In how many parts `fit` computes a mini-batch, each of rows of its own blocks: a power of two to 16 that leaves each 64 rows, and
 * no more than there are blocks. The parts are the same on any number of ranks.
 *
 * @param batchSize  rows of a batch
 * @param rows  of all ranks
 *
 * @example
 * batchParts(128, 60_000); // 2
 */
export function batchParts(batchSize: number, rows: number): number {
  let parts = 1;
  while (parts < MOST_PARTS && parts * 2 * LEAST_ROWS <= batchSize) parts *= 2;
  return Math.max(1, Math.min(parts, Math.ceil(rows / BLOCK)));
}

/** A rank's own numbers of blocks as those of all blocks, in order: the same bits on every rank. */
export async function ofAllBlocks(
  own: Float64Array,
  first: number,
  blocks: number,
  reducer: Reducer | undefined,
): Promise<Float64Array> {
  if (reducer === undefined) return own;
  const all = new BigInt64Array(blocks);
  all.set(new BigInt64Array(own.slice().buffer), first);
  // every number is one rank's, and zeros are the others': a sum of bits that changes none
  await reducer.sum(all);
  return new Float64Array(all.buffer);
}

/** All ranks' bytes, by rank. */
export async function gather(bytes: Uint8Array, reducer: Reducer): Promise<Uint8Array[]> {
  const { rank, size } = reducer;
  const lengths = new BigInt64Array(size);
  lengths[rank] = BigInt(bytes.length);
  await reducer.sum(lengths);
  const words = Array.from(lengths, (length) => Math.ceil(Number(length) / 8));
  const starts = words.map((_, r) => words.slice(0, r).reduce((sum, count) => sum + count, 0));
  const all = new BigInt64Array(starts[size - 1] + words[size - 1]);
  const whole = new Uint8Array(all.buffer);
  whole.set(bytes, starts[rank] * 8);
  await reducer.sum(all);
  return starts.map((start, r) => whole.slice(start * 8, start * 8 + Number(lengths[r])));
}

/**
 * What each rank has to say, by rank; every rank calls it, and all get the same.
 *
 * @param value  what JSON can hold
 * @param reducer  that of the ranks
 * @returns the values of all ranks
 *
 * @example
 * const alone = { rank: 0, size: 1, sum() {}, max() {} };
 * await gatherJson({ rows: 3 }, alone); // [{ rows: 3 }]
 */
export async function gatherJson<T>(value: T, reducer: Reducer): Promise<T[]> {
  const parts = await gather(new TextEncoder().encode(JSON.stringify(value)), reducer);
  return parts.map((part) => JSON.parse(new TextDecoder().decode(part)) as T);
}

/**
 * Throws on every rank, with the same message, where a rank is not at the same work as rank 0.
 *
 * @param own  what must be the same, in words that a message can show
 */
export async function checkSame(own: Readonly<Record<string, string>>, reducer: Reducer): Promise<void> {
  const all = await gatherJson(own, reducer);
  all.forEach((there, rank) => {
    for (const name of new Set([...Object.keys(all[0]), ...Object.keys(there)])) {
      if (there[name] === all[0][name]) continue;
      const got = `${name} ${there[name] ?? "absent"} on rank ${rank} and ${all[0][name] ?? "absent"} on rank 0`;
      throw stateError(
        "fit",
        "reducer",
        "the same training on all ranks",
        got,
        "start all ranks with the same options",
      );
    }
  });
}
