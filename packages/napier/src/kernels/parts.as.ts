// Numbers in two parts, high + low, |low| ≤ ulp(high) / 2: for sums whose last bit becomes the first one of their logarithm,
// log(1 + s), or of a difference. One number at a time; what is exact by itself (e^0, a weight) stays so.

import { EXP, REDUCTION } from "./coefficients.as";
import { log1p_rest, log_parts } from "./log1p.as";

/** Sums are carried times 2^BIAS, so that their smallest terms are not subnormal; leaves room for 2^60 terms. */
export const BIAS: i32 = 960;
export const ONE_BIASED: f64 = reinterpret<f64>(<u64>(1023 + BIAS) << 52);
const MAGIC: f64 = 6755399441055744.0; // 1.5·2^52

/** What the last operation of this file lost. */
export let low: f64 = 0;

/** a + b (TwoSum, Knuth); an infinite sum loses nothing. */
// @ts-ignore: decorator
@inline
export function two_sum(a: f64, b: f64): f64 {
  const sum = a + b;
  const v = sum - a;
  const error = (a - (sum - v)) + (b - v);
  low = error == error ? error : 0.0;
  return sum;
}

/** a·b (Dekker), exact for |a|, |b|, |a·b| < 2^995 and, if not 0, > 2^-900 */
// @ts-ignore: decorator
@inline
export function two_product(a: f64, b: f64): f64 {
  const product = a * b;
  const ca = a * 134217729.0; // 2^27 + 1
  const aHigh = ca - (ca - a);
  const aLow = a - aHigh;
  const cb = b * 134217729.0;
  const bHigh = cb - (cb - b);
  const bLow = b - bHigh;
  const error = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
  low = error == error ? error : 0.0;
  return product;
}

/** 2^k for a k from −1022 to 1023 */
// @ts-ignore: decorator
@inline
export function power_of_two(k: i32): f64 {
  return reinterpret<f64>(<u64>(1023 + k) << 52);
}

/** v·2^k, rounded once: where a step becomes subnormal, the rest shrinks what it lost to nothing. */
export function times_power(v: f64, k: i32): f64 {
  if (k < -4200 || k > 4200) k = k < 0 ? -4200 : 4200; // from any f64 to 0 or ∞
  for (; k < -1000; k += 1000) v *= power_of_two(-1000);
  for (; k > 1000; k -= 1000) v *= power_of_two(1000);
  return v * power_of_two(k);
}

/** v = mantissa·2^power, 1 ≤ |mantissa| < 2, for a finite v other than 0 */
export let power: i32 = 0;
export function mantissa(v: f64): f64 {
  let shift = 0;
  if (abs(v) < 2.2250738585072014e-308) {
    v *= 18014398509481984.0; // 2^54
    shift = 54;
  }
  const bits = reinterpret<u64>(v);
  power = <i32>((bits >> 52) & 0x7ff) - 1023 - shift;
  return reinterpret<f64>((bits & 0x800fffffffffffff) | 0x3ff0000000000000);
}

/** What e^(x − m) is: (e_high + e_low)·2^e_power, e_high from 0.7 to 1.42. */
export let e_high: f64 = 0;
export let e_low: f64 = 0;
export let e_power: i32 = 0;

/**
 * e^(x − m) for finite m, x or x = −∞, x − m ≤ 4000; error ≤ 2^-55 of it, and of e^(x − m) − 1 where that is smaller.
 * False, and nothing left, where x − m < −4000: no f64 number times that is anything beside 1, nor an f64.
 */
export function exp_parts(x: f64, m: f64): bool {
  // 1. d + tail = x − m exactly (TwoDiff)
  const d = x - m;
  if (!(d >= -4000.0)) return false;
  const xv = x - d;
  const tail = (x - (d + xv)) + (xv - m);
  // 2. d + tail = k ln 2 + r + rest
  const kk = d * load<f64>(REDUCTION) + MAGIC;
  const k = kk - MAGIC;
  const r = two_sum(d - k * load<f64>(REDUCTION, 8), tail - k * load<f64>(REDUCTION, 16)); // the product with 8 is exact
  const rest = low;
  // 3. e^r − 1 = r + r²·Q(r), |r| ≤ 0.3466
  let q = load<f64>(EXP, 80);
  for (let n = 72; n >= 0; n -= 8) q = q * r + load<f64>(EXP + n);
  const t = r * r * q;
  const high = r + t;
  const lost = (r - high) + t + (rest + rest * high);
  // 4. 1 + that
  e_high = 1.0 + high;
  e_low = (high - (e_high - 1.0)) + lost;
  e_power = <i32>k;
  return true;
}

/** A sum in two parts. */
export let sum_high: f64 = 0;
export let sum_low: f64 = 0;

// @ts-ignore: decorator
@inline
export function set_sum(high: f64, rest: f64): void {
  sum_high = high;
  sum_low = rest;
}

// @ts-ignore: decorator
@inline
export function add_parts(high: f64, rest: f64): void {
  sum_high = two_sum(sum_high, high);
  sum_low += low + rest;
}

/** Adds high to the sum and makes |sum_low| ≤ ulp(sum_high) / 2, also where they cancelled. */
// @ts-ignore: decorator
@inline
export function close_sum(high: f64): void {
  const total = two_sum(sum_high, high);
  sum_high = two_sum(total, sum_low + low);
  sum_low = low;
}

/** m + log((sum_high + sum_low)·2^power), the sum positive; within an ulp of the result or of the larger of the two. */
export function shifted_log(m: f64, power: i32): f64 {
  const l = log_parts(sum_high, sum_low / sum_high, power);
  const value = two_sum(m, l);
  return value + (low + log1p_rest);
}
