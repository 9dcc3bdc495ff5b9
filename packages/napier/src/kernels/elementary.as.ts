// Elementary functions in two f64 lanes, for operations that work on single numbers. Errors in ulps of f64, read by the
// tests: bounds, with the worst of a million inputs. Results in the subnormal range have one rounding more.
// expm1: at most 1.1 ulp, at 0.349279417693615
// log1p_any: at most 0.85 ulp, at 0.402502598464489
// tanh: at most 1.35 ulp, at 0.20136252641677854
// sech2: at most 2 ulp, at 3.1286618590354918
// sigmoid: at most 1.15 ulp, at -3.7646894454956055

import { LOG, REDUCTION } from "./coefficients.as";
import { exp_curve } from "./exp.as";

// Splat where they are used: V8 rebuilds a v128.const at every use inside a loop.
const SPLATS = memory.data<f64>([
  0.0, 1.0, 0.5, 2.0,
  6755399441056767.0, // 1.5·2^52 + 1023: added to an integer, it puts it in the place of an exponent, 52 bits lower
  6755399441055744.0, // 1.5·2^52: added and subtracted, it rounds to an integer
  -800.0, // e^-800 is 0
  -40.0, 710.0, // outside, e^x − 1 is −1 or ∞
  18014398509481984.0, 54.0, // 2^54
  2.2250738585072014e-308, // the least normal number
], 16);
const ZERO: usize = 0;
const ONE: usize = 8;
const HALF: usize = 16;
const TWO: usize = 24;
const EXPONENT: usize = 32;
const INTEGER: usize = 40;
const NOTHING: usize = 48;
const LEAST: usize = 56;
const MOST: usize = 64;
const UP: usize = 72;
const UP_BITS: usize = 80;
const NORMAL: usize = 88;
/** The bits of √½ less 1024 exponents, of an exponent, of 2^52, of 2^52 + 1024, of 1024 exponents. */
const BITS = memory.data<u64>([
  0xffe6a09e667f3bcd, 0x7ff0000000000000, 0x4330000000000000, 0x4330000000000400, 0x4000000000000000,
], 16);

// @ts-ignore: decorator
@inline
function splat(constant: usize): v128 {
  return v128.load64_splat(SPLATS + constant);
}

/** −|x| */
// @ts-ignore: decorator
@inline
export function minus_abs(x: v128): v128 {
  return f64x2.neg(f64x2.abs(x));
}

/** −0 as +0, every NaN as the canonical one. */
// @ts-ignore: decorator
@inline
export function clean(v: v128): v128 {
  return v128.bitselect(f64x2.add(v, splat(ZERO)), f64x2.splat(NaN), f64x2.eq(v, v));
}

// e^x = 2^k·e^r, |r| ≤ 0.3466.

/** k, an integer in f64. */
// @ts-ignore: decorator
@inline
export function exponent_of(x: v128): v128 {
  const magic = splat(INTEGER);
  return f64x2.sub(f64x2.add(f64x2.mul(x, v128.load64_splat(REDUCTION)), magic), magic);
}

/** 2^k for an integer k from −1022 to 1023 */
// @ts-ignore: decorator
@inline
export function power(k: v128): v128 {
  return i64x2.shl(f64x2.add(k, splat(EXPONENT)), 52);
}

// @ts-ignore: decorator
@inline
export function rounded(x: v128): v128 {
  return f64x2.sub(f64x2.add(x, splat(INTEGER)), splat(INTEGER));
}

/** v·2^k for |k| ≤ 2044, in two factors: rounded once, or twice where the result is subnormal */
// @ts-ignore: decorator
@inline
export function times_power(v: v128, k: v128): v128 {
  const half = rounded(f64x2.mul(k, splat(HALF)));
  return f64x2.mul(f64x2.mul(v, power(half)), power(f64x2.sub(k, half)));
}

/** What the last rounding of a function below lost, where it says so. */
export let rest: v128 = f64x2.splat(0);

/** base + e^r − 1, base 0 or |base| ≥ 1/2; rest is what it lost, and the two together are within 0.2 ulp. */
function near_exp(base: v128, x: v128, k: v128): v128 {
  const high = f64x2.sub(x, f64x2.mul(k, v128.load64_splat(REDUCTION, 8))); // exact
  const low = f64x2.mul(k, v128.load64_splat(REDUCTION, 16));
  const r = f64x2.sub(high, low);
  const tail = f64x2.sub(f64x2.sub(high, r), low);
  const sum = f64x2.add(base, r);
  const lost = f64x2.sub(r, f64x2.sub(sum, base)); // Fast2Sum
  const curve = f64x2.add(exp_curve(r), f64x2.add(lost, f64x2.add(tail, f64x2.mul(tail, r))));
  const value = f64x2.add(sum, curve);
  rest = f64x2.sub(curve, f64x2.sub(value, sum));
  return value;
}

