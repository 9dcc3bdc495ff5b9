import { log1p_f64, log1p_rest } from "./log1p.as";
import { m, near, special, sum_f32, sum_f64, sum_rest, sum_wide_f32, sum_wide_f64 } from "./sum.as";

/** lse of a special row: NaN if it has a NaN, else its maximum, +∞ or −∞. */
// @ts-ignore: decorator
@inline
function special_value(isNaN: bool): f64 {
  return isNaN ? NaN : m;
}

function has_nan_f32(x: usize, classes: i32): bool {
  for (let j = 0; j < classes; j++) {
    const v = load<f32>(x + (<usize>j << 2));
    if (v != v) return true;
  }
  return false;
}

function has_nan_f64(x: usize, classes: i32): bool {
  for (let j = 0; j < classes; j++) {
    const v = load<f64>(x + (<usize>j << 3));
    if (v != v) return true;
  }
  return false;
}

/** out[i] = m + log1p(s), s = Σ e^(x − m) without the maximum */
export function log_sum_exp_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = x + ((<usize>i * <usize>classes) << 2);
    // 1., 2. maximum and sum
    const s = sum_f32(0, row, classes, false);
    let lse: f64;
    if (special(s)) {
      lse = special_value(has_nan_f32(row, classes));
    } else {
      // 3. the logarithm
      let l = log1p_f64(s);
      lse = m + l;
      // Where they cancel, l's relative error grows by l / |lse|: 2^-27.5, and 1.41·2^-24 for a near row; up to 4
      // and 1 it stays under 1.41 ulp of an f32.
      if (abs(lse) * (near ? 1.0 : 4.0) < l) {
        l = log1p_f64(sum_wide_f32(row, classes));
        lse = m + l;
      }
    }
    store<f32>(out + (<usize>i << 2), <f32>lse + 0);
  }
}

export function log_sum_exp_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = x + ((<usize>i * <usize>classes) << 3);
    const s = sum_f64(0, row, classes, false);
    let lse: f64;
    if (special(s)) {
      lse = special_value(has_nan_f64(row, classes));
    } else {
      const l = log1p_f64(s);
      lse = m + l;
      // Where they cancel, l is needed beyond its last bit: the sum and the logarithm again, each with its rest.
      if (abs(lse) < 2.0 * l) {
        const wide = sum_wide_f64(row, classes);
        const high = log1p_f64(wide);
        lse = m + high; // |m| ≥ high or the two are within a factor of 3: TwoSum
        const v = lse - m;
        const rounding = (m - (lse - v)) + (high - v);
        lse += rounding + (log1p_rest + sum_rest / (1.0 + wide));
      }
    }
    store<f64>(out + (<usize>i << 3), lse + 0);
  }
}
