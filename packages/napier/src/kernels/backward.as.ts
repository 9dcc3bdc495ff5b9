// From the gradient of an operation's result to that of its argument. Any gradient is followed where its formula leads;
// a NaN leaves as the canonical one, and no sum or product overflows on its way to a result that is in range.

import { EXP2, REDUCTION } from "./coefficients.as";
import { exp2_biased, exp_f64, F32, LOW, MAGIC, ONE, UNBIAS_F32 } from "./exp.as";
import { fill_f64, softmax_row_f32, softmax_row_f64 } from "./softmax.as";
import { at, m, special, sum_f64 } from "./sum.as";

/** Adding 0 turns −0 into +0; a NaN of any bits becomes the canonical one. */
// @ts-ignore: decorator
@inline
export function clean<T>(v: T): T {
  return v == v ? <T>(v + 0) : <T>NaN;
}

/** c·e^d. Halved, e^d neither under- nor overflows before the product does. Error ≤ 2 ulp, 4 where |d| > 700. */
export function times_exp(c: f64, d: f64): f64 {
  if (abs(d) <= 700.0) return c * exp_f64(d);
  const half = exp_f64(0.5 * d);
  return c * half * half;
}

// A running sum of f64 numbers and what its roundings lost.
let total: f64 = 0;
let lost: f64 = 0;

// @ts-ignore: decorator
@inline
function accumulate(term: f64): void {
  const next = total + term;
  const v = next - total;
  const error = (total - (next - v)) + (term - v);
  // an infinite sum has no rounding error, only a NaN where one would stand
  lost += error == error ? error : 0.0;
  total = next;
}

/** The sum of a·b with the product's rounding error (Dekker), where its halves neither overflow nor vanish. */
// @ts-ignore: decorator
@inline
function accumulate_product(a: f64, b: f64): void {
  const product = a * b;
  accumulate(product);
  if (!(abs(a) < 1e290 && abs(b) < 1e290 && abs(product) > 1e-270 && abs(product) < 1e290)) return;
  const ca = a * 134217729.0; // 2^27 + 1
  const aHigh = ca - (ca - a);
  const aLow = a - aHigh;
  const cb = b * 134217729.0;
  const bHigh = cb - (cb - b);
  const bLow = b - bHigh;
  lost += aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

/** What gradients are multiplied by where their sum is beyond f64: 2^-64, enough for 2^63 of them. */
const DOWN: f64 = 5.421010862427522e-20;

/** Σ g·factor, or with p Σ g·factor·p, compensated; leaves total and lost. */
// @ts-ignore: decorator
@inline
function sum_gradients(g: usize, p: usize, bytes: usize, factor: f64, product: bool): f64 {
  total = 0;
  lost = 0;
  for (let k = <usize>0; k < bytes; k += 8) {
    const v = load<f64>(g + k) * factor;
    if (product) accumulate_product(v, load<f64>(p + k));
    else accumulate(v);
  }
  return total + lost;
}

/**
 * The gradient of log-sum-exp: dx[i, j] = dlse[i]·softmax(x)[i, j]; dx must not be x. A dlse of ±∞ or NaN multiplies
 * the softmax as it is rounded, so that 0·∞ is NaN.
 */
export function log_sum_exp_backward_f32(dx: usize, dlse: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, dx += bytes, x += bytes, dlse += 4) {
    const g = load<f32>(dlse);
    const finite = abs(g) < Infinity;
    softmax_row_f32(dx, x, finite ? <f64>g : 1.0, classes);
    if (finite) continue;
    for (let k = <usize>0; k < bytes; k += 4) store<f32>(dx + k, clean<f32>(load<f32>(dx + k) * g));
  }
}

export function log_sum_exp_backward_f64(dx: usize, dlse: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, dx += bytes, x += bytes, dlse += 8) {
    const g = load<f64>(dlse);
    const finite = abs(g) < Infinity;
    if (finite && abs(g) > 1.3407807929942597e154) {
      far_row(dx, x, g, classes);
      continue;
    }
    softmax_row_f64(dx, x, finite ? g : 1.0, classes);
    if (finite) continue;
    for (let k = <usize>0; k < bytes; k += 8) store<f64>(dx + k, clean<f64>(load<f64>(dx + k) * g));
  }
}

/** As softmax_row_f64 for |g| > 2^512: then g·e^(x − m) is in range where the stored exponential has left its own. */
function far_row(dx: usize, x: usize, g: f64, classes: i32): void {
  const s = sum_f64(0, x, classes, false);
  if (special(s)) return fill_f64(dx, NaN, classes);
  const c = g / (1.0 + s);
  for (let j = 0; j < classes; j++) {
    const k = <usize>j << 3;
    const v = load<f64>(x + k);
    const d = v - m;
    const xv = v - d; // TwoDiff
    const tail = (v - (d + xv)) + (xv - m);
    const value = times_exp(c, d);
    store<f64>(dx + k, clean<f64>(d > -1500.0 ? value + value * tail : 0.0));
  }
  store<f64>(dx + (<usize>at << 3), clean<f64>(c));
}

