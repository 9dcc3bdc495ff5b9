/** One operation of a suite: our functions on it, the results beside what they must be, and beside the exact references. */
import { BOUNDS, CANCELLATION } from "../../src/bounds.ts";
import { add, div, type Exact, exact, mul, neg, sub, toF64, ZERO } from "../../src/exact.ts";
import * as napier from "../../src/index.ts";
import { crossEntropyGradRow, crossEntropyRow } from "../../src/kernels/crossentropy.ref.ts";
import { logSumExpBackwardRow, logSumExpRow } from "../../src/kernels/logsumexp.ref.ts";
import * as softmaxRef from "../../src/kernels/softmax.ref.ts";
import { ulpError, ulpOf } from "../../src/ulp.ts";

export interface Floats {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}
export type Input = { data: Float64Array; shape: number[] };
export type Labels = { data: BigInt64Array; shape: number[] };

/** A result, and its worst error against the exact answer as a part of the bound: 1 is the bound. */
export interface Result extends Floats {
  readonly error: number;
}

/** The core has no such function or option yet. */
export class Missing extends Error {}

/** Calls a public function by its name; what is not there, or not an option yet, is Missing. */
export function call<T>(name: string, ...args: unknown[]): T {
  const f = (napier as unknown as Record<string, (...args: unknown[]) => T>)[name];
  if (typeof f !== "function") throw new Missing(`there is no ${name}`);
  try {
    return f(...args);
  } catch (error) {
    if (error instanceof TypeError && error.message.includes(": options expected only "))
      throw new Missing(error.message);
    throw error;
  }
}

type Dtype = "f32" | "f64";
const dtypeOf = (x: Floats): Dtype => (x.data instanceof Float32Array ? "f32" : "f64");

/** The places of each row's entries along axes, row by row; no axes are all of them. */
function places({ shape }: Floats, axes: readonly number[]): number[][] {
  const summed = shape.map((_, d) => axes.length === 0 || axes.includes(d) || axes.includes(d - shape.length));
  const over = (isSummed: boolean, start: number): number[] => {
    let at = [start];
    shape.forEach((size, d) => {
      const stride = shape.slice(d + 1).reduce((total, n) => total * n, 1);
      if (summed[d] === isSummed) at = at.flatMap((k) => Array.from({ length: size }, (_, i) => k + i * stride));
    });
    return at;
  };
  return over(false, 0).map((start) => over(true, start));
}

const pick = (data: ArrayLike<number>, at: readonly number[]): number[] => at.map((k) => data[k]);

function worst(errors: Iterable<number>): number {
  let largest = 0;
  for (const error of errors) largest = Number.isNaN(error) ? Infinity : Math.max(largest, error);
  return largest;
}

const distance = (value: number, truth: Exact | number, dtype: Dtype): number =>
  typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, dtype);

/** Row by row against a reference. */
function byRow(
  out: Floats,
  x: Floats,
  axis: number | readonly number[],
  bound: number,
  truthOf: (row: number[], i: number) => (Exact | number)[],
): Result {
  const dtype = dtypeOf(x);
  const errors = places(x, [axis].flat()).flatMap((at, i) => {
    const truth = truthOf(pick(x.data, at), i);
    return at.map((k, j) => distance(out.data[k], truth[j], dtype) / bound);
  });
  return { ...out, error: worst(errors) };
}

function byTerms(
  out: Floats,
  saved: Floats,
  axis: number,
  reference: (g: readonly number[], saved: readonly number[]) => softmaxRef.Terms[],
): Result {
  const dtype = dtypeOf(saved);
  const errors = places(saved, [axis]).flatMap((at) => {
    const truth = reference(new Array<number>(at.length).fill(1), pick(saved.data, at));
    return at.map((k, j) => {
      const { value, largest } = truth[j];
      return Math.abs(toF64(sub(exact(out.data[k]), value))) / toF64(ulpOf(largest, dtype)) / BOUNDS.backward[dtype];
    });
  });
  return { ...out, error: worst(errors) };
}

const ones = (x: Input): Input => ({ data: x.data.slice().fill(1), shape: x.shape });

/** The values, and the gradient of their sum. */
export function logSoftmax(x: Input, axis: number, options: object = {}): { value: Result; gradient: Result } {
  const value = call<Input>("logSoftmax", x, { axis, ...options });
  const gradient = call<Input>("logSoftmaxBackward", ones(x), value, { axis, ...options });
  return {
    value: byRow(value, x, axis, BOUNDS.logSoftmax[dtypeOf(x)], softmaxRef.logSoftmaxRow),
    gradient: byTerms(gradient, value, axis, softmaxRef.logSoftmaxBackwardRow),
  };
}

export function softmax(x: Input, axis: number, options: object = {}): { value: Result; gradient: Result } {
  const value = call<Input>("softmax", x, { axis, ...options });
  const gradient = call<Input>("softmaxBackward", ones(x), value, { axis, ...options });
  return {
    value: byRow(value, x, axis, BOUNDS.softmax[dtypeOf(x)], softmaxRef.softmaxRow),
    gradient: byTerms(gradient, value, axis, softmaxRef.softmaxBackwardRow),
  };
}

/** softmin(x) = softmax(−x), and negation is exact. */
export function softmin(x: Input, axis: number, options: object = {}): { value: Result; gradient: Result } {
  const { value, gradient } = softmax({ ...x, data: x.data.map((v) => -v) }, axis, options);
  return { value, gradient: { ...gradient, data: Array.from(gradient.data, (v) => -v) } };
}

