// The entropy of a row's probabilities, H = Σ p·(l + d) with d = m − x ≥ 0 and l = log1p(s): as Σ p = 1 it is
// l + Σ p·d, of parts that are never negative, and the winner's own part, which would swallow the rest, is l.

import { clean, times_exp } from "./backward.as";
import { UNBIAS_F64 } from "./exp.as";
import { log1p_f64 } from "./log1p.as";
import { fill_f64 } from "./softmax.as";
import { at, m, special, sum_f64 } from "./sum.as";

/** d is taken up to here: beyond 1373 a stored exponential is 0, and 0·∞ would be NaN. */
const FARTHEST: f64 = 1400.0;

/** D = Σ e[j]·(m − x[j]) over stored exponentials, compensated. */
function depth(e: usize, x: usize, classes: i32): f64 {
  const mm = f64x2.splat(m);
  const farthest = f64x2.splat(FARTHEST);
  let sum = f64x2.splat(0);
  let lost = sum;
  const whole = <usize>(classes & ~1) << 3;
  const end = <usize>classes << 3;
  for (let k = <usize>0; k < end; k += 16) {
    const v = k < whole ? v128.load(x + k) : v128.load64_zero(x + k);
    const w = k < whole ? v128.load(e + k) : v128.load64_zero(e + k);
    const term = f64x2.mul(w, f64x2.pmin(farthest, f64x2.sub(mm, v)));
    const next = f64x2.add(sum, term); // TwoSum
    const back = f64x2.sub(next, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.sub(sum, f64x2.sub(next, back)), f64x2.sub(term, back)));
    sum = next;
  }
  const a = f64x2.extract_lane(sum, 0);
  const b = f64x2.extract_lane(sum, 1);
  return a + b + (f64x2.extract_lane(lost, 0) + f64x2.extract_lane(lost, 1));
}

/** out[i] = log1p(s) + D / (1 + s); e has room for a row's exponentials. */
export function entropy_f64(out: usize, x: usize, e: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += 8, x += bytes) {
    // 1., 2. maximum and sum
    const s = sum_f64(e, x, classes, true);
    if (special(s)) {
      store<f64>(out, NaN);
      continue;
    }
    // 3. the logarithm; 4. the depths
    store<f64>(out, log1p_f64(s) + (depth(e, x, classes) * UNBIAS_F64) / (1.0 + s));
  }
}

/** Depths are taken 2^50 times, so that the differences of subnormal ones keep their digits. */
const UP: f64 = 1125899906842624.0;
const DOWN: f64 = UNBIAS_F64 / UP; // 2^-1010

/** a·c·2^-1010 for |a| ≤ 2^1015, with a single rounding where the result is subnormal. */
// @ts-ignore: decorator
@inline
function scaled(a: f64, c: f64): f64 {
  return abs(c) > 1.0 ? a * (c * DOWN) : a * c * DOWN;
}

/**
 * dx[i, j] = −g[i]·p[j]·(log p[j] + H) = g[i]·p[j]·(d[j] − Σ p·d): the logarithm leaves the difference. A g of ±∞ or NaN
 * multiplies the gradient of 1 as it is rounded. dx must not be x.
 */
export function entropy_backward_f64(dx: usize, g: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, dx += bytes, x += bytes, g += 8) {
    // 1., 2. maximum and sum; the exponentials go to dx
    const s = sum_f64(dx, x, classes, true);
    if (special(s)) {
      fill_f64(dx, NaN, classes);
      continue;
    }
    const given = load<f64>(g);
    const finite = abs(given) < Infinity;
    const c = (finite ? given : 1.0) / (1.0 + s);
    // under a gradient of 2^512 an exponential that is stored as 0 is 0 in every result
    const isFar = abs(c) > 1.3407807929942597e154;
    // 3. the mean depth, times 2^960; 4. the differences from it
    const total = depth(dx, x, classes) / (1.0 + s);
    const mean = total * UNBIAS_F64;
    const meanUp = total * (UNBIAS_F64 * UP);
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 3;
      const v = load<f64>(x + k);
      const e = load<f64>(dx + k);
      const d = m - v;
      let value: f64;
      if (j == at) {
        value = -scaled(total * UP, c);
      } else if (isFar && e == 0.0 && d < Infinity) {
        const back = m - d; // TwoDiff
        value = times_exp(c, -d) * (1.0 - ((m - (d + back)) + (back - v))) * (d - mean);
      } else {
        value = scaled(e * (min(d, FARTHEST) * UP - meanUp), c);
      }
      store<f64>(dx + k, clean<f64>(finite ? value : clean<f64>(value) * given));
    }
  }
}
