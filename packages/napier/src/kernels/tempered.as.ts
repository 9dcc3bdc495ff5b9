// Rows of f64 logits divided by a temperature. The division's remainder goes on into the exponential, as that of x − m
// does in sum.as.ts, so that no result is less accurate than without a temperature. What one kernel finds out about a row
// it leaves in a record, 8 numbers a row, for the next.

import { exp_biased_parts, UNBIAS_F64 } from "./exp.as";
import { first_f64, max_f64 } from "./extrema.as";
import { log1p_f64 } from "./log1p.as";
import { PAD, STORED } from "./scratch.as";
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
/** SUM·2^960: what is subnormal there keeps its digits here */
export const BIASED_SUM: usize = 56;
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
    f64.store(x + slot, -Infinity);
    const biased = differences(d, e, x, m, temperature, classes, 0, false);
    f64.store(x + slot, m);
    store_left_out(d + slot, e + slot);
    // 3. the logarithm
    store_record(records, biased, m, at, temperature);
  }
}

/** The class left out. */
// @ts-ignore: decorator
@inline
export function store_left_out(d: usize, e: usize): void {
  store<f64>(d, 0);
  store<f64>(e, BIASED_ONE);
}

/** What is known of a row by its maximum m, at `at`, and the sum of the others times 2^960. */
// @ts-ignore: decorator
@inline
export function store_record(records: usize, biased: f64, m: f64, at: i32, temperature: f64): void {
  const s = biased * UNBIAS_F64;
  store<f64>(records, m / temperature, SHIFT);
  store<f64>(records, s, SUM);
  store<f64>(records, biased, BIASED_SUM);
  store<f64>(records, log1p_f64(s), LOG);
  store<f64>(records, <f64>at, AT);
  store<f64>(records, is_huge(m, exponent(temperature)) ? 4.0 : 1.0, UNSCALE);
}

/** k of T = part·2^k */
// @ts-ignore: decorator
@inline
function exponent(temperature: f64): i64 {
  if (temperature < 2.2250738585072014e-308) return (reinterpret<i64>(temperature * 18014398509481984.0) >> 52) - 1077;
  return (reinterpret<i64>(temperature) >> 52) - 1023;
}

// @ts-ignore: decorator
@inline
function is_huge(m: f64, k: i64): bool {
  return k <= 0 && m >= HUGE;
}

/** Step 2 of prepare_f64: d and e, and the sum times 2^960. With `on` it goes on from the sums there, 64 bytes, and leaves them. */
// @ts-ignore: decorator
@inline
export function differences(
  d: usize, e: usize, x: usize, m: f64, temperature: f64, classes: i32, sums: usize, on: bool,
): f64 {
  const k = exponent(temperature);
  const isHuge = is_huge(m, k);
  if (temperature == 1.0 && !isHuge) return exponentials(d, e, x, m, 1, 0, 1, classes, false, sums, on);
  const isTiny = temperature < 2.2250738585072014e-308;
  const bits = reinterpret<i64>(isTiny ? temperature * 18014398509481984.0 : temperature);
  const part = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  const before = k > 0 ? power(-min<i64>(k, 1022)) * (k == 1023 ? 0.5 : 1.0) : isHuge ? 0.25 : 1.0;
  return exponentials(d, e, x, m, before, k > 0 ? 0 : -k, part, classes, true, sums, on);
}

/** What u / part left over q: u − q·part (Dekker's product, exact) + w; part = high + low in halves of its digits. */
// @ts-ignore: decorator
@inline
function remainder(u: v128, w: v128, q: v128, part: v128, high: v128, low: v128, inverse: v128): v128 {
  const c = f64x2.mul(q, f64x2.splat(SPLITTER));
  const qHigh = f64x2.sub(c, f64x2.sub(c, q));
  const qLow = f64x2.sub(q, qHigh);
  const p = f64x2.mul(q, part);
  const cross = f64x2.add(f64x2.mul(qHigh, low), f64x2.mul(qLow, high));
  const rounding = f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(qHigh, high), p), cross), f64x2.mul(qLow, low));
  return f64x2.mul(f64x2.add(f64x2.sub(f64x2.sub(u, p), rounding), w), inverse);
}

