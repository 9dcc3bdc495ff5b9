import { describe, expect, test } from "vitest";
import { exact, exp, log1p, mul, sub } from "../src/exact.ts";
import { rng } from "../src/rng.ts";
import { ulpError } from "../src/ulp.ts";
import { beside, float32, probe, stated, ulp32 } from "./probe.ts";

const COUNT = 1 << 20;

/** f32 inputs from `least` to `most`: a random sample, and 8 neighbours of every seam of the reduction. */
function inputs(target: Float32Array, least: number, most: number): void {
  const random = rng(21);
  const pattern = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0];
  const negative = pattern(least) - 0x80000000 + 1;
  const positive = most > 0 ? pattern(most) + 1 : 0;
  for (let k = 0; k < COUNT; k++) {
    const step = random.below(negative + positive);
    target[k] = float32(step < negative ? 0x80000000 + step : step - negative);
  }
  let k = 0;
  for (let n = 0; n < 160; n++) {
    // k changes at (n + 1/2) ln 2; at n ln 2 the reduced argument is 0
    for (const seam of [(n + 0.5) * Math.LN2, n * Math.LN2, 2 ** (-149 + n)]) {
      for (const sign of [-1, 1]) {
        for (let step = -4; step < 4; step++) {
          const x = beside(sign * seam, step);
          if (x >= least && x <= most && k < COUNT) target[k++] = x;
        }
      }
    }
  }
}

test.each([
  ["exp_near", -87, 40],
  ["exp_far", -104, 0],
] as const)("%s: a million inputs and all seams keep the header's bound", async (name, least, most) => {
  const { kernels, x, out, reference, view } = await probe(COUNT);
  const target = view(Float32Array, x);
  inputs(target, least, most);
  target[COUNT - 1] = stated(name).at;
  const near = name === "exp_near";
  const results = near ? view(Float32Array, out) : view(Float64Array, out);
  const truth = view(Float64Array, reference);
  kernels[name](out, x, COUNT);
  kernels.exp_promoted(reference, x, COUNT);
  const error = (k: number): number => {
    const off = Math.abs(results[k] - truth[k]);
    return near ? (off / truth[k]) * 2 ** 24 : off / ulp32(truth[k]);
  };
  let worst = 0;
  let at = 0;
  for (let k = 0; k < COUNT; k++) if (error(k) > worst) [worst, at] = [error(k), target[k]];
  expect(worst, `at ${at}`).toBeLessThanOrEqual(stated(name).bound);
  // the header's worst input is as bad as it says
  expect(error(COUNT - 1)).toBeGreaterThan(stated(name).bound - 1e-4);
});

describe("f64", () => {
  test("exp_any and exp_shifted: 20,000 inputs, seams, subnormal results", async () => {
    const { kernels, x, out, view } = await probe(2);
    const random = rng(22);
    const points = Array.from({ length: 20_000 }, () => -745 * random.uniform() * random.uniform());
    for (let n = -20; n < 1075; n += 7) {
      for (const seam of [-(n + 0.5) * Math.LN2, -n * Math.LN2])
        points.push(seam, seam * (1 + 2 ** -52), seam * (1 - 2 ** -53));
    }
    let any = 0;
    let shifted = 0;
    for (const point of points) {
      view(Float64Array, x).fill(point);
      kernels.exp_any(out, x, 2);
      const truth = exp(exact(point));
      any = Math.max(any, ulpError(view(Float64Array, out)[0], truth, "f64"));
      // m of no relation to x: x − m is rounded, and the tail counts
      const m = 300 * random.uniform();
      const value = Math.min(point, 0) + m * 0.7;
      const scaled = mul(exp(sub(exact(value), exact(Math.max(m, value)))), { n: 1n, e: 960 });
      shifted = Math.max(shifted, ulpError(kernels.exp_shifted(value, Math.max(m, value)), scaled, "f64"));
    }
    expect(any).toBeLessThanOrEqual(stated("exp_any").bound + 0.5); // one rounding more where the result is subnormal
    expect(shifted).toBeLessThanOrEqual(stated("exp_shifted").bound);
  });

  test("log1p: 20,000 inputs over the whole range, and its seams", async () => {
    const { kernels } = await probe(2);
    const random = rng(23);
    const points = Array.from(
      { length: 20_000 },
      () => 2 ** (120 * (random.uniform() - 0.75)) * (1 + random.uniform()),
    );
    for (const seam of [2 ** -54, Math.SQRT2 - 1, Math.SQRT2, 1, 2 * Math.SQRT2 - 1, 2 ** 53, 1e300]) {
      points.push(seam, seam * (1 + 2 ** -52), seam * (1 - 2 ** -53));
    }
    for (let k = -60; k < 60; k++) points.push(2 ** k, 2 ** k * Math.SQRT2 - 1 > 0 ? 2 ** k * Math.SQRT2 - 1 : 2 ** k);
    let worst = 0;
    for (const s of points) worst = Math.max(worst, ulpError(kernels.log1p(s), log1p(exact(s)), "f64"));
    expect(worst).toBeLessThanOrEqual(stated("log1p").bound);
    expect(kernels.log1p(0)).toBe(0);
    expect(kernels.log1p(Infinity)).toBe(Infinity);
    expect(kernels.log1p(Number.NaN)).toBeNaN();
  });
});
