// Cross-entropy of targets t, from 0, on rows that tempered.as.ts prepared: l = log1p(s), lse = m / T + l.
//   loss = Σ_j t_j·(l − d_j) = l·Σ t − Σ t_j·d_j, where no term is below 0
//   dx_j = p_j·(Σ t + z·lse) − t_j; for the class left out, where its p = 1 − s / (1 + s) is above a half,
//          (Σ of the other t + z·lse) − (Σ t + z·lse)·s / (1 + s), never p − t: that loses what is left of the others.

import { unbiased, UNBIAS_F64 } from "./exp.as";
import { divide, multiply, plus, set_scaled, scaled_value, scale_of, scaled_part } from "./scaled.as";
import { fill_f64 } from "./softmax.as";
import { AT, BIASED_SUM, fold, LOG, RECORD, REST, SHIFT, SUM, TOTAL, UNSCALE } from "./tempered.as";

/** smoothing over the classes that a row's mask keeps */
// @ts-ignore: decorator
@inline
function share(mask: usize, smoothing: f64, classes: i32): f64 {
  if (smoothing == 0.0) return 0;
  let kept = 0;
  for (let j = 0; j < classes; j++) kept += load<u8>(mask + j);
  return kept == 0 ? 0 : smoothing / <f64>kept;
}

/** t[j] = w[j]·((1 − smoothing)·[j = y] + smoothing / kept, where the mask keeps j); the weights are one row */
export function hard_targets_f64(
  t: usize, y: usize, weights: usize, mask: usize, smoothing: f64, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, t += bytes, y += 4, mask += classes) {
    const each = share(mask, smoothing, classes);
    if (each == 0.0) memory.fill(t, 0, bytes);
    else {
      for (let j = 0; j < classes; j++) {
        const k = <usize>j << 3;
        store<f64>(t + k, load<u8>(mask + j) == 0 ? 0.0 : load<f64>(weights + k) * each);
      }
    }
    const at = load<i32>(y);
    const k = <usize>at << 3;
    const own = 1.0 - smoothing + (load<u8>(mask + at) == 0 ? 0.0 : each);
    store<f64>(t + k, load<f64>(weights + k) * own);
  }
}

/** t[j] = w[j]·((1 − smoothing)·q[j] + smoothing / kept, where the mask keeps j); t may be q */
export function soft_targets_f64(
  t: usize, q: usize, weights: usize, mask: usize, smoothing: f64, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, t += bytes, q += bytes, mask += classes) {
    const each = share(mask, smoothing, classes);
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 3;
      const own = (1.0 - smoothing) * load<f64>(q + k) + (load<u8>(mask + j) == 0 ? 0.0 : each);
      store<f64>(t + k, load<f64>(weights + k) * own);
    }
  }
}

/** v, or the canonical NaN */
// @ts-ignore: decorator
@inline
function clean(v: f64): f64 {
  return v == v ? v + 0 : NaN;
}

/** Below it log1p(s) is s, which may be subnormal: then the sum that carries 2^960 counts. */
const LEAST: f64 = 1.1830521861667747e-271; // 2^-900
const MOST: f64 = 8.452712498170644e270; // 2^900

/** losses[i], without z, and lse; leaves TOTAL and REST in the records. A t of 0 adds 0 at d = −∞ too. */
export function soft_loss_f64(
  losses: usize, lses: usize, d: usize, t: usize, records: usize, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, losses += 8, lses += 8, d += bytes, t += bytes, records += RECORD) {
    const s = load<f64>(records, SUM);
    if (s != s) {
      store<f64>(losses, NaN);
      store<f64>(lses, NaN);
      continue;
    }
    const own = t + (<usize>load<f64>(records, AT) << 3);
    const winner = load<f64>(own);
    store<f64>(own, 0);
    target_sums(d, t, classes, 0, false);
    store<f64>(own, winner);
    store_loss(losses, lses, records, winner);
  }
}

/** Σ t and Σ t·d of a row without the class left out, each compensated: what target_sums leaves. */
let others: f64 = 0;
let along: f64 = 0;

/** With `on` the sums go on from those there, 64 bytes, and are left there: a row in blocks of two classes. */
// @ts-ignore: decorator
@inline
export function target_sums(d: usize, t: usize, classes: i32, sums: usize, on: bool): void {
  const none = f64x2.splat(0);
  let rest = on ? v128.load(sums) : none;
  let restLost = on ? v128.load(sums, 16) : none;
  let sum = on ? v128.load(sums, 32) : none;
  let lost = on ? v128.load(sums, 48) : none;
  for (let j = 0; j < classes; j += 2) {
    const k = <usize>j << 3;
    const pair = j + 1 < classes;
    const a = pair ? v128.load(t + k) : v128.load64_zero(t + k);
    const b = pair ? v128.load(d + k) : v128.load64_zero(d + k);
    const r = f64x2.add(rest, a);
    const rv = f64x2.sub(r, rest);
    restLost = f64x2.add(restLost, f64x2.add(f64x2.sub(rest, f64x2.sub(r, rv)), f64x2.sub(a, rv)));
    rest = r;
    const term = v128.and(f64x2.mul(a, b), f64x2.ne(a, none));
    const next = f64x2.add(sum, term);
    const v = f64x2.sub(next, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.sub(sum, f64x2.sub(next, v)), f64x2.sub(term, v)));
    sum = next;
  }
  if (on) {
    v128.store(sums, rest);
    v128.store(sums, restLost, 16);
    v128.store(sums, sum, 32);
    v128.store(sums, lost, 48);
  }
  others = fold(rest, restLost);
  along = fold(sum, lost);
}

