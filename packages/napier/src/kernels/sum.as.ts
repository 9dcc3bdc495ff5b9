// The heart of every operation here: a row's maximum, and the sum of e^(x − m) over all classes but ONE that holds the
// maximum. Left out, the maximum cannot swallow what is small beside it: with it the sum of [40, 0] is 1 + 4e-18 = 1.
// The class left out is overwritten with −∞ for the time of the sum, so that the order of the terms depends on
// nothing but their positions in the row.

import { EXP2, REDUCTION } from "./coefficients.as";
import { first_f32, first_f64, lowest, max_f64, range_f32 } from "./extrema.as";
import {
  exp2_biased, exp_biased_f64, exp_f64, exp_rest, F32, LOW, MAGIC, ONE, UNBIAS_F32, UNBIAS_F64,
} from "./exp.as";
import { FILLED, FLAT, is_near, LEAST, shift_of, sum_plain, sum_shifted, sum_shifted_stored, sum_stored } from "./near.as";
import { PAD, STORED } from "./scratch.as";

// What a sum leaves behind for its caller.
/** the row's maximum; −∞ for an empty row and where all are −∞ or NaN */
export let m: f64 = 0;
/** the class left out: the first one that holds the maximum */
export let at: i32 = 0;
/** f64 only: the sum times 2^960, which keeps its digits where the sum is subnormal */
export let biased_sum: f64 = 0;
/** f32 only: what a stored exponential is multiplied by to be e^(x − m) */
export let unit: f64 = 0;
/** f32 only: whether exponentials were taken in f32 lanes, and whether s allows f32 log-probabilities too (near.as.ts) */
export let near: bool = false;
export let flat: bool = false;

/** Takes on a row that was summed elsewhere, in f32 lanes. */
// @ts-ignore: decorator
@inline
export function adopt(largest: f64, isFlat: bool): void {
  m = largest;
  near = true;
  flat = isFlat;
}

/** Whether a row follows the table of special rows: its maximum is ±∞, or it has a NaN. */
// @ts-ignore: decorator
@inline
export function special(s: f64): bool {
  return !(s < Infinity) || !(abs(m) < Infinity);
}

/**
 * Σ e^(x − m) without one maximum; leaves m, at, unit, near and flat. With `store`, e[j]·unit = e^(x[j] − m) for all
 * classes but `at`; e must not be x. Near rows (near.as.ts) are summed in f32 lanes, the rest in f64 lanes.
 */
export function sum_f32(e: usize, x: usize, classes: i32, store: bool): f64 {
  // 1. the extremes, and where the maximum stands
  const largest = range_f32(x, classes);
  m = largest;
  near = false;
  flat = false;
  if (!(abs(largest) < Infinity)) return 0;
  at = first_f32(x, largest, classes);
  const hole = x + (<usize>at << 2);

  // 2. the sum of the others
  const shift = shift_of(largest);
  if (is_near(largest, lowest, shift)) {
    f32.store(hole, shift + LEAST);
    let sum: f64;
    if (shift == 0.0) sum = store ? sum_stored(e, x, classes) : sum_plain(x, classes);
    else sum = store ? sum_shifted_stored(e, x, classes, shift) : sum_shifted(x, classes, shift);
    f32.store(hole, largest);
    if (!(sum < FILLED)) {
      near = true;
      unit = shift == 0.0 ? exp_f64(-m) : 1.0;
      const s = unit * sum;
      flat = s >= FLAT;
      return s;
    }
  }
  f32.store(hole, -Infinity);
  unit = UNBIAS_F32;
  const s = store ? sum_far_stored(e, x, classes) : sum_far(0, x, classes, false, 0, false);
  f32.store(hole, largest);
  return s;
}

