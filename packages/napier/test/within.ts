import { BOUNDS, CANCELLATION } from "../src/bounds.ts";
import { type Exact, exact, sub, toF64 } from "../src/exact.ts";
import type { Dtype } from "../src/tensor.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";

/** The error of a log-sum-exp as a part of its bound; `m` is the largest logit. What is not finite must be the very value. */
export function logError(value: number, truth: Exact | number, m: number, dtype: Dtype): number {
  if (typeof truth === "number") return Object.is(value, truth) ? 0 : Infinity;
  const ulps = ulpError(value, truth, dtype) / BOUNDS.logSumExp[dtype];
  if (!Number.isFinite(value)) return ulps;
  const allowed = CANCELLATION[dtype] * Math.abs(m);
  return allowed === 0 ? ulps : Math.min(ulps, Math.abs(toF64(sub(exact(value), truth))) / allowed);
}

/** |value − truth| in ulps of the largest term; a result beyond the dtype must be ±∞. */
export function termError(value: number, truth: Exact, largest: Exact, dtype: Dtype): number {
  if (!Number.isFinite(value)) return ulpError(value, truth, dtype);
  const one = ulpOf(largest, dtype);
  const { n, e } = sub(exact(value), truth);
  return Math.abs(toF64({ n, e: e - one.e })) / toF64({ n: one.n, e: 0 });
}

/** The largest error seen, and where. */
export class Worst {
  error = 0;
  where = "";
  see(error: number, where: () => string): void {
    if (error <= this.error) return;
    this.error = Number.isNaN(error) ? Infinity : error;
    this.where = where();
  }
}
