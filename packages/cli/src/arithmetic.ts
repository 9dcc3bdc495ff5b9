import { type Format, round, softmax } from "napier/naive";

/** Powers of two that describe a format; logarithms are natural. */
interface Limits {
  digits: number;
  /** Of the least normal number. */
  least: number;
  /** Of the largest. */
  largest: number;
}

const LIMITS: Record<Format, Limits> = {
  f16: { digits: 11, least: -14, largest: 15 },
  bf16: { digits: 8, least: -126, largest: 127 },
  f32: { digits: 24, least: -126, largest: 127 },
  f64: { digits: 53, least: -1022, largest: 1023 },
};

/** log of the least number that rounds to ∞ */
export const LOG_OVERFLOW = logs(({ digits, largest }) => (largest + 1) * Math.LN2 + Math.log1p(-(2 ** -(digits + 1))));
/** log of the largest number that rounds to 0 */
export const LOG_UNDERFLOW = logs(({ digits, least }) => (least - digits) * Math.LN2);

/** log of the least normal number */
export const LEAST_NORMAL = logs(({ least }) => least * Math.LN2);

function logs(of: (limits: Limits) => number): Record<Format, number> {
  return { f16: of(LIMITS.f16), bf16: of(LIMITS.bf16), f32: of(LIMITS.f32), f64: of(LIMITS.f64) };
}

