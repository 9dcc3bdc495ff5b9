import { type Caller, rangeError, typeError, words } from "../check.ts";
import { checkLabels, type Labels } from "./labels.ts";
import { checkMatrix, copyRow, type Label, type Matrix } from "./matrix.ts";
import { BLOCK } from "./shuffle.ts";

/** Consecutive rows of a source, as many as it likes. */
export interface Block<L extends Label = Label> {
  /** [rows, features] */
  readonly x: Matrix;
  /** The class of each row. */
  readonly y: Labels<L>;
  /** How much each row counts; all blocks have it, or none. */
  readonly weight?: ArrayLike<number> | undefined;
}

/** Rows that can be read any number of times, always the same in the same order. */
export interface Source<L extends Label = Label> {
  /** All blocks from the first row on, each time anew. */
  [Symbol.asyncIterator](): AsyncIterator<Block<L>, unknown, undefined>;
  /** The rows from 4096·index on, 4,096 of them or those that are left; mini-batches need it. */
  readonly block?: (index: number) => Promise<Block<L>>;
  /** How many rows there are in all; with a `reducer` it is needed, and so is `block`. */
  readonly rows?: number;
}

/** Rows 4096·index to before 4096·(index + 1) of the concatenated input. */
export interface RawBlock<L extends Label = Label> {
  readonly index: number;
  readonly count: number;
  /** [count, columns], row-major */
  readonly x: Float32Array;
  readonly labels: Labels<L>;
  readonly weights: ArrayLike<number> | undefined;
}

/** Looks at values as they came, before they are rounded to f32; `first` is the row of the first one. */
export type Look = (x: Matrix, weight: ArrayLike<number> | undefined, first: number) => void;

/** Blocks from `first` to before `end`. */
export interface BlockRange {
  readonly first: number;
  readonly end: number;
}

/** Rows by blocks of 4,096, whatever they come from. */
export interface Table<L extends Label = Label> {
  /** How many there are, where that is known before they are read. */
  readonly rows: number | undefined;
  /** All blocks in order, or those of a range; a source needs its `block` for a range. */
  readonly blocks: (look?: Look, range?: BlockRange) => AsyncIterable<RawBlock<L>>;
  readonly block: ((index: number) => RawBlock<L> | Promise<RawBlock<L>>) | undefined;
}

/** Throws where weights are not one for each row; their values are looked at when they are read. */
export function checkWeights(caller: Caller, name: string, weight: unknown, rows: number): void {
  const isList = Array.isArray(weight) || weight instanceof Float32Array || weight instanceof Float64Array;
  if (!isList) throw typeError(caller, name, "number[], Float32Array or Float64Array", weight);
  if (weight.length !== rows) throw rangeError(caller, name, `${rows} numbers, one a row`, words(`${weight.length}`));
}

/** Throws at the first weight that is negative or no finite number; `first` is the row of weights[0]. */
export function checkWeightValues(caller: Caller, name: string, weights: ArrayLike<number>, first: number): void {
  for (let i = 0; i < weights.length; i++) {
    if (typeof weights[i] === "number" && weights[i] >= 0 && weights[i] < Infinity) continue;
    throw rangeError(caller, name, "finite numbers from 0", words(`${weights[i]} at row ${first + i}`));
  }
}

/** Rows in memory. */
export function tableOf<L extends Label>(x: Matrix, y: Labels<L>, weight: ArrayLike<number> | undefined): Table<L> {
  const [rows, columns] = x.shape;
  const block = (index: number): RawBlock<L> => {
    const first = index * BLOCK;
    const count = Math.min(BLOCK, rows - first);
    let data: Float32Array;
    if (x.data instanceof Float32Array) data = x.data.subarray(first * columns, (first + count) * columns);
    else {
      data = new Float32Array(count * columns);
      for (let i = 0; i < count; i++) copyRow(data, i * columns, x, first + i);
    }
    const weights = weight && Float64Array.from({ length: count }, (_, i) => weight[first + i]);
    return { index, count, x: data, labels: y.slice(first, first + count) as Labels<L>, weights };
  };
  async function* blocks(look?: Look, range?: BlockRange): AsyncIterable<RawBlock<L>> {
    const { first: from = 0, end: before = Math.ceil(rows / BLOCK) } = range ?? {};
    for (let index = from; index < before; index++) {
      const first = index * BLOCK;
      const end = Math.min(rows, first + BLOCK);
      if (look) {
        const data = x.data.slice(first * columns, end * columns);
        look({ data, shape: [end - first, columns] }, weight && Array.prototype.slice.call(weight, first, end), first);
      }
      yield block(index);
    }
  }
  return { rows, blocks, block };
}

