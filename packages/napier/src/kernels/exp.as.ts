// Errors, read by the tests. exp_near (e^x of near.as.ts, f32 from −87 to 40, relative, in units of 2^-24) and exp_far
// (exp2_biased as an f32 row uses it, −0 to −104, in ulps of f32) are the maxima over every input; exp_any and log1p bounds, with the worst of a million
// inputs. exp_shifted is e^(x − m) with TwoDiff's tail; see there.
// exp_near: at most 1.4071 units, at 5.198859214782715
// exp_far: at most 0.0601 ulp, at -81.44479370117188
// exp_any: at most 1 ulp, at -1.0044181418777782
// exp_shifted: at most 1 ulp, at -1.0044181418777782
// log1p: at most 0.9 ulp, at 0.4014135339217841

import { EXP, REDUCTION } from "./coefficients.as";

// A biased exponential carries 2^BIAS, so that it is stored as f32 (or f64) without ever going subnormal: what it is
// multiplied by later then sees its full precision, and only the product is rounded into the subnormal range.
export const BIAS_F32: i64 = 127;
export const BIAS_F64: i64 = 960; // leaves room for sums of 2^63 terms
export const UNBIAS_F32: f64 = reinterpret<f64>((1023 - BIAS_F32) << 52); // 2^-127
export const UNBIAS_F64: f64 = reinterpret<f64>((1023 - BIAS_F64) << 52); // 2^-960

/** v·2^-960·c for |v| up to 2^960 and any c, without a step out of range before the product is. */
// @ts-ignore: decorator
@inline
export function unbiased(v: f64, c: f64): f64 {
  return abs(c) > 9223372036854775808.0 ? v * (c * UNBIAS_F64) : v * c * UNBIAS_F64;
}

// Constants stand in memory, splat by load64_splat: V8 rebuilds a v128.const at every use inside a loop.
// Adding 1.5·2^52 rounds t to an integer k and leaves k in the low bits; with 1023 + bias on top, an exponent field.
/** { LOW, MAGIC, ONE } for f32 results. Below LOW a term is 0 in every result: 2^-1022 in f64 sums. */
export const F32 = memory.data<f64>([-1022.0, 6755399441056894.0, 1.0], 16);
export const LOW = 0;
export const MAGIC = 8;
export const ONE = 16;
/** The same for f64 results. Below LOW, e^d·2^960 would be subnormal: e^-1373 times the largest f64 is still under 2^-957. */
const F64 = memory.data<f64>([-1373.0, 6755399441057727.0, 1.0], 16);
/** For any sign: the least and the largest argument, the magic without bias, one half. */
const ANY = memory.data<f64>([-746.0, 710.0, 6755399441056767.0, 0.5], 16);

/**
 * 2^(t + 127) in f64 lanes, for f32 results; t ≤ 896 (−∞ counts as −1022), NaN stays NaN.
 * Error ≤ 2^-27.5 of the result: under 0.1 ulp of an f32. t = (x − m)·log₂e needs no second part: it is off by
 * |t|·2^-53 at most, and |t| < 1023.
 */
// @ts-ignore: decorator
@inline
export function exp2_biased(
  t: v128, low: v128, magic: v128, one: v128,
  c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128,
): v128 {
  t = f64x2.pmax(t, low);
  const kk = f64x2.add(t, magic);
  const f = f64x2.sub(t, f64x2.sub(kk, magic));
  // Estrin's scheme: half the latency of Horner's, and the chain is what the loop waits for (1.35 times faster).
  const f2 = f64x2.mul(f, f);
  const low3 = f64x2.add(f64x2.add(f64x2.mul(c0, f), one), f64x2.mul(f64x2.add(f64x2.mul(c2, f), c1), f2));
  const high3 = f64x2.add(f64x2.mul(c5, f2), f64x2.add(f64x2.mul(c4, f), c3));
  const p = f64x2.add(low3, f64x2.mul(high3, f64x2.mul(f2, f2)));
  return f64x2.mul(p, i64x2.shl(kk, 52));
}

/** EXP[j] + EXP[j + 1]·r, j = offset / 8 */
// @ts-ignore: decorator
@inline
function pair(r: v128, offset: usize): v128 {
  return f64x2.add(v128.load64_splat(EXP + offset), f64x2.mul(v128.load64_splat(EXP + offset + 8), r));
}

/** e^r − 1 − r for |r| ≤ 0.3466, as r²·Q(r): the error is under 2^-54, an eighth of an ulp of e^r. */
// @ts-ignore: decorator
@inline
export function exp_curve(r: v128): v128 {
  // Estrin's scheme, as above
  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  const a = f64x2.add(pair(r, 0), f64x2.mul(pair(r, 16), r2));
  const b = f64x2.add(pair(r, 32), f64x2.mul(pair(r, 48), r2));
  const c = f64x2.add(pair(r, 64), f64x2.mul(v128.load64_splat(EXP, 80), r2));
  const q = f64x2.add(a, f64x2.mul(f64x2.add(b, f64x2.mul(c, r4)), r4));
  return f64x2.mul(r2, q);
}