/** f16 or bf16 arithmetic in f64 numbers, fast: `napier/naive` step by step, to the bit (a test compares them). */
export interface Narrow {
  format: "f16" | "bf16";
  /**
   * By the exponent field of a number as f32: x + magic − magic rounds x to the format, ties to even, for 1.5·2^52
   * times the distance of neighbours there. Where x as f32 goes up to a power of two, so does x in the coarser format.
   */
  magic: Float64Array;
  /** Where magnitudes become ∞. */
  limit: number;
  /** e^x rounded, by the upper bits of x as f32; of numbers from `zero` to below overflow. */
  exp: Float32Array;
  shift: number;
  /** Below it e^x rounds to 0. */
  zero: number;
  /** Added to 1 or more, e^x is rounded away below it: it is under half a distance of neighbours at 1. */
  negligible: number;
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

function narrow(format: "f16" | "bf16", shift: number): Narrow {
  const { digits, least, largest } = LIMITS[format];
  const magic = Float64Array.from(
    { length: 256 },
    (_, field) => 1.5 * 2 ** 52 * 2 ** (Math.max(field - 127, least) - digits + 1),
  );
  const zero = LOG_UNDERFLOW[format] - 1;
  const exp = new Float32Array(2 ** (32 - shift));
  const indices: number[] = [];
  const values: number[] = [];
  for (let k = 0; k < exp.length; k++) {
    u32[0] = k * 2 ** shift;
    const x = f32[0]!;
    if (x < zero || !(x < LOG_OVERFLOW[format]) || round(x, format) !== x) continue;
    indices.push(k);
    values.push(x);
  }
  const results = softmax(values, format).exp;
  for (let i = 0; i < results.length; i++) exp[indices[i]!] = results[i]!;
  // a tenth more than the logarithm of half a distance at 1, for x itself is rounded
  const negligible = -digits * Math.LN2 * 1.02 - 0.05;
  return { format, magic, limit: 2 ** (largest + 1), exp, shift, zero, negligible };
}

let made: { f16: Narrow; bf16: Narrow } | undefined;

/** Its tables take some 30 ms. */
export function narrowFormats(): { f16: Narrow; bf16: Narrow } {
  made ??= { f16: narrow("f16", 13), bf16: narrow("bf16", 16) };
  return made;
}

/** Rounds numbers of any kind to the format. */
export function roundAll(x: ArrayLike<number>, { magic, limit }: Narrow, out: Float64Array): void {
  for (let k = 0; k < out.length; k++) {
    const v = x[k]!;
    f32[0] = v;
    const shift = magic[(u32[0]! >>> 23) & 255]!;
    const r = v + shift - shift;
    out[k] = r >= limit ? Infinity : r <= -limit ? -Infinity : r;
  }
}

/** e^x of a rounded number below overflow. */
export function expNarrow(x: number, { exp, shift, zero }: Narrow): number {
  if (x < zero) return 0;
  f32[0] = x;
  return exp[u32[0]! >>> shift]!;
}

/** Σ e^x of rounded numbers from the left; ∞ where a term or the sum overflows. */
export function textbookSumNarrow(x: Float64Array, from: number, to: number, format: Narrow): number {
  const { magic, limit, exp, shift, zero } = format;
  const over = LOG_OVERFLOW[format.format];
  let sum = 0;
  for (let k = from; k < to; k++) {
    const v = x[k]!;
    if (v < zero) continue;
    if (v >= over) return Infinity;
    f32[0] = v;
    const t = sum + exp[u32[0]! >>> shift]!;
    f32[0] = t;
    const m = magic[(u32[0]! >>> 23) & 255]!;
    sum = t + m - m;
    if (sum >= limit) return Infinity;
  }
  return sum;
}

/** Σ e^(x − max) of rounded numbers from the left; 1 or more. */
export function usualSumNarrow(x: Float64Array, from: number, to: number, max: number, format: Narrow): number {
  const { magic, exp, shift, zero, negligible } = format;
  let sum = 0;
  for (let k = from; k < to; k++) {
    const d = x[k]! - max;
    if (d < zero || (d < negligible && sum >= 1)) continue;
    f32[0] = d;
    const m = magic[(u32[0]! >>> 23) & 255]!;
    f32[0] = d + m - m;
    const t = sum + exp[u32[0]! >>> shift]!;
    f32[0] = t;
    const n = magic[(u32[0]! >>> 23) & 255]!;
    sum = t + n - n;
  }
  return sum;
}

// Math.exp and Math.log are not napier's own, and neither is off by more than 2^-51: where both ends of ±2^-50 round to
// one f32, that is the f32 that napier/naive has.
const BELOW = 1 - 2 ** -50;
const ABOVE = 1 + 2 ** -50;

/** e^x rounded to f32; NaN where only napier/naive can tell. */
export function expF32(x: number): number {
  const e = Math.exp(x);
  const low = Math.fround(e * BELOW);
  return low === Math.fround(e * ABOVE) ? low : Number.NaN;
}

/** Σ e^(x − max) in f32 from the left; NaN where only napier/naive can tell, which is seldom. */
export function usualSumF32(x: Float64Array, from: number, to: number, max: number): number {
  const { fround } = Math;
  let sum = 0;
  for (let k = from; k < to; k++) {
    const d = fround(x[k]! - max);
    // e^d is under 2^-150, or under half a distance of neighbours at 1
    if (d < -105 || (d < -16.7 && sum >= 1)) continue;
    const e = expF32(d);
    if (Number.isNaN(e)) return e;
    sum = fround(sum + e);
  }
  return sum;
}

/** Σ e^x in f32 from the left; NaN where only napier/naive can tell. */
export function textbookSumF32(x: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let k = from; k < to; k++) {
    const e = expF32(x[k]!);
    if (Number.isNaN(e)) return e;
    sum = Math.fround(sum + e);
  }
  return sum;
}

/** log of a number rounded to the format; NaN where only napier/naive can tell. */
export function logRounded(x: number, format: "f16" | "bf16" | "f32"): number {
  const log = Math.log(x);
  const low = round(log * BELOW, format);
  return low === round(log * ABOVE, format) ? low : Number.NaN;
}

const f64 = new Float64Array(1);
const halves = new Uint32Array(f64.buffer);

/** One unit of the last place at x > 0 in the format. */
export function ulpAt(x: number, format: Format): number {
  const { digits, least } = LIMITS[format];
  f64[0] = x;
  const exponent = ((halves[1]! >>> 20) & 2047) - 1023;
  return 2 ** (Math.max(exponent, least) - digits + 1);
}
