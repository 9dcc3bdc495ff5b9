import { EXP2, REDUCTION } from "./coefficients.as";
import { exp2_biased, exp_any_f64, F32, LOW, MAGIC, ONE, UNBIAS_F32, UNBIAS_F64 } from "./exp.as";
import { log1p_f64 } from "./log1p.as";
import { at, flat, m, special, sum_f32, sum_f64, unit } from "./sum.as";

export function fill_f32(out: usize, value: f32, classes: i32): void {
  for (let j = 0; j < classes; j++) store<f32>(out + (<usize>j << 2), value);
}

export function fill_f64(out: usize, value: f64, classes: i32): void {
  for (let j = 0; j < classes; j++) store<f64>(out + (<usize>j << 3), value);
}

// A row's log1p(s), and for a flat row m + log1p(s) in two f32 parts.
let l: f64 = 0;
let high: f32 = 0;
let low: f32 = 0;

/** 3. the logarithm: leaves l, and the parts for log_prob. */
// @ts-ignore: decorator
@inline
export function logarithm(s: f64): f64 {
  l = log1p_f64(s);
  high = <f32>(m + l);
  low = <f32>(m + l - <f64>high);
  return l;
}

/**
 * The log-probability of one class of the row: in f64, |x − m| + l ≥ l, so that no digit of l that f32 can show is lost,
 * and adding 0 turns −0 into +0; in f32 for a flat row, where it is under −1.6 and two roundings are 1 ulp.
 */
// @ts-ignore: decorator
@inline
export function log_prob(v: f32): f32 {
  return flat ? v - high - low : <f32>(<f64>v - m - l) + 0;
}

/** out[j] = (x[j] − m) − log1p(s); out may be x. */
// @ts-ignore: decorator
@inline
function log_softmax_row_f32(out: usize, x: usize, classes: i32): void {
  // 1., 2. maximum and sum
  const s = sum_f32(0, x, classes, false);
  if (special(s)) return fill_f32(out, NaN, classes);
  // 3. the logarithm
  logarithm(s);
  // 4. the differences, as in log_prob
  const whole = <usize>(classes & ~3) << 2;
  if (flat) {
    const hh = f32x4.splat(high);
    const ll = f32x4.splat(low);
    let k = <usize>0;
    for (const steps = <usize>(classes & ~15) << 2; k < steps; k += 64) {
      v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k), hh), ll));
      v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k, 16), hh), ll), 16);
      v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k, 32), hh), ll), 32);
      v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k, 48), hh), ll), 48);
    }
    for (; k < whole; k += 16) v128.store(out + k, f32x4.sub(f32x4.sub(v128.load(x + k), hh), ll));
  } else {
    const mm = f64x2.splat(m);
    const ll = f64x2.splat(l);
    const zero = f32x4.splat(0);
    for (let k = <usize>0; k < whole; k += 16) {
      const a = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x + k)), mm), ll);
      const b = f64x2.sub(f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x + k, 8)), mm), ll);
      v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(a), zero), 0);
      v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(b), zero), 0, 8);
    }
  }
  for (let k = whole, end = <usize>classes << 2; k < end; k += 4) store<f32>(out + k, log_prob(load<f32>(x + k)));
}

/** out may be x: log_softmax(x) */
export function log_softmax_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) log_softmax_row_f32(out, x, classes);
}

/** out may be x: log_softmax(x) */
export function log_softmax_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) {
    const s = sum_f64(0, x, classes, false);
    if (special(s)) {
      fill_f64(out, NaN, classes);
      continue;
    }
    // x − m, its subtraction and l are each off by ≤ 1 ulp of a part no larger than the result: 2.5 ulp in all
    const l = log1p_f64(s);
    const mm = f64x2.splat(m);
    const ll = f64x2.splat(l);
    let j = 0;
    for (; j <= classes - 2; j += 2) {
      const k = <usize>j << 3;
      v128.store(out + k, f64x2.sub(f64x2.sub(v128.load(x + k), mm), ll));
    }
    if (j < classes) {
      const k = <usize>j << 3;
      store<f64>(out + k, load<f64>(x + k) - m - l);
    }
  }
}

