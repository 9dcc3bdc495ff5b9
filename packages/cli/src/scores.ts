import { inputError } from "./errors.ts";

export type Dtype = "f16" | "f32" | "f64";

/** Consecutive rows, row-major; the arrays are used again for the next tile. f16 numbers come as f32. */
export interface Tile {
  data: Float32Array | Float64Array;
  rows: number;
  classes: number;
  /** 1-based, of the tile's first row. */
  row: number;
  /** Null where none were asked for. */
  targets: Float64Array | null;
}

export interface Scores {
  name: string;
  dtype: Dtype;
  tiles(): AsyncIterable<Tile>;
  close(): Promise<void>;
}

export interface ScoresOptions {
  /** A .npy file of class indices, or a column of the table. */
  targets?: string;
  exclude?: readonly string[];
}

/** A tile has this many numbers, or one row where that is longer. */
const TILE = 65536;
/** A row stands in memory whole, several times. */
export const MOST_CLASSES = 2 ** 24;

export const tileRows = (classes: number): number => Math.max(1, Math.floor(TILE / classes));

export function checkClasses(name: string, classes: number): void {
  if (classes > MOST_CLASSES) {
    throw inputError(
      `${name}: rows of ${classes} classes; at most ${MOST_CLASSES} are checked`,
      "is this one row? then reshape it to [rows, classes]",
    );
  }
}
