// log |Σ w·e^x|. The class with the largest |w|·e^x is the reference: its term is the weight itself, without an
// exponential, and it joins the sum last, so that weights of 1 keep the winner as the plain sum does.

import {
  add_parts, BIAS, close_sum, e_high, e_low, e_power, exp_parts, low, mantissa, power, power_of_two, set_sum, shifted_log,
  sum_high, sum_low, times_power, two_product,
} from "./parts.as";

const LN2: f64 = 0.6931471805599453;

/** Where a row has no finite sum: its value, and its sign. */
let isSpecial: bool = false;
let value: f64 = 0;
let sign: f64 = 0;
/** The reference: its logit, and the power of its weight. */
let m: f64 = 0;
let shift: i32 = 0;

// @ts-ignore: decorator
@inline
function answer(special: f64, its: f64): void {
  isSpecial = true;
  value = special;
  sign = its;
}

/**
 * Leaves the sum as (sum_high + sum_low)·2^(shift − BIAS)·e^m, or isSpecial. A class of weight 0 is not looked at, and
 * −∞ adds nothing whatever its weight.
 */
function weighted_sum(x: usize, w: usize, classes: i32): void {
  const bytes = <usize>classes << 3;
  // 1. the reference
  let at: usize = -1;
  let isNaN = false;
  let up = false;
  let down = false;
  for (let k = <usize>0; k < bytes; k += 8) {
    const weight = load<f64>(w + k);
    const v = load<f64>(x + k);
    if (weight == 0.0 || v == -Infinity) continue;
    if (v != v) isNaN = true;
    else if (v == Infinity || abs(weight) == Infinity) weight > 0.0 ? (up = true) : (down = true);
    else {
      mantissa(weight);
      // a difference that is not rounded where it decides: x + log|w| of huge logits would lose log|w|
      if (at != -1 && !((v - m) + <f64>(power - shift) * LN2 > 0.0)) continue;
      at = k;
      m = v;
      shift = power;
    }
  }
  isSpecial = false;
  if (isNaN || (up && down)) return answer(NaN, NaN);
  if (up || down) return answer(Infinity, up ? 1.0 : -1.0);
  if (at == -1) return answer(-Infinity, 0);
  // 2. the sum of the others; what is below 2^-1980 of the largest term is nothing, signed or not
  set_sum(0, 0);
  for (let k = <usize>0; k < bytes; k += 8) {
    const weight = load<f64>(w + k);
    if (k == at || weight == 0.0 || !exp_parts(load<f64>(x + k), m)) continue;
    const f = mantissa(weight);
    const n = e_power + power - shift + BIAS;
    if (n < -1022) continue;
    const scale = power_of_two(n);
    const product = two_product(f, e_high);
    add_parts(product * scale, (low + f * e_low) * scale);
  }
  // 3. the reference
  close_sum(mantissa(load<f64>(w + at)) * power_of_two(BIAS));
  if (sum_high == 0.0) answer(-Infinity, 0);
}

/** value[i] = log |Σ_j w·e^x|, sign[i] = the sum's sign: −1, 0, 1, or NaN */
export function log_sum_exp_weighted_f64(values: usize, signs: usize, x: usize, w: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, values += 8, signs += 8, x += bytes, w += bytes) {
    weighted_sum(x, w, classes);
    if (!isSpecial) {
      sign = sum_high < 0.0 ? -1.0 : 1.0;
      if (sign < 0.0) set_sum(-sum_high, -sum_low);
      value = shifted_log(m, shift - BIAS) + 0;
    }
    store<f64>(values, value);
    store<f64>(signs, sign);
  }
}

/** value[i] = NaN where sign[i] is negative: a logarithm without its sign */
export function nan_where_negative_f64(values: usize, signs: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    const k = <usize>i << 3;
    if (load<f64>(signs + k) < 0.0) store<f64>(values + k, NaN);
  }
}

/**
 * dx[i, j] = g[i]·w·e^x / Σ w·e^x; dx must be none of the others. Weight 0 gives 0; a row without a finite sum, or of
 * sum 0, NaN. A g of ±∞ or NaN multiplies the quotient as it is rounded.
 */
export function log_sum_exp_weighted_backward_f64(dx: usize, g: usize, x: usize, w: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, g += 8, dx += bytes, x += bytes, w += bytes) {
    weighted_sum(x, w, classes);
    const gradient = load<f64>(g);
    const finite = abs(gradient) < Infinity;
    // c·2^n = g / Σ: in range, whatever the product with a term is
    let c = finite ? gradient : 1.0;
    let n: i32 = 0;
    if (!isSpecial) {
      if (c != 0.0) {
        c = mantissa(c);
        n = power;
      }
      c /= mantissa(sum_high);
      n -= power + shift - BIAS;
    }
    for (let k = <usize>0; k < bytes; k += 8) {
      const weight = load<f64>(w + k);
      let out: f64 = 0;
      if (weight != 0.0) {
        if (isSpecial) out = NaN;
        else if (exp_parts(load<f64>(x + k), m)) {
          const f = mantissa(weight);
          out = times_power(c * (f * e_high), n + e_power + power);
        }
        if (!finite) out *= gradient;
      }
      store<f64>(dx + k, out == out ? out + 0 : NaN);
    }
  }
}
