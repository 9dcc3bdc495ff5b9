// What the sums of four f32 rows leave behind: a lane for each row, f64 lanes in two halves. Their logarithms are taken
// together, and what follows reads them here.

import { log1p_f64x2, log1p_unit } from "./log1p.as";
import { LANES } from "./scratch.as";

/** The maxima. */
export let m4: v128 = f32x4.splat(0);
/** s = Σ e^(x − m) without the maximum, and l = log1p(s) */
export let s_low: v128 = f64x2.splat(0);
export let s_high: v128 = f64x2.splat(0);
export let l_low: v128 = f64x2.splat(0);
export let l_high: v128 = f64x2.splat(0);
/** a bit for each row that is left to the kernels of single rows */
export let left: i32 = 0;

// @ts-ignore: decorator
@inline
export function upper(v: v128): v128 {
  return v128.shuffle<f32>(v, v, 2, 3, 2, 3);
}

/** Two halves of f64 lanes, rounded to f32. */
// @ts-ignore: decorator
@inline
export function join(low: v128, high: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

/** Takes the sums of four rows; `bits` of them are left. */
// @ts-ignore: decorator
@inline
export function conclude(most: v128, low: v128, high: v128, bits: i32): void {
  m4 = most;
  s_low = low;
  s_high = high;
  l_low = log1p_f64x2(low);
  l_high = log1p_f64x2(high);
  left = bits | brinks(l_low, l_high);
}

/** The same for two classes, whose s ≤ 1 is within 2^-27.5. */
// @ts-ignore: decorator
@inline
export function conclude_pairs(most: v128, low: v128, high: v128, bits: i32): void {
  m4 = most;
  s_low = low;
  s_high = high;
  l_low = log1p_unit(low);
  l_high = log1p_unit(high);
  left = bits;
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

// The same in memory, four f64 of each.
export const SUM_AT: usize = 0;
export const LOG_AT: usize = 32;
export const MAXIMUM_AT: usize = 64;
/** the sum with the maximum (many.as.ts) */
export const TOTAL_AT: usize = 96;

/** Stores them, for `lane`. */
// @ts-ignore: decorator
@inline
export function spill(total_low: v128, total_high: v128): void {
  v128.store(LANES, s_low, 0);
  v128.store(LANES, s_high, 16);
  v128.store(LANES, l_low, 32);
  v128.store(LANES, l_high, 48);
  v128.store(LANES, f64x2.promote_low_f32x4(m4), 64);
  v128.store(LANES, f64x2.promote_low_f32x4(upper(m4)), 80);
  v128.store(LANES, total_low, 96);
  v128.store(LANES, total_high, 112);
}

/** Row i's number of those at `which`. */
// @ts-ignore: decorator
@inline
export function lane(which: usize, i: i32): f64 {
  return load<f64>(LANES + which + (<usize>i << 3));
}