/** What v − m was rounded by to d (TwoDiff). */
// @ts-ignore: decorator
@inline
function rest_of(v: v128, m: v128, d: v128): v128 {
  const vv = f64x2.sub(v, d);
  return f64x2.add(f64x2.sub(v, f64x2.add(d, vv)), f64x2.sub(vv, m));
}

/** What a sum lost by rounding to `next` (TwoSum). */
// @ts-ignore: decorator
@inline
function lost_by(sum: v128, term: v128, next: v128): v128 {
  const v = f64x2.sub(next, sum);
  return f64x2.add(f64x2.sub(sum, f64x2.sub(next, v)), f64x2.sub(term, v));
}

/** Step 2, the sum times 2^960. Without `divides` T is 1; else the logits are taken times `before`, and the differences times 2^up over part. */
// @ts-ignore: decorator
@inline
function exponentials(
  d: usize, e: usize, x: usize, m: f64, before: f64, up: i64, part: f64, classes: i32, divides: bool, sums: usize, on: bool,
): f64 {
  const factor = f64x2.splat(before);
  const after = f64x2.splat(power(min<i64>(up, 1000)));
  const last = f64x2.splat(power(up - min<i64>(up, 1000)));
  const mm = f64x2.splat(m * before);
  const divisor = f64x2.splat(part);
  const inverse = f64x2.splat(1.0 / part);
  const partHigh = part * SPLITTER - (part * SPLITTER - part);
  const high = f64x2.splat(partHigh);
  const low = f64x2.splat(part - partHigh);
  const zero = f64x2.splat(0);
  let s0 = on ? v128.load(sums) : zero;
  let s1 = on ? v128.load(sums, 16) : zero;
  let l0 = on ? v128.load(sums, 32) : zero;
  let l1 = on ? v128.load(sums, 48) : zero;
  // by four; the last one to three with −∞ behind them, in PAD
  let p = x;
  let q = d;
  let r = e;
  const whole = <usize>(classes & ~3) << 3;
  const left = <usize>(classes & 3) << 3;
  let end = x + whole;
  let isLast = false;
  while (true) {
    for (; p < end; p += 32, q += 32, r += 32) {
      let v0 = v128.load(p);
      let v1 = v128.load(p, 16);
      if (divides) {
        v0 = f64x2.mul(v0, factor);
        v1 = f64x2.mul(v1, factor);
      }
      let d0 = f64x2.sub(v0, mm);
      let d1 = f64x2.sub(v1, mm);
      let t0 = rest_of(v0, mm, d0);
      let t1 = rest_of(v1, mm, d1);
      if (divides) {
        const u0 = f64x2.mul(f64x2.mul(d0, after), last);
        const u1 = f64x2.mul(f64x2.mul(d1, after), last);
        d0 = f64x2.div(u0, divisor);
        d1 = f64x2.div(u1, divisor);
        t0 = remainder(u0, f64x2.mul(f64x2.mul(t0, after), last), d0, divisor, high, low, inverse);
        t1 = remainder(u1, f64x2.mul(f64x2.mul(t1, after), last), d1, divisor, high, low, inverse);
      }
      const e0 = exp_biased_parts(d0, t0, false);
      const e1 = exp_biased_parts(d1, t1, false);
      v128.store(q, d0);
      v128.store(q, d1, 16);
      v128.store(r, e0);
      v128.store(r, e1, 16);
      const n0 = f64x2.add(s0, e0);
      const n1 = f64x2.add(s1, e1);
      l0 = f64x2.add(l0, lost_by(s0, e0, n0));
      l1 = f64x2.add(l1, lost_by(s1, e1, n1));
      s0 = n0;
      s1 = n1;
    }
    if (isLast) {
      memory.copy(d + whole, STORED, left);
      memory.copy(e + whole, STORED + 32, left);
      break;
    }
    if (left == 0) break;
    isLast = true;
    const none = f64x2.splat(-Infinity);
    v128.store(PAD, none);
    v128.store(PAD, none, 16);
    memory.copy(PAD, x + whole, left);
    p = PAD;
    end = PAD + 32;
    q = STORED;
    r = STORED + 32;
  }
  if (on) {
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
    v128.store(sums, l0, 32);
    v128.store(sums, l1, 48);
  }
  const sum = f64x2.add(s0, s1);
  return fold(sum, f64x2.add(f64x2.add(l0, l1), lost_by(s0, s1, sum)));
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