/** Over several axes, all of them where `axes` is empty; the gradient's dlse has the value's shape. */
export function logSumExp(
  x: Input,
  axes: readonly number[],
  keepDims: boolean,
  options: object = {},
): { value: Result; gradient: Result } {
  const all = { axis: axes, keepDims, ...options };
  const value = call<Input>("logSumExp", x, all);
  const gradient = call<Input>("logSumExpBackward", ones(value), x, all);
  const dtype = dtypeOf(x);
  const errors = places(x, axes).map((at, i) => {
    const row = pick(x.data, at);
    const truth = logSumExpRow(row);
    if (typeof truth === "number") return distance(value.data[i], truth, dtype);
    const off = Math.abs(toF64(sub(exact(value.data[i]), truth)));
    const allowed = CANCELLATION[dtype] * Math.abs(Math.max(...row));
    return off <= allowed ? off / allowed || 0 : ulpError(value.data[i], truth, dtype) / BOUNDS.logSumExp[dtype];
  });
  return {
    value: { ...value, error: worst(errors) },
    gradient: byRow(gradient, x, axes, BOUNDS.gradient[dtype], (row) => logSumExpBackwardRow(1, row)),
  };
}

type Reduction = "mean" | "sum" | "none";
export interface LossOptions {
  readonly reduction?: Reduction;
  readonly [option: string]: unknown;
}

/** Classes are on axis 1, or are all there is. */
const classAxis = (x: Floats): number => (x.shape.length > 1 ? 1 : 0);

function asFloats(loss: number | Input): Floats {
  return typeof loss === "number" ? { data: [loss], shape: [] } : loss;
}

/** A loss against the exact losses of its rows, reduced as it was. */
function lossResult(
  loss: Floats,
  truths: (Exact | number)[],
  reduction: Reduction,
  dtype: Dtype,
  bound: number,
): Result {
  if (reduction === "none") {
    return { ...loss, error: worst(truths.map((truth, i) => distance(loss.data[i], truth, dtype) / bound)) };
  }
  if (truths.some((truth) => typeof truth === "number"))
    throw new Error("a loss that is not finite needs a case of its own");
  const sum = (truths as Exact[]).reduce(add, ZERO);
  const truth = reduction === "sum" || truths.length === 0 ? sum : div(sum, exact(truths.length));
  return { ...loss, error: distance(loss.data[0], truth, dtype) / bound };
}

export function nllLoss(x: Input, y: Labels, options: LossOptions): { value: Result; gradient: Result } {
  const axis = classAxis(x);
  const { reduction = "mean" } = options;
  const loss = asFloats(call<number | Input>("nllLoss", x, y, { axis, ...options }));
  const dloss = reduction === "none" ? ones({ ...(loss as Input) }) : 1;
  const gradient = call<Input>("nllLossBackward", dloss, x, y, { axis, ...options });
  const rows = places(x, [axis]);
  const dtype = dtypeOf(x);
  const picked = rows.map((at, i) => exact(x.data[at[Number(y.data[i])]]));
  // "none" is exact; of a sum or mean of both signs an ulp is that of the result or of its largest term
  const bound = reduction === "none" ? 1 : BOUNDS.crossEntropy[dtype];
  const value = lossResult(loss, picked.map(neg), reduction, dtype, bound);
  const error = reduction === "none" ? value.error : Math.min(value.error, inTerms(loss, picked, reduction, dtype));
  const scale = reduction === "mean" ? div(exact(-1), exact(rows.length)) : exact(-1);
  return {
    value: { ...value, error },
    gradient: byRow(gradient, x, axis, 1, (row, i) => row.map((_, j) => (j === Number(y.data[i]) ? scale : ZERO))),
  };
}

function inTerms(loss: Floats, picked: Exact[], reduction: Reduction, dtype: Dtype): number {
  const largest = picked.reduce((best, v) => Math.max(best, Math.abs(toF64(v))), 0);
  const count = exact(reduction === "mean" ? picked.length : 1);
  const truth = div(neg(picked.reduce(add, ZERO)), count);
  const unit = toF64(ulpOf(div(exact(largest), count), dtype));
  return Math.abs(toF64(sub(exact(loss.data[0]), truth))) / unit / BOUNDS.crossEntropy[dtype];
}

/** The loss by crossEntropy; the gradient by crossEntropyWithGrad, and its loss the same bits. */
export function crossEntropy(x: Input, y: Labels, options: LossOptions): { value: Result; gradient: Result } {
  const axis = classAxis(x);
  const { reduction = "mean" } = options;
  const loss = asFloats(call<number | Input>("crossEntropy", x, y, { axis, ...options }));
  const both = call<{ loss: number | Input; dlogits: Input }>("crossEntropyWithGrad", x, y, { axis, ...options });
  const second = asFloats(both.loss);
  for (let i = 0; i < loss.data.length; i++) {
    if (!Object.is(loss.data[i], second.data[i]))
      throw new Error("crossEntropyWithGrad has another loss than crossEntropy");
  }
  const rows = places(x, [axis]);
  const dtype = dtypeOf(x);
  const truths = rows.map((at, i) => crossEntropyRow(pick(x.data, at), Number(y.data[i])));
  const factor = div(exact(1), exact(reduction === "mean" ? rows.length : 1));
  return {
    value: lossResult(loss, truths, reduction, dtype, BOUNDS.crossEntropy[dtype]),
    gradient: byRow(both.dlogits, x, axis, BOUNDS.gradient[dtype], (row, i) =>
      crossEntropyGradRow(row, Number(y.data[i]), 1).map((g) => (typeof g === "number" ? g : mul(g, factor))),
    ),
  };
}
