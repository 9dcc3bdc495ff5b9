// Functions of one logit, two at a time in f64 lanes; f32 logits come as f64 and are rounded when they leave. In all of
// them e = e^−|x| ≤ 1 is p·2^k: what e is multiplied by sees p, and 2^k comes last, so that nothing is lost where e alone
// is subnormal.

import {
  clean, exp_parts, expm1_f64x2, expm1_parts, exponent_of, log1p_near, log_near, minus_abs, power, rest, rounded, times_power,
} from "./elementary.as";

const SPLATS = memory.data<f64>([
  0.0, 1.0, 0.5, 0.3333333333333333,
  -800.0, // e^-800 is 0
  -1500.0, // e^-1500 times the largest f64 is under half the least
  -1100.0, // 2^-1100 is 0
  40.0, // beyond it log(1 + e) is e
  -0.6931471805599453,
], 16);
const ZERO: usize = 0;
const ONE: usize = 8;
const HALF: usize = 16;
const THIRD: usize = 24;
const NOTHING: usize = 32;
const FAR: usize = 40;
const NO_POWER: usize = 48;
const STEEP: usize = 56;
const MINUS_LN2: usize = 64;

// @ts-ignore: decorator
@inline
function splat(constant: usize): v128 {
  return v128.load64_splat(SPLATS + constant);
}

/** Numbers i and i + 1; the last of an odd count stands alone. */
// @ts-ignore: decorator
@inline
function lanes(x: usize, i: i32, count: i32): v128 {
  const at = x + (<usize>i << 3);
  return i + 1 < count ? v128.load(at) : v128.load64_zero(at);
}

// @ts-ignore: decorator
@inline
function store_lanes(out: usize, i: i32, count: i32, v: v128): void {
  const at = out + (<usize>i << 3);
  const cleaned = clean(v);
  if (i + 1 < count) v128.store(at, cleaned);
  else v128.store64_lane(at, cleaned, 0);
}

/** log(1 + e^x) = max(x, 0) + log(1 + e) */
function softplus(x: v128): v128 {
  const d = f64x2.pmax(minus_abs(x), splat(NOTHING));
  const k = exponent_of(d);
  const p = exp_parts(d, k);
  const l = log1p_near(times_power(p, k), times_power(rest, k));
  return f64x2.add(f64x2.pmax(x, splat(ZERO)), l);
}

/** log(1 − e^x): of −(e^x − 1) above −ln 2, where e^x is near 1; below, log1p of −e^x */
function log1m_exp(x: v128): v128 {
  const zero = splat(ZERO);
  const d = f64x2.pmax(x, splat(NOTHING));
  const k = exponent_of(d);
  const p = exp_parts(d, k);
  let value = log1p_near(f64x2.neg(times_power(p, k)), f64x2.neg(times_power(rest, k)));
  const near = f64x2.gt(x, splat(MINUS_LN2));
  if (v128.any_true(near)) {
    const minus = expm1_f64x2(f64x2.pmin(d, zero));
    value = v128.bitselect(log_near(f64x2.neg(minus), f64x2.neg(rest)), value, near);
  }
  value = v128.bitselect(f64x2.splat(-Infinity), value, f64x2.eq(x, zero));
  return v128.bitselect(value, f64x2.splat(NaN), f64x2.le(x, zero));
}

/**
 * g·a / b·2^k, k ≤ 0. The powers of two of a large g come first, where they keep the product in range; those of a small
 * one last, where nothing is left to lose.
 */
// @ts-ignore: decorator
@inline
function scaled(g: v128, a: v128, b: v128, k: v128): v128 {
  const third = rounded(f64x2.mul(k, splat(THIRD)));
  const others = f64x2.sub(k, third);
  const half = rounded(f64x2.mul(others, splat(HALF)));
  const first = power(f64x2.sub(others, half));
  const one = splat(ONE);
  const large = f64x2.gt(f64x2.abs(g), one);
  const q = f64x2.div(f64x2.mul(f64x2.mul(g, v128.bitselect(first, one, large)), a), b);
  return f64x2.mul(f64x2.mul(f64x2.mul(q, v128.bitselect(one, first, large)), power(half)), power(third));
}

/** g / (1 + e^−x) */
function times_sigmoid(g: v128, x: v128): v128 {
  const d = f64x2.pmax(minus_abs(x), splat(FAR));
  const k = exponent_of(d);
  const p = v128.andnot(exp_parts(d, k), f64x2.eq(minus_abs(x), f64x2.splat(-Infinity)));
  const b = f64x2.add(splat(ONE), times_power(p, f64x2.pmax(k, splat(NO_POWER))));
  const negative = f64x2.lt(x, splat(ZERO));
  return scaled(g, v128.bitselect(p, splat(ONE), negative), b, v128.and(k, negative));
}

