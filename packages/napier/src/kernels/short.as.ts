// Short f32 rows, four side by side in the lanes: of a few classes, the lanes of a row of its own would stand empty, and
// its logarithm and its memory traffic would cost more than its exponentials. A row's arithmetic does not know its
// neighbours. It is that of near rows (near.as.ts), |m| ≤ 40 only. The maximum leaves the sum
// - of at most FEW classes as an exponential of 0, and so does every class that ties with it: s = Σ + (ties − 1);
// - of more by subtraction of the very number that was added, in f64: 2^-53·128 of it is 2^-29 of s ≥ classes·2^-24.
// What is not so simple, a special row among them, is `left` to the kernels of single rows.

import { EXP_F32, REDUCTION_F32 } from "./coefficients.as";
import { log1p_f64x2, log1p_unit } from "./log1p.as";
import { e_high, e_low, exp_half, left_pairs, most as larger, sum_pairs } from "./pairs.as";
import { exp_f32, F32, LEAST, UNSHIFTED } from "./near.as";
import { EXPONENTIALS, FEW, LANES, ROWS_IN, ROWS_OUT, TURNED } from "./scratch.as";

// What sum_short leaves behind: a lane for each row, f64 lanes in two halves.
export let m4: v128 = f32x4.splat(0);
/** s, l = log1p(s), and what a stored exponential is multiplied by to be e^(x − m) */
export let s_low: v128 = f64x2.splat(0);
export let s_high: v128 = f64x2.splat(0);
export let l_low: v128 = f64x2.splat(0);
export let l_high: v128 = f64x2.splat(0);
export let unit_low: v128 = f64x2.splat(0);
export let unit_high: v128 = f64x2.splat(0);
/** a bit for each row that is left to the kernels of single rows */
export let left: i32 = 0;

// @ts-ignore: decorator
@inline
export function upper(v: v128): v128 {
  return v128.shuffle<f32>(v, v, 2, 3, 2, 3);
}

