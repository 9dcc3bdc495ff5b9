import { describe, expect, test } from "vitest";
import { typed } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { exact } from "../src/exact.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  logSoftmax,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  nllLossBackward,
  softmax,
} from "../src/index.ts";
import { ulpError } from "../src/ulp.ts";

const inf = Infinity;

describe.each(["f32", "f64"] as const)("bugs of peers, in %s", (dtype) => {
  const of = (...values: number[]) => typed(values, dtype) as Float64Array;
  /** The literal as the dtype has it: literals here are the f64 nearest to the exact answer. */
  const as = (value: number): number => (dtype === "f32" ? Math.fround(value) : value);
  const each = (...values: number[]) => values.map(as);
  /** Within the operation's bound of the literals, which are themselves half an ulp of f64 off at most. */
  const near = (operation: keyof typeof BOUNDS, actual: Float64Array | number[], ...literals: number[]) => {
    expect(actual.length).toBe(literals.length);
    literals.forEach((literal, j) => {
      const ulps = ulpError(actual[j], exact(literal), dtype);
      expect(ulps, `${actual[j]} for ${literal}`).toBeLessThanOrEqual(BOUNDS[operation][dtype] + 0.5);
    });
  };

  test("tfjs categoricalCrossentropy clips at 1e-7: a confidently wrong sample has loss 16.118 and gradient 0", () => {
    const { loss, dlogits } = crossEntropyWithGrad(of(20, 0), 1);
    expect(loss).toBe(as(20.000000002061153));
    near("gradient", dlogits, 0.9999999979388464, -0.9999999979388464);
    const far = crossEntropyWithGrad(of(800, 0), 1);
    expect([far.loss, ...far.dlogits]).toEqual([800, 1, -1]);
  });

  test("tfjs sparseCategoricalCrossentropy(fromLogits) clips logits", () => {
    expect(crossEntropy(of(-300, 0), 0)).toBe(300);
    expect(crossEntropy(of(0, 5000), 0)).toBe(5000);
    expect([...crossEntropyWithGrad(of(0, 5000), 0).dlogits]).toEqual([-1, 1]);
  });

  test("tfjs: a class masked with −∞ makes the loss NaN", () => {
    const { loss, dlogits } = crossEntropyWithGrad(of(2, -inf, 2), 0);
    expect(loss).toBe(as(Math.LN2));
    expect(crossEntropy(of(2, -inf, 2), 0)).toBe(as(Math.LN2));
    expect([...dlogits]).toEqual([-0.5, 0, 0.5]);
    expect(nllLoss(logSoftmax(of(2, -inf, 2)), 2)).toBe(as(Math.LN2));
  });

  test("tfjs, jax-js: logSumExp of all −∞ is NaN", () => {
    expect(logSumExp(of(-inf, -inf, -inf))).toBe(-inf);
    expect(logSumExp(of(-inf))).toBe(-inf);
    expect(logSumExp(of())).toBe(-inf);
  });

  test("optax's integer-label loss subtracts two large numbers: 6e-5 off at 1000", () => {
    near("crossEntropy", [crossEntropy(of(1000, 1001), 0)], 1.3132616875182228);
    near("crossEntropy", [crossEntropy(of(1000, 990), 0)], 4.539889921686465e-5);
    near("crossEntropy", [crossEntropy(of(-1e6, -1e6 + 3), 1)], 0.04858735157374206);
  });

  test("scikitjs applies softmax twice", () => {
    near("softmax", softmax(of(2, 0)), 0.8807970779778824, 0.11920292202211756);
    near("crossEntropy", [crossEntropy(of(10, -10), 0)], 2.061153620314381e-9);
  });

  test("MLX until 2026-08: two equal logits of 1e8 have a log-probability of 0", () => {
    expect([...logSoftmax(of(1e8, 1e8))]).toEqual(each(-Math.LN2, -Math.LN2));
    expect([...logSoftmax(of(-1e8, -1e8))]).toEqual(each(-Math.LN2, -Math.LN2));
    expect(crossEntropy(of(1e8, 1e8), 1)).toBe(as(Math.LN2));
  });

  test("pytorch#113708, tensorflow#62400, scipy#19521: the winner's log-probability and gradient are 0", () => {
    const [gap, lost] = dtype === "f32" ? [20, 2.0611536181902037e-9] : [40, 4.248354255291589e-18];
    expect(logSoftmax(of(gap, 0))[0]).toBe(as(-lost));
    const { loss, dlogits } = crossEntropyWithGrad(of(gap, 0), 0);
    expect([loss, ...dlogits]).toEqual(each(lost, -lost, lost));
  });

  test("pytorch#70348: the mean over no rows is NaN", () => {
    const x = { data: of(), shape: [0, 3] };
    expect(crossEntropy(x, [])).toBe(0);
    expect(crossEntropyWithGrad(x, []).loss).toBe(0);
    expect(nllLoss(x, [])).toBe(0);
  });
});

