// Rows of f64 logits divided by a temperature. The division's remainder goes on into the exponential, as that of x − m
// does in sum.as.ts, so that no result is less accurate than without a temperature. What one kernel finds out about a row
// it leaves in a record, 8 numbers a row, for the next.

import { exp_biased_parts, UNBIAS_F64 } from "./exp.as";
import { first_f64, max_f64 } from "./extrema.as";
import { log1p_f64 } from "./log1p.as";
import { fill_f64, scale_stored_f64 } from "./softmax.as";

/** m / T */
export const SHIFT: usize = 0;
/** Σ e^((x − m) / T) without one maximum; NaN for a row that has a NaN, or a maximum of ±∞ */
export const SUM: usize = 8;
/** log1p of it */
export const LOG: usize = 16;
/** the class left out */
export const AT: usize = 24;
/** what d is multiplied by to be (x − m) / T */
export const UNSCALE: usize = 32;
/** Σ t and Σ t without the class left out (softcrossentropy.as.ts) */
export const TOTAL: usize = 40;
export const REST: usize = 48;
export const RECORD: usize = 64;

const SPLITTER: f64 = 134217729.0; // 2^27 + 1
const BIASED_ONE: f64 = 1.0 / UNBIAS_F64;
// From here on x − m may overflow; and every x that is not m is 2^900 below it, where e^(x − m) is 0 at any T < 2.
const HUGE: f64 = 9.745314011399999e288; // 2^960

/** 2^k for −1022 ≤ k ≤ 1023 */
// @ts-ignore: decorator
@inline
function power(k: i64): f64 {
  return reinterpret<f64>((k + 1023) << 52);
}

/**
 * d[j] = (x[j] − m) / T and e[j] = e^that·2^960, and SHIFT, SUM, LOG, AT, UNSCALE of each row; T > 0.
 *
 * T = part·2^k, part in [1, 2). u + v = x − m exactly (TwoDiff), times 2^-k; d = u / part rounded, and what is left of it
 * is u − d·part (Dekker's product, exact) + v: d + tail is off by 2^-104 of it. A d that overflows counts as −∞.
 */
export function prepare_f64(
  d: usize, e: usize, records: usize, x: usize, temperature: f64, rows: i32, classes: i32,
): void {
  const isTiny = temperature < 2.2250738585072014e-308;
  const bits = reinterpret<i64>(isTiny ? temperature * 18014398509481984.0 : temperature);
  const k = (bits >> 52) - 1023 - (isTiny ? 54 : 0);
  const part = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, d += bytes, e += bytes, x += bytes, records += RECORD) {
    // 1. the maximum, and where it stands
    const m = max_f64(x, classes);
    if (!(abs(m) < Infinity)) {
      fill_f64(d, NaN, classes);
      fill_f64(e, NaN, classes);
      for (let n: usize = 0; n < RECORD; n += 8) store<f64>(records + n, NaN);
      continue;
    }
    const at = first_f64(x, m, classes);
    const slot = <usize>at << 3;
    // 2. the differences, their exponentials, and the sum of the others
    const isHuge = k <= 0 && m >= HUGE;
    const before = k > 0 ? power(-min<i64>(k, 1022)) * (k == 1023 ? 0.5 : 1.0) : isHuge ? 0.25 : 1.0;
    f64.store(x + slot, -Infinity);
    const s = exponentials(d, e, x, m, before, k > 0 ? 0 : -k, part, classes);
    f64.store(x + slot, m);
    f64.store(d + slot, 0);
    f64.store(e + slot, BIASED_ONE);
    // 3. the logarithm
    store<f64>(records, m / temperature, SHIFT);
    store<f64>(records, s, SUM);
    store<f64>(records, log1p_f64(s), LOG);
    store<f64>(records, <f64>at, AT);
    store<f64>(records, isHuge ? 4.0 : 1.0, UNSCALE);
  }
}

