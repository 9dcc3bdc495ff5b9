import { compare, type Exact, exact, sub, toF32, toF64, ZERO } from "./exact.ts";

const PRECISION = { f32: 24, f64: 53 } as const;
const LOWEST = { f32: -149, f64: -1074 } as const;

/** The distance of neighbouring floats at an exact number, as a power of two: 2^n. */
function quantum(truth: Exact, dtype: "f32" | "f64"): number {
  const magnitude = truth.n < 0n ? -truth.n : truth.n;
  const bits = magnitude.toString(2).length;
  return truth.n === 0n ? LOWEST[dtype] : Math.max(bits + truth.e - PRECISION[dtype], LOWEST[dtype]);
}

/** |value − truth| in units of the last place of the truth in that format. Beyond the format's range ±∞ is exact. */
export function ulpError(value: number, truth: Exact, dtype: "f32" | "f64"): number {
  if (!Number.isFinite(value)) {
    const nearest = dtype === "f32" ? toF32(truth) : toF64(truth);
    return Object.is(value, nearest) ? 0 : Infinity;
  }
  const difference = sub(exact(value), truth);
  const magnitude = difference.n < 0n ? { n: -difference.n, e: difference.e } : difference;
  if (compare(magnitude, ZERO) === 0) return 0;
  return toF64({ n: magnitude.n, e: magnitude.e - quantum(truth, dtype) });
}

/** One unit of the last place at an exact number, as an exact number. */
export function ulpOf(truth: Exact, dtype: "f32" | "f64"): Exact {
  return { n: 1n, e: quantum(truth, dtype) };
}
