import { UNBIAS_F64 } from "./exp.as";
import { lane, left, LOG_AT, MAXIMUM_AT, s_high, s_low, spill, SUM_AT } from "./four.as";
import { log1p_f64 } from "./log1p.as";
import { sum_many, total_high, total_low } from "./many.as";
import { brink, FLAT } from "./near.as";
import { log_softmax_pairs } from "./pairs.as";
import { ASIDE, SCALES, SHORT } from "./scratch.as";
import { four_rows, gradient_short, log_softmax_short, room_for_four, settle, sum_short } from "./short.as";
import { adopt, at, flat, m, near, special, sum_f32, sum_f64, sum_wide_f32, unit } from "./sum.as";

export function fill_f32(out: usize, value: f32, classes: i32): void {
  for (let j = 0; j < classes; j++) store<f32>(out + (<usize>j << 2), value);
}

export function fill_f64(out: usize, value: f64, classes: i32): void {
  for (let j = 0; j < classes; j++) store<f64>(out + (<usize>j << 3), value);
}

// A row's l = log1p(s), and m + l, also in two f32 parts.
let l: f64 = 0;
let lse: f64 = 0;
/** whether x − (m + l) has every digit of l that an f32 can show: m + l is off by 2^-53·|m|, 2^-29 of l at most */
let once: bool = false;
let high: f32 = 0;
let low: f32 = 0;

// @ts-ignore: decorator
@inline
function is_firm(m: f64, l: f64): bool {
  return l > 2.2737367544323206e-13 && l >= abs(m) * 5.960464477539063e-8; // 2^-42, 2^-24
}

/** An f32 next below, or at most 2^-48 of it above. */
// @ts-ignore: decorator
@inline
function round_down(value: f64): f32 {
  return <f32>(value - abs(value) * 5.960464477539063e-8); // 2^-24
}

/** 3. the logarithm of a row at x: leaves l, and the parts for log_prob. */
// @ts-ignore: decorator
@inline
export function logarithm(s: f64, x: usize, classes: i32): f64 {
  l = log1p_f64(s);
  if (near && !flat && brink(l)) l = log1p_f64(sum_wide_f32(x, classes));
  parts();
  return l;
}

// @ts-ignore: decorator
@inline
function parts(): void {
  lse = m + l;
  once = is_firm(m, l);
  high = round_down(lse);
  low = <f32>(lse - <f64>high);
}

/** log_prob of a row whose m and l are given; the same steps, the same bits. */
// @ts-ignore: decorator
@inline
export function log_prob_of(v: f32, m: f64, l: f64, isFlat: bool): f32 {
  const lse = m + l;
  if (isFlat) {
    const high = round_down(lse);
    return v - high - <f32>(lse - <f64>high);
  }
  return is_firm(m, l) ? <f32>(<f64>v - lse) : <f32>(<f64>v - m - l) + 0;
}

/** The same for row i of four that were summed together (many.as.ts), after `spill`. */
// @ts-ignore: decorator
@inline
function adopt_row(i: i32): f64 {
  adopt(lane(MAXIMUM_AT, i), lane(SUM_AT, i) >= FLAT);
  l = lane(LOG_AT, i);
  parts();
  return l;
}

/**
 * The log-probability of one class of the row. In f32 for a flat row (near.as.ts).
 * Else in f64: |x − m| + l ≥ l, so that no digit of l that f32 can show is lost; adding 0 turns −0 into +0.
 */
// @ts-ignore: decorator
@inline
export function log_prob(v: f32): f32 {
  if (flat) return v - high - low;
  return once ? <f32>(<f64>v - lse) : <f32>(<f64>v - m - l) + 0;
}

/** out[j] = x[j] − high − low, four classes a time; returns the bytes done. */
// @ts-ignore: decorator
@inline
function subtract_f32(out: usize, x: usize, classes: i32): usize {
  const hh = f32x4.splat(high);
  const ll = f32x4.splat(low);
  let k = <usize>0;
  for (const steps = <usize>(classes & ~15) << 2; k < steps; k += 64) {
    v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k), hh), ll));
    v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k, 16), hh), ll), 16);
    v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k, 32), hh), ll), 32);
    v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k, 48), hh), ll), 48);
  }
  for (const whole = <usize>(classes & ~3) << 2; k < whole; k += 16) {
    v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k), hh), ll));
  }
  return k;
}

