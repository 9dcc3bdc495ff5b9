import { checkOptions, rangeError, typeError, words } from "./check.ts";
import { elementJob } from "./elements.ts";
import type { Half } from "./half.ts";
import { gather, isSame, type Operand, operand, operands, spread } from "./operands.ts";
import { runNow } from "./runner.ts";
import {
  type Alike,
  type AnyData,
  allocate,
  type Computed,
  inWords,
  type Logits,
  type OnnxArgument,
  type OnnxTensor,
  type Options,
  type Out,
  type Output,
  receiver,
  type Tensor,
  type View,
  type Writable,
  wrap,
} from "./tensor.ts";
import { wide } from "./wide.ts";

export type PairOptions = Pick<Options, "shape" | "dtype">;

/** Two arrays that broadcast, or numbers: what the array is, or a number. */
export interface LogAddExp {
  (a: number, b: number, options?: PairOptions): number;
  (a: number | readonly number[], b: number | readonly number[], options?: PairOptions & Out): number[];
  (a: number | Float32Array | Half, b: number | Float32Array | Half, options?: PairOptions & Out): Float32Array;
  (a: number | Float64Array, b: number | Float64Array, options?: PairOptions & Out): Float64Array;
  <D extends AnyData>(
    a: OnnxArgument<D>,
    b: number | OnnxArgument<Alike<D>>,
    options?: PairOptions & Out,
  ): OnnxTensor<Computed<D>>;
  <D extends AnyData>(a: number, b: OnnxArgument<D>, options?: PairOptions & Out): OnnxTensor<Computed<D>>;
  <D extends AnyData>(a: Tensor<D>, b: number | Tensor<Alike<D>>, options?: PairOptions & Out): Tensor<Computed<D>>;
  <D extends AnyData>(a: number, b: Tensor<D>, options?: PairOptions & Out): Tensor<Computed<D>>;
}

const NAMES = ["a", "b"] as const;

/** What takes the results: the caller's array, or a new one; a number's is one element. */
function resultOf(caller: string, like: View | undefined, length: number, out: Writable | undefined, inputs: View[]) {
  if (like !== undefined) return receiver(caller, like, length, out, inputs);
  if (out !== undefined) throw typeError(caller, "options.out", "nothing beside two numbers", out);
  return new Float64Array(length);
}

/**
 * The logarithm of the sum of two exponentials, element by element: adds what stands as logarithms.
 *
 *   out[k] = log(exp(a[k]) + exp(b[k]))
 *
 * @param a  a number or an array of any shape, of 16, 32 or 64 bits, in nats; any value
 * @param b  likewise, of the same kind and dtype as `a` unless one is a number; shapes broadcast as NumPy's do
 * @param options.shape  shape of flat arrays
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds; such results are f32
 * @param options.out  receives the result; may be the array of an argument of the result's shape
 * @returns a number for two numbers; else the same kind and dtype, of the shape that both have together
 * @throws {RangeError} the shapes do not broadcast; a data's length is not the product of its shape
 *
 * Edges: NaN in either gives NaN, else +∞ gives +∞; two −∞ give −∞.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64); where maximum and logarithm cancel, max(2 ulp, 2^-44·|max|) for f32 and
 * max(4 ulp, 2^-51·|max|) for f64.
 * Cost: reads each argument once, in f64.
 * Source: as logSumExp
 *
 * @example
 * logAddExp(1000, 1000); // 1000.6931471805599
 * logAddExp([0, 40], -40); // [4.248354255291589e-18, 40]
 */
export const logAddExp: LogAddExp = ((a: number | Logits, b: number | Logits, options: PairOptions & Out = {}) => {
  const caller = "logAddExp";
  checkOptions(caller, options, ["shape", "dtype", "out"]);
  const { first, second, shape, length, like } = operands(caller, NAMES, a, b, options);
  const inputs = [first.view, second.view].filter((view) => view !== undefined);
  const out = resultOf(caller, like, length, options.out, inputs);
  const sources = [first, second].map((one) => spread(one, shape));
  const job = elementJob("log_add_exp_f64", length, [out], sources);
  const finish = (): number | Output => (like === undefined ? out[0] : wrap(like, out, shape));
  return runNow({ family: wide, job, finish });
}) as LogAddExp;