/** What a block of a source is, checked; rows of it are `from` to before `end`. */
interface Piece<L extends Label> {
  readonly block: Block<L>;
  readonly from: number;
  readonly end: number;
}

/** The pieces as one block of the table. */
function joined<L extends Label>(index: number, pieces: readonly Piece<L>[], columns: number): RawBlock<L> {
  const [{ block, from, end }] = pieces;
  if (pieces.length === 1 && block.x.data instanceof Float32Array) {
    const x = block.x.data.subarray(from * columns, end * columns);
    const labels = (from === 0 && end === block.y.length ? block.y : block.y.slice(from, end)) as Labels<L>;
    return {
      index,
      count: end - from,
      x,
      labels,
      weights: block.weight && Array.prototype.slice.call(block.weight, from, end),
    };
  }
  const count = pieces.reduce((sum, piece) => sum + piece.end - piece.from, 0);
  const x = new Float32Array(count * columns);
  const labels: L[] = [];
  const weights: number[] | undefined = block.weight && [];
  for (const piece of pieces) {
    for (let i = piece.from; i < piece.end; i++) {
      copyRow(x, labels.length * columns, piece.block.x, i);
      labels.push(piece.block.y[i] as L);
      weights?.push((piece.block.weight as ArrayLike<number>)[i]);
    }
  }
  return { index, count, x, labels, weights };
}

/** A source by blocks of 4,096 rows; `columns` of its first block hold for all. */
export function tableFrom<L extends Label>(caller: Caller, source: Source<L>, features?: number): Table<L> {
  let columns = features;
  let kind: string | undefined;
  let weighted: boolean | undefined;
  const check = (block: Block<L>): void => {
    checkMatrix(caller, "source's x", block?.x, columns);
    columns = block.x.shape[1];
    const rows = block.x.shape[0];
    checkLabels(caller, "source's y", block.y, rows);
    if (block.weight !== undefined) checkWeights(caller, "source's weight", block.weight, rows);
    if (rows === 0) return;
    kind ??= typeof block.y[0];
    if (typeof block.y[0] !== kind) throw typeError(caller, "source's y", `${kind}s in all blocks`, block.y[0]);
    weighted ??= block.weight !== undefined;
    if (weighted !== (block.weight !== undefined)) {
      throw rangeError(caller, "source's weight", "weights in all blocks or in none", words("some of them"));
    }
  };
  async function* blocks(look?: Look, range?: BlockRange): AsyncIterable<RawBlock<L>> {
    if (range) {
      for (let index = range.first; index < range.end; index++) yield await block(index, look);
      return;
    }
    let pieces: Piece<L>[] = [];
    let held = 0;
    let index = 0;
    let row = 0;
    for await (const block of source) {
      check(block);
      look?.(block.x, block.weight, row);
      const rows = block.x.shape[0];
      row += rows;
      for (let from = 0; from < rows; ) {
        const end = Math.min(rows, from + BLOCK - held);
        pieces.push({ block, from, end });
        held += end - from;
        from = end;
        if (held < BLOCK) continue;
        yield joined(index++, pieces, columns as number);
        pieces = [];
        held = 0;
      }
    }
    if (held > 0) yield joined(index, pieces, columns as number);
  }
  const block = async (index: number, look?: Look): Promise<RawBlock<L>> => {
    const found = await (source.block as NonNullable<Source<L>["block"]>)(index);
    check(found);
    look?.(found.x, found.weight, index * BLOCK);
    return joined(index, [{ block: found, from: 0, end: found.x.shape[0] }], columns as number);
  };
  return { rows: source.rows, blocks, block: source.block && ((index) => block(index)) };
}
