import type { DuckDBDataChunk, DuckDBListVector, DuckDBVarCharVector } from "@duckdb/node-api";
import type { Label } from "napier/train";
import type { FeatureColumn, TargetColumn } from "./columns.ts";
import { type CommandError, inputError } from "./errors.ts";

type Items = Float32Array | Float64Array;

/** What a numeric vector keeps to itself; reading it item by item is eight times slower (measured, @duckdb/node-api 1.5). */
interface Raw {
  items: Items;
  validity: { data: BigUint64Array | null };
}

const ALL_VALID = 0xffffffffffffffffn;
const F32_MAX = 3.4028234663852886e38;

/** The first NULL among items `from` to `to`, or −1. */
export function nullIn({ validity: { data } }: Pick<Raw, "validity">, from: number, to: number): number {
  if (data === null) return -1;
  for (let k = from; k < to; k++) {
    const word = data[k >>> 6]!;
    if (word === ALL_VALID) k |= 63;
    else if (((word >> BigInt(k & 63)) & 1n) === 0n) return k;
  }
  return -1;
}

export function raw(vector: unknown): Raw {
  const found = vector as Raw;
  if (!(found.items instanceof Float32Array || found.items instanceof Float64Array) || found.validity === undefined) {
    throw new Error("this version of @duckdb/node-api keeps its vectors in another way");
  }
  return found;
}

/** One chunk of a result whose columns are the features, then, where there is one, the target, then readRows' own. */
export interface Chunk {
  chunk: DuckDBDataChunk;
  source: string;
  /** 1-based row of the chunk's first in the concatenated input, for messages. */
  row: number;
}

/** Rows `from` to `from + count` of a chunk, and where they go: row-major data, `inputs` numbers a row, from row `at`. */
export interface Span {
  from: number;
  count: number;
  data: Float32Array;
  inputs: number;
  at: number;
}

export function bad(at: Chunk, i: number, name: string, got: string, hint?: string): CommandError {
  return inputError(`${at.source}: row ${at.row + i}, column ${JSON.stringify(name)}: ${got}`, hint);
}

export const NO_MISSING = "leave such rows out, or fill them in, with sql:SELECT …";

function badNumber(at: Chunk, i: number, name: string, value: number): CommandError {
  const beyond = Number.isFinite(value) ? `${value} is beyond float32's range` : `${value} is not a finite number`;
  return bad(at, i, name, beyond, Number.isFinite(value) ? "scale the column with sql:SELECT …" : NO_MISSING);
}

/** Column `index` of the chunk into column `offset` of the rows. */
function copyScalars(c: Chunk, index: number, { name }: FeatureColumn, span: Span, offset: number): void {
  const { from, count, data, inputs, at } = span;
  const vector = raw(c.chunk.getColumnVector(index));
  const missing = nullIn(vector, from, from + count);
  if (missing >= 0) throw bad(c, missing, name, "NULL", NO_MISSING);
  const { items } = vector;
  for (let i = 0, k = at * inputs + offset; i < count; i++, k += inputs) {
    const value = Math.fround(items[from + i]!);
    if (!(Math.abs(value) <= F32_MAX)) throw badNumber(c, from + i, name, items[from + i]!);
    data[k] = value;
  }
}

function copyLists(c: Chunk, index: number, { name, size, sizeOf }: FeatureColumn, span: Span, offset: number): void {
  const { from, count, data, inputs, at } = span;
  const lists = c.chunk.getColumnVector(index) as DuckDBListVector;
  const missing = nullIn(lists as unknown as Pick<Raw, "validity">, from, from + count);
  if (missing >= 0) throw bad(c, missing, name, "NULL", NO_MISSING);
  const vector = raw(lists.childVector);
  const { items } = vector;
  for (let i = from; i < from + count; i++) {
    const start = lists.getEntryOffset(i);
    const length = lists.getEntryLength(i);
    if (length !== size) throw bad(c, i, name, `a list of ${length} numbers where ${sizeOf} ${size}`);
    const hole = nullIn(vector, start, start + size);
    if (hole >= 0) throw bad(c, i, name, `NULL in the list, item ${hole - start + 1}`, NO_MISSING);
    const k = (at + i - from) * inputs + offset;
    for (let j = 0; j < size; j++) {
      const value = Math.fround(items[start + j]!);
      if (!(Math.abs(value) <= F32_MAX)) throw badNumber(c, i, name, items[start + j]!);
      data[k + j] = value;
    }
  }
}

/** Weights of `count` rows from `from`, which column `index` holds. */
export function copyWeights(
  c: Chunk,
  index: number,
  { name }: FeatureColumn,
  from: number,
  count: number,
  to: Float64Array,
  at: number,
): void {
  const vector = raw(c.chunk.getColumnVector(index));
  const missing = nullIn(vector, from, from + count);
  if (missing >= 0) throw bad(c, missing, name, "NULL", NO_MISSING);
  for (let i = 0; i < count; i++) {
    const value = vector.items[from + i]!;
    if (!(value >= 0 && value < Infinity))
      throw bad(c, from + i, name, `${value} is no weight`, "a weight is a number from 0");
    to[at + i] = value;
  }
}

/** The sizes must be known. */
export function copyFeatures(c: Chunk, columns: readonly FeatureColumn[], span: Span): void {
  let offset = 0;
  columns.forEach((column, index) => {
    (column.list ? copyLists : copyScalars)(c, index, column, span, offset);
    offset += column.size!;
  });
}

/** The lengths of the first row's lists become the columns' sizes. */
export function learnSizes(c: Chunk, columns: readonly FeatureColumn[]): void {
  columns.forEach((column, index) => {
    if (column.size !== undefined) return;
    const lists = c.chunk.getColumnVector(index) as DuckDBListVector;
    const missing = nullIn(lists as unknown as Pick<Raw, "validity">, 0, 1) >= 0;
    if (missing) throw bad(c, 0, column.name, "NULL", NO_MISSING);
    column.size = lists.getEntryLength(0);
    if (column.size === 0) throw bad(c, 0, column.name, "an empty list");
  });
}

/** Labels of `count` rows from `from`, appended to `labels`. */
export function copyLabels(c: Chunk, target: TargetColumn, from: number, count: number, labels: Label[]): void {
  const vector = c.chunk.getColumnVector(c.chunk.columnCount - 2);
  const missing = nullIn(vector as unknown as Pick<Raw, "validity">, from, from + count);
  if (missing >= 0) {
    const filter = "leave such rows out with sql:SELECT … WHERE … IS NOT NULL";
    throw bad(c, missing, target.name, "NULL in the target", filter);
  }
  if (!target.numeric) {
    const texts = vector as DuckDBVarCharVector;
    for (let i = from; i < from + count; i++) labels.push(texts.getItem(i)!);
    return;
  }
  const { items } = raw(vector);
  for (let i = from; i < from + count; i++) {
    const value = items[i]!;
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
      throw bad(c, i, target.name, `${value} cannot be a label`, "make it text with sql:SELECT … ::VARCHAR");
    }
    labels.push(value + 0); // −0 is the label 0
  }
}
