// log Σ_{k ≤ j} e^x_k along a row, and its gradient. An entry M is the reference: its own term is 1, the others' are the sum.
// M follows the maximum once that is more than 1 above it: M is then so near to the maximum that M + log(1 + s) loses
// nothing that m + log1p(s) would keep, and with every new M all older errors shrink by e at least.

import {
  add_parts, BIAS, close_sum, e_high, e_low, e_power, exp_parts, low, mantissa, ONE_BIASED, power, power_of_two, set_sum,
  shifted_log, sum_high, sum_low, times_power, two_product,
} from "./parts.as";

/** the reference; −∞ before the first finite entry */
let m: f64 = 0;
/** the sum without the reference's own term, times 2^BIAS */
let others: f64 = 0;
let others_low: f64 = 0;

// @ts-ignore: decorator
@inline
function begin(): void {
  m = -Infinity;
  others = 0;
  others_low = 0;
}

/** (sum_high + sum_low)·e^(x − m), for m above x or not far below */
function times_exp(x: f64, to: f64): void {
  const high = sum_high;
  const rest = sum_low;
  set_sum(0, 0);
  if (!exp_parts(x, to)) return;
  const product = two_product(high, e_high);
  const lost = low + (high * e_low + rest * e_high);
  set_sum(times_power(product, e_power), times_power(lost, e_power));
}

/** Takes on the next entry, finite or −∞. */
function take(x: f64): void {
  if (x == -Infinity) return;
  if (m == -Infinity) {
    m = x;
    return;
  }
  set_sum(others, others_low);
  if (x - m > 1.0) {
    close_sum(ONE_BIASED);
    times_exp(m, x);
    m = x;
  } else if (exp_parts(x, m) && e_power >= -1022 - BIAS) {
    const scale = power_of_two(e_power + BIAS);
    add_parts(e_high * scale, e_low * scale);
  }
  others = sum_high;
  others_low = sum_low;
}

/** The sum with the reference, times 2^BIAS. */
// @ts-ignore: decorator
@inline
function whole(): void {
  set_sum(others, others_low);
  close_sum(ONE_BIASED);
}

/** out[j] = log of the sum of e^x from the first class to j, or with a step of −1 from the last one; out must not be x. */
export function log_cum_sum_exp_f64(out: usize, x: usize, step: i32, rows: i32, classes: i32): void {
  const move = <usize>step << 3;
  const first = step < 0 ? <usize>(classes - 1) << 3 : 0;
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) {
    begin();
    let special: f64 = 0;
    for (let j = 0, k = first; j < classes; j++, k += move) {
      const v = load<f64>(x + k);
      if (v != v) special = NaN;
      else if (v == Infinity && special == special) special = v;
      if (special != 0.0) {
        store<f64>(out + k, special);
        continue;
      }
      take(v);
      if (m == -Infinity) {
        store<f64>(out + k, m);
        continue;
      }
      whole();
      store<f64>(out + k, shifted_log(m, -BIAS) + 0);
    }
  }
}

/** Sums above 2^HIGH are carried times 2^-DOWN, until a new reference makes them less than 2^LOW. */
const HIGH: f64 = reinterpret<f64>(<u64>(1023 + 940) << 52);
const LOW: f64 = reinterpret<f64>(<u64>(1023 + 800) << 52);
const DOWN: i32 = 64;

/**
 * dx[k] = Σ_{j ≥ k} g[j]·e^(x[k] − out[j]), out as log_cum_sum_exp_f64 has it; NaN or +∞ in a row makes it NaN, and so are
 * the −∞ before its first finite entry. refs is scratch, as long as x; dx may be g.
 *
 * e^−out[j] = e^−M / (1 + s) by the reference M and the sum s that class j has: out itself is rounded, and |out|·2^-53
 * of the term would be lost.
 */
export function log_cum_sum_exp_backward_f64(
  dx: usize, g: usize, x: usize, refs: usize, step: i32, rows: i32, classes: i32,
): void {
  const move = <usize>step << 3;
  const first = step < 0 ? <usize>(classes - 1) << 3 : 0;
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, dx += bytes, g += bytes, x += bytes) {
    // 1. every class's reference, and its gradient over its sum
    begin();
    let special = false;
    for (let j = 0, k = first; j < classes; j++, k += move) {
      const v = load<f64>(x + k);
      if (!(v < Infinity)) special = true;
      if (special) break;
      take(v);
      whole();
      store<f64>(refs + k, m);
      store<f64>(dx + k, load<f64>(g + k) / (sum_high * power_of_two(-BIAS)));
    }
    // 2. from the last class back, Σ g·e^(N − out): N is the reference of the class
    let n: f64 = m;
    let up = 0;
    let total: f64 = 0;
    let total_low: f64 = 0;
    for (let j = 0, k = first + <usize>(classes - 1) * move; j < classes; j++, k -= move) {
      const reference = load<f64>(refs + k);
      if (special || reference == -Infinity) {
        store<f64>(dx + k, NaN);
        continue;
      }
      set_sum(total, total_low);
      if (reference != n) {
        times_exp(reference, n);
        n = reference;
        if (up != 0 && abs(sum_high) < LOW) {
          set_sum(times_power(sum_high, DOWN), times_power(sum_low, DOWN));
          up = 0;
        }
      }
      add_parts(times_power(load<f64>(dx + k), -up), 0);
      if (up == 0 && abs(sum_high) > HIGH && abs(sum_high) < Infinity) {
        set_sum(times_power(sum_high, -DOWN), times_power(sum_low, -DOWN));
        up = DOWN;
      }
      total = sum_high;
      total_low = sum_low;
      // 3. times e^(x − N)
      const v = load<f64>(x + k);
      let out: f64 = 0;
      if (total != 0.0 && abs(total) < Infinity) {
        const f = mantissa(total);
        const scale = power;
        if (exp_parts(v, n)) {
          const product = two_product(f, e_high);
          const rest = low + (f * e_low + times_power(total_low, -scale) * e_high);
          out = times_power(product + rest, e_power + scale + up) + 0;
        }
      } else if (total != 0.0) out = v == -Infinity ? NaN : total;
      store<f64>(dx + k, out == out ? out : NaN);
    }
  }
}