/** e^x / 2^k; leaves rest */
// @ts-ignore: decorator
@inline
export function exp_parts(x: v128, k: v128): v128 {
  return near_exp(splat(ONE), x, k);
}

/** (e^x − 1) / 2^k for −58 ≤ k; leaves rest */
// @ts-ignore: decorator
@inline
export function expm1_parts(x: v128, k: v128): v128 {
  const one = splat(ONE);
  return near_exp(f64x2.sub(one, power(f64x2.pmax(f64x2.neg(k), f64x2.splat(-1000)))), x, k);
}

/** e^x − 1; leaves rest */
// @ts-ignore: decorator
@inline
export function expm1_f64x2(x: v128): v128 {
  const d = f64x2.pmin(f64x2.pmax(x, splat(LEAST)), splat(MOST));
  const k = exponent_of(d);
  const value = times_power(expm1_parts(d, k), k);
  rest = times_power(rest, k);
  return value;
}

/**
 * log u + (lost + c) / u for a positive normal u, and `more` times ln 2; f stands for u − 1 where u is in [√½, √2), and has
 * `lost` in it.
 */
function log_parts(u: v128, f: v128, lost: v128, c: v128, more: v128): v128 {
  // 1. u = 2^k (1 + g), 1 + g in [√½, √2)
  const high = v128.and(i64x2.sub(u, v128.load64_splat(BITS)), v128.load64_splat(BITS, 8));
  const kf = f64x2.sub(v128.or(i64x2.shr_u(high, 52), v128.load64_splat(BITS, 16)), v128.load64_splat(BITS, 24));
  const near = f64x2.eq(kf, splat(ZERO));
  const g = v128.bitselect(f, f64x2.sub(i64x2.add(i64x2.sub(u, high), v128.load64_splat(BITS, 32)), splat(ONE)), near);
  const small = f64x2.div(f64x2.add(c, v128.andnot(lost, near)), u);
  // 2. log(1 + g) = g − g²/2 + s·(g²/2 + R(s)), s = g / (2 + g)
  const s = f64x2.div(g, f64x2.add(splat(TWO), g));
  const z = f64x2.mul(s, s);
  const z2 = f64x2.mul(z, z);
  const a = f64x2.add(v128.load64_splat(LOG), f64x2.mul(v128.load64_splat(LOG, 8), z));
  const b = f64x2.add(v128.load64_splat(LOG, 16), f64x2.mul(v128.load64_splat(LOG, 24), z));
  const d = f64x2.add(v128.load64_splat(LOG, 32), f64x2.mul(v128.load64_splat(LOG, 40), z));
  const e = f64x2.add(d, f64x2.mul(v128.load64_splat(LOG, 48), z2));
  const poly = f64x2.add(a, f64x2.mul(z2, f64x2.add(b, f64x2.mul(z2, e))));
  const halfSquare = f64x2.mul(f64x2.mul(splat(HALF), g), g);
  const correction = f64x2.mul(s, f64x2.add(halfSquare, f64x2.mul(z, poly)));
  // 3. with k ln 2, the smallest parts first
  const n = f64x2.add(kf, more);
  const low = f64x2.add(correction, f64x2.add(f64x2.mul(n, v128.load64_splat(REDUCTION, 16)), small));
  const minus = f64x2.sub(f64x2.sub(halfSquare, low), g);
  return f64x2.sub(f64x2.mul(n, v128.load64_splat(REDUCTION, 8)), minus);
}

/** log(1 + f + c) for −1 < f ≤ 1 and a c under an ulp of f; other lanes give anything */
// @ts-ignore: decorator
@inline
export function log1p_near(f: v128, c: v128): v128 {
  const one = splat(ONE);
  const u = f64x2.add(one, f);
  return log_parts(u, f, f64x2.sub(f, f64x2.sub(u, one)), c, splat(ZERO));
}

