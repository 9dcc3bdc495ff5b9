import { ROWS_OF_A_SUM } from "./bounds.ts";
import type { Dtype } from "./tensor.ts";

/** How the products of a linear layer are cut into blocks that fit a workspace. */
export interface Plan {
  /** rows at once, a multiple of 4 */
  readonly rows: number;
  /** classes at once, a multiple of 16: blocks.as.ts has the same bits then */
  readonly classes: number;
  /** features that are packed at once; the order of a logit's sum depends on it, so it hangs on the dtype only */
  readonly strip: number;
  /** features whose part of a block's weight gradient is summed at once, whole strips */
  readonly group: number;
}

/** What the areas may take in all; the kernels' tables and the rest of the memory's last page are not counted. */
export const WORKSPACE = 4_000_000;

const STRIP_BYTES = 4096;
const BLOCK = 16;

/** Bytes that a row and a class take besides the packed operands. */
const ROW_BYTES = 300;
const CLASS_BYTES = 96;

const up = (count: number, step: number): number => Math.ceil(count / step) * step;

/**
 * As many classes a block as fit: each row of x is packed anew for each block. The bytes that count are those that
 * lineartiles.ts lays out.
 */
export function planOf(features: number, classes: number, dtype: Dtype, isBackward: boolean, bytes = WORKSPACE): Plan {
  const size = dtype === "f32" ? 4 : 8;
  const strip = STRIP_BYTES / size;
  const packed = up(Math.min(Math.max(features, 1), strip), 8) * size;
  const [rowOperands, classOperands, tiles] = isBackward ? [3, 2, 3] : [2, 1, 1];
  const rows = ROWS_OF_A_SUM;
  const perRow = rowOperands * packed + ROW_BYTES;
  const perClass = classOperands * packed + rows * (tiles * size + 1) + CLASS_BYTES;
  const room = bytes - rows * perRow;
  const all = up(Math.max(features, 1), strip);
  const sums = isBackward ? 8 * up(features, 8) : 0;
  const most = Math.floor(room / (perClass + sums) / BLOCK) * BLOCK;
  const block = Math.max(BLOCK, Math.min(most, up(classes, BLOCK)));
  const left = Math.floor((room - block * perClass) / (8 * block * strip)) * strip;
  return { rows, classes: block, strip, group: most >= BLOCK || !isBackward ? all : Math.max(strip, left) };
}
