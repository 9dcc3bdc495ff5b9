import { brinks, join, l_high, l_low, left, m4, upper } from "./four.as";
import { log1p_f64, log1p_rest } from "./log1p.as";
import { sum_many } from "./many.as";
import { brink } from "./near.as";
import { SHORT } from "./scratch.as";
import { four_rows, room_for_four, settle, sum_short } from "./short.as";
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
/** lse of an f32 row that is not special, to f64's precision. */
function log_sum_exp_wide(row: usize, classes: i32): f64 {
  const l = log1p_f64(sum_wide_f32(row, classes));
  return m + l;
}

function log_sum_exp_row_f32(out: usize, row: usize, classes: i32): void {
  // 1., 2. maximum and sum
  const s = sum_f32(0, row, classes, false);
  let lse: f64;
  if (special(s)) {
    lse = special_value(has_nan_f32(row, classes));
  } else {
    // 3. the logarithm
    const l = log1p_f64(s);
    lse = m + l;
    // Where they cancel, l's relative error grows by l / |lse|: 2^-27.5, and 1.41·2^-24 for a near row; up to 4 and 1 it
    // stays under 1.41 ulp of an f32. On the brink (near.as.ts) a rounding is of the coarser side.
    if (abs(lse) * (near ? 1.0 : 4.0) < l || (near && brink(lse))) lse = log_sum_exp_wide(row, classes);
  }
  store<f32>(out, <f32>lse + 0);
}

export function log_sum_exp_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i += 4, out += 16, x += 4 * bytes) {
    const count = min(4, rows - i);
    const room = room_for_four(out, count);
    let four = x;
    if (classes <= SHORT) {
      four = four_rows(x, count, classes);
      sum_short(four, classes, false);
    } else {
      sum_many(0, x, count, classes, false);
    }
    const low = f64x2.add(f64x2.promote_low_f32x4(m4), l_low);
    const high = f64x2.add(f64x2.promote_low_f32x4(upper(m4)), l_high);
    const lse = join(low, high);
    v128.store(room, f32x4.add(lse, f32x4.splat(0)));
    // Where maximum and logarithm cancel, as above; of two classes l is within 2^-27.3.
    const size = f32x4.abs(lse);
    const firm = f32x4.ge(classes == 2 ? f32x4.mul(size, f32x4.splat(4)) : size, join(l_low, l_high));
    const again = left | (15 ^ i32x4.bitmask(firm)) | brinks(low, high);
    for (let r = 0; r < count && again >> r != 0; r++) {
      const row = four + <usize>r * bytes;
      const slot = room + (<usize>r << 2);
      if ((left >> r) & 1) log_sum_exp_row_f32(slot, row, classes);
      else if ((again >> r) & 1) store<f32>(slot, <f32>log_sum_exp_wide(row, classes) + 0);
    }
    settle(out, count, 4);
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
