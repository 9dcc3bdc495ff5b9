import { expect, test } from "vitest";
import { exact, exp, log1p } from "../src/exact.ts";
import { rng } from "../src/rng.ts";
import { ulpError } from "../src/ulp.ts";
import { float32, probe, stated, ulp32 } from "./probe.ts";

const CHUNK = 1 << 20;

/**
 * Every f32 from `least` to `most`: the largest error against the f64 exponential (itself ≤ 2^-52); of exp_near relative,
 * in units of 2^-24, of exp_far in ulps of f32.
 */
async function worstOf(name: "exp_near" | "exp_far", least: number, most: number) {
  const { kernels, x, out, reference, view } = await probe(CHUNK);
  const patterns = view(Uint32Array, x);
  const near = name === "exp_near";
  const results = near ? view(Float32Array, out) : view(Float64Array, out);
  const inputs = view(Float32Array, x);
  const truth = view(Float64Array, reference);
  let worst = 0;
  let at = 0;
  for (const start of [0x80000000, 0]) {
    const inside = (v: number): boolean => v >= least && v <= most;
    for (let first = start; inside(float32(first)); first += CHUNK) {
      for (let k = 0; k < CHUNK; k++) patterns[k] = first + k;
      kernels[name](out, x, CHUNK);
      kernels.exp_promoted(reference, x, CHUNK);
      for (let k = 0; k < CHUNK && inside(inputs[k]); k++) {
        const off = Math.abs(results[k] - truth[k]);
        const error = near ? (off / truth[k]) * 2 ** 24 : off / ulp32(truth[k]);
        if (error > worst) [worst, at] = [error, inputs[k]];
      }
    }
  }
  return { worst, at };
}

test.each([
  ["exp_near", -87, 40],
  ["exp_far", -104, 0],
] as const)("%s over every f32 from %f to %f", async (name, least, most) => {
  const { worst, at } = await worstOf(name, least, most);
  console.log(`${name}: at most ${worst}, at ${at}`);
  expect(worst).toBeLessThanOrEqual(stated(name).bound);
  expect(at).toBe(stated(name).at);
});

test("exp_any, exp_shifted and log1p in f64: a million inputs against exact numbers", async () => {
  const { kernels, x, out, view } = await probe(2);
  const random = rng(11);
  const input = view(Float64Array, x);
  const result = view(Float64Array, out);
  const worst = { exp_any: 0, log1p: 0 };
  const at = { exp_any: 0, log1p: 0 };
  for (let i = 0; i < 1_000_000; i++) {
    const v = -708 * random.uniform() * (i % 3 === 0 ? 1 : random.uniform() / 30);
    input.fill(v);
    kernels.exp_any(out, x, 2);
    const e = ulpError(result[0], exp(exact(v)), "f64");
    if (e > worst.exp_any) [worst.exp_any, at.exp_any] = [e, v];
    const s = 2 ** (70 * (random.uniform() - 0.85)) * (1 + random.uniform());
    const l = ulpError(kernels.log1p(s), log1p(exact(s)), "f64");
    if (l > worst.log1p) [worst.log1p, at.log1p] = [l, s];
  }
  console.log(worst, at);
  expect(worst.exp_any).toBeLessThanOrEqual(stated("exp_any").bound);
  expect(worst.log1p).toBeLessThanOrEqual(stated("log1p").bound);
});
