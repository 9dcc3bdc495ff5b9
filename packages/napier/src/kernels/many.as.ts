// f32 rows of more than SHORT classes: the exponentials of each in lanes of its own, the logarithms of four together.
// Near rows without a shift (near.as.ts); the maximum stays in the sum, S = Σ e^x, and leaves it by subtraction of the
// very number that was added: s = (S − e^m)·e^-m. The f64 sum is off by ≤ classes/4·2^-53 of S, which is 2^-29 of s
// while s ≥ classes·2^-26. Any other row is `left` to the kernels of single rows.
// A softmax entry is e^x / S, so that equal logits have equal probabilities; the error is as in near.as.ts.

import { EXP_F32, REDUCTION_F32 } from "./coefficients.as";
import { lowest, range_f32 } from "./extrema.as";
import { conclude, upper } from "./four.as";
import { exp_f32, F32, LEAST, sum_plain, sum_stored, UNSHIFTED } from "./near.as";
import { exp_half } from "./pairs.as";
import { EXTREMES } from "./scratch.as";

/** S of four rows. */
export let total_low: v128 = f64x2.splat(0);
export let total_high: v128 = f64x2.splat(0);

/** The sums of `count` rows, at most four, that follow each other at x; with `store` also e[i, j] = e^x[i, j]. */
export function sum_many(e: usize, x: usize, count: i32, classes: i32, store: bool): void {
  const bytes = <usize>classes << 2;
  let far = 0;
  for (let r = 0; r < 4; r++, x += bytes, e += bytes) {
    let largest: f32 = 0;
    let total: f64 = 1;
    if (r < count) {
      largest = range_f32(x, classes);
      if (abs(largest) <= UNSHIFTED && lowest >= LEAST) total = store ? sum_stored(e, x, classes) : sum_plain(x, classes);
      else far |= 1 << r;
    }
    f32.store(EXTREMES + (<usize>r << 2), largest);
    f64.store(EXTREMES + 32 + (<usize>r << 3), total);
  }
  conclude_many(far, classes);
}

/** From the maxima of four rows at EXTREMES and their S, 32 bytes further: all but those of the bits `far`. */
export function conclude_many(far: i32, classes: i32): void {
  const most = v128.load(EXTREMES);
  total_low = v128.load(EXTREMES, 32);
  total_high = v128.load(EXTREMES, 48);
  const top = exp_f32(
    most,
    v128.load32_splat(REDUCTION_F32), v128.load32_splat(REDUCTION_F32, 4), v128.load32_splat(REDUCTION_F32, 8),
    v128.load32_splat(F32), v128.load32_splat(F32, 4),
    v128.load32_splat(EXP_F32), v128.load32_splat(EXP_F32, 4), v128.load32_splat(EXP_F32, 8),
    v128.load32_splat(EXP_F32, 12), v128.load32_splat(EXP_F32, 16),
  );
  const zero = f64x2.splat(0);
  const unit_low = exp_half(f64x2.sub(zero, f64x2.promote_low_f32x4(most)));
  const unit_high = exp_half(f64x2.sub(zero, f64x2.promote_low_f32x4(upper(most))));
  const low = f64x2.mul(f64x2.sub(total_low, f64x2.promote_low_f32x4(top)), unit_low);
  const high = f64x2.mul(f64x2.sub(total_high, f64x2.promote_low_f32x4(upper(top))), unit_high);
  const least = f64x2.splat(<f64>classes * 1.4901161193847656e-8); // 2^-26; a NaN is not as large
  const large = i64x2.bitmask(f64x2.ge(low, least)) | (i64x2.bitmask(f64x2.ge(high, least)) << 2);
  conclude(most, low, high, far | (15 ^ large));
}
