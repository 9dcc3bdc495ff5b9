import { LOG, LOG_F32, REDUCTION } from "./coefficients.as";

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

/** log(u·2^power) + c for a positive normal u and a small c, the rounding error that u carries relative to itself. */
// @ts-ignore: decorator
@inline
export function log_parts(u: f64, c: f64, power: i64): f64 {
  // 1. u = 2^k (1 + f), 1 + f in [√2/2, √2)
  const bits = reinterpret<i64>(u);
  const k = (bits - SQRT_HALF_BITS) >> 52;
  const f = reinterpret<f64>(bits - (k << 52)) - 1.0;
  // 2. k ln 2 + log(1 + f), smallest parts first
  const halfSquare = 0.5 * f * f;
  const kf = <f64>(k + power);
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
  return log_parts(u, c, 0);
}

/** log x; −∞ at 0, NaN below; error under 1 ulp. */
export function log_f64(x: f64): f64 {
  if (!(x > 0.0)) return x == 0.0 ? -Infinity : NaN;
  if (!(x < Infinity)) return x;
  if (x < 2.2250738585072014e-308) return log_parts(x * 18014398509481984.0, 0.0, 0) - 54.0 * (load<f64>(REDUCTION, 8) + load<f64>(REDUCTION, 16));
  return log_parts(x, 0.0, 0);
}

// 1, 2, √½, 2^52 in bits
const SPLATS = memory.data<u64>([0x3ff0000000000000, 0x4000000000000000, 0x3fe6a09e667f3bcd, 0x4330000000000000], 16);

/** log(1 + f) = 2 atanh t, t = f / (2 + f), in two lanes for −0.3 ≤ f ≤ 1, for f32 results: error ≤ 2^-31 of it. */
// @ts-ignore: decorator
@inline
export function log1p_unit(f: v128): v128 {
  const t = f64x2.div(f, f64x2.add(v128.load64_splat(SPLATS, 8), f));
  const z = f64x2.mul(t, t);
  const a = f64x2.add(v128.load64_splat(LOG_F32), f64x2.mul(v128.load64_splat(LOG_F32, 8), z));
  const b = f64x2.add(v128.load64_splat(LOG_F32, 16), f64x2.mul(v128.load64_splat(LOG_F32, 24), z));
  const z2 = f64x2.mul(z, z);
  const g = f64x2.add(a, f64x2.mul(z2, f64x2.add(b, f64x2.mul(z2, v128.load64_splat(LOG_F32, 32)))));
  return f64x2.add(f64x2.add(t, t), f64x2.mul(f64x2.mul(t, z), g));
}

/** log(1 + s) for 0 ≤ s ≤ 2^60; other lanes give anything. */
// @ts-ignore: decorator
@inline
export function log1p_f64x2(s: v128): v128 {
  const one = v128.load64_splat(SPLATS);
  const u = f64x2.add(one, s);
  // u = 2^k (1 + f), 1 + f in [√2/2, √2); what u's rounding lost joins f: for k = 0, f is s itself
  const lost = f64x2.sub(s, f64x2.sub(u, one));
  const k = i64x2.shr_u(i64x2.sub(u, v128.load64_splat(SPLATS, 16)), 52);
  const scale = i64x2.sub(one, i64x2.shl(k, 52)); // 2^-k
  const f = f64x2.add(f64x2.sub(f64x2.mul(u, scale), one), f64x2.mul(lost, scale));
  const frame = v128.load64_splat(SPLATS, 24);
  const kf = f64x2.sub(v128.or(k, frame), frame);
  return f64x2.add(f64x2.mul(kf, f64x2.splat(0.6931471805599453)), log1p_unit(f));
}