/** In f64 lanes, e[j] = e^(x[j] − m)·2^127 rounded to f32. Error of the sum ≤ 2^-27 of it. `on` as in near.as.ts, 64 bytes. */
// @ts-ignore: decorator
@inline
function sum_far(e: usize, x: usize, classes: i32, store: bool, sums: usize, on: bool): f64 {
  const mm = f64x2.splat(m);
  const log2e = v128.load64_splat(REDUCTION);
  const low = v128.load64_splat(F32, LOW);
  const magic = v128.load64_splat(F32, MAGIC);
  const one = v128.load64_splat(F32, ONE);
  const c0 = v128.load64_splat(EXP2, 0);
  const c1 = v128.load64_splat(EXP2, 8);
  const c2 = v128.load64_splat(EXP2, 16);
  const c3 = v128.load64_splat(EXP2, 24);
  const c4 = v128.load64_splat(EXP2, 32);
  const c5 = v128.load64_splat(EXP2, 40);
  let s0 = on ? v128.load(sums) : f64x2.splat(0);
  let s1 = on ? v128.load(sums, 16) : s0;
  let s2 = on ? v128.load(sums, 32) : s0;
  let s3 = on ? v128.load(sums, 48) : s0;
  let p = x;
  let q = e;
  const whole = <usize>(classes & ~7) << 2;
  let end = x + whole;
  let last = false;
  while (true) {
    for (; p < end; p += 32, q += 32) {
      const e0 = exp2_biased(f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(p)), mm), log2e), low, magic, one, c0, c1, c2, c3, c4, c5);
      const e1 = exp2_biased(f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(p, 8)), mm), log2e), low, magic, one, c0, c1, c2, c3, c4, c5);
      const e2 = exp2_biased(f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(p, 16)), mm), log2e), low, magic, one, c0, c1, c2, c3, c4, c5);
      const e3 = exp2_biased(f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(p, 24)), mm), log2e), low, magic, one, c0, c1, c2, c3, c4, c5);
      s0 = f64x2.add(s0, e0);
      s1 = f64x2.add(s1, e1);
      s2 = f64x2.add(s2, e2);
      s3 = f64x2.add(s3, e3);
      if (store) {
        v128.store64_lane(q, f32x4.demote_f64x2_zero(e0), 0);
        v128.store64_lane(q, f32x4.demote_f64x2_zero(e1), 0, 8);
        v128.store64_lane(q, f32x4.demote_f64x2_zero(e2), 0, 16);
        v128.store64_lane(q, f32x4.demote_f64x2_zero(e3), 0, 24);
      }
    }
    const rest = <usize>(classes & 7) << 2;
    if (last) {
      if (store) memory.copy(e + whole, STORED, rest);
      break;
    }
    if (rest == 0) break;
    last = true;
    const none = f32x4.splat(-Infinity);
    v128.store(PAD, none);
    v128.store(PAD, none, 16);
    memory.copy(PAD, x + whole, rest);
    p = PAD;
    end = PAD + 32;
    q = STORED;
  }
  if (on) {
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
    v128.store(sums, s2, 32);
    v128.store(sums, s3, 48);
  }
  const s = f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3));
  return (f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1)) * UNBIAS_F32;
}

function sum_far_stored(e: usize, x: usize, classes: i32): f64 {
  return sum_far(e, x, classes, true, 0, false);
}

/** e[j] = e^(x[j] − largest)·2^127 */
export function exponentials_far(e: usize, x: usize, classes: i32, largest: f64): void {
  m = largest;
  sum_far_stored(e, x, classes);
}

/** The block of a row: the sum so far */
export function sum_far_on(sums: usize, x: usize, classes: i32, largest: f64): f64 {
  m = largest;
  return sum_far(0, x, classes, false, sums, true);
}

// TwoSum lanes: the sum and what its roundings lost.
let lost: v128 = f64x2.splat(0);

// @ts-ignore: decorator
@inline
function two_sum(sum: v128, term: v128): v128 {
  const next = f64x2.add(sum, term);
  const v = f64x2.sub(next, sum);
  lost = f64x2.add(lost, f64x2.add(f64x2.sub(sum, f64x2.sub(next, v)), f64x2.sub(term, v)));
  return next;
}

/** What the last rounding of `fold` lost. */
let fold_rest: f64 = 0;

/** The two lanes of a compensated sum and its lost part, as one number. */
// @ts-ignore: decorator
@inline
function fold(sum: v128): f64 {
  const a = f64x2.extract_lane(sum, 0);
  const b = f64x2.extract_lane(sum, 1);
  const t = a + b;
  const v = t - a;
  const rest = (a - (t - v)) + (b - v) + (f64x2.extract_lane(lost, 0) + f64x2.extract_lane(lost, 1));
  const total = t + rest;
  fold_rest = rest - (total - t);
  return total;
}

/** As sum_f32, for f64: e[j] = e^(x[j] − m)·2^960, compensated sum; error ≤ 1.1 ulp of the sum, whatever the length. */
// @ts-ignore: decorator
@inline
export function sum_f64(e: usize, x: usize, classes: i32, store: bool): f64 {
  // 1. the maximum, and where it stands
  m = max_f64(x, classes);
  if (!(abs(m) < Infinity)) return 0;
  at = first_f64(x, m, classes);
  const hole = x + (<usize>at << 3);
  f64.store(hole, -Infinity);

  // 2. the sum of the others
  const s = terms_f64(e, x, classes, store, 0, false);
  f64.store(hole, m);
  return s;
}

