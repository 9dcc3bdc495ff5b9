// What kernels write that is neither argument nor result. Instances on one shared memory must not write the same bytes:
// each thread gives its instance an area of its own. The tables beside the kernels are only read.

const AREA = memory.data(128, 16);

/** a row's last, partial step, filled up: 64 bytes */
export let PAD: usize = AREA;
/** what its exponentials leave: 64 bytes */
export let STORED: usize = AREA + 64;

/** From now on this instance writes to the 128 bytes at `address`, a multiple of 16. */
export function use_scratch(address: usize): void {
  PAD = address;
  STORED = address + 64;
}