/** dx[j] = g[j] − e^logp[j]·Σ g; dx may be g. */
export function log_softmax_backward_f32(dx: usize, g: usize, logp: usize, rows: i32, classes: i32): void {
  const log2e = v128.load64_splat(REDUCTION);
  const low = v128.load64_splat(F32, LOW);
  const high = f64x2.splat(896.0); // 2^896 times any f32 is still an f64, and ∞ as an f32
  const magic = v128.load64_splat(F32, MAGIC);
  const one = v128.load64_splat(F32, ONE);
  const c0 = v128.load64_splat(EXP2, 0);
  const c1 = v128.load64_splat(EXP2, 8);
  const c2 = v128.load64_splat(EXP2, 16);
  const c3 = v128.load64_splat(EXP2, 24);
  const c4 = v128.load64_splat(EXP2, 32);
  const c5 = v128.load64_splat(EXP2, 40);
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, dx += bytes, g += bytes, logp += bytes) {
    // 1. the sum of the output's gradients
    let sum: f64 = 0;
    for (let k = <usize>0; k < bytes; k += 4) sum += <f64>load<f32>(g + k);
    // 2. one class at a time in both lanes: the last, odd one needs no case of its own
    for (let k = <usize>0; k < bytes; k += 4) {
      const v = load<f32>(logp + k);
      const t = f64x2.pmin(f64x2.mul(f64x2.promote_low_f32x4(v128.load32_zero(logp + k)), log2e), high);
      const p = f64x2.extract_lane(exp2_biased(t, low, magic, one, c0, c1, c2, c3, c4, c5), 0) * UNBIAS_F32;
      const term = v == -Infinity ? 0.0 * sum : p * sum; // a probability of 0, also beside an infinite sum
      store<f32>(dx + k, clean<f32>(<f32>(<f64>load<f32>(g + k) - term)));
    }
  }
}

export function log_softmax_backward_f64(dx: usize, g: usize, logp: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, dx += bytes, g += bytes, logp += bytes) {
    // 1. the sum of the output's gradients
    const sum = sum_gradients(g, 0, bytes, 1.0, false);
    // 2. the differences
    if (abs(sum) < Infinity) {
      for (let k = <usize>0; k < bytes; k += 8) {
        store<f64>(dx + k, clean<f64>(load<f64>(g + k) - times_exp(sum, load<f64>(logp + k))));
      }
      continue;
    }
    const down = sum_gradients(g, 0, bytes, DOWN, false);
    for (let k = <usize>0; k < bytes; k += 8) {
      const v = load<f64>(g + k);
      const lp = load<f64>(logp + k);
      const half = exp_f64(0.5 * lp);
      // a small probability brings the sum back into range; for a large one nothing small is left to lose
      const value = lp < -600.0 ? v - ((down * half) / DOWN) * half : (v * DOWN - times_exp(down, lp)) / DOWN;
      store<f64>(dx + k, clean<f64>(value));
    }
  }
}

/** dx[j] = p[j]·(g[j] − Σ g·p); dx may be g. Products of f32 numbers are exact in f64. */
export function softmax_backward_f32(dx: usize, g: usize, p: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, dx += bytes, g += bytes, p += bytes) {
    let dot: f64 = 0;
    for (let k = <usize>0; k < bytes; k += 4) dot += <f64>load<f32>(g + k) * <f64>load<f32>(p + k);
    for (let k = <usize>0; k < bytes; k += 4) {
      store<f32>(dx + k, clean<f32>(<f32>(<f64>load<f32>(p + k) * (<f64>load<f32>(g + k) - dot))));
    }
  }
}

export function softmax_backward_f64(dx: usize, g: usize, p: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, dx += bytes, g += bytes, p += bytes) {
    // 1. the sum of the products, and what it lost
    const dot = sum_gradients(g, p, bytes, 1.0, true);
    const dotLow = lost - (dot - total);
    const finite = abs(dot) < Infinity;
    const down = finite ? dot * DOWN : sum_gradients(g, p, bytes, DOWN, true);
    // 2. the differences
    for (let k = <usize>0; k < bytes; k += 8) {
      const a = load<f64>(g + k);
      const probability = load<f64>(p + k);
      const d = a - dot;
      let value: f64;
      if (finite && abs(d) < Infinity) {
        // Without the difference's rounding error a result could be 4 ulp of its larger term off; with it, 2.
        const v = a - d; // TwoDiff
        const rest = probability * ((a - (d + v)) + (v - dot) - dotLow);
        value = probability * d;
        if (rest == rest) value += rest;
      } else {
        value = (probability * (a * DOWN - down)) / DOWN;
      }
      store<f64>(dx + k, clean<f64>(value));
    }
  }
}