/** out[j] = e[j]·(c·unit) for stored exponentials e; out may be e. */
// @ts-ignore: decorator
@inline
export function scale_stored_f32(out: usize, e: usize, c: f64, classes: i32): void {
  const factor = c * unit;
  const cc = f64x2.splat(factor);
  const zero = f32x4.splat(0);
  let j = 0;
  for (; j <= classes - 4; j += 4) {
    const k = <usize>j << 2;
    const a = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(e + k)), cc);
    const b = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(e + k, 8)), cc);
    v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(a), zero), 0);
    v128.store64_lane(out + k, f32x4.add(f32x4.demote_f64x2_zero(b), zero), 0, 8);
  }
  for (; j < classes; j++) {
    const k = <usize>j << 2;
    store<f32>(out + k, <f32>(<f64>load<f32>(e + k) * factor) + 0);
  }
}

/** out[j] = e[j]·(c·2^-960) for stored exponentials e, with a single rounding into the subnormal range; out may be e. */
// @ts-ignore: decorator
@inline
export function scale_stored_f64(out: usize, e: usize, c: f64, classes: i32): void {
  // e·c stays finite and keeps its precision up to c = 2^63; above, c·2^-960 is itself normal
  const big = abs(c) > 9223372036854775808.0;
  const first = f64x2.splat(big ? c * UNBIAS_F64 : c);
  const second = f64x2.splat(big ? 1.0 : UNBIAS_F64);
  const zero = f64x2.splat(0);
  let j = 0;
  for (; j <= classes - 2; j += 2) {
    const k = <usize>j << 3;
    v128.store(out + k, f64x2.add(f64x2.mul(f64x2.mul(v128.load(e + k), first), second), zero));
  }
  if (j < classes) {
    const k = <usize>j << 3;
    store<f64>(out + k, load<f64>(e + k) * f64x2.extract_lane(first, 0) * f64x2.extract_lane(second, 0) + 0);
  }
}

/** out[j] = g·e^(x[j] − m) / (1 + s); out must not be x. Softmax divides, it never exponentiates a log-softmax. */
// @ts-ignore: decorator
@inline
function softmax_row_f32(out: usize, x: usize, g: f64, classes: i32): void {
  const s = sum_f32(out, x, classes, true);
  if (special(s)) return fill_f32(out, NaN, classes);
  const c = g / (1.0 + s);
  scale_stored_f32(out, out, c, classes);
  store<f32>(out + (<usize>at << 2), <f32>c + 0);
}

// @ts-ignore: decorator
@inline
function softmax_row_f64(out: usize, x: usize, g: f64, classes: i32): void {
  const s = sum_f64(out, x, classes, true);
  if (special(s)) return fill_f64(out, NaN, classes);
  const c = g / (1.0 + s);
  scale_stored_f64(out, out, c, classes);
  store<f64>(out + (<usize>at << 3), c + 0);
}

/** softmax(x); out must not be x */
export function softmax_f32(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) softmax_row_f32(out, x, 1.0, classes);
}

export function softmax_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, out += bytes, x += bytes) softmax_row_f64(out, x, 1.0, classes);
}

/** The gradient of log-sum-exp: dx[i, j] = dlse[i]·softmax(x)[i, j]; dx must not be x. */
export function log_sum_exp_backward_f32(dx: usize, dlse: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, dx += bytes, x += bytes, dlse += 4) softmax_row_f32(dx, x, <f64>load<f32>(dlse), classes);
}

export function log_sum_exp_backward_f64(dx: usize, dlse: usize, x: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, dx += bytes, x += bytes, dlse += 8) softmax_row_f64(dx, x, load<f64>(dlse), classes);
}