/** Step 2: logits times `before` (and `up` powers of two after the difference), over part. */
// @ts-ignore: decorator
@inline
function exponentials(
  d: usize, e: usize, x: usize, m: f64, before: f64, up: i64, part: f64, classes: i32,
): f64 {
  const factor = f64x2.splat(before);
  const after = f64x2.splat(power(min<i64>(up, 1000)));
  const last = f64x2.splat(power(up - min<i64>(up, 1000)));
  const mm = f64x2.splat(m * before);
  const divisor = f64x2.splat(part);
  const splitter = f64x2.splat(SPLITTER);
  const partHigh = part * SPLITTER - (part * SPLITTER - part);
  const high = f64x2.splat(partHigh);
  const low = f64x2.splat(part - partHigh);
  let sum = f64x2.splat(0);
  let lost = f64x2.splat(0);
  for (let j = 0; j < classes; j += 2) {
    const k = <usize>j << 3;
    const pair = j + 1 < classes;
    const v = f64x2.mul(pair ? v128.load(x + k) : f64x2.replace_lane(f64x2.splat(-Infinity), 0, load<f64>(x + k)), factor);
    // TwoDiff
    const difference = f64x2.sub(v, mm);
    const vv = f64x2.sub(v, difference);
    const rest = f64x2.add(f64x2.sub(v, f64x2.add(difference, vv)), f64x2.sub(vv, mm));
    const u = f64x2.mul(f64x2.mul(difference, after), last);
    const w = f64x2.mul(f64x2.mul(rest, after), last);
    // the quotient and its remainder
    const q = f64x2.div(u, divisor);
    const c = f64x2.mul(q, splitter);
    const qHigh = f64x2.sub(c, f64x2.sub(c, q));
    const qLow = f64x2.sub(q, qHigh);
    const p = f64x2.mul(q, divisor);
    const cross = f64x2.add(f64x2.mul(qHigh, low), f64x2.mul(qLow, high));
    const rounding = f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(qHigh, high), p), cross), f64x2.mul(qLow, low));
    const tail = f64x2.div(f64x2.add(f64x2.sub(f64x2.sub(u, p), rounding), w), divisor);
    const term = exp_biased_parts(q, tail, false);
    // TwoSum
    const next = f64x2.add(sum, term);
    const t = f64x2.sub(next, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.sub(sum, f64x2.sub(next, t)), f64x2.sub(term, t)));
    sum = next;
    v128.store64_lane(d + k, q, 0);
    v128.store64_lane(e + k, term, 0);
    if (pair) {
      v128.store64_lane(d + k, q, 1, 8);
      v128.store64_lane(e + k, term, 1, 8);
    }
  }
  return fold(sum, lost) * UNBIAS_F64;
}

/** The two lanes of a compensated sum and what it lost, as one number. */
// @ts-ignore: decorator
@inline
export function fold(sum: v128, lost: v128): f64 {
  const a = f64x2.extract_lane(sum, 0);
  const b = f64x2.extract_lane(sum, 1);
  const t = a + b;
  const v = t - a;
  const rest = (a - (t - v)) + (b - v) + (f64x2.extract_lane(lost, 0) + f64x2.extract_lane(lost, 1));
  // infinite terms leave a NaN in what they lost
  return rest == rest ? t + rest : t;
}

/** out[j] = d[j] − log1p(s) = log_softmax(x / T)[j]; out may be d */
export function log_probs_f64(out: usize, d: usize, records: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  const zero = f64x2.splat(0);
  for (let i = 0; i < rows; i++, out += bytes, d += bytes, records += RECORD) {
    const l = load<f64>(records, LOG);
    if (l != l) {
      fill_f64(out, NaN, classes);
      continue;
    }
    const ll = f64x2.splat(l);
    const unscale = f64x2.splat(load<f64>(records, UNSCALE));
    let k: usize = 0;
    for (const whole = <usize>(classes & ~1) << 3; k < whole; k += 16) {
      v128.store(out + k, f64x2.add(f64x2.sub(f64x2.mul(v128.load(d + k), unscale), ll), zero));
    }
    if (k < bytes) store<f64>(out + k, load<f64>(d + k) * f64x2.extract_lane(unscale, 0) - l + 0);
  }
}

/** out[j] = e[j] / (1 + s) = softmax(x / T)[j]; out may be e */
export function probs_f64(out: usize, e: usize, records: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += bytes, e += bytes, records += RECORD) {
    const s = load<f64>(records, SUM);
    if (s != s) {
      fill_f64(out, NaN, classes);
      continue;
    }
    const c = 1.0 / (1.0 + s);
    scale_stored_f64(out, e, c, classes);
    store<f64>(out + (<usize>load<f64>(records, AT) << 3), c);
  }
}

/** x[k] / divisor, for gradients of tempered logits */
export function divide_f32(x: usize, divisor: f64, rows: i32, classes: i32): void {
  for (const end = x + ((<usize>rows * <usize>classes) << 2); x < end; x += 4) {
    store<f32>(x, <f32>(<f64>load<f32>(x) / divisor) + 0);
  }
}

export function divide_f64(x: usize, divisor: f64, rows: i32, classes: i32): void {
  for (const end = x + ((<usize>rows * <usize>classes) << 3); x < end; x += 8) store<f64>(x, load<f64>(x) / divisor + 0);
}
