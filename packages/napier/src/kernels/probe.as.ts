// What the tests measure by itself: the exponentials and logarithms that the kernels inline. In no family.

import { EXP2, EXP_F32, REDUCTION, REDUCTION_F32 } from "./coefficients.as";
import { expm1_f64x2, log1p_f64x2, sech2_f64x2, sigmoid_f64x2, tanh_f64x2 } from "./elementary.as";
import { exp2_biased, exp_any_f64, exp_biased_f64, F32, LOW, MAGIC, ONE, UNBIAS_F32 } from "./exp.as";
import { exp_f32, F32 as NEAR } from "./near.as";
import { log1p_f64, log_f64 } from "./log1p.as";

export const heap: usize = __heap_base;

/** out[k] = e^x[k], f32, as in near rows; count is a multiple of 4 */
export function exp_near(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 2; k < end; k += 16) {
    v128.store(out + k, exp_f32(
      v128.load(x + k),
      v128.load32_splat(REDUCTION_F32), v128.load32_splat(REDUCTION_F32, 4), v128.load32_splat(REDUCTION_F32, 8),
      v128.load32_splat(NEAR), v128.load32_splat(NEAR, 4),
      v128.load32_splat(EXP_F32), v128.load32_splat(EXP_F32, 4), v128.load32_splat(EXP_F32, 8),
      v128.load32_splat(EXP_F32, 12), v128.load32_splat(EXP_F32, 16),
    ));
  }
}

/** out[k] = e^x[k] in f64 for f32 x, as in far rows; count is even */
export function exp_far(out: usize, x: usize, count: i32): void {
  for (let k = 0; k < count; k += 2) {
    const t = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(x + (<usize>k << 2))), v128.load64_splat(REDUCTION));
    const e = exp2_biased(
      t, v128.load64_splat(F32, LOW), v128.load64_splat(F32, MAGIC), v128.load64_splat(F32, ONE),
      v128.load64_splat(EXP2), v128.load64_splat(EXP2, 8), v128.load64_splat(EXP2, 16),
      v128.load64_splat(EXP2, 24), v128.load64_splat(EXP2, 32), v128.load64_splat(EXP2, 40),
    );
    v128.store(out + (<usize>k << 3), f64x2.mul(e, f64x2.splat(UNBIAS_F32)));
  }
}

/** out[k] = e^x[k], f64, any x; count is even */
export function exp_any(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 3; k < end; k += 16) v128.store(out + k, exp_any_f64(v128.load(x + k)));
}

/** out[k] = e^x[k] in f64 for f32 x: the reference of the exhaustive test; count is even */
export function exp_promoted(out: usize, x: usize, count: i32): void {
  for (let k = 0; k < count; k += 2) {
    const v = f64x2.promote_low_f32x4(v128.load64_zero(x + (<usize>k << 2)));
    v128.store(out + (<usize>k << 3), exp_any_f64(v));
  }
}

/** e^(x − m)·2^960, one number */
export function exp_shifted(x: f64, m: f64): f64 {
  return f64x2.extract_lane(exp_biased_f64(f64x2.splat(x), f64x2.splat(m), false), 0);
}

export function log1p(s: f64): f64 {
  return log1p_f64(s);
}

export function log(x: f64): f64 {
  return log_f64(x);
}

/** out[k] = e^x[k] − 1, f64; count is even */
export function expm1(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 3; k < end; k += 16) v128.store(out + k, expm1_f64x2(v128.load(x + k)));
}

/** out[k] = log(1 + x[k]), f64; count is even */
export function log1p_any(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 3; k < end; k += 16) v128.store(out + k, log1p_f64x2(v128.load(x + k)));
}

/** out[k] = tanh x[k], f64; count is even */
export function tanh(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 3; k < end; k += 16) v128.store(out + k, tanh_f64x2(v128.load(x + k)));
}

/** out[k] = 1 − tanh² x[k], f64; count is even */
export function sech2(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 3; k < end; k += 16) v128.store(out + k, sech2_f64x2(v128.load(x + k)));
}

/** out[k] = 1 / (1 + e^−x[k]), f64; count is even */
export function sigmoid(out: usize, x: usize, count: i32): void {
  for (let k = <usize>0, end = <usize>count << 3; k < end; k += 16) v128.store(out + k, sigmoid_f64x2(v128.load(x + k)));
}