/** dx[j] = g[j] − e^logp[j]·Σ g; dx may be g. */
export function log_softmax_backward_f32(dx: usize, g: usize, logp: usize, rows: i32, classes: i32): void {
  const log2e = v128.load64_splat(REDUCTION);
  const low = v128.load64_splat(F32, LOW);
  const high = f64x2.splat(128.0 * 7.0); // e^896 times any f32 is still an f64, and ∞ as an f32
  const magic = v128.load64_splat(F32, MAGIC);
  const one = v128.load64_splat(F32, ONE);
  const unbias = f64x2.splat(UNBIAS_F32);
  const c0 = v128.load64_splat(EXP2, 0);
  const c1 = v128.load64_splat(EXP2, 8);
  const c2 = v128.load64_splat(EXP2, 16);
  const c3 = v128.load64_splat(EXP2, 24);
  const c4 = v128.load64_splat(EXP2, 32);
  const c5 = v128.load64_splat(EXP2, 40);
  for (let i = 0; i < rows; i++) {
    // 1. the sum of the output's gradients
    let total: f64 = 0;
    for (let j = 0; j < classes; j++) total += <f64>load<f32>(g + (<usize>j << 2));
    const tt = f64x2.mul(f64x2.splat(total), unbias);
    // 2. one class at a time in both lanes: the last, odd one needs no case of its own
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 2;
      const t = f64x2.pmin(f64x2.mul(f64x2.promote_low_f32x4(v128.load32_zero(logp + k)), log2e), high);
      const p = exp2_biased(t, low, magic, one, c0, c1, c2, c3, c4, c5);
      const d = f64x2.sub(f64x2.promote_low_f32x4(v128.load32_zero(g + k)), f64x2.mul(p, tt));
      store<f32>(dx + k, <f32>f64x2.extract_lane(d, 0) + 0);
    }
    const bytes = <usize>classes << 2;
    dx += bytes;
    g += bytes;
    logp += bytes;
  }
}

/** A running sum of f64 numbers and what its roundings lost. */
let total: f64 = 0;
let lost: f64 = 0;

// @ts-ignore: decorator
@inline
function accumulate(term: f64): void {
  const next = total + term;
  const v = next - total;
  const error = (total - (next - v)) + (term - v);
  // an infinite sum has no rounding error, only a NaN where one would stand
  lost += error == error ? error : 0.0;
  total = next;
}

/** The sum of a·b with the product's rounding error (Dekker), where its halves neither overflow nor vanish. */
// @ts-ignore: decorator
@inline
function accumulate_product(a: f64, b: f64): void {
  const product = a * b;
  accumulate(product);
  if (!(abs(a) < 1e290 && abs(b) < 1e290 && abs(product) > 1e-270 && abs(product) < 1e290)) return;
  const ca = a * 134217729.0; // 2^27 + 1
  const aHigh = ca - (ca - a);
  const aLow = a - aHigh;
  const cb = b * 134217729.0;
  const bHigh = cb - (cb - b);
  const bLow = b - bHigh;
  lost += aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

export function log_softmax_backward_f64(dx: usize, g: usize, logp: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    total = 0;
    lost = 0;
    for (let j = 0; j < classes; j++) accumulate(load<f64>(g + (<usize>j << 3)));
    const sum = total + lost;
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 3;
      const p = f64x2.extract_lane(exp_any_f64(v128.load64_splat(logp + k)), 0);
      store<f64>(dx + k, load<f64>(g + k) - p * sum + 0);
    }
    const bytes = <usize>classes << 3;
    dx += bytes;
    g += bytes;
    logp += bytes;
  }
}

/** dx[j] = p[j]·(g[j] − Σ g·p); dx may be g. Products of f32 numbers are exact in f64. */
export function softmax_backward_f32(dx: usize, g: usize, p: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    let dot: f64 = 0;
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 2;
      dot += <f64>load<f32>(g + k) * <f64>load<f32>(p + k);
    }
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 2;
      store<f32>(dx + k, <f32>(<f64>load<f32>(p + k) * (<f64>load<f32>(g + k) - dot)) + 0);
    }
    const bytes = <usize>classes << 2;
    dx += bytes;
    g += bytes;
    p += bytes;
  }
}

export function softmax_backward_f64(dx: usize, g: usize, p: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    total = 0;
    lost = 0;
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 3;
      accumulate_product(load<f64>(g + k), load<f64>(p + k));
    }
    const dot = total + lost;
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 3;
      store<f64>(dx + k, load<f64>(p + k) * (load<f64>(g + k) - dot) + 0);
    }
    const bytes = <usize>classes << 3;
    dx += bytes;
    g += bytes;
    p += bytes;
  }
}