/** out[j] = x[j] − lse in f64 lanes. */
// @ts-ignore: decorator
@inline
function subtract_once(out: usize, x: usize, classes: i32): usize {
  const c = f64x2.splat(lse);
  let k = <usize>0;
  for (const whole = <usize>(classes & ~3) << 2; k < whole; k += 16) {
    v128.store64_lane(out + k, f32x4.demote_f64x2_zero(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x + k)), c)), 0);
    v128.store64_lane(out + k, f32x4.demote_f64x2_zero(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x + k, 8)), c)), 0, 8);
  }
  return k;
}

/** out[j] = (x[j] − m) − l in f64 lanes. */
// @ts-ignore: decorator
@inline
function subtract_twice(out: usize, x: usize, classes: i32): usize {
  const mm = f64x2.splat(m);
  const ll = f64x2.splat(l);
  const zero = f32x4.splat(0);
  let k = <usize>0;
  for (const whole = <usize>(classes & ~3) << 2; k < whole; k += 16) {
    const a = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x + k)), mm), ll);
    const b = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x + k, 8)), mm), ll);
    v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(a), zero), 0);
    v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(b), zero), 0, 8);
  }
  return k;
}

/** 4. the differences, as in log_prob; out may be x. */
// @ts-ignore: decorator
@inline
function subtract(out: usize, x: usize, classes: i32): void {
  let k = flat ? subtract_f32(out, x, classes)
    : once ? subtract_once(out, x, classes)
    : subtract_twice(out, x, classes);
  for (const end = <usize>classes << 2; k < end; k += 4) store<f32>(out + k, log_prob(load<f32>(x + k)));
}

/** out[j] = (x[j] − m) − log1p(s); out may be x. */
function log_softmax_row_f32(out: usize, x: usize, classes: i32): void {
  // 1., 2. maximum and sum
  const s = sum_f32(0, x, classes, false);
  if (special(s)) return fill_f32(out, NaN, classes);
  // 3. the logarithm; 4. the differences
  logarithm(s, x, classes);
  subtract(out, x, classes);
}

/** Four short rows. */
// @ts-ignore: decorator
@inline
function log_softmax_four(out: usize, x: usize, classes: i32): void {
  const bytes = <usize>classes << 2;
  // out may be x: what is left to do is set aside
  let again: i32;
  if (classes == 2) {
    v128.store(ASIDE, v128.load(x));
    v128.store(ASIDE, v128.load(x, 16), 16);
    again = log_softmax_pairs(out, x);
  } else {
    sum_short(x, classes, false);
    again = left;
    if (again != 0) memory.copy(ASIDE, x, 4 * bytes);
    log_softmax_short(out, classes);
  }
  for (let r = 0; again >> r != 0; r++) {
    if ((again >> r) & 1) log_softmax_row_f32(out + <usize>r * bytes, ASIDE + <usize>r * bytes, classes);
  }
}

/** log_softmax(x); out may be x */
export function log_softmax_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i += 4) {
    const count = min(4, rows - i);
    if (classes <= SHORT) {
      const room = room_for_four(out, count);
      log_softmax_four(room, four_rows(x, count, classes), classes);
      settle(out, count, bytes);
      out += 4 * bytes;
      x += 4 * bytes;
      continue;
    }
    sum_many(0, x, count, classes, false);
    spill(total_low, total_high);
    for (let r = 0, again = left; r < count; r++, out += bytes, x += bytes) {
      if ((again >> r) & 1) {
        log_softmax_row_f32(out, x, classes);
      } else {
        adopt_row(r);
        subtract(out, x, classes);
      }
    }
  }
}

/** out may be x: log_softmax(x) */
export function log_softmax_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) {
    const s = sum_f64(0, x, classes, false);
    if (special(s)) {
      fill_f64(out, NaN, classes);
      continue;
    }
    // x − m, its subtraction and l are each off by ≤ 1 ulp of a part no larger than the result: 2.5 ulp in all
    const l = log1p_f64(s);
    const mm = f64x2.splat(m);
    const ll = f64x2.splat(l);
    let j = 0;
    for (; j <= classes - 2; j += 2) {
      const k = <usize>j << 3;
      v128.store(out + k, f64x2.sub(f64x2.sub(v128.load(x + k), mm), ll));
    }
    if (j < classes) {
      const k = <usize>j << 3;
      store<f64>(out + k, load<f64>(x + k) - m - l);
    }
  }
}

