import fc from "fast-check";
import { describe, test } from "vitest";
import { BOUNDS } from "../src/bounds.ts";
import * as napier from "../src/index.ts";
import { core } from "../src/wasm.ts";
import { check, DTYPES, fail, make, neighbour, SEED, ulp } from "./hostile.ts";

console.log(`monotone tests: NAPIER_SEED=${SEED}`);

describe.each(DTYPES)("exp does not decrease from one float to the next, in %s", (dtype) => {
  const reach = dtype === "f32" ? 104 : 746;
  /** Where the reduced argument jumps: odd multiples of ln 2 / 2 and of finer splits; and powers of two, where the spacing does. */
  const seam = fc.oneof(
    fc.tuple(fc.nat({ max: 2200 }), fc.nat({ max: 6 })).map(([k, split]) => (-(k + 0.5) * Math.LN2) / 2 ** split),
    fc.integer({ min: -60, max: 9 }).map((e) => -(2 ** e)),
    fc.double({ min: -3, max: -(2 ** -60), noNaN: true }),
    fc.double({ min: -reach, max: -1, noNaN: true }),
  );
  const walks = seam
    .filter((t) => t > -reach)
    .map((t) => Array.from({ length: 33 }, (_, i) => neighbour(t, 16 - i, dtype)));

  test("[0, −x]: the loser's probability and the winner's log-probability", () => {
    check(1500, walks, (walk) => {
      let [last, previous] = [-1, 1];
      for (const t of walk) {
        const x = make(dtype, [0, t]) as Float64Array;
        const [winner] = napier.logSoftmax(x);
        if (!(winner <= previous)) fail(`log-probability of 0 beside ${t}: ${winner} after ${previous}`);
        previous = winner;
        // 1 + e^t is 1 here, so that this is the exponential alone
        if (t > (dtype === "f32" ? -45 : -40)) continue;
        const p = napier.softmax(x)[1];
        if (!(p >= last)) fail(`probability of ${t}: ${p} after ${last}`);
        last = p;
      }
    });
  });

  test("among 40 equal classes, and the exponential itself", () => {
    const { kernels } = core.space();
    check(1500, walks, (walk) => {
      let [last, previous] = [-1, -1];
      for (const t of walk) {
        const e = dtype === "f64" ? kernels.exp_f64(t) : 0;
        if (!(e >= last)) fail(`exp(${t}): ${e} after ${last}`);
        last = e;
        const p = napier.softmax(make(dtype, [t, ...new Array<number>(40).fill(0)]) as Float64Array)[0];
        // In f64 the sum and the quotient round as finely as the exponential: two results, each within its bound.
        const allowed = dtype === "f64" ? 2 * BOUNDS.softmax.f64 * ulp(p, dtype) : 0;
        if (!(previous - p <= allowed)) fail(`probability of ${t} beside 40 zeros: ${p} after ${previous}`);
        previous = p;
      }
    });
  });
});
