/** The binary family on a case of a suite, beside the exact references. */
import { BOUNDS } from "../../src/bounds.ts";
import { add, compare, div, type Exact, exact, mul, neg, ONE, sub, toF64, ZERO } from "../../src/exact.ts";
import * as ref from "../../src/kernels/binary.ref.ts";
import type { Terms } from "../../src/kernels/softmax.ref.ts";
import { ulpOf } from "../../src/ulp.ts";
import { asFloats, call, distance, dtypeOf, type Floats, type Input, ones, type Result, worst } from "./operations.ts";

export function logSigmoid(x: Input): { value: Result; gradient: Result } {
  const value = call<Input>("logSigmoid", x);
  const gradient = call<Input>("logSigmoidBackward", ones(x), x);
  const dtype = dtypeOf(x);
  const errors = (out: Input, bound: number, truthOf: (v: number) => Exact | number): number =>
    worst(Array.from(out.data, (v, k) => distance(v, truthOf(x.data[k]), dtype) / bound));
  return {
    value: { ...value, error: errors(value, BOUNDS.logSigmoid[dtype], ref.logSigmoid) },
    gradient: { ...gradient, error: errors(gradient, BOUNDS.backward[dtype], (v) => ref.logSigmoidBackward(1, v)) },
  };
}

export interface BceOptions {
  readonly reduction: "mean" | "sum" | "none";
  readonly weight?: Input;
  readonly posWeight?: Input;
}

/** The number of a factor at place k, NumPy's way: axes from the last, those of length 1 repeat. */
function at(factor: Input | undefined, shape: readonly number[], k: number): number {
  if (factor === undefined) return 1;
  let place = 0;
  let stride = 1;
  for (let d = 1, left = k; d <= shape.length; d++) {
    const index = left % shape[shape.length - d];
    left = Math.floor(left / shape[shape.length - d]);
    const size = factor.shape[factor.shape.length - d] ?? 1;
    if (size > 1) place += index * stride;
    stride *= size;
  }
  return factor.data[place];
}

const inTerms = (value: number, truth: Terms, dtype: "f32" | "f64"): number =>
  Math.abs(toF64(sub(exact(value), truth.value))) / toF64(ulpOf(truth.largest, dtype)) / BOUNDS.bceTerms[dtype];

/** A sum of losses; weights can be negative, and then a term is larger than it. */
function sumOf(truths: readonly Terms[]): Terms {
  const value = truths.reduce((sum, truth) => add(sum, truth.value), ZERO);
  const magnitudes = [value, ...truths.map(({ largest }) => largest)].map((a) => (a.n < 0n ? neg(a) : a));
  return { value, largest: magnitudes.reduce((best, one) => (compare(best, one) < 0 ? one : best)) };
}

const scaled = ({ value, largest }: Terms, scale: Exact): Terms => ({
  value: mul(value, scale),
  largest: mul(largest, scale),
});

export function bceWithLogits(x: Input, t: Input, options: BceOptions): { value: Result; gradient: Result } {
  const loss = asFloats(call<number | Input>("bceWithLogits", x, t, options));
  const both = call<{ loss: number | Input; dlogits: Input }>("bceWithLogitsWithGrad", x, t, options);
  const second: Floats = asFloats(both.loss);
  Array.from(loss.data).forEach((v, k) => {
    if (!Object.is(v, second.data[k])) throw new Error("bceWithLogitsWithGrad has another loss than bceWithLogits");
  });
  const dtype = dtypeOf(x);
  const weights = (k: number) => [at(options.weight, x.shape, k), at(options.posWeight, x.shape, k)] as const;
  const truths = Array.from(x.data, (v, k) => ref.bce(v, t.data[k], ...weights(k)));
  const scale = options.reduction === "mean" ? div(ONE, exact(x.data.length)) : ONE;
  const value =
    options.reduction === "none"
      ? worst(truths.map((truth, k) => inTerms(loss.data[k], truth, dtype)))
      : inTerms(loss.data[0], scaled(sumOf(truths), scale), dtype);
  const gradient = worst(
    truths.map((_, k) => inTerms(both.dlogits.data[k], ref.bceGrad(x.data[k], t.data[k], ...weights(k), scale), dtype)),
  );
  return { value: { ...loss, error: value }, gradient: { ...both.dlogits, error: gradient } };
}
