import { type Exact, exact, log1p } from "../src/exact.ts";
import { expm1, sech2, sigmoid, tanh } from "../src/kernels/elementary.ref.ts";
import { rng } from "../src/rng.ts";
import { ulpError } from "../src/ulp.ts";
import { probe } from "./probe.ts";

/** The function, its exact reference, and from where to where its results are neither 0, 1 nor ∞. */
export const ELEMENTARY = {
  expm1: { truth: expm1, least: -40, most: 709.78 },
  log1p_any: { truth: log1p, least: -1 + 2 ** -53, most: 1e300 },
  tanh: { truth: tanh, least: -22, most: 22 },
  sech2: { truth: sech2, least: -373, most: 373 },
  sigmoid: { truth: sigmoid, least: -746, most: 746 },
} as const satisfies Record<string, { truth: (x: Exact) => Exact; least: number; most: number }>;

export type Elementary = keyof typeof ELEMENTARY;

/** Seams: every binade's edge, subnormals, where the reductions of e^x and log(1 + x) change their k. */
function* seams(): Generator<number> {
  for (let e = -1074; e < 1024; e++) yield 2 ** e;
  for (const few of [3, 5, 1000, 12345]) yield few * 2 ** -1074;
  for (let n = 0; n < 40; n++) {
    yield (n + 0.5) * Math.LN2;
    yield (n + 0.5) * (Math.LN2 / 2);
    yield n * Math.LN2;
  }
  for (let k = -8; k < 60; k++) yield Math.abs(2 ** k * Math.SQRT2 - 1);
  for (const x of [709.7, 709.78, 708.4, 745.1, 37.4, 36.7, 18.7, 19.1, 372.5]) yield x;
}

/** Numbers of the function's range: near 0 of every magnitude, about 1, over the whole range, and the seams' neighbours. */
function points({ least, most }: { least: number; most: number }, count: number, seed: number): number[] {
  const { uniform } = rng(seed);
  const sign = (): number => (uniform() < 0.5 ? -1 : 1);
  const kinds = [
    () => sign() * uniform() * 2 ** (-60 * uniform()),
    () => 8 * (uniform() - 0.5),
    () => Math.max(least, -1000) + (Math.min(most, 1000) - Math.max(least, -1000)) * uniform(),
  ];
  const drawn = Array.from({ length: count }, (_, i) => kinds[i % 3]());
  for (const x of seams()) for (const step of [1 - 2 ** -53, 1, 1 + 2 ** -52]) drawn.push(x * step, -x * step);
  return drawn.filter((x) => x >= least && x <= most);
}

/** The largest error over `count` numbers and the seams, and what the function makes of `more`. */
export async function worstOf(name: Elementary, count: number, seed: number, more: readonly number[] = []) {
  const at = points(ELEMENTARY[name], count, seed);
  const size = at.length + more.length + 1;
  const { kernels, x, out, view } = await probe(size);
  view(Float64Array, x).set([...at, ...more]);
  kernels[name](out, x, 2 * Math.floor(size / 2));
  const results = view(Float64Array, out);
  let worst = { error: 0, at: 0 };
  at.forEach((v, k) => {
    const error = ulpError(results[k], ELEMENTARY[name].truth(exact(v)), "f64");
    if (!(error <= worst.error)) worst = { error, at: v };
  });
  return { worst, more: Array.from(more, (_, k) => results[at.length + k]) };
}
