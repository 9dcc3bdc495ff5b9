import { type Exact, exact, exp, sub, ZERO } from "../exact.ts";

/** e^(x − m) for finite x ≤ m; e^-4000 counts as 0, far below any subnormal. */
export function expShifted(x: number, m: number): Exact {
  const d = sub(exact(x), exact(m));
  return x - m < -4000 ? ZERO : exp(d);
}
