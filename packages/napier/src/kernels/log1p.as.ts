import { LOG, REDUCTION } from "./coefficients.as";

const SQRT_HALF_BITS: i64 = 0x3fe6a09e667f3bcd;

/** log(1 + f) − f for |f| ≤ √2 − 1, with the square's half given: −f²/2 + s·(f²/2 + R(s)), s = f / (2 + f). */
// @ts-ignore: decorator
@inline
function log_correction(f: f64, halfSquare: f64): f64 {
  const s = f / (2.0 + f);
  const z = s * s;
  let g = load<f64>(LOG, 48);
  g = g * z + load<f64>(LOG, 40);
  g = g * z + load<f64>(LOG, 32);
  g = g * z + load<f64>(LOG, 24);
  g = g * z + load<f64>(LOG, 16);
  g = g * z + load<f64>(LOG, 8);
  g = g * z + load<f64>(LOG, 0);
  return s * (halfSquare + z * g);
}

/** What the last rounding of log1p_f64 lost. */
export let log1p_rest: f64 = 0;

/** a − b, its rounding error left in log1p_rest; |a| ≥ |b| or close to it. */
// @ts-ignore: decorator
@inline
function difference(a: f64, b: f64): f64 {
  const d = a - b;
  const v = d - a;
  log1p_rest = (a - (d - v)) - (b + v);
  return d;
}

/** log u + c for a positive normal u and a small c, the rounding error that u carries relative to itself. */
// @ts-ignore: decorator
@inline
function log_parts(u: f64, c: f64): f64 {
  // 1. u = 2^k (1 + f), 1 + f in [√2/2, √2)
  const bits = reinterpret<i64>(u);
  const k = (bits - SQRT_HALF_BITS) >> 52;
  const f = reinterpret<f64>(bits - (k << 52)) - 1.0;
  // 2. k ln 2 + log(1 + f), smallest parts first
  const halfSquare = 0.5 * f * f;
  const kf = <f64>k;
  const rest = halfSquare - (log_correction(f, halfSquare) + (kf * load<f64>(REDUCTION, 16) + c)) - f;
  return difference(kf * load<f64>(REDUCTION, 8), rest);
}

/** log(1 + s) for s ≥ 0 or NaN; error under 1 ulp. */
export function log1p_f64(s: f64): f64 {
  log1p_rest = 0;
  if (s < 5.551115123125783e-17) return s; // 2^-54
  if (s < 0.41421356237309503) {
    const halfSquare = 0.5 * s * s;
    return difference(s, halfSquare - log_correction(s, halfSquare));
  }
  if (!(s < Infinity)) return s;
  const u = 1.0 + s;
  const c = (s >= 1.0 ? 1.0 - (u - s) : s - (u - 1.0)) / u;
  return log_parts(u, c);
}

/** log x; −∞ at 0, NaN below; error under 1 ulp. */
export function log_f64(x: f64): f64 {
  if (!(x > 0.0)) return x == 0.0 ? -Infinity : NaN;
  if (!(x < Infinity)) return x;
  if (x < 2.2250738585072014e-308) return log_parts(x * 18014398509481984.0, 0.0) - 54.0 * (load<f64>(REDUCTION, 8) + load<f64>(REDUCTION, 16));
  return log_parts(x, 0.0);
}