// @ts-ignore: decorator
@inline
function expm1_reduced(r: v128): v128 {
  return f64x2.add(r, exp_curve(r));
}

/** What the last rounding of a wide exp_biased_f64 lost: the two together are within 0.4 ulp. */
export let exp_rest: v128 = f64x2.splat(0);

/**
 * e^(x − m)·2^960 for x ≤ m, m finite; 0 below −1373, NaN stays NaN. Error ≤ 1 ulp of f64.
 *
 * x − m is rounded: d = x − m − tail, |tail| ≤ ulp(d) / 2, and e^(x − m) = e^d·(1 + tail + …). Left out, it would cost
 * |tail| / 2^-53 = |d| / 2 ulp rounded up to a power of 2: 2^8 ulp at |d| near 745. TwoDiff has it exactly (Knuth: both
 * parts are exact while nothing overflows), and it joins the reduced argument r before r is rounded: |tail| ≤ 2^-44, so
 * that r + tail is off by half an ulp of r ≤ 2^-55, as it would be without it.
 */
// @ts-ignore: decorator
@inline
export function exp_biased_f64(x: v128, m: v128, wide: bool): v128 {
  const d = f64x2.sub(x, m);
  const xv = f64x2.sub(x, d); // TwoDiff: d + tail = x − m exactly
  const back = f64x2.add(d, xv);
  return exp_biased_parts(d, f64x2.add(f64x2.sub(x, back), f64x2.sub(xv, m)), wide);
}

/** e^(d + tail)·2^960 for d ≤ 0 and |tail| ≤ 2 ulp(d); 0 for d below −1373, whatever tail is. NaN stays NaN. Error ≤ 1 ulp. */
// @ts-ignore: decorator
@inline
export function exp_biased_parts(d: v128, tail: v128, wide: bool): v128 {
  const low = v128.load64_splat(F64, LOW);
  const far = f64x2.lt(d, low);
  tail = v128.andnot(tail, far); // −∞ would leave a NaN there
  d = f64x2.pmax(d, low);
  const magic = v128.load64_splat(F64, MAGIC);
  const kk = f64x2.add(f64x2.mul(d, v128.load64_splat(REDUCTION)), magic);
  const k = f64x2.sub(kk, magic);
  const high = f64x2.sub(d, f64x2.mul(k, v128.load64_splat(REDUCTION, 8))); // exact
  const r = f64x2.add(high, f64x2.sub(tail, f64x2.mul(k, v128.load64_splat(REDUCTION, 16))));
  const one = v128.load64_splat(F64, ONE);
  const q = expm1_reduced(r);
  const p = f64x2.add(one, q);
  const scale = i64x2.shl(kk, 52);
  if (wide) exp_rest = v128.andnot(f64x2.mul(f64x2.sub(q, f64x2.sub(p, one)), scale), far);
  return v128.andnot(f64x2.mul(p, scale), far);
}

/** e^x for any x, 0 and ∞ included; NaN stays NaN. Error ≤ 1 ulp, one rounding more where the result is subnormal. */
// @ts-ignore: decorator
@inline
export function exp_any_f64(x: v128): v128 {
  const d = f64x2.pmin(f64x2.pmax(x, v128.load64_splat(ANY)), v128.load64_splat(ANY, 8));
  const magic = v128.load64_splat(ANY, 16);
  const kk = f64x2.add(f64x2.mul(d, v128.load64_splat(REDUCTION)), magic);
  const k = f64x2.sub(kk, magic);
  const r = f64x2.sub(f64x2.sub(d, f64x2.mul(k, v128.load64_splat(REDUCTION, 8))), f64x2.mul(k, v128.load64_splat(REDUCTION, 16)));
  const p = f64x2.add(v128.load64_splat(F64, ONE), expm1_reduced(r));
  // 2^k in two factors: k runs from −1076 to 1024
  const half = f64x2.add(f64x2.mul(k, v128.load64_splat(ANY, 24)), magic);
  const rest = f64x2.add(f64x2.sub(k, f64x2.sub(half, magic)), magic);
  return f64x2.mul(f64x2.mul(p, i64x2.shl(half, 52)), i64x2.shl(rest, 52));
}

/** e^x, one number. */
export function exp_f64(x: f64): f64 {
  return f64x2.extract_lane(exp_any_f64(f64x2.splat(x)), 0);
}