/** out[j] = e[j]·factor for stored exponentials e; out may be e. */
export function scale_f32(out: usize, e: usize, factor: f64, classes: i32): void {
  const cc = f64x2.splat(factor);
  const zero = f32x4.splat(0);
  let j = 0;
  for (; j <= classes - 4; j += 4) {
    const k = <usize>j << 2;
    const a = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(e + k)), cc);
    const b = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(e + k, 8)), cc);
    v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(a), zero), 0);
    v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(b), zero), 0, 8);
  }
  for (; j < classes; j++) {
    const k = <usize>j << 2;
    store<f32>(out + k, <f32>(<f64>load<f32>(e + k) * factor) + 0);
  }
}

/** out[j] = e[j]·(c·2^-960) for stored exponentials e, with a single rounding into the subnormal range; out may be e. */
// @ts-ignore: decorator
@inline
export function scale_stored_f64(out: usize, e: usize, c: f64, classes: i32): void {
  // e·c stays finite and keeps its precision up to c = 2^63; above, c·2^-960 is itself normal
  const big = abs(c) > 9223372036854775808.0;
  const first = f64x2.splat(big ? c * UNBIAS_F64 : c);
  const second = f64x2.splat(big ? 1.0 : UNBIAS_F64);
  const zero = f64x2.splat(0);
  let j = 0;
  for (; j <= classes - 2; j += 2) {
    const k = <usize>j << 3;
    v128.store(out + k, f64x2.add(f64x2.mul(f64x2.mul(v128.load(e + k), first), second), zero));
  }
  if (j < classes) {
    const k = <usize>j << 3;
    store<f64>(out + k, load<f64>(e + k) * f64x2.extract_lane(first, 0) * f64x2.extract_lane(second, 0) + 0);
  }
}

/** out[j] = g·e^(x[j] − m) / (1 + s); out must not be x. Softmax divides, it never exponentiates a log-softmax. */
export function softmax_row_f32(out: usize, x: usize, g: f64, classes: i32): void {
  const s = sum_f32(out, x, classes, true);
  if (special(s)) return fill_f32(out, NaN, classes);
  const c = g / (1.0 + s);
  scale_f32(out, out, c * unit, classes);
  store<f32>(out + (<usize>at << 2), <f32>c + 0);
}

// @ts-ignore: decorator
@inline
export function softmax_row_f64(out: usize, x: usize, g: f64, classes: i32): void {
  const s = sum_f64(out, x, classes, true);
  if (special(s)) return fill_f64(out, NaN, classes);
  const c = g / (1.0 + s);
  scale_stored_f64(out, out, c, classes);
  store<f64>(out + (<usize>at << 3), c + 0);
}

/** softmax(x); out must not be x */
export function softmax_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  const one = f64x2.splat(1);
  for (let i = 0; i < rows; i += 4) {
    const count = min(4, rows - i);
    if (classes <= SHORT) {
      const four = four_rows(x, count, classes);
      const room = room_for_four(out, count);
      sum_short(four, classes, true);
      gradient_short(room, f64x2.div(one, f64x2.add(one, s_low)), f64x2.div(one, f64x2.add(one, s_high)), classes);
      for (let r = 0; left >> r != 0; r++) {
        if ((left >> r) & 1) softmax_row_f32(room + <usize>r * bytes, four + <usize>r * bytes, 1.0, classes);
      }
      settle(out, count, bytes);
      out += 4 * bytes;
      x += 4 * bytes;
      continue;
    }
    sum_many(out, x, count, classes, true);
    v128.store(SCALES, f64x2.div(one, total_low));
    v128.store(SCALES, f64x2.div(one, total_high), 16);
    for (let r = 0, again = left; r < count; r++, out += bytes, x += bytes) {
      if ((again >> r) & 1) softmax_row_f32(out, x, 1.0, classes);
      else scale_f32(out, out, load<f64>(SCALES + (<usize>r << 3)), classes);
    }
  }
}

export function softmax_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) softmax_row_f64(out, x, 1.0, classes);
}
