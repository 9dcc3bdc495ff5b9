import type { DuckDBInstance } from "@duckdb/node-api";
import type { Feature, Label } from "napier/train";
import type { FeatureColumn, TableColumn, TargetColumn } from "./columns.ts";
import { chooseFeatures, chooseTarget, chooseWeight, matchFeatures } from "./columns.ts";
import { openDatabase, reading, readRows } from "./database.ts";
import { inputError, shortName } from "./errors.ts";
import { type Location, locate } from "./locate.ts";
import { type Chunk, copyFeatures, copyLabels, copyWeights, learnSizes } from "./vectors.ts";

export const BLOCK_ROWS = 4096;

/** Consecutive rows of the concatenated input; all blocks but the last have BLOCK_ROWS. */
export interface Block {
  x: { data: Float32Array; shape: [rows: number, inputs: number] };
  /** Empty where no target was asked for. */
  y: Label[];
  /** Where a weight was asked for. */
  weight?: Float64Array;
  /** 1-based, of the block's first row. */
  row: number;
}

export interface SourceOptions {
  target?: string;
  /** The column that says how much each row counts. */
  weight?: string;
  exclude?: readonly string[];
  /** What a model needs; without it every other column is a feature. */
  features?: readonly Feature[];
}

/** Rows that can be read any number of times, one time after the other, always in the same order. */
export interface Source extends AsyncIterable<Block> {
  /** For messages. */
  readonly name: string;
  /** Empty for `sql:`. */
  readonly files: readonly string[];
  /** Sizes of lists are known once a row has been read. */
  readonly features: Feature[];
  close(): void;
}

export async function columnsOf(db: DuckDBInstance, from: string): Promise<TableColumn[]> {
  const connection = await db.connect();
  const statement = await connection.prepare(`SELECT * FROM ${from}`);
  const columns = Array.from({ length: statement.columnCount }, (_, i) => ({
    name: statement.columnName(i),
    type: statement.columnType(i),
  }));
  connection.closeSync();
  return columns;
}

async function* blocks(
  db: DuckDBInstance,
  source: string,
  { from, files }: Location,
  features: readonly FeatureColumn[],
  target: TargetColumn | undefined,
  weight: FeatureColumn | undefined,
): AsyncGenerator<Block> {
  const selected = [...features, ...(weight ? [weight] : []), ...(target ? [target] : [])].map((c) => c.sql);
  let row = 1;
  let block: Block | undefined;
  let filled = 0;
  for await (const { chunk, rows } of readRows(db, source, from, selected, files.length > 0)) {
    const at: Chunk = { chunk, source, row };
    learnSizes(at, features);
    const inputs = features.reduce((sum, f) => sum + f.size!, 0);
    for (let done = 0; done < rows; ) {
      block ??= {
        x: { data: new Float32Array(BLOCK_ROWS * inputs), shape: [BLOCK_ROWS, inputs] },
        y: [],
        ...(weight && { weight: new Float64Array(BLOCK_ROWS) }),
        row: row + done,
      };
      const count = Math.min(rows - done, BLOCK_ROWS - filled);
      copyFeatures(at, features, { from: done, count, data: block.x.data, inputs, at: filled });
      if (target) copyLabels(at, target, done, count, block.y);
      if (weight && block.weight) copyWeights(at, features.length, weight, done, count, block.weight, filled);
      done += count;
      filled += count;
      if (filled === BLOCK_ROWS) {
        yield block;
        block = undefined;
        filled = 0;
      }
    }
    row += rows;
  }
  if (row === 1) throw inputError(`${source} has no rows`);
  if (block) {
    const [, inputs] = block.x.shape;
    const x: Block["x"] = { data: block.x.data.subarray(0, filled * inputs), shape: [filled, inputs] };
    yield { ...block, x, ...(block.weight && { weight: block.weight.subarray(0, filled) }) };
  }
}

export async function isEmpty(db: DuckDBInstance, from: string): Promise<boolean> {
  const connection = await db.connect();
  const first = await connection.runAndReadAll(`SELECT 1 FROM ${from} LIMIT 1`);
  connection.closeSync();
  return first.currentRowCount === 0;
}

/** Finds the source's columns and checks those that are needed, without reading a row. */
export async function openSource(source: string, options: SourceOptions = {}): Promise<Source> {
  const name = shortName(source);
  const db = await openDatabase();
  try {
    const { location, columns } = await reading(name, async () => {
      const location = await locate(await db.connect(), source);
      return { location, columns: await columnsOf(db, location.from) };
    });
    let features: FeatureColumn[];
    let target: TargetColumn | undefined;
    let weight: FeatureColumn | undefined;
    try {
      target = options.target === undefined ? undefined : chooseTarget(name, columns, options.target);
      weight = options.weight === undefined ? undefined : chooseWeight(name, columns, options.weight);
      features = options.features
        ? matchFeatures(name, columns, options.features)
        : chooseFeatures(name, columns, [options.target, options.weight], options.exclude ?? []);
    } catch (error) {
      // a CSV without rows is all text, and that is not what is wrong with it
      throw (await reading(name, () => isEmpty(db, location.from))) ? inputError(`${name} has no rows`) : error;
    }
    return {
      name,
      files: location.files,
      get features() {
        return features.map((f) => ({ name: f.name, size: f.size ?? 0 }));
      },
      [Symbol.asyncIterator]: () => blocks(db, name, location, features, target, weight),
      close: () => db.closeSync(),
    };
  } catch (error) {
    db.closeSync();
    throw error;
  }
}

/** All rows in memory. */
export async function gather(
  source: Source,
  onRows: (rows: number) => void = () => {},
): Promise<{ x: Block["x"]; y: Label[] }> {
  const parts: (Float32Array | null)[] = [];
  const y: Label[] = [];
  let rows = 0;
  let inputs = 0;
  for await (const block of source) {
    parts.push(block.x.data);
    for (const label of block.y) y.push(label);
    rows += block.x.shape[0];
    inputs = block.x.shape[1];
    onRows(rows);
  }
  const data = new Float32Array(rows * inputs);
  let at = 0;
  parts.forEach((part, index) => {
    data.set(part!, at);
    at += part!.length;
    parts[index] = null; // lets each part go as soon as it is copied
  });
  return { x: { data, shape: [rows, inputs] }, y };
}
