import { copyRow, type Matrix } from "./matrix.ts";
import type { Network } from "./mlp.ts";
import { ofAllBlocks, type Reducer } from "./reducer.ts";
import type { RowBlock } from "./rows.ts";

/** Rows whose losses are summed before the sums are: the same for every batch size, so NLLs have the same bits. */
export const SCORE_ROWS = 256;

export interface Score {
  readonly nll: number;
  readonly accuracy: number;
}

/** Losses and hits by block, added in the order of the blocks, whichever rank has them. */
export class BlockScores {
  readonly #reducer: Reducer | undefined;
  readonly #first: number;
  readonly #blocks: number;
  readonly #own: number[] = [];
  #rows = 0;
  #correct = 0;

  /**
   * @param blocks  of all ranks
   * @param first  the first one of this rank
   */
  constructor(blocks: number, first: number, reducer: Reducer | undefined) {
    this.#blocks = blocks;
    this.#first = first;
    this.#reducer = reducer;
  }

  /** Blocks come in order; one without rows may be left out. */
  add(block: number, loss: number, correct: number, rows: number): void {
    while (this.#own.length < block - this.#first) this.#own.push(0);
    this.#own.push(loss);
    this.#correct += correct;
    this.#rows += rows;
  }

  async total(): Promise<Score> {
    const counts = BigInt64Array.of(BigInt(this.#rows), BigInt(this.#correct));
    await this.#reducer?.sum(counts);
    const losses = await ofAllBlocks(Float64Array.from(this.#own), this.#first, this.#blocks, this.#reducer);
    let loss = 0;
    for (const each of losses) loss += each;
    const rows = Number(counts[0]);
    return { nll: loss / rows, accuracy: Number(counts[1]) / rows };
  }
}

/** Puts rows first … of a matrix at the network's entrance. */
export function putRows(network: Network, x: Matrix, first: number, count: number): void {
  const at = network.at.raw / 4;
  const columns = x.shape[1];
  for (let i = 0; i < count; i++) copyRow(network.space.f32, at + i * columns, x, first + i);
}

/** Puts row `row` of a block, and its target, at place i of the network's entrance. */
export function putRow(
  { space, at, sizes: [{ inputs }] }: Network,
  i: number,
  { x, targets }: RowBlock,
  row: number,
): void {
  const from = row * inputs;
  space.f32.set(x.subarray(from, from + inputs), at.raw / 4 + i * inputs);
  space.i32[at.targets / 4 + i] = targets[row];
}

/** The class with the largest logit, the first one of equals. */
export function argmax(values: Float32Array, from: number, classes: number): number {
  let best = 0;
  for (let j = 1; j < classes; j++) if (values[from + j] > values[from + best]) best = j;
  return best;
}

/** Of the rows `first` to before `end`, those whose largest logit is the target's, and the largest logit; after `forward`. */
export function countCorrect(network: Network, first: number, end: number): { correct: number; largest: number } {
  const { space, classes, at } = network;
  let correct = 0;
  let largest = -Infinity;
  for (let i = first; i < end; i++) {
    const from = at.logits / 4 + i * classes;
    const best = argmax(space.f32, from, classes);
    if (best === space.i32[at.targets / 4 + i]) correct++;
    largest = Math.max(largest, space.f32[from + best]);
  }
  return { correct, largest };
}

/** Σ over the rows `first` to before `end` of the network's losses, each by its weight where rows have one. */
export function sumLosses(network: Network, first: number, end: number, weights?: Float64Array): number {
  const at = network.at.losses / 8;
  let sum = 0;
  for (let i = first; i < end; i++) sum += (weights?.[i] ?? 1) * network.space.f64[at + i];
  return sum;
}

/** Loss and hits of up to SCORE_ROWS rows of a matrix. */
export function scoreRows(
  network: Network,
  x: Matrix,
  y: Int32Array,
  first: number,
  count: number,
): { loss: number; correct: number } {
  putRows(network, x, first, count);
  network.space.i32.set(y.subarray(first, first + count), network.at.targets / 4);
  network.forward(count);
  const { correct } = countCorrect(network, 0, count);
  const { losses, rounded, logits, targets } = network.at;
  network.space.kernels.cross_entropy_f32(losses, rounded, logits, targets, count, network.classes);
  return { loss: sumLosses(network, 0, count), correct };
}