/** log u + c / u for 0 ≤ u < ∞, subnormal u too; other lanes give anything */
// @ts-ignore: decorator
@inline
export function log_near(u: v128, c: v128): v128 {
  const tiny = f64x2.lt(u, splat(NORMAL));
  const factor = v128.bitselect(splat(UP), splat(ONE), tiny);
  const v = f64x2.mul(u, factor);
  const zero = splat(ZERO);
  const more = v128.and(f64x2.neg(splat(UP_BITS)), tiny);
  return log_parts(v, f64x2.sub(v, splat(ONE)), zero, f64x2.mul(c, factor), more);
}

/** log(1 + x): −∞ at −1, NaN below; tiny x exact */
// @ts-ignore: decorator
@inline
export function log1p_f64x2(x: v128): v128 {
  const one = splat(ONE);
  const u = f64x2.add(one, x);
  const small = f64x2.le(f64x2.abs(x), one);
  const lost = v128.bitselect(f64x2.sub(x, f64x2.sub(u, one)), f64x2.sub(one, f64x2.sub(u, x)), small);
  const value = log_parts(u, x, lost, splat(ZERO), splat(ZERO));
  const inside = v128.and(f64x2.gt(u, splat(ZERO)), f64x2.lt(x, f64x2.splat(Infinity)));
  const edge = v128.bitselect(x, f64x2.splat(NaN), f64x2.gt(u, splat(ZERO)));
  return v128.bitselect(value, v128.bitselect(f64x2.splat(-Infinity), edge, f64x2.eq(u, splat(ZERO))), inside);
}

/** (a + aRest) / (b + bRest) */
// @ts-ignore: decorator
@inline
function quotient(a: v128, aRest: v128, b: v128, bRest: v128): v128 {
  const q = f64x2.div(a, b);
  return f64x2.add(q, f64x2.div(f64x2.sub(aRest, f64x2.mul(q, bRest)), b));
}

/** What 1 + e lost, 0 ≤ e ≤ 1 */
// @ts-ignore: decorator
@inline
function lost_of(sum: v128, e: v128): v128 {
  return f64x2.sub(e, f64x2.sub(sum, splat(ONE)));
}

/** tanh x = E / (E + 2), E = e^2|x| − 1, with the sign of x */
// @ts-ignore: decorator
@inline
export function tanh_f64x2(x: v128): v128 {
  const a = f64x2.pmin(f64x2.abs(x), f64x2.splat(20.0));
  const e = expm1_f64x2(f64x2.add(a, a));
  const two = splat(TWO);
  const d = f64x2.add(e, two);
  const v = f64x2.sub(d, e); // TwoSum
  const lost = f64x2.add(f64x2.sub(e, f64x2.sub(d, v)), f64x2.sub(two, v));
  return v128.or(quotient(e, rest, d, f64x2.add(lost, rest)), v128.and(x, f64x2.splat(-0.0)));
}

/** The power of two that the last sech2_parts goes with. */
export let sech2_power: v128 = f64x2.splat(0);

/** 1 − tanh² x = 4 e^−2|x| / (1 + e^−2|x|)² over 2^sech2_power, for |x| ≤ 750 */
// @ts-ignore: decorator
@inline
export function sech2_parts(x: v128): v128 {
  const a = f64x2.mul(minus_abs(x), splat(TWO));
  const k = exponent_of(a);
  const p = exp_parts(a, k);
  const e = times_power(p, k);
  const d = f64x2.add(splat(ONE), e);
  const lost = f64x2.add(lost_of(d, e), times_power(rest, k));
  const square = f64x2.mul(d, d);
  sech2_power = f64x2.add(k, splat(TWO));
  return quotient(p, rest, square, f64x2.mul(f64x2.add(d, d), lost));
}

/** 1 − tanh² x */
// @ts-ignore: decorator
@inline
export function sech2_f64x2(x: v128): v128 {
  const q = sech2_parts(f64x2.pmin(f64x2.abs(x), f64x2.splat(400.0))); // e^-800 is 0
  return times_power(q, sech2_power);
}

/** 1 / (1 + e^−x) = e^x / (1 + e^x) */
// @ts-ignore: decorator
@inline
export function sigmoid_f64x2(x: v128): v128 {
  const a = f64x2.pmax(minus_abs(x), splat(NOTHING));
  const k = exponent_of(a);
  const p = exp_parts(a, k);
  const e = times_power(p, k);
  const d = f64x2.add(splat(ONE), e);
  const lost = f64x2.add(lost_of(d, e), times_power(rest, k));
  const negative = f64x2.lt(x, splat(ZERO));
  const q = quotient(v128.bitselect(p, splat(ONE), negative), v128.and(rest, negative), d, lost);
  return times_power(q, v128.and(k, negative));
}
