// Between f32 rows and the f64 rows that the kernels of wide.as.ts take.

/** out[k] = x[k], f64 of f32 */
export function widen_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const count = <usize>rows * <usize>classes;
  let k = <usize>0;
  for (; k + 2 <= count; k += 2) v128.store(out + (k << 3), f64x2.promote_low_f32x4(v128.load64_zero(x + (k << 2))));
  if (k < count) store<f64>(out + (k << 3), <f64>load<f32>(x + (k << 2)));
}

/** out[k] = x[k] rounded to f32, zeros +0 */
export function narrow_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const count = <usize>rows * <usize>classes;
  const zero = f32x4.splat(0);
  let k = <usize>0;
  for (; k + 2 <= count; k += 2) {
    v128.store64_lane(out + (k << 2), f32x4.add(f32x4.demote_f64x2_zero(v128.load(x + (k << 3))), zero), 0);
  }
  if (k < count) store<f32>(out + (k << 2), <f32>load<f64>(x + (k << 3)) + 0);
}

/** As narrow_f32, of one number a row. */
export function narrow_rows_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  narrow_f32(out, x, rows, 1);
}
