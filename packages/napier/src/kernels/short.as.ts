// Short f32 rows, four side by side in the lanes: of a few classes, the lanes of a row of its own would stand empty, and
// its logarithm and its memory traffic would cost more than its exponentials. A row's arithmetic does not know its
// neighbours. It is that of near rows (near.as.ts), |m| ≤ 40 only, but that every class at the maximum is left out of the exponentials: s = Σ e^(x − m) over the others + (ties − 1).
// What is not so simple, a special row among them, is `left` to the kernels of single rows.

import { EXP_F32, REDUCTION_F32 } from "./coefficients.as";
import { log1p_f64x2, log1p_unit } from "./log1p.as";
import { e_high, e_low, exp_half, left_pairs, most as larger, sum_pairs } from "./pairs.as";
import { exp_f32, F32, FLAT, LEAST, UNSHIFTED } from "./near.as";
import { EXPONENTIALS, LANES, ROWS_IN, ROWS_OUT, TURNED } from "./scratch.as";

// Between them a factor's two f32 parts are exact enough, and products with e^x ≤ e^40 finite.
export const LEAST_FACTOR: f32 = 7.888609052210118e-31; // 2^-100
export const LARGEST_FACTOR: f32 = 1152921504606846976.0; // 2^60

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

/** And back: [classes, 4] to [4, classes] at out. */
// @ts-ignore: decorator
@inline
function turn_back(out: usize, turned: usize, bytes: usize): void {
  let p = out;
  for (const end = out + (bytes & ~15); p < end; p += 16, turned += 64) {
    const r0 = v128.load(turned);
    const r1 = v128.load(turned, 16);
    const r2 = v128.load(turned, 32);
    const r3 = v128.load(turned, 48);
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    v128.store(p, v128.shuffle<f64>(a, b, 0, 2));
    v128.store(p + bytes, v128.shuffle<f64>(a, b, 1, 3));
    const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(p + 2 * bytes, v128.shuffle<f64>(c, d, 0, 2));
    v128.store(p + 3 * bytes, v128.shuffle<f64>(c, d, 1, 3));
  }
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
    sum_many(x, classes, store);
    l_low = log1p_f64x2(s_low);
    l_high = log1p_f64x2(s_high);
  }
}

// @ts-ignore: decorator
@inline
function sum_many(x: usize, classes: i32, store: bool): void {
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
  // Two classes a step are 1.05 times faster than one. An odd one gets a partner at the maximum, a tie too many.
  v128.store(TURNED + (<usize>classes << 4), most);
  let ties = i32x4.splat(-1 - (classes & 1));
  for (let k = <usize>0, end = <usize>classes << 4; k < end; k += 32) {
    const v0 = v128.load(TURNED + k);
    const v1 = v128.load(TURNED + k, 16);
    const top0 = f32x4.eq(v0, most);
    const top1 = f32x4.eq(v1, most);
    ties = i32x4.sub(i32x4.sub(ties, top0), top1);
    const e0 = v128.andnot(exp_f32(v0, log2e, high, low, magic, one, c0, c1, c2, c3, c4), top0);
    const e1 = v128.andnot(exp_f32(v1, log2e, high, low, magic, one, c0, c1, c2, c3, c4), top1);
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
  s_low = f64x2.add(f64x2.mul(sum_low, unit_low), f64x2.convert_low_i32x4_s(ties));
  s_high = f64x2.add(f64x2.mul(sum_high, unit_high), f64x2.convert_low_i32x4_s(upper(ties)));
  // a NaN is in the sum
  const total = join(sum_low, sum_high);
  const good = v128.and(
    v128.and(f32x4.le(f32x4.abs(most), f32x4.splat(UNSHIFTED)), f32x4.ge(least, f32x4.splat(LEAST))),
    f32x4.eq(total, total),
  );
  left = 15 ^ i32x4.bitmask(good);
}

/** The sum from which a row is flat: never for few classes, whose rows would seldom agree. */
// @ts-ignore: decorator
@inline
function flat_from(classes: i32): f64 {
  return classes > 16 ? FLAT : Infinity;
}

/** Four log-probabilities: (v − m) − l in f64; adding 0 turns −0 into +0. */
// @ts-ignore: decorator
@inline
function log_probs(v: v128, m_low: v128, m_high: v128, low: v128, high: v128): v128 {
  const a = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v), m_low), low);
  const b = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(upper(v)), m_high), high);
  return f32x4.add(join(a, b), f32x4.splat(0));
}

