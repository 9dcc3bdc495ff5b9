// log(1/n Σ e^x): near the maximum the mean is 1 + f, f = Σ (e^(x − m) − 1) / n, each term of it kept to its own precision.

import { max_f64 } from "./extrema.as";
import {
  add_parts, close_sum, e_high, e_low, e_power, exp_parts, low, power_of_two, set_sum, shifted_log, sum_high, sum_low,
  two_product, two_sum,
} from "./parts.as";

/** (sum_high + sum_low) / n */
function divide_sum(n: f64): void {
  const quotient = sum_high / n;
  const product = two_product(quotient, n);
  set_sum(quotient, (((sum_high - product) - low) + sum_low) / n);
}

/** Σ e^(x − m), or with `less` Σ (e^(x − m) − 1), over the finite entries of a row; returns how many there are. */
function sum_row(x: usize, m: f64, classes: i32, less: f64): i32 {
  let count = 0;
  set_sum(0, 0);
  for (const end = x + (<usize>classes << 3); x < end; x += 8) {
    const v = load<f64>(x);
    if (v == -Infinity) continue;
    count++;
    if (exp_parts(v, m) && e_power >= -1022) {
      const scale = power_of_two(e_power);
      const term = two_sum(e_high * scale, -less);
      add_parts(term, low + e_low * scale);
    } else add_parts(-less, 0);
  }
  return count;
}

/** out[i] = log(1/n[i] Σ_j e^x): n[i] classes count; the others hold −∞ */
export function log_mean_exp_f64(out: usize, x: usize, n: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += 8, x += bytes, n += 8) {
    const m = max_f64(x, classes);
    let isNaN = false;
    for (let k = <usize>0; k < bytes; k += 8) isNaN = isNaN || load<f64>(x + k) != load<f64>(x + k);
    if (isNaN || !(abs(m) < Infinity)) {
      store<f64>(out, isNaN ? NaN : m);
      continue;
    }
    // 1. the mean less 1; an entry of −∞ that counts is a term of −1
    const count = load<f64>(n);
    const finite = sum_row(x, m, classes, 1.0);
    close_sum(<f64>finite - count);
    // 2. where the mean is at most 1/2 it is no less precise by itself
    const near = 2.0 * sum_high > -count;
    if (!near) {
      sum_row(x, m, classes, 0);
      close_sum(0);
    }
    divide_sum(count);
    if (near) close_sum(1.0);
    store<f64>(out, shifted_log(m, 0) + 0);
  }
}
