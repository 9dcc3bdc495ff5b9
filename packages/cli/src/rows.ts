import type { DuckDBValue } from "@duckdb/node-api";
import type { Feature, Label } from "napier/train";
import type { Choice, Kind, LeftOut, TableColumn } from "./columns.ts";

export const BLOCK_ROWS = 4096;

/** Consecutive rows of the concatenated input; all blocks but the last have BLOCK_ROWS. */
export interface Block {
  x: { data: Float32Array; shape: [rows: number, inputs: number] };
  /** Empty where no target was asked for. */
  y: Label[];
  /** Where a weight was asked for. */
  weight?: Float64Array;
  /** Values of the columns that come along, by column. */
  carried?: DuckDBValue[][];
  /** 1-based, of the block's first row. */
  row: number;
}

export interface SourceOptions {
  /** The column with the labels. */
  target?: string;
  /** The file with the labels of a matrix. */
  labels?: string;
  /** The column that says how much each row counts. */
  weight?: string;
  /** What a model needs. Without it the user chooses, or every other column of numbers is a feature. */
  features?: readonly Feature[];
  choice?: Choice;
  /** Columns that come along as they are. */
  carry?: readonly string[];
}

/** Rows that can be read any number of times, one time after the other, always in the same order. */
export interface Source extends AsyncIterable<Block> {
  /** For messages. */
  readonly name: string;
  /** Empty for `sql:`. */
  readonly files: readonly string[];
  /** Every file that is read: those of a statement and of labels too. */
  readonly inputs: readonly string[];
  /** Sizes of lists are known once a row has been read. */
  readonly features: Feature[];
  /** What each feature is, in the same order. */
  readonly kinds: readonly Kind[];
  /** Columns that are not used, and why. */
  readonly left: readonly LeftOut[];
  /** How many columns are not used because the user named others. */
  readonly notNamed: number;
  /** Where the labels are, for messages: `column "y"`, or a file. */
  readonly labelled: string;
  /** Those that come along. */
  readonly carried: readonly TableColumn[];
  /** Where a part of the rows can be read without the others. */
  readonly slices?: () => Promise<Slices>;
  close(): void;
}

/** Rows that are counted and numbered without reading them. */
export interface Slices {
  readonly rows: number;
  /** The rows `first` (from 0) to before `end`, by blocks; a block's `row` is that of all rows. */
  read(first: number, end: number): AsyncIterable<Block>;
}