/** After sum_short: the log-probabilities of the four rows, of flat ones in f32 (near.as.ts); out may be x. */
// @ts-ignore: decorator
@inline
export function log_softmax_short(out: usize, classes: i32): void {
  const m_low = f64x2.promote_low_f32x4(m4);
  const m_high = f64x2.promote_low_f32x4(upper(m4));
  const low = l_low;
  const high = l_high;
  const lse_low = f64x2.add(m_low, low);
  const lse_high = f64x2.add(m_high, high);
  const first = join(lse_low, lse_high);
  const second = join(
    f64x2.sub(lse_low, f64x2.promote_low_f32x4(first)),
    f64x2.sub(lse_high, f64x2.promote_low_f32x4(upper(first))),
  );
  const least = f64x2.splat(flat_from(classes));
  const flat = v128.shuffle<i32>(f64x2.ge(s_low, least), f64x2.ge(s_high, least), 0, 2, 4, 6);
  const end = <usize>classes << 4;
  if (i32x4.all_true(flat)) {
    for (let k = <usize>0; k < end; k += 16) {
      v128.store(TURNED + k, f32x4.sub(f32x4.sub(v128.load(TURNED + k), first), second));
    }
  } else if (!v128.any_true(flat)) {
    for (let k = <usize>0; k < end; k += 16) {
      v128.store(TURNED + k, log_probs(v128.load(TURNED + k), m_low, m_high, low, high));
    }
  } else {
    for (let k = <usize>0; k < end; k += 16) {
      const v = v128.load(TURNED + k);
      const narrow = f32x4.sub(f32x4.sub(v, first), second);
      v128.store(TURNED + k, v128.bitselect(narrow, log_probs(v, m_low, m_high, low, high), flat));
    }
  }
  turn_back(out, TURNED, <usize>classes << 2);
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
    return turn_back(out, TURNED, 8);
  }
  const factor_low = f64x2.mul(c_low, unit_low);
  const factor_high = f64x2.mul(c_high, unit_high);
  const high = join(factor_low, factor_high);
  const fair = v128.and(f32x4.gt(high, f32x4.splat(LEAST_FACTOR)), f32x4.lt(high, f32x4.splat(LARGEST_FACTOR)));
  left |= 15 ^ i32x4.bitmask(fair);
  const low = join(
    f64x2.sub(factor_low, f64x2.promote_low_f32x4(high)),
    f64x2.sub(factor_high, f64x2.promote_low_f32x4(upper(high))),
  );
  for (let k = <usize>0, end = <usize>classes << 4; k < end; k += 16) {
    const e = v128.load(EXPONENTIALS + k);
    const scaled = f32x4.add(f32x4.mul(e, high), f32x4.mul(e, low)); // two roundings: 1 ulp
    v128.store(TURNED + k, v128.bitselect(top, scaled, f32x4.eq(v128.load(TURNED + k), m)));
  }
  turn_back(out, TURNED, <usize>classes << 2);
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

/** The log-probability of a class of row i whose logit is v, bit for bit that of log_softmax_short. */
// @ts-ignore: decorator
@inline
export function log_prob_short(i: i32, v: f32, classes: i32): f32 {
  const l = lane(LOG_AT, i);
  const m = lane(MAXIMUM_AT, i);
  if (lane(SUM_AT, i) < flat_from(classes)) return <f32>(<f64>v - m - l) + 0;
  const first = <f32>(m + l);
  return v - first - <f32>(m + l - <f64>first);
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
