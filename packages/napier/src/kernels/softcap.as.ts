// Logits capped as Gemma 2 does: y = c·tanh(x / c), which is x where x is small, and ±c at most.

import { sech2_f64x2, tanh_f64x2 } from "./elementary.as";

/** out[k] = cap·tanh(x[k] / cap); out must not be x, NaN stays NaN */
export function softcap_f64(out: usize, x: usize, cap: f64, rows: i32, classes: i32): void {
  const c = f64x2.splat(cap);
  const bytes = (<usize>rows * <usize>classes) << 3;
  let k: usize = 0;
  for (; k + 16 <= bytes; k += 16) v128.store(out + k, f64x2.mul(c, tanh_f64x2(f64x2.div(v128.load(x + k), c))));
  if (k < bytes) {
    v128.store64_lane(out + k, f64x2.mul(c, tanh_f64x2(f64x2.div(f64x2.splat(load<f64>(x + k)), c))), 0);
  }
}

/** dx[k]·(1 − tanh²(x[k] / cap)), NaN canonical */
// @ts-ignore: decorator
@inline
function slope(dx: v128, x: v128, c: v128): v128 {
  const v = f64x2.add(f64x2.mul(dx, sech2_f64x2(f64x2.div(x, c))), f64x2.splat(0));
  return v128.bitselect(v, f64x2.splat(NaN), f64x2.eq(v, v));
}

/** From the gradient of the capped logits that of x. */
export function softcap_backward_f64(dx: usize, x: usize, cap: f64, rows: i32, classes: i32): void {
  const c = f64x2.splat(cap);
  const bytes = (<usize>rows * <usize>classes) << 3;
  let k: usize = 0;
  for (; k + 16 <= bytes; k += 16) v128.store(dx + k, slope(v128.load(dx + k), v128.load(x + k), c));
  if (k < bytes) v128.store64_lane(dx + k, slope(f64x2.splat(load<f64>(dx + k)), f64x2.splat(load<f64>(x + k)), c), 0);
}
