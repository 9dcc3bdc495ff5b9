import { unbiased, UNBIAS_F64 } from "./exp.as";
import { lane, left, LOG_AT, MAXIMUM_AT, s_high, s_low, spill, SUM_AT, TOTAL_AT } from "./four.as";
import { log1p_f64 } from "./log1p.as";
import { sum_many, total_high, total_low } from "./many.as";
import { FLAT } from "./near.as";
import { SCALES, SHORT } from "./scratch.as";
import {
  four_rows, gradient_short, losses_short, room_for_four, settle, sum_short, target_gradients, target_logits,
} from "./short.as";
import { fill_f32, fill_f64, log_prob, log_prob_of, logarithm, scale_f32, scale_stored_f64 } from "./softmax.as";
import { at, biased_sum, m, special, sum_f32, sum_f64, unit } from "./sum.as";

/** loss[i] for a row whose sum is known: as f64 for sums over rows, and as the f32 that −log_softmax(x)[y] is. */
// @ts-ignore: decorator
@inline
function store_loss_f32(loss: usize, rounded: usize, s: f64, xy: f32, x: usize, classes: i32): void {
  const bad = special(s);
  store<f64>(loss, bad ? NaN : logarithm(s, x, classes) - (<f64>xy - m));
  store<f32>(rounded, bad ? <f32>NaN : <f32>0 - log_prob(xy));
}

/** The same for row r of four that were summed together (many.as.ts), after `spill`. */
// @ts-ignore: decorator
@inline
function store_loss_of(r: i32, loss: usize, rounded: usize, xy: f32): void {
  const most = lane(MAXIMUM_AT, r);
  const l = lane(LOG_AT, r);
  store<f64>(loss, l - (<f64>xy - most));
  store<f32>(rounded, <f32>0 - log_prob_of(xy, most, l, lane(SUM_AT, r) >= FLAT));
}

// @ts-ignore: decorator
@inline
function target_of(x: usize, y: usize): f32 {
  return load<f32>(x + (<usize>load<i32>(y) << 2));
}

/** losses[i] = log1p(s) − (x[y] − m), y[i] from 0 to classes − 1; rounded[i] is −log_softmax(x)[y], bit for bit. */
export function cross_entropy_f32(losses: usize, rounded: usize, x: usize, y: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  const isShort = classes <= SHORT;
  for (let i = 0; i < rows; i += 4) {
    const count = min(4, rows - i);
    if (isShort) {
      const four = four_rows(x, count, classes);
      sum_short(four, classes, false);
      losses_short(losses, rounded, target_logits(four, y, count, classes), count);
    } else {
      sum_many(0, x, count, classes, false);
      spill(total_low, total_high);
    }
    for (let r = 0, again = left; r < count; r++, x += bytes, y += 4, losses += 8, rounded += 4) {
      if ((again >> r) & 1) store_loss_f32(losses, rounded, sum_f32(0, x, classes, false), target_of(x, y), x, classes);
      else if (!isShort) store_loss_of(r, losses, rounded, target_of(x, y));
    }
  }
}

export function cross_entropy_f64(losses: usize, x: usize, y: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, x += bytes) {
    const xy = load<f64>(x + (<usize>load<i32>(y + (<usize>i << 2)) << 3));
    const s = sum_f64(0, x, classes, false);
    store<f64>(losses + (<usize>i << 3), special(s) ? NaN : log1p_f64(s) - (xy - m));
  }
}

function cross_entropy_with_grad_row_f32(
  loss: usize, rounded: usize, dx: usize, x: usize, y: usize, scale: usize, classes: i32,
): void {
  const target = load<i32>(y);
  // 1., 2. maximum and sum; the exponentials go to dx
  const s = sum_f32(dx, x, classes, true);
  // 3. the logarithm
  store_loss_f32(loss, rounded, s, target_of(x, y), x, classes);
  if (special(s)) return fill_f32(dx, NaN, classes);
  // 4. the gradient
  const slot = dx + (<usize>target << 2);
  const others = target == at ? s : 1.0 + (s - <f64>load<f32>(slot) * unit);
  const c = load<f64>(scale) / (1.0 + s);
  scale_f32(dx, dx, c * unit, classes);
  store<f32>(dx + (<usize>at << 2), <f32>c + 0);
  store<f32>(slot, <f32>(-others * c) + 0);
}