/** The gradient of an argument: a number's is a number. */
export type GradientOf<A> = A extends number
  ? number
  : A extends readonly number[]
    ? number[]
    : A extends AnyData
      ? Computed<A>
      : A extends { readonly data: infer D; readonly dims: unknown }
        ? OnnxTensor<Computed<Extract<D, AnyData>>>
        : A extends { readonly data: infer D }
          ? Tensor<Computed<Extract<D, AnyData>>>
          : never;

/** dout as an area, checked to be like the result. */
function gradients(
  caller: string,
  dout: number | Logits,
  shape: readonly number[],
  like: View | undefined,
  options: PairOptions,
): Operand {
  const holdsHalf = (dout as { data?: unknown })?.data ?? dout;
  const g = operand(caller, "dout", dout, holdsHalf instanceof Uint16Array ? options : { shape: options.shape }, dout);
  if (g.view === undefined || like === undefined) {
    if (g.view === undefined && shape.every((size) => size === 1)) return g;
    throw typeError(caller, "dout", like === undefined ? "a number" : `shape ${inWords(shape)}`, dout);
  }
  if (g.view.dtype !== like.dtype) throw typeError(caller, "dout", `${like.dtype} as the result`, words(g.view.dtype));
  if (!isSame(g.shape, shape)) throw rangeError(caller, "dout", `shape ${inWords(shape)}`, words(inWords(g.shape)));
  return g;
}

/** What receives an argument's gradient element by element, and what that becomes. */
function receive({ view, shape }: Operand, whole: readonly number[], length: number) {
  if (view !== undefined && isSame(shape, whole)) {
    const sink = allocate(view, length);
    return { sink, finish: () => wrap(view, sink, shape) };
  }
  // added up in f64, and rounded once
  const sink = new Float64Array(length);
  const finish = (): number | Output => {
    const out = view === undefined ? [0] : allocate(view, view.data.length);
    gather(sink, shape, whole, out);
    return view === undefined ? out[0] : wrap(view, out, shape);
  };
  return { sink, finish };
}

/**
 * The gradients of both arguments of logAddExp, from that of its result.
 *
 *   da[k] = dout[k] · exp(a[k]) / (exp(a[k]) + exp(b[k])), db[k] likewise; where an argument was broadcast, their sum
 *
 * @param dout  a number where logAddExp gave one, else of the result's shape and dtype
 * @param a  what logAddExp was given
 * @param b  likewise
 * @param options  `shape`, `dtype` as in logAddExp
 * @returns `{ da, db }`, each of its argument's kind, dtype and shape
 * @throws {RangeError} the shapes do not broadcast; dout is of another shape than the result
 *
 * Edges: as softmax of [a, b]: NaN or +∞ in either, or two −∞, give NaN; a single −∞ gives 0.
 * Accuracy: ≤ 4 ulp (f32), ≤ 8 ulp (f64), the smaller one included; sums over broadcast elements 4 ulp of the largest
 * term, where those of one sign count as one.
 * Cost: reads each argument once, in f64.
 *
 * @example
 * logAddExpBackward(1, 0, 40); // { da: 4.248354255291589e-18, db: 1 }
 */
export function logAddExpBackward<A extends number | Logits, B extends number | Logits>(
  dout: number | Logits,
  a: A,
  b: B,
  options: PairOptions = {},
): { da: GradientOf<A>; db: GradientOf<B> } {
  const caller = "logAddExpBackward";
  checkOptions(caller, options, ["shape", "dtype"]);
  const { first, second, shape, length, like } = operands(caller, NAMES, a, b, options);
  const g = gradients(caller, dout, shape, like, options);
  const da = receive(first, shape, length);
  const db = receive(second, shape, length);
  const sources = [g, first, second].map((one) => spread(one, shape));
  const job = elementJob("log_add_exp_backward_f64", length, [da.sink, db.sink], sources);
  const finish = () => ({ da: da.finish() as GradientOf<A>, db: db.finish() as GradientOf<B> });
  return runNow({ family: wide, job, finish });
}