describe("bugs of ours", () => {
  const max = Number.MAX_VALUE;

  test("the mean of two losses of 1.8e308 was ∞", () => {
    const x = Float64Array.of(0, max, 0, max);
    expect(crossEntropy(x, [0, 0], { shape: [2, 2] })).toBe(max);
    expect(crossEntropyWithGrad(x, [0, 0], { shape: [2, 2] }).loss).toBe(max);
    expect(crossEntropy(x, [0, 0], { shape: [2, 2], reduction: "sum" })).toBe(inf);
  });

  test("a sum of negative log-likelihoods was ∞ where only a partial sum is", () => {
    expect(nllLoss([-max, -max, max], [0, 0, 0], { shape: [3, 1], reduction: "sum" })).toBe(max);
    expect(nllLoss([max, max, -max], [0, 0, 0], { shape: [3, 1], reduction: "sum" })).toBe(-max);
  });

  test("nllLossBackward into its own dloss gave zeros", () => {
    const dloss = Float64Array.of(1, 2);
    nllLossBackward(dloss, new Float64Array(2), [0, 0], { shape: [2, 1], reduction: "none", out: dloss });
    expect([...dloss]).toEqual([-1, -2]);
    const numbers = [1, 2];
    nllLossBackward(numbers, [0, 0], [0, 0], { shape: [2, 1], reduction: "none", out: numbers });
    expect(numbers).toEqual([-1, -2]);
  });

  test("nllLoss and nllLossBackward handed on the bits of a NaN", () => {
    const f64 = new Float64Array(BigUint64Array.of(0xfff8000000012345n).buffer);
    const f32 = new Float32Array(Uint32Array.of(0xffc12345).buffer);
    const options = { shape: [1, 1], reduction: "none" } as const;
    for (const out of [nllLoss(f64, 0, options), nllLossBackward(f64, f64, 0, options)]) {
      expect(new BigUint64Array(out.buffer)[0]).toBe(0x7ff8000000000000n);
    }
    for (const out of [nllLoss(f32, 0, options), nllLossBackward(f32, f32, 0, options)]) {
      expect(new Uint32Array(out.buffer)[0]).toBe(0x7fc00000);
    }
  });

  test("nllLossBackward gave −0 where the gradient underflows", () => {
    const least = 2 ** -149;
    const out = nllLossBackward(least, new Float32Array(3), [0, 0, 0], { shape: [3, 1] });
    expect([...out]).toEqual([0, 0, 0]);
    expect([...nllLossBackward(2 ** -160, new Float32Array(1), 0)]).toEqual([0]);
  });

  test("backward functions refused what the forward function of one row of rank 1 returns", () => {
    const x = { data: [0, 0], shape: [2] };
    expect(logSumExpBackward(logSumExp(x), x).data).toEqual([Math.LN2 / 2, Math.LN2 / 2]);
    const onnx = { data: [0, 0], dims: [2], type: "float64" };
    expect(logSumExpBackward(logSumExp(onnx), onnx).data).toEqual([Math.LN2 / 2, Math.LN2 / 2]);
    const loss = nllLoss(x, 1, { reduction: "none" });
    expect(nllLossBackward({ ...loss, data: [3] }, x, 1, { reduction: "none" }).data).toEqual([0, -3]);
  });
});
