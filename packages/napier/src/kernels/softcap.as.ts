// Logits capped as Gemma 2 does: y = c·tanh(x / c), which is x where x is small, and ±c at most.

import { power, rounded, sech2_parts, sech2_power, tanh_f64x2 } from "./elementary.as";

/** c·tanh(x / c). Below 2^-27 tanh is its argument to the last bit, which may be subnormal where x is not. */
// @ts-ignore: decorator
@inline
function capped(x: v128, c: v128): v128 {
  const a = f64x2.div(x, c);
  return v128.bitselect(x, f64x2.mul(c, tanh_f64x2(a)), f64x2.lt(f64x2.abs(a), f64x2.splat(7.450580596923828e-9)));
}

/** out[k] = cap·tanh(x[k] / cap); out must not be x, NaN stays NaN */
export function softcap_f64(out: usize, x: usize, cap: f64, rows: i32, classes: i32): void {
  const c = f64x2.splat(cap);
  const bytes = (<usize>rows * <usize>classes) << 3;
  let k: usize = 0;
  for (; k + 16 <= bytes; k += 16) v128.store(out + k, capped(v128.load(x + k), c));
  if (k < bytes) {
    v128.store64_lane(out + k, capped(f64x2.splat(load<f64>(x + k)), c), 0);
  }
}

const SPLITTER: f64 = 134217729.0; // 2^27 + 1

/**
 * dx·(1 − tanh²(x / c)), NaN canonical; c = high + low in halves of its digits.
 *
 * The slope falls by e^−2 for each 1 of x / c: at 300, half an ulp of the quotient would be 600 half ulps of the slope. So
 * the remainder of the division (Dekker's product, exact) goes on: slope(a + tail) = slope(a)·(1 − 2·tail·tanh a + …), where
 * a itself, up to 1, is close enough to tanh a. The power of two comes last: a gradient may be as large as the slope is small.
 */
// @ts-ignore: decorator
@inline
function slope(dx: v128, x: v128, c: v128, high: v128, low: v128): v128 {
  const a = f64x2.div(x, c);
  const t = f64x2.mul(a, f64x2.splat(SPLITTER));
  const aHigh = f64x2.sub(t, f64x2.sub(t, a));
  const aLow = f64x2.sub(a, aHigh);
  const p = f64x2.mul(a, c);
  const cross = f64x2.add(f64x2.mul(aHigh, low), f64x2.mul(aLow, high));
  const rounding = f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(aHigh, high), p), cross), f64x2.mul(aLow, low));
  const tail = f64x2.div(f64x2.sub(f64x2.sub(x, p), rounding), c);
  const one = f64x2.splat(1.0);
  const tanh = f64x2.pmax(f64x2.pmin(a, one), f64x2.neg(one));
  const more = f64x2.mul(f64x2.add(tail, tail), tanh);
  // beyond 730 the slope is 0 whatever it multiplies, and the tail of an infinite x is NaN
  const far = f64x2.splat(730.0);
  const near = f64x2.lt(f64x2.abs(a), far);
  const slopes = sech2_parts(f64x2.pmin(f64x2.abs(a), far));
  const third = rounded(f64x2.mul(sech2_power, f64x2.splat(0.3333333333333333)));
  const others = f64x2.sub(sech2_power, third);
  const half = rounded(f64x2.mul(others, f64x2.splat(0.5)));
  const product = f64x2.mul(f64x2.mul(dx, slopes), f64x2.sub(one, v128.and(more, near)));
  const scaled = f64x2.mul(f64x2.mul(f64x2.mul(product, power(half)), power(f64x2.sub(others, half))), power(third));
  const isNothing = v128.andnot(f64x2.eq(dx, dx), v128.or(near, f64x2.ne(a, a)));
  const v = v128.andnot(f64x2.add(scaled, f64x2.splat(0)), isNothing);
  return v128.bitselect(v, f64x2.splat(NaN), f64x2.eq(v, v));
}

const HUGE: f64 = 3.273390607896142e150; // 2^500
const TINY: f64 = 3.054936363499605e-151; // 2^-500

/** From the gradient of the capped logits that of x. */
export function softcap_backward_f64(dx: usize, x: usize, cap: f64, rows: i32, classes: i32): void {
  // x / c is not changed by a power of two, and Dekker's product needs one where c is huge or tiny
  const scale = cap > HUGE ? TINY : cap < TINY ? HUGE : 1.0;
  const scaled = cap * scale;
  const part = scaled * SPLITTER - (scaled * SPLITTER - scaled);
  const c = f64x2.splat(scaled);
  const high = f64x2.splat(part);
  const low = f64x2.splat(scaled - part);
  const ss = f64x2.splat(scale);
  const bytes = (<usize>rows * <usize>classes) << 3;
  let k: usize = 0;
  for (; k + 16 <= bytes; k += 16) {
    v128.store(dx + k, slope(v128.load(dx + k), f64x2.mul(v128.load(x + k), ss), c, high, low));
  }
  if (k < bytes) {
    const last = slope(f64x2.splat(load<f64>(dx + k)), f64x2.mul(f64x2.splat(load<f64>(x + k)), ss), c, high, low);
    v128.store64_lane(dx + k, last, 0);
  }
}
