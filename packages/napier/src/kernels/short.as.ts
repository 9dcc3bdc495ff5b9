// Short f32 rows, four side by side in the lanes: of a few classes, the lanes of a row of its own would stand empty, and
// its logarithm and its memory traffic would cost more than its exponentials. A row's arithmetic does not know its
// neighbours. It is that of near rows (near.as.ts), |m| ≤ 40 only; every class at the maximum is left out of the
// exponentials, s = Σ e^(x − m) over the others + (ties − 1); all log-probabilities are subtracted in f64.
// What is not so simple, a special row among them, is `left` to the kernels of single rows.

import { EXP_F32, REDUCTION_F32 } from "./coefficients.as";
import {
  conclude, conclude_pairs, join, l_high, l_low, left, m4, s_high, s_low, upper,
} from "./four.as";
import { exp_f32, F32, LEAST, UNSHIFTED } from "./near.as";
import { e_high, e_low, exp_half, left_pairs, most as larger, sum_pairs } from "./pairs.as";
import { EXPONENTIALS, ROWS_IN, ROWS_OUT, TURNED } from "./scratch.as";

/** After sum_short: what a stored exponential is multiplied by to be e^(x − m). */
let unit_low: v128 = f64x2.splat(0);
let unit_high: v128 = f64x2.splat(0);

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
    conclude_pairs(larger, e_low, e_high, left_pairs);
  } else {
    sum_few(x, classes, store);
  }
}

// @ts-ignore: decorator
@inline
function sum_few(x: usize, classes: i32, store: bool): void {
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
  // a NaN is in the sum
  const total = join(sum_low, sum_high);
  const range = v128.and(f32x4.le(f32x4.abs(most), f32x4.splat(UNSHIFTED)), f32x4.ge(least, f32x4.splat(LEAST)));
  conclude(
    most,
    f64x2.add(f64x2.mul(sum_low, unit_low), f64x2.convert_low_i32x4_s(ties)),
    f64x2.add(f64x2.mul(sum_high, unit_high), f64x2.convert_low_i32x4_s(upper(ties))),
    15 ^ i32x4.bitmask(v128.and(range, f32x4.eq(total, total))),
  );
}

/** Four log-probabilities: (v − m) − l in f64; adding 0 turns −0 into +0. */
// @ts-ignore: decorator
@inline
function log_probs(v: v128, m_low: v128, m_high: v128, low: v128, high: v128): v128 {
  const a = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v), m_low), low);
  const b = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(upper(v)), m_high), high);
  return f32x4.add(join(a, b), f32x4.splat(0));
}

/** After sum_short: the log-probabilities of the four rows; out may be x. */
// @ts-ignore: decorator
@inline
export function log_softmax_short(out: usize, classes: i32): void {
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

/** The logits of the targets of four rows, y[r] of those before `count`. */
// @ts-ignore: decorator
@inline
export function target_logits(x: usize, y: usize, count: i32, classes: i32): v128 {
  const bytes = <usize>classes << 2;
  const v = v128.load32_lane(x + target_bytes(y, 0, count), f32x4.splat(0), 0);
  const w = v128.load32_lane(x + bytes + target_bytes(y, 1, count), v, 1);
  const u = v128.load32_lane(x + 2 * bytes + target_bytes(y, 2, count), w, 2);
  return v128.load32_lane(x + 3 * bytes + target_bytes(y, 3, count), u, 3);
}

// @ts-ignore: decorator
@inline
function target_bytes(y: usize, r: i32, count: i32): usize {
  return r < count ? <usize>load<i32>(y + (<usize>r << 2)) << 2 : 0;
}

/** After sum_short: the losses of the rows before `count`, as f64 and as the f32 that −log_softmax is. */
// @ts-ignore: decorator
@inline
export function losses_short(losses: usize, rounded: usize, xy: v128, count: i32): void {
  const d_low = f64x2.sub(f64x2.promote_low_f32x4(xy), f64x2.promote_low_f32x4(m4));
  const d_high = f64x2.sub(f64x2.promote_low_f32x4(upper(xy)), f64x2.promote_low_f32x4(upper(m4)));
  const zero = f32x4.splat(0);
  const wide = count < 4 ? ROWS_OUT : losses;
  const narrow = count < 4 ? ROWS_OUT + 32 : rounded;
  v128.store(wide, f64x2.sub(l_low, d_low));
  v128.store(wide, f64x2.sub(l_high, d_high), 16);
  v128.store(narrow, f32x4.sub(zero, f32x4.add(join(f64x2.sub(d_low, l_low), f64x2.sub(d_high, l_high)), zero)));
  if (count < 4) {
    memory.copy(losses, ROWS_OUT, <usize>count << 3);
    memory.copy(rounded, ROWS_OUT + 32, <usize>count << 2);
  }
}

/** After gradient_short: the targets' entries, −(Σ e^(x − m) of the other classes)·c, in the rows before `count`. */
// @ts-ignore: decorator
@inline
export function target_gradients(
  dx: usize, xy: v128, y: usize, c_low: v128, c_high: v128, count: i32, classes: i32,
): void {
  const top = f32x4.eq(xy, m4); // whichever of several
  const top_low = v128.shuffle<i32>(top, top, 0, 0, 1, 1);
  const top_high = v128.shuffle<i32>(top, top, 2, 2, 3, 3);
  let low: v128;
  let high: v128;
  if (classes == 2) {
    low = v128.and(s_low, top_low);
    high = v128.and(s_high, top_high);
  } else {
    // at the maximum the stored exponential is 0
    let e = v128.load32_lane(EXPONENTIALS + (target_bytes(y, 0, count) << 2), f32x4.splat(0), 0);
    e = v128.load32_lane(EXPONENTIALS + (target_bytes(y, 1, count) << 2), e, 1, 4);
    e = v128.load32_lane(EXPONENTIALS + (target_bytes(y, 2, count) << 2), e, 2, 8);
    e = v128.load32_lane(EXPONENTIALS + (target_bytes(y, 3, count) << 2), e, 3, 12);
    low = f64x2.sub(s_low, f64x2.mul(f64x2.promote_low_f32x4(e), unit_low));
    high = f64x2.sub(s_high, f64x2.mul(f64x2.promote_low_f32x4(upper(e)), unit_high));
  }
  const one = f64x2.splat(1);
  const zero = f64x2.splat(0);
  low = f64x2.mul(f64x2.sub(zero, f64x2.add(v128.andnot(one, top_low), low)), c_low);
  high = f64x2.mul(f64x2.sub(zero, f64x2.add(v128.andnot(one, top_high), high)), c_high);
  const g = f32x4.add(join(low, high), f32x4.splat(0));
  const bytes = <usize>classes << 2;
  v128.store32_lane(dx + target_bytes(y, 0, count), g, 0);
  if (count > 1) v128.store32_lane(dx + bytes + target_bytes(y, 1, count), g, 1);
  if (count > 2) v128.store32_lane(dx + 2 * bytes + target_bytes(y, 2, count), g, 2);
  if (count > 3) v128.store32_lane(dx + 3 * bytes + target_bytes(y, 3, count), g, 3);
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