/** A row's loss, after target_sums; `winner` is the target of the class left out. */
// @ts-ignore: decorator
@inline
export function store_loss(loss: usize, lse: usize, record: usize, winner: f64): void {
  const total = others + winner;
  const l = load<f64>(record, LOG);
  store<f64>(record, total, TOTAL);
  store<f64>(record, others, REST);
  const curve = l < LEAST ? unbiased(load<f64>(record, BIASED_SUM), total) : total * l;
  store<f64>(loss, clean(curve - along * load<f64>(record, UNSCALE)));
  store<f64>(lse, clean(load<f64>(record, SHIFT) + l));
}

/** Whether products with v are in range, whatever f64 they are with. */
// @ts-ignore: decorator
@inline
function moderate(v: f64): bool {
  return abs(v) >= LEAST && abs(v) <= MOST;
}

/**
 * dx[j] = ((p[j]·Σ t − t[j]) / divisor + p[j]·2·z·lse / count) / temperature, after soft_loss_f64; dx may be e. Rows whose
 * factors may leave f64's range before their product is back in it are computed one number at a time.
 */
export function soft_gradient_f64(
  dx: usize, e: usize, t: usize, records: usize, divisor: f64, count: f64, zLoss: f64, temperature: f64, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 3;
  const nan = f64x2.splat(NaN);
  const zero = f64x2.splat(0);
  const scale = 1.0 / divisor / temperature;
  const z = 2.0 * zLoss / count / temperature;
  const ss = f64x2.splat(scale);
  const isFar = !moderate(scale) || (zLoss != 0.0 && !moderate(z));
  for (let i = 0; i < rows; i++, dx += bytes, e += bytes, t += bytes, records += RECORD) {
    const s = load<f64>(records, SUM);
    if (s != s) {
      fill_f64(dx, NaN, classes);
      continue;
    }
    const total = load<f64>(records, TOTAL);
    const more = z == 0.0 ? 0.0 : z * (load<f64>(records, SHIFT) + load<f64>(records, LOG));
    const factor = total * scale + more;
    // targets that are not finite go where the formula leads
    if (abs(total) < Infinity && (isFar || !(abs(more) <= MOST && abs(factor) <= MOST))) {
      far_gradient(dx, e, t, records, divisor, count, zLoss, temperature, classes);
      continue;
    }
    // as in scale_stored_f64: the product alone may be subnormal
    const c = factor / (1.0 + s);
    const big = abs(c) > 9223372036854775808.0;
    const first = f64x2.splat(big ? c * UNBIAS_F64 : c);
    const second = f64x2.splat(big ? 1.0 : UNBIAS_F64);
    for (let j = 0; j < classes; j += 2) {
      const k = <usize>j << 3;
      const pair = j + 1 < classes;
      const p = f64x2.mul(f64x2.mul(pair ? v128.load(e + k) : v128.load64_zero(e + k), first), second);
      const v = f64x2.add(f64x2.sub(p, f64x2.mul(pair ? v128.load(t + k) : v128.load64_zero(t + k), ss)), zero);
      const out = v128.bitselect(v, nan, f64x2.eq(v, v));
      v128.store64_lane(dx + k, out, 0);
      if (pair) v128.store64_lane(dx + k, out, 1, 8);
    }
    if (s > 1.0) continue;
    const others = s < LEAST ? unbiased(load<f64>(records, BIASED_SUM), factor) : factor * (s / (1.0 + s));
    const own = load<f64>(records, REST) * scale + more - others;
    store<f64>(dx + (<usize>load<f64>(records, AT) << 3), clean(own));
  }
}

/** A row of soft_gradient_f64 as numbers v·2^n (scaled.as.ts). An lse beyond f64 counts as infinite. */
function far_gradient(
  dx: usize, e: usize, t: usize, records: usize, divisor: f64, count: f64, zLoss: f64, temperature: f64, classes: i32,
): void {
  const lse = load<f64>(records, SHIFT) + load<f64>(records, LOG);
  const isEndless = zLoss != 0.0 && !(abs(lse) < Infinity);
  const s = load<f64>(records, SUM);
  // 1. 2·z·lse / count, and Σ t / divisor with it
  set_scaled(isEndless ? 0 : lse, 1);
  multiply(zLoss);
  divide(count);
  const more = scaled_part;
  const moreScale = scale_of;
  set_scaled(load<f64>(records, TOTAL), 0);
  divide(divisor);
  plus(more, moreScale);
  const factor = scaled_part;
  const factorScale = scale_of;
  // 2. the classes; the one left out, of p ≥ 1/2, from the others
  const at = s <= 1.0 ? <i32>load<f64>(records, AT) : -1;
  for (let j = 0; j < classes; j++) {
    const k = <usize>j << 3;
    const isOwn = j == at;
    const exponential = load<f64>(e + k);
    set_scaled(isOwn ? load<f64>(records, BIASED_SUM) : exponential, -960);
    divide(1.0 + s);
    multiply(isOwn ? -factor : factor);
    const part = scaled_part;
    const scale = scale_of + factorScale;
    set_scaled(isOwn ? load<f64>(records, REST) : -load<f64>(t + k), 0);
    divide(divisor);
    if (isOwn) plus(more, moreScale);
    plus(part, scale);
    divide(temperature);
    const value = isEndless && exponential != 0.0 ? lse : scaled_value();
    store<f64>(dx + k, value + 0);
  }
}
