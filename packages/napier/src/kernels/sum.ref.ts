import { add, type Exact, ZERO } from "../exact.ts";
import { expShifted } from "./exp.ref.ts";

/** A row as the operations see it, or why it has no finite answer. */
export interface RowSum {
  /** the maximum; −∞ for an empty row and where all are −∞ */
  readonly m: number;
  /** the class left out: the first one that holds the maximum */
  readonly at: number;
  /** e^(x[j] − m) */
  readonly e: readonly Exact[];
  /** Σ e[j] without `at` */
  readonly s: Exact;
  /** NaN somewhere, or a maximum of ±∞ */
  readonly special: boolean;
}

/** 1. the maximum, and where it stands; 2. the sum of the others */
export function rowSum(x: readonly number[]): RowSum {
  const m = x.some(Number.isNaN) ? Number.NaN : x.reduce((best, v) => Math.max(best, v), -Infinity);
  const at = x.indexOf(m);
  if (!Number.isFinite(m)) return { m, at, e: [], s: ZERO, special: true };
  const seen = new Map<number, Exact>(); // ties are exponentiated once
  const e = x.map((v) => {
    if (v === -Infinity) return ZERO;
    const known = seen.get(v) ?? expShifted(v, m);
    seen.set(v, known);
    return known;
  });
  const s = e.reduce((sum, term, j) => (j === at ? sum : add(sum, term)), ZERO);
  return { m, at, e, s, special: false };
}
