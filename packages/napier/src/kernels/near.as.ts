// Near rows: every exponential fits f32 lanes, four at a time.
// - the shift is exact. For |m| ≤ 40 there is none: e^x itself is in range. Else the shift is m, and no entry may lie
//   outside m/2 and 2m, between which x − m is exact (Sterbenz).
// - e^x is off by ≤ 1.41·2^-24 of itself (exp.as.ts), the sum is f64, so s = Σ e^(x − m) is off by as much.
// - l = log1p(s) is then off by ≤ 1.41·2^-24 of itself; one rounding to f32 makes it 1.91 ulp. But if the error lifts it
//   over a power of two, the rounding is of the coarser side, up to 1 ulp of the truth: such a winner is on the `brink`,
//   and its row is summed again in f64. The other classes lie under −log 2, where an error of 1.41·2^-24·s / (1 + s)
//   is less than half the coarser spacing: what it lifts is rounded back to the power of two.
// - of a flat row, s ≥ FLAT, every log-probability is under −2, and l's error ≤ 0.36 ulp: it may be subtracted in f32,
//   from `high` first, m + l rounded down, so that what is lifted over a power of two is rounded to that power: 1.4 ulp.
// - a softmax entry is off by ≤ 2.79·2^-24, and one rounding of the coarser side: 3.8 ulp.
// Which way a row goes depends on the row alone: its bits do not depend on the batch.

import { EXP_F32, REDUCTION_F32 } from "./coefficients.as";

/** Least argument of the exponential: e^-87 is a normal f32. */
export const LEAST: f32 = -87.0;
export const FLAT: f64 = 6.5; // e² − 1 and a little
/** A smaller sum could be off by what fills it up, at most 4 times e^-87: 2^-33 of it. */
export const FILLED: f64 = 8.077935669463161e-28; // 2^-90
/** Up to this |m| the entries themselves are exponentiated. */
export const UNSHIFTED: f32 = 40.0;
const FARTHEST: f32 = 1048576.0; // 2^20: m + log1p(s) in f64 is then off by 2^-33 at most

export const F32 = memory.data<f32>([12583039.0, 1.0], 16); // 1.5·2^23 + 127: leaves an exponent field in the low bits

/** What is taken from every entry of a near row before it is exponentiated. */
// @ts-ignore: decorator
@inline
export function shift_of(largest: f32): f32 {
  return abs(largest) <= UNSHIFTED ? 0.0 : largest;
}

// @ts-ignore: decorator
@inline
export function is_near(largest: f32, lowest: f32, shift: f32): bool {
  const exact = shift == 0.0 || lowest >= (shift > 0.0 ? 0.5 * shift : 2.0 * shift);
  return lowest >= shift + LEAST && abs(largest) <= FARTHEST && exact;
}

/** Whether an f64 is rounded up to the f32 next above a power of two. */
// @ts-ignore: decorator
@inline
export function brink(value: f64): bool {
  return ((reinterpret<i64>(value) >> 28) & 0xffffff) == 1;
}

/** e^x in f32 lanes, −87.1 ≤ x ≤ 40 (shift + LEAST is rounded). */
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

/** The last classes of a row, up to `end`, by fours: sums in two lanes. What fills up the last four adds e^-87 each. */
function rest(q: usize, p: usize, end: usize, shift: f32, store: bool): v128 {
  const c = f32x4.splat(shift);
  let s = f64x2.splat(0);
  for (; p < end; p += 16, q += 16) {
    const count = end - p;
    let v: v128;
    if (count >= 16) {
      v = v128.load(p);
    } else {
      v = v128.load32_lane(p, f32x4.splat(shift + LEAST), 0);
      if (count > 4) v = v128.load32_lane(p, v, 1, 4);
      if (count > 8) v = v128.load32_lane(p, v, 2, 8);
    }
    const e = exp_f32(
      f32x4.sub(v, c),
      v128.load32_splat(REDUCTION_F32), v128.load32_splat(REDUCTION_F32, 4), v128.load32_splat(REDUCTION_F32, 8),
      v128.load32_splat(F32), v128.load32_splat(F32, 4),
      v128.load32_splat(EXP_F32), v128.load32_splat(EXP_F32, 4), v128.load32_splat(EXP_F32, 8),
      v128.load32_splat(EXP_F32, 12), v128.load32_splat(EXP_F32, 16),
    );
    s = f64x2.add(f64x2.add(s, f64x2.promote_low_f32x4(e)), f64x2.promote_low_f32x4(v128.shuffle<f32>(e, e, 2, 3, 2, 3)));
    if (!store) continue;
    if (count >= 16) {
      v128.store(q, e);
    } else {
      v128.store32_lane(q, e, 0);
      if (count > 4) v128.store32_lane(q, e, 1, 4);
      if (count > 8) v128.store32_lane(q, e, 2, 8);
    }
  }
  return s;
}

/**
 * Σ e^(x − shift) over all classes, shift 0 if not `shifted`; with `store` also e[j] = e^(x[j] − shift) in f32. Class j
 * goes to lane j mod 4. With `on` the sums go on from those at `sums`, 32 bytes, and are left there: a row in blocks of 16
 * classes, all but the last, has the bits of the whole row.
 */
// @ts-ignore: decorator
@inline
function sum(e: usize, x: usize, classes: i32, shift: f32, store: bool, shifted: bool, sums: usize, on: bool): f64 {
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
  let s0 = on ? v128.load(sums) : f64x2.splat(0);
  let s1 = on ? v128.load(sums, 16) : s0;
  let p = x;
  let q = e;
  for (const end = x + (<usize>(classes & ~15) << 2); p < end; p += 64, q += 64) {
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
  if (classes & 15) {
    s0 = f64x2.add(s0, rest(q, p, x + (<usize>classes << 2), shift, store));
  }
  if (on) {
    v128.store(sums, s0);
    v128.store(sums, s1, 16);
  }
  const s = f64x2.add(s0, s1);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

// One function for each of its meanings: the loops stand once in the module, however many kernels call them.

/** Σ e^x */
export function sum_plain(x: usize, classes: i32): f64 {
  return sum(0, x, classes, 0, false, false, 0, false);
}

/** Σ e^x; e[j] = e^x[j] */
export function sum_stored(e: usize, x: usize, classes: i32): f64 {
  return sum(e, x, classes, 0, true, false, 0, false);
}

/** Σ e^(x − shift) */
export function sum_shifted(x: usize, classes: i32, shift: f32): f64 {
  return sum(0, x, classes, shift, false, true, 0, false);
}

/** Σ e^(x − shift); e[j] = e^(x[j] − shift) */
export function sum_shifted_stored(e: usize, x: usize, classes: i32, shift: f32): f64 {
  return sum(e, x, classes, shift, true, true, 0, false);
}

/** The block of a row: the sum so far */
export function sum_plain_on(sums: usize, x: usize, classes: i32): f64 {
  return sum(0, x, classes, 0, false, false, sums, true);
}

export function sum_shifted_on(sums: usize, x: usize, classes: i32, shift: f32): f64 {
  return sum(0, x, classes, shift, false, true, sums, true);
}
