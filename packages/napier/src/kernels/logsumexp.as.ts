import { log1p_f64 } from "./log1p.as";
import { m, special, sum_f32, sum_f64, sum_wide_f32 } from "./sum.as";

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
      // Where they cancel, l's relative error of 2^-27.5 grows by l / |lse|: up to 4 it stays under 0.4 ulp of an f32.
      if (abs(lse) * 4.0 < l) {
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
    const lse = special(s) ? special_value(has_nan_f64(row, classes)) : m + log1p_f64(s);
    store<f64>(out + (<usize>i << 3), lse + 0);
  }
}
