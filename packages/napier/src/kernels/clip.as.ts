// The gradient's norm, and a gradient made shorter.

/** Numbers whose squares are one f64 sum. */
const BLOCK = 1024;

/**
 * out[n] = Σ x² over the n-th 1,024 numbers of x, in f64. A square is exact there, and the 256 additions of each of a
 * block's four sums err by 2^-45 of it at most. Blocks do not depend on each other.
 */
export function square_sums_f32(out: usize, x: usize, count: i32): void {
  for (let first = 0; first < count; first += BLOCK, out += 8) {
    const end = min(first + BLOCK, count);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    let k = first;
    for (; k <= end - 4; k += 4) {
      const four = v128.load(x + (<usize>k << 2));
      const a = f64x2.promote_low_f32x4(four);
      const b = f64x2.promote_low_f32x4(v128.shuffle<i32>(four, four, 2, 3, 2, 3));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
    }
    const both = f64x2.add(low, high);
    let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
    for (; k < end; k++) {
      const v = <f64>load<f32>(x + (<usize>k << 2));
      sum += v * v;
    }
    store<f64>(out, sum);
  }
}

/** x[k] = x[k]·factor, in place. */
export function scale_f32(x: usize, factor: f64, count: i32): void {
  const f = <f32>factor;
  const ff = f32x4.splat(f);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = x + (<usize>k << 2);
    v128.store(at, f32x4.mul(v128.load(at), ff));
  }
  for (; k < count; k++) {
    const at = x + (<usize>k << 2);
    store<f32>(at, load<f32>(at) * f);
  }
}