/**
 * As cross_entropy_f32, and dx[i, j] = scale[i]·(softmax(x)[i, j] − [j = y[i]]); dx must not be x.
 * The target's entry is −(sum of the others) / (1 + s), never p − 1: p rounds to 1 long before its distance to 1 is 0.
 */
export function cross_entropy_with_grad_f32(
  losses: usize, rounded: usize, dx: usize, x: usize, y: usize, scales: usize, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 2;
  const isShort = classes <= SHORT;
  for (let i = 0; i < rows; i += 4) {
    const count = min(4, rows - i);
    if (isShort) {
      cross_entropy_with_grad_short(losses, rounded, dx, x, y, scales, count, classes);
    } else {
      sum_many(dx, x, count, classes, true);
      spill(total_low, total_high);
    }
    for (let r = 0, again = left; r < count; r++, x += bytes, dx += bytes, y += 4, scales += 8, losses += 8, rounded += 4) {
      if ((again >> r) & 1) {
        cross_entropy_with_grad_row_f32(losses, rounded, dx, x, y, scales, classes);
      } else if (!isShort) {
        store_loss_of(r, losses, rounded, target_of(x, y));
        const slot = dx + (<usize>load<i32>(y) << 2);
        const total = lane(TOTAL_AT, r);
        const others = total - <f64>load<f32>(slot);
        const factor = load<f64>(scales) / total;
        scale_f32(dx, dx, factor, classes);
        store<f32>(slot, <f32>(-others * factor) + 0);
      }
    }
  }
}

/** The same for `count` short rows, at most four. */
// @ts-ignore: decorator
@inline
function cross_entropy_with_grad_short(
  losses: usize, rounded: usize, dx: usize, x: usize, y: usize, scales: usize, count: i32, classes: i32,
): void {
  const four = four_rows(x, count, classes);
  const room = room_for_four(dx, count);
  if (count < 4) memory.copy(SCALES, scales, <usize>count << 3);
  const c = count < 4 ? SCALES : scales;
  const one = f64x2.splat(1);
  sum_short(four, classes, true);
  const c_low = f64x2.div(v128.load(c), f64x2.add(one, s_low));
  const c_high = f64x2.div(v128.load(c, 16), f64x2.add(one, s_high));
  gradient_short(room, c_low, c_high, classes);
  settle(dx, count, <usize>classes << 2);
  const xy = target_logits(four, y, count, classes);
  losses_short(losses, rounded, xy, count);
  target_gradients(dx, xy, y, c_low, c_high, count, classes);
}

export function cross_entropy_with_grad_f64(
  losses: usize, dx: usize, x: usize, y: usize, scales: usize, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, x += bytes, dx += bytes) {
    const target = load<i32>(y + (<usize>i << 2));
    const xy = load<f64>(x + (<usize>target << 3));
    const s = sum_f64(dx, x, classes, true);
    if (special(s)) {
      store<f64>(losses + (<usize>i << 3), NaN);
      fill_f64(dx, NaN, classes);
      continue;
    }
    store<f64>(losses + (<usize>i << 3), log1p_f64(s) - (xy - m));
    const slot = dx + (<usize>target << 3);
    const others = target == at ? s : 1.0 + (s - load<f64>(slot) * UNBIAS_F64);
    const c = load<f64>(scales + (<usize>i << 3)) / (1.0 + s);
    scale_stored_f64(dx, dx, c, classes);
    store<f64>(dx + (<usize>at << 3), c + 0);
    // a sum that may be subnormal keeps its digits times 2^960; c there is the scale itself
    if (target == at && s < 1e-290) store<f64>(slot, unbiased(biased_sum, -c) + 0);
    else store<f64>(slot, -others * c + 0);
  }
}
