// A mask has one byte for each number: 0 leaves it out. What is left out is set before an operation, so that not even a
// NaN counts there, and set again in its result, which may be a row of NaN.

// @ts-ignore: decorator
@inline
function fill<T>(x: usize, mask: usize, value: T, count: usize): void {
  let k = <usize>0;
  for (; k + 8 <= count; k += 8) {
    if (load<u64>(mask + k) == 0x0101010101010101) continue;
    for (let j = k; j < k + 8; j++) if (load<u8>(mask + j) == 0) store<T>(x + j * sizeof<T>(), value);
  }
  for (; k < count; k++) if (load<u8>(mask + k) == 0) store<T>(x + k * sizeof<T>(), value);
}

/** x[k] = value where mask[k] is 0; mask holds 0 and 1. */
export function fill_masked_f32(x: usize, mask: usize, value: f32, rows: i32, classes: i32): void {
  fill<f32>(x, mask, value, <usize>rows * <usize>classes);
}

export function fill_masked_f64(x: usize, mask: usize, value: f64, rows: i32, classes: i32): void {
  fill<f64>(x, mask, value, <usize>rows * <usize>classes);
}
