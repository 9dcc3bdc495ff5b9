import { UNBIAS_F64 } from "./exp.as";
import { log1p_f64 } from "./log1p.as";
import { fill_f32, fill_f64, log_prob, logarithm, scale_stored_f32, scale_stored_f64 } from "./softmax.as";
import { at, m, special, sum_f32, sum_f64, unit } from "./sum.as";

/** loss[i] for a row whose sum is known: as f64 for sums over rows, and as the f32 that −log_softmax(x)[y] is. */
// @ts-ignore: decorator
@inline
function store_loss_f32(loss: usize, rounded: usize, s: f64, xy: f32): void {
  const bad = special(s);
  store<f64>(loss, bad ? NaN : logarithm(s) - (<f64>xy - m));
  store<f32>(rounded, bad ? <f32>NaN : <f32>0 - log_prob(xy));
}

/** losses[i] = log1p(s) − (x[y] − m), y[i] from 0 to classes − 1; rounded[i] is −log_softmax(x)[y], bit for bit. */
export function cross_entropy_f32(losses: usize, rounded: usize, x: usize, y: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, x += bytes) {
    const xy = load<f32>(x + (<usize>load<i32>(y + (<usize>i << 2)) << 2));
    const s = sum_f32(0, x, classes, false);
    store_loss_f32(losses + (<usize>i << 3), rounded + (<usize>i << 2), s, xy);
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

/**
 * As cross_entropy_f32, and dx[i, j] = scale[i]·(softmax(x)[i, j] − [j = y[i]]); dx must not be x.
 * The target's entry is −(sum of the others) / (1 + s), never p − 1: p rounds to 1 long before its distance to 1 is 0.
 */
export function cross_entropy_with_grad_f32(
  losses: usize, rounded: usize, dx: usize, x: usize, y: usize, scales: usize, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, x += bytes, dx += bytes) {
    const target = load<i32>(y + (<usize>i << 2));
    const xy = load<f32>(x + (<usize>target << 2));
    // 1., 2. maximum and sum; the exponentials go to dx
    const s = sum_f32(dx, x, classes, true);
    // 3. the logarithm
    store_loss_f32(losses + (<usize>i << 3), rounded + (<usize>i << 2), s, xy);
    if (special(s)) {
      fill_f32(dx, NaN, classes);
      continue;
    }
    // 4. the gradient
    const slot = dx + (<usize>target << 2);
    const others = target == at ? s : 1.0 + (s - <f64>load<f32>(slot) * unit);
    const c = load<f64>(scales + (<usize>i << 3)) / (1.0 + s);
    scale_stored_f32(dx, dx, c, classes);
    store<f32>(dx + (<usize>at << 2), <f32>c + 0);
    store<f32>(slot, <f32>(-others * c) + 0);
  }
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
    store<f64>(slot, -others * c + 0);
  }
}
