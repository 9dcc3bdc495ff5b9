import { describe, expect, test } from "vitest";
import { rounded, typed } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { add, compare, div, type Exact, exact, ONE, sub, toF64, ZERO } from "../src/exact.ts";
import * as napier from "../src/index.ts";
import * as ref from "../src/kernels/binary.ref.ts";
import type { Terms } from "../src/kernels/softmax.ref.ts";
import { rng } from "../src/rng.ts";
import type { Dtype } from "../src/tensor.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";
import { DTYPES, neighbour } from "./hostile.ts";

const FUNCTIONS = {
  logSigmoid: {
    ...{ f: napier.logSigmoid, back: napier.logSigmoidBackward },
    ...{ truth: ref.logSigmoid, backTruth: ref.logSigmoidBackward },
  },
  log1pExp: {
    ...{ f: napier.log1pExp, back: napier.log1pExpBackward },
    ...{ truth: ref.log1pExp, backTruth: ref.log1pExpBackward },
  },
  log1mExp: {
    ...{ f: napier.log1mExp, back: napier.log1mExpBackward },
    ...{ truth: ref.log1mExp, backTruth: ref.log1mExpBackward },
  },
} as const;
type Name = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as Name[];

const make = (values: readonly number[], dtype: Dtype) => typed(values, dtype) as Float64Array;

/** Finite numbers: of every magnitude, where results are subnormal or overflow, beside the crossovers and every power of 2. */
function numbers(dtype: Dtype, count: number, seed: number): number[] {
  const { uniform } = rng(seed, dtype === "f32" ? 1 : 2);
  const sign = (): number => (uniform() < 0.5 ? -1 : 1);
  const [reach, most, least] = dtype === "f32" ? [104, 127, -149] : [746, 1023, -1074];
  const kinds = [
    () => 6 * (uniform() - 0.5),
    () => sign() * reach * uniform(),
    () => sign() * uniform() * 2 ** (-60 * uniform()),
    () => sign() * reach * (0.93 + 0.08 * uniform()),
    () => sign() * (0.5 + uniform() / 2) * 2 ** (least + (most - least) * uniform()),
  ];
  const drawn = Array.from({ length: count }, (_, i) => kinds[i % kinds.length]());
  const seams = [Math.LN2, Math.LN2 / 2, 40, 700, 709.78, 745.13, 87.3, 88.72, 103.97, 1e-300];
  for (let e = least; e <= most; e += e < -20 || e > 12 ? 13 : 1) seams.push(2 ** e);
  for (const seam of rounded(seams, dtype)) {
    for (const step of [-1, 0, 1])
      if (seam !== 0 || step > 0) drawn.push(neighbour(seam, step, dtype), -neighbour(seam, step, dtype));
  }
  return rounded(drawn, dtype).filter(Number.isFinite);
}

/** The largest of some errors and where it was. */
class Worst {
  error = 0;
  where = "";
  see(error: number, where: () => string): void {
    if (error <= this.error) return;
    this.error = Number.isNaN(error) ? Infinity : error;
    this.where = where();
  }
  atMost(bound: number): void {
    expect(this.error, this.where).toBeLessThanOrEqual(bound);
  }
}

const errorOf = (value: number, truth: Exact | number, dtype: Dtype): number =>
  typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, dtype);

/** In ulps of the largest term; a term beyond the dtype's range is as good as any result beyond it. */
function errorInTerms(value: number, { value: truth, largest }: Terms, dtype: Dtype): number {
  if (!Number.isFinite(value)) return ulpError(value, truth, dtype);
  return toF64(div(sub(exact(value), truth), ulpOf(largest, dtype)));
}