// @ts-ignore: decorator
@inline
export function join(low: v128, high: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

/** Four rows that follow each other, turned: [4, classes] at x to [classes, 4]. */
// @ts-ignore: decorator
@inline
function turn(turned: usize, x: usize, bytes: usize): void {
  let p = x;
  for (const end = x + (bytes & ~15); p < end; p += 16, turned += 64) {
    const r0 = v128.load(p);
    const r1 = v128.load(p + bytes);
    const r2 = v128.load(p + 2 * bytes);
    const r3 = v128.load(p + 3 * bytes);
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    v128.store(turned, v128.shuffle<f64>(a, b, 0, 2));
    v128.store(turned, v128.shuffle<f64>(a, b, 1, 3), 16);
    const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(turned, v128.shuffle<f64>(c, d, 0, 2), 32);
    v128.store(turned, v128.shuffle<f64>(c, d, 1, 3), 48);
  }
  if (bytes & 8) {
    const a = v128.load64_lane(p + bytes, v128.load64_zero(p), 1);
    const b = v128.load64_lane(p + 3 * bytes, v128.load64_zero(p + 2 * bytes), 1);
    v128.store(turned, v128.shuffle<f32>(a, b, 0, 2, 4, 6));
    v128.store(turned, v128.shuffle<f32>(a, b, 1, 3, 5, 7), 16);
    p += 8;
    turned += 32;
  }
  if (bytes & 4) {
    let v = v128.load32_lane(p + bytes, v128.load32_zero(p), 1);
    v = v128.load32_lane(p + 2 * bytes, v, 2);
    v128.store(turned, v128.load32_lane(p + 3 * bytes, v, 3));
  }
}

/** And back: the values of four classes to their place in the four rows. */
// @ts-ignore: decorator
@inline
function turn_four(p: usize, bytes: usize, r0: v128, r1: v128, r2: v128, r3: v128): void {
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  v128.store(p, v128.shuffle<f64>(a, b, 0, 2));
  v128.store(p + bytes, v128.shuffle<f64>(a, b, 1, 3));
  const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(p + 2 * bytes, v128.shuffle<f64>(c, d, 0, 2));
  v128.store(p + 3 * bytes, v128.shuffle<f64>(c, d, 1, 3));
}

/** The last bytes % 16 of the rows, from the turned values. */
// @ts-ignore: decorator
@inline
function turn_rest(p: usize, turned: usize, bytes: usize): void {
  if (bytes & 8) {
    const a = v128.shuffle<f32>(v128.load(turned), v128.load(turned, 16), 0, 4, 1, 5);
    const b = v128.shuffle<f32>(v128.load(turned), v128.load(turned, 16), 2, 6, 3, 7);
    v128.store64_lane(p, a, 0);
    v128.store64_lane(p + bytes, a, 1);
    v128.store64_lane(p + 2 * bytes, b, 0);
    v128.store64_lane(p + 3 * bytes, b, 1);
    p += 8;
    turned += 32;
  }
  if (bytes & 4) {
    const v = v128.load(turned);
    v128.store32_lane(p, v, 0);
    v128.store32_lane(p + bytes, v, 1);
    v128.store32_lane(p + 2 * bytes, v, 2);
    v128.store32_lane(p + 3 * bytes, v, 3);
  }
}

/** The sums of four rows that follow each other at x; with `store` also their exponentials, for `gradient_short`. */
// @ts-ignore: decorator
@inline
export function sum_short(x: usize, classes: i32, store: bool): void {
  if (classes == 2) {
    turn(TURNED, x, 8);
    sum_pairs(v128.load(TURNED), v128.load(TURNED, 16));
    m4 = larger;
    left = left_pairs;
    s_low = e_low;
    s_high = e_high;
    l_low = log1p_unit(e_low);
    l_high = log1p_unit(e_high);
  } else {
    if (classes <= FEW) sum_many(x, classes, store, true);
    else sum_many(x, classes, store, false);
    l_low = log1p_f64x2(s_low);
    l_high = log1p_f64x2(s_high);
    left |= brinks(l_low, l_high);
  }
}

/** A bit for each row whose number is on the brink (near.as.ts). */
// @ts-ignore: decorator
@inline
export function brinks(low: v128, high: v128): i32 {
  const field = i64x2.splat(0xffffff);
  const one = i64x2.splat(1);
  const a = i64x2.eq(v128.and(i64x2.shr_u(low, 28), field), one);
  const b = i64x2.eq(v128.and(i64x2.shr_u(high, 28), field), one);
  return i64x2.bitmask(a) | (i64x2.bitmask(b) << 2);
}

// @ts-ignore: decorator
@inline
function sum_many(x: usize, classes: i32, store: bool, few: bool): void {
  const bytes = <usize>classes << 2;
  // 1. the extremes; the rows are turned on the way
  let most = f32x4.splat(-Infinity);
  let least = f32x4.splat(Infinity);
  turn(TURNED, x, bytes);
  for (let k = <usize>0, end = <usize>classes << 4; k < end; k += 16) {
    const v = v128.load(TURNED + k);
    most = f32x4.pmax(most, v);
    least = f32x4.pmin(least, v);
  }
  m4 = most;

  // 2. the sum of the others
  const log2e = v128.load32_splat(REDUCTION_F32);
  const high = v128.load32_splat(REDUCTION_F32, 4);
  const low = v128.load32_splat(REDUCTION_F32, 8);
  const magic = v128.load32_splat(F32);
  const one = v128.load32_splat(F32, 4);
  const c0 = v128.load32_splat(EXP_F32);
  const c1 = v128.load32_splat(EXP_F32, 4);
  const c2 = v128.load32_splat(EXP_F32, 8);
  const c3 = v128.load32_splat(EXP_F32, 12);
  const c4 = v128.load32_splat(EXP_F32, 16);
  let sum_low = f64x2.splat(0);
  let sum_high = sum_low;
  // Two classes a step are 1.05 times faster than one. An odd one gets a partner at the maximum.
  v128.store(TURNED + (<usize>classes << 4), most);
  let ties = i32x4.splat(-1 - (classes & 1));
  for (let k = <usize>0, end = <usize>classes << 4; k < end; k += 32) {
    const v0 = v128.load(TURNED + k);
    const v1 = v128.load(TURNED + k, 16);
    let e0 = exp_f32(v0, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
    let e1 = exp_f32(v1, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
    if (few) {
      const top0 = f32x4.eq(v0, most);
      const top1 = f32x4.eq(v1, most);
      ties = i32x4.sub(i32x4.sub(ties, top0), top1);
      e0 = v128.andnot(e0, top0);
      e1 = v128.andnot(e1, top1);
    }
    sum_low = f64x2.add(sum_low, f64x2.promote_low_f32x4(e0));
    sum_high = f64x2.add(sum_high, f64x2.promote_low_f32x4(upper(e0)));
    sum_low = f64x2.add(sum_low, f64x2.promote_low_f32x4(e1));
    sum_high = f64x2.add(sum_high, f64x2.promote_low_f32x4(upper(e1)));
    if (store) {
      v128.store(EXPONENTIALS + k, e0);
      v128.store(EXPONENTIALS + k, e1, 16);
    }
  }
  const zero = f64x2.splat(0);
  unit_low = exp_half(f64x2.sub(zero, f64x2.promote_low_f32x4(most)));
  unit_high = exp_half(f64x2.sub(zero, f64x2.promote_low_f32x4(upper(most))));
  let large: v128; // enough for the maximum to be told apart; a NaN is in the sum, and not large
  if (few) {
    s_low = f64x2.add(f64x2.mul(sum_low, unit_low), f64x2.convert_low_i32x4_s(ties));
    s_high = f64x2.add(f64x2.mul(sum_high, unit_high), f64x2.convert_low_i32x4_s(upper(ties)));
    large = at_least(0);
  } else {
    const e = exp_f32(most, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
    const times = f64x2.splat(<f64>(1 + (classes & 1)));
    s_low = f64x2.mul(f64x2.sub(sum_low, f64x2.mul(times, f64x2.promote_low_f32x4(e))), unit_low);
    s_high = f64x2.mul(f64x2.sub(sum_high, f64x2.mul(times, f64x2.promote_low_f32x4(upper(e)))), unit_high);
    large = at_least(<f64>classes * 5.960464477539063e-8); // 2^-24
  }
  const range = v128.and(f32x4.le(f32x4.abs(most), f32x4.splat(UNSHIFTED)), f32x4.ge(least, f32x4.splat(LEAST)));
  left = 15 ^ i32x4.bitmask(v128.and(range, large));
}

/** A mask of the rows with s at least this. */
// @ts-ignore: decorator
@inline
function at_least(value: f64): v128 {
  const limit = f64x2.splat(value);
  return v128.shuffle<i32>(f64x2.ge(s_low, limit), f64x2.ge(s_high, limit), 0, 2, 4, 6);
}

/** Four log-probabilities: (v − m) − l in f64; adding 0 turns −0 into +0. */
// @ts-ignore: decorator
@inline
function log_probs(v: v128, m_low: v128, m_high: v128, low: v128, high: v128): v128 {
  const a = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v), m_low), low);
  const b = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(upper(v)), m_high), high);
  return f32x4.add(join(a, b), f32x4.splat(0));
}

