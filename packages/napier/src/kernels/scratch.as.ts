// What kernels write that is neither argument nor result. Instances on one shared memory must not write the same bytes:
// each thread gives its instance an area of its own. The tables beside the kernels are only read.

/** Most classes of a short row (short.as.ts). */
export const SHORT: i32 = 16;
const ROWS: usize = <usize>SHORT << 4; // four short rows
const COLUMNS: usize = ROWS + 16; // and a class more
const SIZE: usize = 352 + 3 * ROWS + 2 * COLUMNS;

const AREA = memory.data(1664, 64);

/** a row's last, partial step, filled up: 64 bytes */
export let PAD: usize = AREA;
/** what its exponentials leave: 64 bytes */
export let STORED: usize = AREA + 64;
/** what the sums of four rows leave of each (four.as.ts): 128 bytes */
export let LANES: usize = AREA + 128;
/** factors of four rows' gradients: 32 bytes */
export let SCALES: usize = AREA + 256;
/** the extremes of four rows and their sums: 64 bytes */
export let EXTREMES: usize = AREA + 288;
/** four short rows to read, to write, and set aside */
export let ROWS_IN: usize = AREA + 352;
export let ROWS_OUT: usize = AREA + 352 + ROWS;
export let ASIDE: usize = AREA + 352 + 2 * ROWS;
/** [classes, 4]: the logits of four short rows and their exponentials, the rows of a class side by side */
export let TURNED: usize = AREA + 352 + 3 * ROWS;
export let EXPONENTIALS: usize = AREA + 352 + 3 * ROWS + COLUMNS;

/** What use_scratch wants, in bytes. */
export const scratch_bytes: i32 = (<i32>SIZE + 63) & ~63;

/** From now on this instance writes to the `scratch_bytes` at `address`, a multiple of 64. */
export function use_scratch(address: usize): void {
  PAD = address;
  STORED = address + 64;
  LANES = address + 128;
  SCALES = address + 256;
  EXTREMES = address + 288;
  ROWS_IN = address + 352;
  ROWS_OUT = ROWS_IN + ROWS;
  ASIDE = ROWS_OUT + ROWS;
  TURNED = ASIDE + ROWS;
  EXPONENTIALS = TURNED + COLUMNS;
}
