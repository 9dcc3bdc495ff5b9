/** One operation of a suite: our functions on it, the results beside what they must be, and beside the exact references. */
import { BOUNDS } from "../../src/bounds.ts";
import { div, type Exact, exact, sub, toF64 } from "../../src/exact.ts";
import * as napier from "../../src/index.ts";
import { klBackward, klParts, sumParts } from "../../src/kernels/divergence.ref.ts";
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
  /** Where a row is masked whole, which is NaN in PyTorch. */
  readonly leftOut?: ReadonlySet<number>;
}

/** Calls a public function by its name. */
export function call<T>(name: string, ...args: unknown[]): T {
  return (napier as unknown as Record<string, (...args: unknown[]) => T>)[name](...args);
}

export type Dtype = "f32" | "f64";
export const dtypeOf = (x: Floats): Dtype => (x.data instanceof Float32Array ? "f32" : "f64");

/** The places of each row's entries along axes, row by row; no axes are all of them. */
export function places({ shape }: Floats, axes: readonly number[]): number[][] {
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

export const pick = (data: ArrayLike<number>, at: readonly number[]): number[] => at.map((k) => data[k]);

export function worst(errors: Iterable<number>): number {
  let largest = 0;
  for (const error of errors) largest = Number.isNaN(error) ? Infinity : Math.max(largest, error);
  return largest;
}

export const distance = (value: number, truth: Exact | number, dtype: Dtype): number =>
  typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, dtype);

/** Row by row against a reference. */
export function byRow(
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

export const ones = (x: Input): Input => ({ data: x.data.slice().fill(1), shape: x.shape });

interface Masked {
  readonly mask?: Floats;
}

/** A mask of any shape that broadcasts, of x's size. */
function fullMask({ mask }: Masked, { shape }: Input): number[] | undefined {
  if (mask === undefined) return undefined;
  const missing = shape.length - mask.shape.length;
  const sizes = shape.map((_, d) => (d < missing ? 1 : mask.shape[d - missing]));
  return Array.from({ length: shape.reduce((total, n) => total * n, 1) }, (_, k) => {
    let at = 0;
    let rest = k;
    let stride = 1;
    for (let d = shape.length - 1; d >= 0; d--) {
      if (sizes[d] > 1) at += (rest % shape[d]) * stride;
      rest = Math.floor(rest / shape[d]);
      stride *= sizes[d];
    }
    return mask.data[at];
  });
}

/** The values, and the gradient of their sum; what is masked is left out of the rows that the references see. */
function elementwise(
  name: "logSoftmax" | "softmax",
  x: Input,
  axis: number,
  options: Masked,
): { value: Result; gradient: Result } {
  const isLog = name === "logSoftmax";
  const leftOut = isLog ? -Infinity : 0;
  const [row, backwardRow] = isLog
    ? [softmaxRef.logSoftmaxRow, softmaxRef.logSoftmaxBackwardRow]
    : [softmaxRef.softmaxRow, softmaxRef.softmaxBackwardRow];
  const value = call<Input>(name, x, { axis, ...options });
  const gradient = call<Input>(`${name}Backward`, ones(x), value, { axis, ...options });
  const dtype = dtypeOf(x);
  const kept = fullMask(options, x);
  const errors: number[] = [];
  const slopes: number[] = [];
  const whole = new Set<number>();
  for (const at of places(x, [axis])) {
    const seen = at.filter((k) => kept?.[k] !== 0);
    if (seen.length === 0) for (const k of at) whole.add(k);
    const truth = row(pick(x.data, seen));
    const slope = backwardRow(new Array<number>(seen.length).fill(1), pick(value.data, seen));
    for (const k of at) if (!seen.includes(k)) errors.push(distance(value.data[k], leftOut, dtype));
    for (const k of at) if (!seen.includes(k)) slopes.push(distance(gradient.data[k], 0, dtype));
    seen.forEach((k, j) => {
      errors.push(distance(value.data[k], truth[j], dtype) / BOUNDS[name][dtype]);
      const off = Math.abs(toF64(sub(exact(gradient.data[k]), slope[j].value)));
      slopes.push(off / toF64(ulpOf(slope[j].largest, dtype)) / BOUNDS.backward[dtype]);
    });
  }
  // In PyTorch the upstream of what is masked, 1 here, is part of the sum, and the mask stops its own gradient after it.
  const theirs = call<Input>(`${name}Backward`, ones(x), value, { axis });
  const stopped = { ...theirs, data: theirs.data.map((v, k) => (kept?.[k] === 0 ? 0 : v)) };
  return {
    value: { ...value, error: worst(errors), leftOut: whole },
    gradient: { ...stopped, error: worst(slopes), leftOut: whole },
  };
}

export const logSoftmax = (x: Input, axis: number, options: Masked = {}) => elementwise("logSoftmax", x, axis, options);
export const softmax = (x: Input, axis: number, options: Masked = {}) => elementwise("softmax", x, axis, options);

/** softmin(x) = softmax(−x), and negation is exact. */
export function softmin(x: Input, axis: number, options: Masked = {}): { value: Result; gradient: Result } {
  const { value, gradient } = softmax({ ...x, data: x.data.map((v) => -v) }, axis, options);
  return { value, gradient: { ...gradient, data: Array.from(gradient.data, (v) => 0 - v) } };
}

export function asFloats(loss: number | Input): Floats {
  return typeof loss === "number" ? { data: [loss], shape: [] } : loss;
}

/** The divergence, and the gradient of its sum; in ulps of the larger sum of one sign. */
export function klDiv(
  x: Input,
  t: Input,
  given: Readonly<Record<string, unknown>>,
): { value: Result; gradient: Result } {
  const { reduction = "mean", log_target: logTarget = false, ...others } = given;
  if (Object.keys(others).length > 0) throw new Error(`options ${Object.keys(others)} have no name here`);
  const options = { reduction, logTarget };
  const loss = asFloats(call<number | Input>("klDiv", x, t, options));
  const isEach = reduction === "none";
  const gradient = call<Input>("klDivBackward", isEach ? ones(x) : 1, x, t, options);
  const dtype = dtypeOf(x);
  const parts = Array.from(x.data, (v, k) => klParts(v, t.data[k], logTarget as boolean));
  const count = exact(reduction === "mean" ? x.data.length : reduction === "batchmean" ? x.shape[0] : 1);
  const errors = (isEach ? parts : [parts.flat()]).map((terms, k) => {
    const { value, largest } = sumParts(terms);
    const off = Math.abs(toF64(sub(exact(loss.data[k]), div(value, count))));
    return off / toF64(ulpOf(div(largest, count), dtype)) / BOUNDS.klDiv[dtype];
  });
  const slopes = Array.from(gradient.data, (g, k) =>
    distance(g, div(klBackward(1, t.data[k], logTarget as boolean), count), dtype),
  );
  return {
    value: { ...loss, error: worst(errors) },
    gradient: { ...gradient, error: worst(slopes) / BOUNDS.gradient[dtype] },
  };
}