describe.each(DTYPES)("accuracy in %s", (dtype) => {
  const x = numbers(dtype, 5000, 41);
  const below = x.map((v) => -Math.abs(v));

  test.each(NAMES)("%s, and its sign", (name) => {
    const { f, truth } = FUNCTIONS[name];
    const worst = new Worst();
    const given = name === "log1mExp" ? below : x;
    f(make(given, dtype)).forEach((value, k) => {
      worst.see(errorOf(value, truth(given[k]), dtype), () => `at ${given[k]}`);
      if (name === "log1pExp" ? value < 0 : value > 0) throw new Error(`${name}(${given[k]}) is ${value}`);
    });
    worst.atMost(BOUNDS[name][dtype]);
  });

  test.each(NAMES)("%sBackward, any g", (name) => {
    const { back, backTruth } = FUNCTIONS[name];
    const worst = new Worst();
    const given = name === "log1mExp" ? below.filter((v) => v < 0) : x;
    const g = numbers(dtype, given.length, 42).slice(0, given.length);
    g.forEach((_, k) => {
      if (k % 3 === 0) g[k] = k % 2 === 0 ? 1 : -1;
    });
    back(make(g, dtype), make(given, dtype)).forEach((value, k) => {
      worst.see(errorOf(value, backTruth(g[k], given[k]), dtype), () => `g ${g[k]}, x ${given[k]}`);
    });
    worst.atMost(BOUNDS.backward[dtype]);
  });

  const { uniform } = rng(43, 3);
  const ones = x.map(() => 1);
  const weights = {
    none: [ones, ones],
    "from 0 to 3": [x.map(() => 3 * uniform()), x.map(() => 3 * uniform())],
    "of any magnitude": [
      x.map((_, k) => 2 ** ((dtype === "f32" ? 60 : 500) * (uniform() - 0.5)) * (k % 5 === 0 ? 0 : 1)),
      x.map(() => 2 ** ((dtype === "f32" ? 60 : 500) * (uniform() - 0.5))),
    ],
  };

  for (const [kind, factors] of Object.entries(weights)) {
    const [weight, posWeight] = factors.map((values) => rounded(values, dtype));
    const given = { weight: make(weight, dtype), posWeight: make(posWeight, dtype) };
    test(`bceWithLogits, targets 0 and 1, weights: ${kind}`, () => {
      const [loss, gradient] = [new Worst(), new Worst()];
      const t = x.map((_, k) => k % 2);
      const args = [make(x, dtype), make(t, dtype)] as const;
      const each = napier.bceWithLogitsWithGrad(...args, { ...given, reduction: "none" });
      expect(napier.bceWithLogits(...args, { ...given, reduction: "none" })).toEqual(each.loss);
      x.forEach((v, k) => {
        const factors = [v, t[k], weight[k], posWeight[k]] as const;
        loss.see(errorOf(each.loss[k], ref.bce(...factors).value, dtype), () => `x, t, weights ${factors}`);
        gradient.see(
          errorOf(each.dlogits[k], ref.bceGrad(...factors, ONE).value, dtype),
          () => `x, t, weights ${factors}`,
        );
        if (!(each.loss[k] >= 0)) throw new Error(`the loss of ${v} at ${t[k]} is ${each.loss[k]}`);
      });
      loss.atMost(BOUNDS.bce[dtype]);
      gradient.atMost(BOUNDS.gradient[dtype]);
    });

    test(`bceWithLogits, other targets, weights of both signs: ${kind}`, () => {
      const [loss, gradient] = [new Worst(), new Worst()];
      const t = rounded(
        x.map((_, k) => (k % 9 === 0 ? 3 * (uniform() - 0.5) : uniform() ** (1 + (k % 40)))),
        dtype,
      );
      const signed = weight.map((w, k) => (k % 4 === 0 ? -w : w));
      const args = [make(x, dtype), make(t, dtype)] as const;
      const each = napier.bceWithLogitsWithGrad(...args, { ...given, weight: make(signed, dtype), reduction: "none" });
      x.forEach((v, k) => {
        const factors = [v, t[k], signed[k], posWeight[k]] as const;
        loss.see(Math.abs(errorInTerms(each.loss[k], ref.bce(...factors), dtype)), () => `x, t, weights ${factors}`);
        const truth = ref.bceGrad(...factors, ONE);
        gradient.see(Math.abs(errorInTerms(each.dlogits[k], truth, dtype)), () => `x, t, weights ${factors}`);
      });
      loss.atMost(BOUNDS.bceTerms[dtype]);
      gradient.atMost(BOUNDS.bceTerms[dtype]);
    });
  }

  test("means and sums of losses, and the mean's gradient", () => {
    for (const count of [1, 3, 1000]) {
      const some = x.slice(0, count).map((v) => Math.max(-1000, Math.min(1000, v)));
      const t = some.map((_, k) => k % 2);
      const total = some.reduce((sum, v, k) => add(sum, ref.bce(v, t[k], 1, 1).value), ZERO);
      const args = [make(some, dtype), make(t, dtype)] as const;
      const n = exact(count);
      const bound = BOUNDS.bce[dtype];
      expect(ulpError(napier.bceWithLogits(...args, { reduction: "sum" }), total, dtype)).toBeLessThanOrEqual(bound);
      const { loss, dlogits } = napier.bceWithLogitsWithGrad(...args);
      expect(ulpError(loss, div(total, n), dtype)).toBeLessThanOrEqual(bound);
      expect(napier.bceWithLogits(...args)).toBe(loss);
      some.forEach((v, k) => {
        const truth = ref.bceGrad(v, t[k], 1, 1, div(ONE, n)).value;
        expect(ulpError(dlogits[k], truth, dtype), `at ${v}`).toBeLessThanOrEqual(BOUNDS.gradient[dtype]);
      });
    }
  });
});

