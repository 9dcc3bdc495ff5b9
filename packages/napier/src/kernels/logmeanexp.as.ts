// log(1/n Σ e^x). In two parts the sum keeps what e^(x − m) lacks of 1, each to its own precision: near the maximum the
// mean is 1 + f, and log(1 + f) needs no sum of e^(x − m) − 1 by itself.

import { max_f64 } from "./extrema.as";
import {
  add_parts, close_sum, e_high, e_low, e_power, exp_parts, low, power_of_two, set_sum, shifted_log, sum_high, sum_low,
  two_product,
} from "./parts.as";

/** (sum_high + sum_low) / n */
function divide_sum(n: f64): void {
  const quotient = sum_high / n;
  const product = two_product(quotient, n);
  set_sum(quotient, (((sum_high - product) - low) + sum_low) / n);
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
    // 1. the sum, the maximum's own 1 in it; what is below 2^-1022 is nothing beside that
    set_sum(0, 0);
    for (let k = <usize>0; k < bytes; k += 8) {
      if (!exp_parts(load<f64>(x + k), m) || e_power < -1022) continue;
      const scale = power_of_two(e_power);
      add_parts(e_high * scale, e_low * scale);
    }
    close_sum(0);
    // 2. the mean; 3. the logarithm
    divide_sum(load<f64>(n));
    store<f64>(out, shifted_log(m, 0) + 0);
  }
}