/** −g / (e^−x − 1) */
function times_log1m_slope(g: v128, x: v128): v128 {
  const zero = splat(ZERO);
  const d = f64x2.pmin(f64x2.neg(x), f64x2.neg(splat(FAR)));
  const k = exponent_of(d);
  let value = scaled(f64x2.neg(g), splat(ONE), expm1_parts(d, k), f64x2.neg(k));
  value = v128.bitselect(f64x2.mul(g, zero), value, f64x2.eq(x, f64x2.splat(-Infinity)));
  return v128.bitselect(value, f64x2.splat(NaN), f64x2.le(x, zero));
}

/** out = log(1 + e^x) */
export function log1p_exp_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) store_lanes(out, i, count, softplus(lanes(x, i, count)));
}

/** out = −log(1 + e^−x) */
export function log_sigmoid_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) store_lanes(out, i, count, f64x2.neg(softplus(f64x2.neg(lanes(x, i, count)))));
}

/** out = log(1 − e^x) */
export function log1m_exp_f64(out: usize, x: usize, rows: i32, classes: i32): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) store_lanes(out, i, count, log1m_exp(lanes(x, i, count)));
}

/** dx = g / (1 + e^−x); dx may be g or x, here and below */
export function log1p_exp_backward_f64(dx: usize, g: usize, x: usize, rows: i32, classes: i32): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) store_lanes(dx, i, count, times_sigmoid(lanes(g, i, count), lanes(x, i, count)));
}

/** dx = g / (1 + e^x) */
export function log_sigmoid_backward_f64(dx: usize, g: usize, x: usize, rows: i32, classes: i32): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) store_lanes(dx, i, count, times_sigmoid(lanes(g, i, count), f64x2.neg(lanes(x, i, count))));
}

/** dx = −g / (e^−x − 1) */
export function log1m_exp_backward_f64(dx: usize, g: usize, x: usize, rows: i32, classes: i32): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) store_lanes(dx, i, count, times_log1m_slope(lanes(g, i, count), lanes(x, i, count)));
}

let gradient: v128 = f64x2.splat(0);

/**
 * −a·log σ(x) − b·log σ(−x) with a = weight·posWeight·t, b = weight·(1 − t), as c·|x| + (a + b)·log(1 + e), c = b for a
 * positive x, else a; 0·∞ is 0. With `grad`, leaves b·σ(x) − a·σ(−x) in `gradient`.
 */
// @ts-ignore: decorator
@inline
function bce(x: v128, t: v128, weight: v128, posWeight: v128, grad: bool): v128 {
  const zero = splat(ZERO);
  const one = splat(ONE);
  const a = f64x2.mul(f64x2.mul(weight, posWeight), t);
  const b = f64x2.mul(weight, f64x2.sub(one, t));
  const positive = f64x2.gt(x, zero);
  const largest = v128.bitselect(b, a, positive);
  // 1. e
  const minus = minus_abs(x);
  const d = f64x2.pmax(minus, splat(FAR));
  const k = exponent_of(d);
  const p = v128.andnot(exp_parts(d, k), f64x2.eq(minus, f64x2.splat(-Infinity)));
  const near = f64x2.pmax(k, splat(NO_POWER));
  const e = times_power(p, near);
  // 2. the loss
  const steep = f64x2.lt(minus, f64x2.neg(splat(STEEP)));
  const l = v128.bitselect(p, log1p_near(e, times_power(rest, near)), steep);
  const curve = scaled(f64x2.add(a, b), l, one, v128.and(k, steep));
  const linear = v128.andnot(f64x2.mul(largest, f64x2.abs(x)), f64x2.eq(largest, zero));
  // 3. the gradient
  if (grad) {
    const sum = f64x2.add(one, e);
    const other = scaled(v128.bitselect(a, b, positive), p, sum, k);
    const difference = f64x2.sub(f64x2.div(largest, sum), other);
    gradient = v128.bitselect(difference, f64x2.neg(difference), positive);
  }
  return f64x2.add(linear, curve);
}

/** losses = weights·(−posWeights·t·log σ(x) − (1 − t)·log σ(−x)) */
export function bce_f64(
  losses: usize, x: usize, t: usize, weights: usize, posWeights: usize, rows: i32, classes: i32,
): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) {
    const loss = bce(lanes(x, i, count), lanes(t, i, count), lanes(weights, i, count), lanes(posWeights, i, count), false);
    store_lanes(losses, i, count, loss);
  }
}

/** As bce_f64, and dx = the gradient over `divisor`, divided once: 1 / divisor would be rounded too. dx may be x or t. */
export function bce_with_grad_f64(
  losses: usize, dx: usize, x: usize, t: usize, weights: usize, posWeights: usize, divisor: f64, rows: i32, classes: i32,
): void {
  const count = rows * classes;
  for (let i = 0; i < count; i += 2) {
    const loss = bce(lanes(x, i, count), lanes(t, i, count), lanes(weights, i, count), lanes(posWeights, i, count), true);
    store_lanes(losses, i, count, loss);
    store_lanes(dx, i, count, f64x2.div(gradient, f64x2.splat(divisor)));
  }
}
