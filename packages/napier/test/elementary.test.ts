import { describe, expect, test } from "vitest";
import { exact } from "../src/exact.ts";
import { ulpError } from "../src/ulp.ts";
import { ELEMENTARY, type Elementary, worstOf } from "./elementary.ts";
import { stated } from "./probe.ts";

const [nan, inf, least] = [Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE];

/** What a function makes of special numbers, by Object.is. */
const EDGES: Record<Elementary, [x: number, out: number][]> = {
  expm1: [
    [-inf, -1],
    [-1e300, -1],
    [inf, inf],
    [709.79, inf],
    [1e300, inf],
    [nan, nan],
    [0, 0],
    [least, least],
    [-least, -least],
    [3 * least, 3 * least],
    [1e-300, 1e-300],
    [-(2 ** -60), -(2 ** -60)],
  ],
  log1p_any: [
    [-1, -inf],
    [-1.5, nan],
    [-inf, nan],
    [inf, inf],
    [nan, nan],
    [0, 0],
    [-least, -least],
    [2 ** -60, 2 ** -60],
  ],
  tanh: [
    [inf, 1],
    [-inf, -1],
    [1e300, 1],
    [nan, nan],
    [0, 0],
    [-0, -0],
    [-least, -least],
    [2 ** -40, 2 ** -40],
  ],
  sech2: [
    [inf, 0],
    [-inf, 0],
    [1e300, 0],
    [nan, nan],
    [0, 1],
    [1e-300, 1],
  ],
  sigmoid: [
    [inf, 1],
    [-inf, 0],
    [-1e300, 0],
    [1e300, 1],
    [nan, nan],
    [0, 0.5],
    [-least, 0.5],
  ],
};

// one rounding more, half an ulp, where the result is subnormal
describe.each(Object.keys(ELEMENTARY) as Elementary[])("%s", (name) => {
  test("20,000 inputs and all seams keep the header's bound; special numbers", async () => {
    const { bound, at } = stated(name);
    const edges = EDGES[name];
    const { worst, more } = await worstOf(name, 20_000, 31, [at, ...edges.map(([x]) => x)]);
    expect(worst.error, `at ${worst.at}`).toBeLessThanOrEqual(bound);
    // the header's worst input is nearly as bad as it says
    expect(ulpError(more[0], ELEMENTARY[name].truth(exact(at)), "f64")).toBeGreaterThan(bound - 0.1);
    edges.forEach(([x, out], k) => {
      expect(Object.is(more[k + 1], out), `at ${x}: expected ${out}, got ${more[k + 1]}`).toBe(true);
    });
  });
});
