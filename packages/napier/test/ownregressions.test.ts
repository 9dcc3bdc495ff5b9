import { describe, expect, test } from "vitest";
import { normals, rounded, typed } from "../../../tools/hostile.ts";
import { BOUNDS, CANCELLATION } from "../src/bounds.ts";
import { type Exact, exact, sub, toF64 } from "../src/exact.ts";
import {
  crossEntropyWithGrad,
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  logSumExpBackward,
  softmax,
  softmaxBackward,
} from "../src/index.ts";
import { logSumExpRow } from "../src/kernels/logsumexp.ref.ts";
import { softmaxRow } from "../src/kernels/softmax.ref.ts";
import { rng } from "../src/rng.ts";
import { ulpError } from "../src/ulp.ts";

describe("rows that were once beyond a bound", () => {
  const small = (row: number[]): number => {
    const x = Float32Array.from(row);
    const truth = softmaxRow([...x]);
    return Math.max(...Array.from(softmax(x), (p, j) => ulpError(p, truth[j] as Exact, "f32")));
  };

  test("small probabilities of f32 rows whose shift rounds", () => {
    const random = rng(3);
    const normal = normals(30);
    const rows = [
      [...new Array<number>(32).fill(41), -9.000001],
      [...new Array<number>(33).fill(-41.000004), -110.00001],
      Array.from({ length: 300 }, () => -40.07 - 87 * random.uniform()),
      ...Array.from({ length: 20 }, () => Array.from({ length: 1000 }, () => 30 + 5 * normal())),
      ...[41, 60, 100, 173, 175, 1000, -41, -90].map((m) =>
        Array.from({ length: 100 }, (_, j) => (j < 20 ? m - 0.01 * j : m - 86 * random.uniform())),
      ),
    ];
    for (const row of rows) expect(small(row)).toBeLessThanOrEqual(BOUNDS.softmax.f32);
    const x = Float32Array.from(rows[0]);
    const gradient = crossEntropyWithGrad(x, 0).dlogits[32];
    expect(ulpError(gradient, softmaxRow([...x])[32] as Exact, "f32")).toBeLessThanOrEqual(BOUNDS.gradient.f32);
    expect(ulpError(logSumExpBackward(1, x)[32], softmaxRow([...x])[32] as Exact, "f32")).toBeLessThanOrEqual(4);
  });

  test.each(["f32", "f64"] as const)("log-sum-exp about its cancellation, in %s", (dtype) => {
    const random = rng(4);
    const rows = [
      [-1.3413960933685303, ...new Array<number>(33).fill(-3.2133989334106445)],
      [-2.310464382171631, ...new Array<number>(48).fill(-4.504879951477051)],
      [-0.016107390308098497, -3.8742917062090547, -4.544201760936188],
    ];
    for (let i = 0; i < 3000; i++) {
      // the maximum is −l times a share about 1: the sum lies anywhere from far below to far above it
      const tail = Array.from({ length: 1 + random.below(i % 3 === 0 ? 60 : 6) }, () => -7 * random.uniform());
      const l = Math.log1p(tail.reduce((sum, v) => sum + Math.exp(v), 0));
      const m = -l * (0.3 + 1.4 * random.uniform());
      rows.push([m, ...tail.map((v) => m + v)]);
    }
    for (const values of rows) {
      const row = rounded(values, dtype);
      const truth = logSumExpRow(row) as Exact;
      const value = logSumExp(typed(row, dtype));
      const off = Math.abs(toF64(sub(exact(value), truth)));
      if (off <= CANCELLATION[dtype] * Math.abs(Math.max(...row))) continue;
      expect(ulpError(value, truth, dtype), JSON.stringify(row)).toBeLessThanOrEqual(BOUNDS.logSumExp[dtype]);
    }
  });

  test("small results beside gradients near the largest f64", () => {
    const near = (value: number, expected: number) => expect(Math.abs(value / expected - 1)).toBeLessThan(2 ** -49);
    for (const x of [1395, 1390, 1385]) {
      const logProbs = logSoftmax([x, 0]);
      near(logSoftmaxBackward([1e300, 0], logProbs)[1], -1e300 * Math.exp(-x / 2) * Math.exp(-x / 2));
    }
    near(softmaxBackward([1e300, 1, 1], [1e-300, 1, 1e-300])[2], -1e-300);
    const max = Number.MAX_VALUE;
    near(logSoftmaxBackward([max, max], [0, -700])[0], -max);
    near(softmaxBackward([max, -max], [0.5, 0.5])[0], max / 2);
  });
});