describe("what others lose", () => {
  test("σ(x) − t is 0 where the gradient is −4e-18", () => {
    const { loss, dlogits } = napier.bceWithLogitsWithGrad([40, -40], [1, 0], { reduction: "none" });
    expect([...loss, ...dlogits]).toEqual([
      4.248354255291589e-18, 4.248354255291589e-18, -4.248354255291589e-18, 4.248354255291589e-18,
    ]);
  });
  test("a subnormal sigmoid keeps its digits under a large factor", () => {
    const [gradient] = napier.log1pExpBackward([1e300], [-740]);
    const far = napier.bceWithLogitsWithGrad([740], [1], { weight: 1e300, reduction: "none" });
    for (const value of [gradient, far.loss[0], -far.dlogits[0]]) {
      expect(ulpError(value, ref.log1pExpBackward(1e300, -740), "f64")).toBeLessThanOrEqual(4);
    }
    expect(napier.logSigmoidBackward([Number.MAX_VALUE], [1440])[0]).toBeGreaterThan(0);
    expect(compare(ref.logSigmoidBackward(Number.MAX_VALUE, 1440), ZERO)).toBe(1);
  });
  test("a gradient near the largest number does not overflow on the way", () => {
    const most = Number.MAX_VALUE;
    for (const v of [-0.4, -0.8, -1.1, -2, -300]) {
      const truth = ref.log1mExpBackward(most / 4, v);
      expect(ulpError(napier.log1mExpBackward([most / 4], [v])[0], truth, "f64")).toBeLessThanOrEqual(4);
      expect(
        ulpError(napier.log1pExpBackward([most], [v])[0], ref.log1pExpBackward(most, v), "f64"),
      ).toBeLessThanOrEqual(4);
    }
  });
});

test("gradients against central differences", () => {
  const h = 1e-5;
  for (const v of [-3, -0.7, -0.3, -0.01]) {
    for (const [name, { f, back }] of Object.entries(FUNCTIONS)) {
      const [g] = back([1], [v]);
      const difference = (f([v + h])[0] - f([v - h])[0]) / (2 * h);
      expect(Math.abs(difference / g - 1), `${name} at ${v}`).toBeLessThan(v > -0.1 ? 1e-5 : 1e-8);
    }
    for (const t of [0, 0.3, 1, 2]) {
      const options = { weight: 0.7, posWeight: 3 };
      const loss = (moved: number) => napier.bceWithLogits([moved], [t], options);
      const [g] = napier.bceWithLogitsWithGrad([v], [t], options).dlogits;
      expect(Math.abs((loss(v + h) - loss(v - h)) / (2 * h) - g), `bce at ${v}, ${t}`).toBeLessThan(1e-9);
    }
  }
});
