import { rangeError, typeError, words } from "./check.ts";
import { type Data, inWords, type Logits, type Options, product, type View, view, type Writable } from "./tensor.ts";

/** An argument of an operation on two of them, element by element: a number is an array of shape []. */
export interface Operand {
  readonly shape: readonly number[];
  readonly view: View | undefined;
  readonly value: number;
}

const KINDS = { flat: "a flat array", shape: "{ data, shape }", dims: "{ data, dims, type }" } as const;

export function operand(
  caller: string,
  name: string,
  value: number | Logits,
  options: Options,
  beside: unknown,
): Operand {
  if (typeof value === "number") return { shape: [], view: undefined, value };
  const read = view(caller, name, value, options, beside);
  return { shape: read.shape, view: read, value: Number.NaN };
}

/** The shape that NumPy gives two shapes, or undefined. */
function together(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const shape = Array.from({ length: rank }, (_, d) => {
    const [u = 1, v = 1] = [a[d - rank + a.length], b[d - rank + b.length]];
    return u === v || v === 1 ? u : u === 1 ? v : -1;
  });
  return shape.includes(-1) ? undefined : shape;
}

export interface Operands {
  readonly first: Operand;
  readonly second: Operand;
  /** of both together */
  readonly shape: readonly number[];
  readonly length: number;
  /** the argument that the result is like; undefined where both are numbers */
  readonly like: View | undefined;
}

/** Two arguments of one dtype and kind, their shapes such that NumPy broadcasts them. */
export function operands(
  caller: string,
  names: readonly [string, string],
  a: number | Logits,
  b: number | Logits,
  options: Options,
): Operands {
  const first = operand(caller, names[0], a, options, b);
  const second = operand(caller, names[1], b, options, a);
  const like = first.view ?? second.view;
  if (first.view !== undefined && second.view !== undefined) {
    const { kind, dtype } = first.view;
    if (second.view.kind !== kind) throw typeError(caller, names[1], `${KINDS[kind]} as ${names[0]}`, b);
    if (second.view.dtype !== dtype)
      throw typeError(caller, names[1], `${dtype} as ${names[0]}`, words(second.view.dtype));
  }
  const shape = together(first.shape, second.shape);
  if (shape === undefined) {
    const expected = `a shape that broadcasts with ${inWords(first.shape)}`;
    throw rangeError(caller, names[1], expected, words(inWords(second.shape)));
  }
  return { first, second, shape, length: product(shape), like };
}

/** For each element of a shape, in order, the place in an array that is broadcast to it. */
function* places(from: readonly number[], to: readonly number[]): Generator<number> {
  const rank = to.length;
  const strides = new Array<number>(rank).fill(0);
  for (let d = from.length - 1, stride = 1; d >= 0; stride *= from[d--]) {
    if (from[d] !== 1) strides[rank - from.length + d] = stride;
  }
  const index = new Array<number>(rank).fill(0);
  const length = product(to);
  for (let k = 0, at = 0; k < length; k++) {
    yield at;
    for (let d = rank - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < to[d]) break;
      at -= index[d] * strides[d];
      index[d] = 0;
    }
  }
}

export const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, d) => size === b[d]);

/** An operand's numbers, one for each element of the result, or the one that all of them have. */
export function spread({ shape, view, value }: Operand, to: readonly number[]): Data | number {
  if (view === undefined) return value;
  const { data } = view;
  if (isSame(shape, to)) return data;
  if (data.length === 1) return data[0];
  const out = new Float64Array(product(to));
  let k = 0;
  for (const at of places(shape, to)) out[k++] = data[at];
  return out;
}

/** Compensated sums (TwoSum) of the elements at each place. */
function sums(data: Float64Array, from: readonly number[], to: readonly number[], factor: number): Float64Array {
  const high = new Float64Array(product(from));
  const low = new Float64Array(high.length);
  let k = 0;
  for (const at of places(from, to)) {
    const term = data[k++] * factor;
    const sum = high[at];
    const next = sum + term;
    const v = next - sum;
    const error = sum - (next - v) + (term - v);
    if (!Number.isNaN(error)) low[at] += error;
    high[at] = next;
  }
  return high.map((sum, at) => sum + low[at]);
}

const DOWN = 1.1102230246251565e-16; // 2^-53: no sum of finite numbers is beyond f64 then

/** Adds up what belongs to one element of an operand. */
export function gather(data: Float64Array, from: readonly number[], to: readonly number[], out: Writable): void {
  const plain = sums(data, from, to, 1);
  const scaled = plain.every(Number.isFinite) ? plain : sums(data, from, to, DOWN);
  for (let at = 0; at < plain.length; at++) {
    const sum = Number.isFinite(plain[at]) ? plain[at] : scaled[at] / DOWN;
    const value = out instanceof Float32Array ? Math.fround(sum) : sum;
    out[at] = Number.isNaN(value) ? Number.NaN : value + 0;
  }
}
