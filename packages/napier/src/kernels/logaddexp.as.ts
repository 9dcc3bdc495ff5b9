// log(e^a + e^b) = m + log(1 + e^−|a − b|), element by element, and its gradients.

import {
  BIAS, close_sum, e_high, e_low, e_power, exp_parts, mantissa, ONE_BIASED, power, power_of_two, set_sum, shifted_log,
  sum_high, times_power,
} from "./parts.as";

/** 1 + e^(a − b) as (sum_high + sum_low)·2^−BIAS for a ≤ b, b finite; false where the exponential is nothing at all. */
function sum_two(a: f64, b: f64): bool {
  set_sum(ONE_BIASED, 0);
  if (!exp_parts(a, b)) return false;
  if (e_power < -1022 - BIAS) return true; // nothing beside 1
  const scale = power_of_two(e_power + BIAS);
  set_sum(e_high * scale, e_low * scale);
  close_sum(ONE_BIASED);
  return true;
}

/** out[k] = log(e^a[k] + e^b[k]); out may be a or b */
export function log_add_exp_f64(out: usize, a: usize, b: usize, rows: i32, classes: i32): void {
  const bytes = (<usize>rows * <usize>classes) << 3;
  for (let k = <usize>0; k < bytes; k += 8) {
    const u = load<f64>(a + k);
    const v = load<f64>(b + k);
    let value = u >= v ? u : v;
    if (u != u || v != v) value = NaN;
    else if (abs(value) < Infinity) {
      sum_two(u >= v ? v : u, value);
      value = shifted_log(value, -BIAS);
    }
    store<f64>(out + k, value + 0);
  }
}

/** g·(mantissa of 1 / (1 + e))·p·2^k: in range whatever g is; a g of ±∞ or NaN multiplies the rounded rest */
// @ts-ignore: decorator
@inline
function share(g: f64, sum: f64, p: f64, k: i32): f64 {
  if (g == 0.0) return 0;
  if (!(abs(g) < Infinity)) return g * times_power(p / sum, k);
  const part = mantissa(g) / sum * p;
  return times_power(part, k + power) + 0;
}

// @ts-ignore: decorator
@inline
function put(out: usize, v: f64): void {
  store<f64>(out, v == v ? v : NaN);
}

/** da[k] = g·e^a / (e^a + e^b), db[k] = g·e^b / (e^a + e^b); da and db must be none of the others. */
export function log_add_exp_backward_f64(da: usize, db: usize, g: usize, a: usize, b: usize, rows: i32, classes: i32): void {
  const bytes = (<usize>rows * <usize>classes) << 3;
  for (let k = <usize>0; k < bytes; k += 8) {
    const u = load<f64>(a + k);
    const v = load<f64>(b + k);
    const largest = u >= v ? u : v;
    let more = NaN;
    let less = NaN;
    if (u == u && v == v && abs(largest) < Infinity) {
      const gradient = load<f64>(g + k);
      const both = sum_two(u >= v ? v : u, largest);
      const sum = sum_high * power_of_two(-BIAS);
      more = share(gradient, sum, 1.0, 0);
      less = share(gradient, sum, both ? e_high : 0, both ? e_power : 0);
    }
    put(da + k, u >= v ? more : less);
    put(db + k, u >= v ? less : more);
  }
}