/** After sum_short of at most FEW classes: the log-probabilities of the four rows; out may be x. */
// @ts-ignore: decorator
@inline
export function log_softmax_few(out: usize, classes: i32): void {
  const bytes = <usize>classes << 2;
  const m_low = f64x2.promote_low_f32x4(m4);
  const m_high = f64x2.promote_low_f32x4(upper(m4));
  const low = l_low;
  const high = l_high;
  let p = out;
  let q = TURNED;
  for (const end = out + (bytes & ~15); p < end; p += 16, q += 64) {
    turn_four(
      p, bytes,
      log_probs(v128.load(q), m_low, m_high, low, high),
      log_probs(v128.load(q, 16), m_low, m_high, low, high),
      log_probs(v128.load(q, 32), m_low, m_high, low, high),
      log_probs(v128.load(q, 48), m_low, m_high, low, high),
    );
  }
  for (let k = q, end = q + (<usize>(classes & 3) << 4); k < end; k += 16) {
    v128.store(k, log_probs(v128.load(k), m_low, m_high, low, high));
  }
  turn_rest(p, q, bytes);
}

/** After sum_short with `store`: out[i, j] = c[i]·e^(x[i, j] − m[i]), c > 0 in f64 lanes; out must not be x. */
// @ts-ignore: decorator
@inline
export function gradient_short(out: usize, c_low: v128, c_high: v128, classes: i32): void {
  const top = join(c_low, c_high);
  const m = m4;
  if (classes == 2) {
    const rest = join(f64x2.mul(c_low, s_low), f64x2.mul(c_high, s_high));
    v128.store(TURNED, v128.bitselect(top, rest, f32x4.eq(v128.load(TURNED), m)));
    v128.store(TURNED, v128.bitselect(top, rest, f32x4.eq(v128.load(TURNED, 16), m)), 16);
    return turn_rest(out, TURNED, 8);
  }
  const low = f64x2.mul(c_low, unit_low);
  const high = f64x2.mul(c_high, unit_high);
  const bytes = <usize>classes << 2;
  let p = out;
  let q = TURNED;
  let e = EXPONENTIALS;
  for (const end = out + (bytes & ~15); p < end; p += 16, q += 64, e += 64) {
    turn_four(
      p, bytes,
      scaled(v128.load(q), v128.load(e), m, top, low, high),
      scaled(v128.load(q, 16), v128.load(e, 16), m, top, low, high),
      scaled(v128.load(q, 32), v128.load(e, 32), m, top, low, high),
      scaled(v128.load(q, 48), v128.load(e, 48), m, top, low, high),
    );
  }
  for (let k = <usize>0, end = <usize>(classes & 3) << 4; k < end; k += 16) {
    v128.store(q + k, scaled(v128.load(q + k), v128.load(e + k), m, top, low, high));
  }
  turn_rest(p, q, bytes);
}