/** The terms of sum_f64, and their sum. `on` as in near.as.ts, 48 bytes. */
// @ts-ignore: decorator
@inline
function terms_f64(e: usize, x: usize, classes: i32, store: bool, sums: usize, on: bool): f64 {
  const mm = f64x2.splat(m);
  lost = on ? v128.load(sums, 32) : f64x2.splat(0);
  let s0 = on ? v128.load(sums) : f64x2.splat(0);
  let s1 = on ? v128.load(sums, 16) : s0;
  const whole = classes & ~3;
  for (let k = <usize>0, end = <usize>whole << 3; k < end; k += 32) {
    const e0 = exp_biased_f64(v128.load(x + k), mm, false);
    const e1 = exp_biased_f64(v128.load(x + k, 16), mm, false);
    s0 = two_sum(s0, e0);
    s1 = two_sum(s1, e1);
    if (store) {
      v128.store(e + k, e0);
      v128.store(e + k, e1, 16);
    }
  }
  for (let j = whole; j < classes; j += 2) {
    const k = <usize>j << 3;
    const pair = j + 1 < classes;
    const v = pair ? v128.load(x + k) : f64x2.replace_lane(f64x2.splat(-Infinity), 0, load<f64>(x + k));
    const e0 = exp_biased_f64(v, mm, false);
    if ((j & 3) == 0) s0 = two_sum(s0, e0);
    else s1 = two_sum(s1, e0);
    if (store) {
      v128.store64_lane(e + k, e0, 0);
      if (pair) v128.store64_lane(e + k, e0, 1, 8);
    }
  }
  if (on) {
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
    v128.store(sums, lost, 32);
  }
  biased_sum = fold(two_sum(s0, s1));
  return biased_sum * UNBIAS_F64;
}

/** e[j] = e^(x[j] − largest)·2^960 */
export function exponentials_f64(e: usize, x: usize, classes: i32, largest: f64): void {
  const mm = f64x2.splat(largest);
  for (let j = 0; j < classes; j += 2) {
    const k = <usize>j << 3;
    if (j + 1 < classes) v128.store(e + k, exp_biased_f64(v128.load(x + k), mm, false));
    else v128.store64_lane(e + k, exp_biased_f64(v128.load64_splat(x + k), mm, false), 0);
  }
}

/** The block of a row: the sum so far, which biased_sum has times 2^960 */
export function sum_on_f64(sums: usize, x: usize, classes: i32, largest: f64): f64 {
  m = largest;
  return terms_f64(0, x, classes, false, sums, true);
}

/** The sum of an f32 row again, to f64's precision: where log-sum-exp cancels, its last bits are the result. Leaves m. */
export function sum_wide_f32(x: usize, classes: i32): f64 {
  const largest = range_f32(x, classes);
  m = largest;
  at = first_f32(x, largest, classes);
  const hole = x + (<usize>at << 2);
  f32.store(hole, -Infinity);
  lost = f64x2.splat(0);
  const s0 = wide_terms_f32(f64x2.splat(0), x, classes);
  f32.store(hole, <f32>m);
  return fold(s0) * UNBIAS_F64;
}

/** s0 and the terms of sum_wide_f32; what is lost goes to `lost`. */
function wide_terms_f32(s0: v128, x: usize, classes: i32): v128 {
  const mm = f64x2.splat(m);
  for (let j = 0; j < classes; j += 2) {
    const k = x + (<usize>j << 2);
    let v = f64x2.splat(-Infinity);
    v = f64x2.replace_lane(v, 0, <f64>load<f32>(k));
    if (j + 1 < classes) v = f64x2.replace_lane(v, 1, <f64>load<f32>(k, 4));
    s0 = two_sum(s0, exp_biased_f64(v, mm, false));
  }
  return s0;
}

/** The block of a row, as in near.as.ts, 32 bytes: the sum so far */
export function sum_wide_on_f32(sums: usize, x: usize, classes: i32, largest: f64): f64 {
  m = largest;
  lost = v128.load(sums, 16);
  const s0 = wide_terms_f32(v128.load(sums), x, classes);
  v128.store(sums, s0);
  v128.store(sums, lost, 16);
  return fold(s0) * UNBIAS_F64;
}

/** What sum_wide_f64 lost: the two together are good to 0.4 ulp. */
export let sum_rest: f64 = 0;

/** The sum of an f64 row again, beyond its last bit: each exponential with its rest. Uses m and at. */
export function sum_wide_f64(x: usize, classes: i32): f64 {
  const mm = f64x2.splat(m);
  lost = f64x2.splat(0);
  let s0 = f64x2.splat(0);
  const hole = x + (<usize>at << 3);
  f64.store(hole, -Infinity);
  for (let j = 0; j < classes; j += 2) {
    const k = x + (<usize>j << 3);
    let v = f64x2.splat(-Infinity);
    v = f64x2.replace_lane(v, 0, load<f64>(k));
    if (j + 1 < classes) v = f64x2.replace_lane(v, 1, load<f64>(k, 8));
    s0 = two_sum(s0, exp_biased_f64(v, mm, true));
    lost = f64x2.add(lost, exp_rest);
  }
  f64.store(hole, m);
  const sum = fold(s0);
  sum_rest = fold_rest * UNBIAS_F64;
  return sum * UNBIAS_F64;
}
