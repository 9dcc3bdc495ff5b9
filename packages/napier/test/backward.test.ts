import fc from "fast-check";
import { expect, test } from "vitest";
import { toF64 } from "../src/exact.ts";
import * as napier from "../src/index.ts";
import { logSumExpBackwardRow } from "../src/kernels/logsumexp.ref.ts";
import { logSoftmaxBackwardRow } from "../src/kernels/softmax.ref.ts";
import { anyRow, checkBits, make, SEED } from "./hostile.ts";

const max = Number.MAX_VALUE;
const of = (...values: number[]) => Float64Array.from(values);

test.each(["f32", "f64"] as const)(
  "backward functions on whatever they are given: canonical NaN, +0, in %s",
  (dtype) => {
    const inputs = fc
      .integer({ min: 1, max: 40 })
      .chain((n) => fc.tuple(anyRow(dtype, n, false), anyRow(dtype, n, false), fc.boolean()));
    fc.assert(
      fc.property(inputs, ([a, b, foreign]) => {
        const [g, x] = [make(dtype, a), make(dtype, b)] as [Float64Array, Float64Array];
        if (foreign) for (const data of [g, x]) new DataView(data.buffer).setUint16(data.byteLength - 2, 0xf9ff, true);
        checkBits(napier.softmaxBackward(g, napier.softmax(x)), "softmaxBackward");
        checkBits(napier.softmaxBackward(g, x), "softmaxBackward");
        checkBits(napier.logSoftmaxBackward(g, napier.logSoftmax(x)), "logSoftmaxBackward");
        checkBits(napier.logSoftmaxBackward(g, x), "logSoftmaxBackward");
        checkBits(napier.logSumExpBackward(g.slice(0, 1), x, { shape: [1, x.length] }), "logSumExpBackward");
      }),
      { seed: SEED, numRuns: 3000 },
    );
  },
);

test("a −∞ logit gets 0, and one far down what is exact, from a dlse near the largest f64", () => {
  expect([...napier.logSumExpBackward(max, of(0, -Infinity))]).toEqual([max, 0]);
  expect([...napier.logSumExpBackward(max, of(0, -2000))]).toEqual([max, 0]);
  const [, truth] = logSumExpBackwardRow(max, [0, -1400]);
  const [, value] = napier.logSumExpBackward(max, of(0, -1400));
  expect(Math.abs(value / toF64(truth as never) - 1)).toBeLessThan(2 ** -49);
});

test("a subnormal probability keeps its digits under a large gradient", () => {
  const [, { value }] = logSoftmaxBackwardRow([1e300, 0], [0, -740]);
  const [, out] = napier.logSoftmaxBackward(of(1e300, 0), of(0, -740));
  expect(Math.abs(out / toF64(value) - 1)).toBeLessThan(2 ** -50);
});

test("finite gradients whose sum is beyond f64 give no NaN", () => {
  expect([...napier.logSoftmaxBackward(of(max, max), of(0, -1000))]).toEqual([-max, max]);
  expect([...napier.logSoftmaxBackward(of(max, max), of(0, -Infinity))]).toEqual([-max, max]);
  expect([...napier.softmaxBackward(of(max, -max), of(1, 0))]).toEqual([0, 0]);
});