/** e times the factors, at most `top`, and that at the maximum. */
// @ts-ignore: decorator
@inline
function scaled(v: v128, e: v128, m: v128, top: v128, low: v128, high: v128): v128 {
  const a = f64x2.mul(f64x2.promote_low_f32x4(e), low);
  const b = f64x2.mul(f64x2.promote_low_f32x4(upper(e)), high);
  return v128.bitselect(top, f32x4.pmin(top, join(a, b)), f32x4.eq(v, m));
}

// What sum_short leaves behind, in memory: four f64 of each.
export const SUM_AT: usize = 0;
export const LOG_AT: usize = 32;
const UNIT_AT: usize = 64;
export const MAXIMUM_AT: usize = 96;

/** Stores them, for `lane`. */
// @ts-ignore: decorator
@inline
export function spill(): void {
  v128.store(LANES, s_low, 0);
  v128.store(LANES, s_high, 16);
  v128.store(LANES, l_low, 32);
  v128.store(LANES, l_high, 48);
  v128.store(LANES, unit_low, 64);
  v128.store(LANES, unit_high, 80);
  v128.store(LANES, f64x2.promote_low_f32x4(m4), 96);
  v128.store(LANES, f64x2.promote_low_f32x4(upper(m4)), 112);
}

/** Row i's number of those at `which`. */
// @ts-ignore: decorator
@inline
export function lane(which: usize, i: i32): f64 {
  return load<f64>(LANES + which + (<usize>i << 3));
}

/** After sum_short with `store`: Σ e^(x − m) of row i over all classes but j, whose logit is v. */
// @ts-ignore: decorator
@inline
export function sum_without(i: i32, j: i32, v: f32, classes: i32): f64 {
  const s = lane(SUM_AT, i);
  if (<f64>v == lane(MAXIMUM_AT, i)) return s; // whichever of several
  if (classes == 2) return 1;
  return 1.0 + (s - <f64>load<f32>(EXPONENTIALS + (<usize>j << 4) + (<usize>i << 2)) * lane(UNIT_AT, i));
}

// Fewer than four rows are filled up with zeros, and what comes out is copied to its place.

/** Four rows to read: those at x, or a copy of the last `count` filled up. */
export function four_rows(x: usize, count: i32, classes: i32): usize {
  if (count >= 4) return x;
  const bytes = <usize>(count * classes) << 2;
  memory.copy(ROWS_IN, x, bytes);
  memory.fill(ROWS_IN + bytes, 0, (<usize>classes << 4) - bytes);
  return ROWS_IN;
}

/** Where four rows may be written. */
// @ts-ignore: decorator
@inline
export function room_for_four(out: usize, count: i32): usize {
  return count >= 4 ? out : ROWS_OUT;
}

/** Puts what was written to `room_for_four` in its place. */
// @ts-ignore: decorator
@inline
export function settle(out: usize, count: i32, bytes: usize): void {
  if (count < 4) memory.copy(out, ROWS_OUT, <usize>count * bytes);
}
