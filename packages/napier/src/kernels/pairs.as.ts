// Rows of two classes, four at a time. s = e^−|a − b| is one exponential, taken in f64, so that no row is too far; the
// winner's log-probability is −log1p(s), the other's −|a − b| − log1p(s).

import { EXP2, REDUCTION } from "./coefficients.as";
import { exp2_biased, F32, LOW, MAGIC, ONE, UNBIAS_F32 } from "./exp.as";
import { log1p_unit } from "./log1p.as";

/** The larger logit of each row. */
export let most: v128 = f32x4.splat(0);
// d = −|a − b| and s = e^d of each row, in two halves of f64 lanes
let d_low: v128 = f64x2.splat(0);
let d_high: v128 = f64x2.splat(0);
export let e_low: v128 = f64x2.splat(0);
export let e_high: v128 = f64x2.splat(0);
/** A bit for each row with a NaN or whose maximum is ±∞. */
export let left_pairs: i32 = 0;

/** e^d for d ≤ 600, within 2^-27.5 of it; 0 or next to it below −708. */
// @ts-ignore: decorator
@inline
export function exp_half(d: v128): v128 {
  return f64x2.mul(
    exp2_biased(
      f64x2.mul(d, v128.load64_splat(REDUCTION)),
      v128.load64_splat(F32, LOW), v128.load64_splat(F32, MAGIC), v128.load64_splat(F32, ONE),
      v128.load64_splat(EXP2), v128.load64_splat(EXP2, 8), v128.load64_splat(EXP2, 16),
      v128.load64_splat(EXP2, 24), v128.load64_splat(EXP2, 32), v128.load64_splat(EXP2, 40),
    ),
    f64x2.splat(UNBIAS_F32),
  );
}

/** The sums of four rows, their first classes in a and their second in b. */
// @ts-ignore: decorator
@inline
export function sum_pairs(a: v128, b: v128): void {
  const larger = f32x4.pmax(a, b);
  const lesser = f32x4.pmin(b, a);
  most = larger;
  d_low = f64x2.sub(f64x2.promote_low_f32x4(lesser), f64x2.promote_low_f32x4(larger));
  d_high = f64x2.sub(
    f64x2.promote_low_f32x4(v128.shuffle<f32>(lesser, lesser, 2, 3, 2, 3)),
    f64x2.promote_low_f32x4(v128.shuffle<f32>(larger, larger, 2, 3, 2, 3)),
  );
  e_low = exp_half(d_low);
  e_high = exp_half(d_high);
  const numbers = v128.and(f32x4.eq(a, a), f32x4.eq(b, b));
  left_pairs = 15 ^ i32x4.bitmask(v128.and(numbers, f32x4.lt(f32x4.abs(larger), f32x4.splat(Infinity))));
}

/** log_softmax of four rows; those of the result are left to the kernels of single rows. */
// @ts-ignore: decorator
@inline
export function log_softmax_pairs(out: usize, x: usize): i32 {
  const v0 = v128.load(x);
  const v1 = v128.load(x, 16);
  const a = v128.shuffle<f32>(v0, v1, 0, 2, 4, 6);
  const b = v128.shuffle<f32>(v0, v1, 1, 3, 5, 7);
  sum_pairs(a, b);
  const l_low = log1p_unit(e_low);
  const l_high = log1p_unit(e_high);
  const zero = f64x2.splat(0);
  const winner = demote(f64x2.sub(zero, l_low), f64x2.sub(zero, l_high));
  const other = demote(f64x2.sub(d_low, l_low), f64x2.sub(d_high, l_high));
  const p = v128.bitselect(winner, other, f32x4.eq(a, most));
  const q = v128.bitselect(winner, other, f32x4.eq(b, most));
  v128.store(out, v128.shuffle<f32>(p, q, 0, 4, 1, 5));
  v128.store(out, v128.shuffle<f32>(p, q, 2, 6, 3, 7), 16);
  return left_pairs;
}

/** To f32; adding 0 turns −0 into +0. */
// @ts-ignore: decorator
@inline
function demote(low: v128, high: v128): v128 {
  const both = v128.shuffle<f64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
  return f32x4.add(both, f32x4.splat(0));
}
