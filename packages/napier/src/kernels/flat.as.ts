// Flat rows: many classes, none of which dominates. Their sum s (without the maximum) is at least UNDOMINATED, so that
// log1p(s) has at most half the relative error of s, and exponentials in f32 lanes are good enough:
// - the shift is exact. For |m| ≤ 40 there is none: e^x itself is in range. Else the shift is m, and no entry may lie
//   outside m/2 and 2m, between which x − m is exact (Sterbenz): small probabilities are results too.
// - e^x has a two-part reduction and a polynomial of degree 6: off by ≤ 1.55·2^-24 (1.29 over every reduced argument,
//   0.25 for the rounding of the argument).
// - the sum is f64. So log1p(s) is off by ≤ 0.78·2^-24 of itself, and its two subtractions add 1 ulp: 1.8 in all.
// - a softmax entry is off by ≤ 2·1.55·2^-24 and one rounding: 3.6 ulp.
// Which rows are flat depends on the row alone: the bits do not depend on the batch.

import { EXP_F32, REDUCTION_F32 } from "./coefficients.as";
import { PAD, STORED } from "./scratch.as";

/** Least argument of the exponential: e^-87 is a normal f32. */
export const LEAST: f32 = -87.0;
export const UNDOMINATED: f64 = 4.0;
const CLASSES: i32 = 32; // fewer classes seldom reach UNDOMINATED, and the try would be lost
const TRY: i32 = 128; // classes summed before a longer row is given up
const FARTHEST: f32 = 1048576.0; // 2^20: m + log1p(s) in f64 is then off by 2^-33 at most

export const F32 = memory.data<f32>([12583039.0, 1.0], 16); // 1.5·2^23 + 127: leaves an exponent field in the low bits

/** Whether a row may be flat, before its sum is known. */
// @ts-ignore: decorator
@inline
export function holds(classes: i32, largest: f32, lowest: f32, shift: f32): bool {
  const exact = shift == 0.0 || lowest >= (shift > 0.0 ? 0.5 * shift : 2.0 * shift);
  return classes > CLASSES && lowest >= shift + LEAST && abs(largest) <= FARTHEST && exact;
}

/** e^x in f32 lanes, −87 ≤ x ≤ 40. */
// @ts-ignore: decorator
@inline
export function exp_f32(
  x: v128, log2e: v128, high: v128, low: v128, magic: v128, one: v128,
  c0: v128, c1: v128, c2: v128, c3: v128, c4: v128,
): v128 {
  const kk = f32x4.add(f32x4.mul(x, log2e), magic);
  const k = f32x4.sub(kk, magic);
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(k, high)), f32x4.mul(k, low));
  const r2 = f32x4.mul(r, r);
  const q = f32x4.add(
    f32x4.add(c0, f32x4.mul(c1, r)),
    f32x4.mul(f32x4.add(f32x4.add(c2, f32x4.mul(c3, r)), f32x4.mul(c4, r2)), r2),
  );
  const p = f32x4.add(one, f32x4.add(r, f32x4.mul(r2, q)));
  return f32x4.mul(p, i32x4.shl(kk, 23));
}

/**
 * Σ e^(x − shift) over all classes, shift 0 if not `shifted`; with `store` also e[j] = e^(x[j] − shift) in f32. Class j
 * goes to lane j mod 4. Gives up with 0 where the first TRY classes say that the sum will hardly be `enough`.
 */
// @ts-ignore: decorator
@inline
export function sum_flat(
  e: usize, x: usize, classes: i32, shift: f32, enough: f64, store: bool, shifted: bool,
): f64 {
  const c = f32x4.splat(shift);
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
  // Measured, ns an element: 16 classes a step 0.77, 8 classes 0.82; with four accumulators the constants spill, 0.90.
  let s0 = f64x2.splat(0);
  let s1 = s0;
  const whole = <usize>(classes & ~15) << 2;
  const rest = <usize>(classes & 15) << 2;
  let p = x;
  let q = e;
  let end = classes >= 2 * TRY ? x + (TRY << 2) : x + whole;
  let padded = rest == 0;
  while (true) {
    for (; p < end; p += 64, q += 64) {
      const v0 = v128.load(p, 0);
      const v1 = v128.load(p, 16);
      const v2 = v128.load(p, 32);
      const v3 = v128.load(p, 48);
      const e0 = exp_f32(shifted ? f32x4.sub(v0, c) : v0, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
      const e1 = exp_f32(shifted ? f32x4.sub(v1, c) : v1, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
      const e2 = exp_f32(shifted ? f32x4.sub(v2, c) : v2, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
      const e3 = exp_f32(shifted ? f32x4.sub(v3, c) : v3, log2e, high, low, magic, one, c0, c1, c2, c3, c4);
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(e0));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.shuffle<f32>(e0, e0, 2, 3, 2, 3)));
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(e1));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.shuffle<f32>(e1, e1, 2, 3, 2, 3)));
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(e2));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.shuffle<f32>(e2, e2, 2, 3, 2, 3)));
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(e3));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.shuffle<f32>(e3, e3, 2, 3, 2, 3)));
      if (store) {
        v128.store(q, e0, 0);
        v128.store(q, e1, 16);
        v128.store(q, e2, 32);
        v128.store(q, e3, 48);
      }
    }
    if (end == x + (TRY << 2) && <usize>TRY << 2 < whole) {
      // a quarter of the share that TRY classes would have of `enough`; NaN goes on
      const first = f64x2.add(s0, s1);
      const share = f64x2.extract_lane(first, 0) + f64x2.extract_lane(first, 1);
      if (share * <f64>classes < enough * (0.25 * <f64>TRY)) return 0;
      end = x + whole;
      continue;
    }
    if (padded) break;
    padded = true;
    // What fills the last step up adds e^-87 a lane: under 2^-60 of a sum that is at least UNDOMINATED.
    const none = f32x4.splat(shift + LEAST);
    v128.store(PAD, none);
    v128.store(PAD, none, 16);
    v128.store(PAD, none, 32);
    v128.store(PAD, none, 48);
    memory.copy(PAD, x + whole, rest);
    p = PAD;
    end = PAD + 64;
    q = STORED;
  }
  if (store && rest != 0) memory.copy(e + whole, STORED, rest);
  const s = f64x2.add(s0, s1);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}
