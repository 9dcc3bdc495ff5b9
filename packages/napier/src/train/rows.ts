import { type Caller, rangeError, words } from "../check.ts";
import type { Label } from "./matrix.ts";
import { BLOCK, heldRows } from "./shuffle.ts";
import type { BlockRange, Look, RawBlock, Table } from "./source.ts";

/** A block as training reads it. */
export interface RowBlock {
  readonly index: number;
  readonly count: number;
  /** [count, columns], before scaling */
  readonly x: Float32Array;
  /** Class indices. */
  readonly targets: Int32Array;
  /** How much each row counts; undefined where all count alike. */
  readonly weights: Float64Array | undefined;
  /** 1 for each row that is kept for validation. */
  readonly held: Uint8Array | undefined;
}

/** What a table's labels become. */
export interface Encoding<L extends Label = Label> {
  readonly classes: readonly L[];
  /** What a row of each class counts, on top of its own weight. */
  readonly classWeights?: Float64Array | undefined;
  /** Rows held for validation. */
  readonly held?: ((block: number, count: number) => Uint8Array) | undefined;
}

/** A table whose labels are class indices. */
export class Rows<L extends Label = Label> {
  /** Whether blocks can be had in any order. */
  readonly isRandom: boolean;
  readonly #table: Table<L>;
  readonly #encoding: Encoding<L>;
  readonly #index: ReadonlyMap<Label, number>;
  readonly #caller: Caller;
  readonly #name: string;
  readonly #range: BlockRange | undefined;

  /**
   * @param name  of the labels, for messages
   * @param range  of the blocks that are read; all by default
   */
  constructor(table: Table<L>, encoding: Encoding<L>, caller: Caller, name: string, range?: BlockRange) {
    this.#range = range;
    this.isRandom = table.block !== undefined;
    this.#table = table;
    this.#encoding = encoding;
    this.#index = new Map(encoding.classes.map((label, j) => [label, j]));
    this.#caller = caller;
    this.#name = name;
  }

  #encode({ index, count, x, labels, weights }: RawBlock<L>): RowBlock {
    const { classWeights, held } = this.#encoding;
    const targets = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const j = this.#index.get(labels[i]);
      if (j === undefined) {
        const got = words(`${JSON.stringify(labels[i])} at row ${index * BLOCK + i}`);
        throw rangeError(this.#caller, this.#name, "classes of the model", got);
      }
      targets[i] = j;
    }
    let each: Float64Array | undefined;
    if (weights || classWeights) {
      each = new Float64Array(count);
      for (let i = 0; i < count; i++) each[i] = (weights?.[i] ?? 1) * (classWeights?.[targets[i]] ?? 1);
    }
    return { index, count, x, targets, weights: each, held: held?.(index, count) };
  }

  /** All blocks in order, or those of the range. */
  async *blocks(look?: Look): AsyncGenerator<RowBlock> {
    for await (const block of this.#table.blocks(look, this.#range)) yield this.#encode(block);
  }

  async block(index: number): Promise<RowBlock> {
    const { block } = this.#table;
    if (!block) throw rangeError(this.#caller, "source", "a block(index) method", words("none"));
    return this.#encode(await block(index));
  }
}

/** Which rows a fraction holds for validation; each block's are found once. */
export function holder(fraction: number, seed: number): (block: number, count: number) => Uint8Array {
  const found: Uint8Array[] = [];
  return (block, count) => {
    found[block] ??= heldRows(block, count, fraction, seed);
    return found[block];
  };
}
