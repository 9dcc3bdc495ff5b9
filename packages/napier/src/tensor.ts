import { checkData, checkOptions, checkShape, rangeError, typeError, words } from "./check.ts";
import { bitsOf, type Half, type HalfName, halfName, isHalf, widen } from "./half.ts";

/** A flat row-major array: number[] is f64. */
export type Data = readonly number[] | Float32Array | Float64Array;
/** As Data, to write to. */
export type Writable = number[] | Float32Array | Float64Array;

/** What comes in: also numbers of 16 bits, which are computed in f32. */
export type AnyData = Data | Half;
/** What it gives. */
export type Computed<D extends AnyData> = D extends Half ? Float32Array : D;
/** All that is computed in the same dtype. */
export type Alike<D extends AnyData> = D extends Float32Array | Half
  ? Float32Array | Half
  : readonly number[] | Float64Array;

/** An N-d array. */
export interface Tensor<D extends AnyData = Data> {
  readonly data: D;
  readonly shape: readonly number[];
}

/** An N-d array as ONNX Runtime and transformers.js name its parts. */
export interface OnnxTensor<D extends AnyData = Data> {
  readonly data: D;
  readonly dims: readonly number[];
  readonly type: string;
}

/** What a tensor's TypeScript type may name beside AnyData, as that of ONNX Runtime's sessions does. */
type OtherData =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | ArrayLike<string>;

/** As OnnxTensor, also where the TypeScript type leaves open what the data are: they are looked at when they come. */
export interface OnnxArgument<D = AnyData> {
  readonly data: D | OtherData;
  readonly dims: readonly number[];
  readonly type: string;
}

export type Logits = AnyData | Tensor<AnyData> | OnnxArgument;
/** What an array argument gives. */
export type Output = Data | Tensor | OnnxTensor;

export type Dtype = "f32" | "f64";

/** What every operation takes last. */
export interface Options {
  /** the shape of a flat array; without it the array is one row */
  shape?: readonly number[];
  /** which axis holds the classes, −1 (the last) by default */
  axis?: number;
  /** what a Uint16Array holds, where no `type` says it */
  dtype?: HalfName;
}

/** Of reductions, whose classes may run over several axes. */
export interface AxesOptions extends Omit<Options, "axis"> {
  /** the axis or axes that are summed over, −1 (the last) by default; [] is all of them */
  axis?: number | readonly number[];
  /** whether a tensor's result keeps them, with size 1 */
  keepDims?: boolean;
}

/** A receiver for the result: same kind and length; it may be the input's own array. */
export interface Out {
  out?: Writable;
}

/** What an operation returns; on a pool, where P is true, a promise of it. */
export type Result<P, T> = P extends true ? Promise<T> : T;

/** What comes in comes out, element by element. */
export interface Elementwise<O extends Options, P = false> {
  (logits: readonly number[], options?: O): Result<P, number[]>;
  (logits: Float32Array | Half, options?: O): Result<P, Float32Array>;
  (logits: Float64Array, options?: O): Result<P, Float64Array>;
  <D extends AnyData>(logits: OnnxArgument<D>, options?: O): Result<P, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(logits: Tensor<D>, options?: O): Result<P, Tensor<Computed<D>>>;
  (logits: Logits, options?: O): Result<P, Output>;
}

/** As Elementwise, for two arrays of one shape. */
export interface Elementwise2<O extends Options, P = false> {
  (first: readonly number[], second: readonly number[], options?: O): Result<P, number[]>;
  (first: Float32Array | Half, second: Float32Array | Half, options?: O): Result<P, Float32Array>;
  (first: Float64Array, second: Float64Array, options?: O): Result<P, Float64Array>;
  <D extends AnyData>(
    first: OnnxArgument<D>,
    second: OnnxArgument<Alike<D>>,
    options?: O,
  ): Result<P, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(first: Tensor<D>, second: Tensor<Alike<D>>, options?: O): Result<P, Tensor<Computed<D>>>;
}

/** A row of a flat array without `shape`, or of one dimension. */
export type OneRow = { shape?: readonly [number] };
/** A shape of two dimensions or more. */
export type ManyRows = { shape: readonly [number, number, ...number[]] };

/** One axis, not a list of them. */
export type OneAxis = { axis?: number };

/** A number for each row: flat arrays of one row give a number, the rest an array of the same kind without the class axes. */
export interface Reduction<O extends AxesOptions, P = false> {
  (logits: AnyData, options?: O & OneRow): Result<P, number>;
  (logits: readonly number[], options: O & ManyRows & OneAxis): Result<P, number[]>;
  (logits: Float32Array | Half, options: O & ManyRows & OneAxis): Result<P, Float32Array>;
  (logits: Float64Array, options: O & ManyRows & OneAxis): Result<P, Float64Array>;
  <D extends AnyData>(logits: D, options: O): Result<P, number | Computed<D>>;
  <D extends AnyData>(logits: OnnxArgument<D>, options?: O): Result<P, OnnxTensor<Computed<D>>>;
  <D extends AnyData>(logits: Tensor<D>, options?: O): Result<P, Tensor<Computed<D>>>;
  (logits: Logits, options?: O): Result<P, number | Output>;
}

/** An argument as the kernels see it: `outer × classes × inner`, a row for each (outer, inner). A scalar is one row of one class. */
export interface View {
  readonly data: Data;
  readonly dtype: Dtype;
  readonly kind: "flat" | "shape" | "dims";
  readonly type: string;
  readonly shape: readonly number[];
  /** Of the shape, those that the classes are on. */
  readonly axes: readonly number[];
  /** Where the data is a transposed copy: the axes of the shape in its order, those of size 1 left out. */
  readonly order?: readonly number[];
  readonly outer: number;
  readonly classes: number;
  readonly inner: number;
  readonly rows: number;
}

/**
 * A tensor from nested arrays, as f64.
 *
 * @param rows  arrays of one length
 * @returns `{ data, shape }`, data a Float64Array, shape [rows, columns]
 * @throws {RangeError} a row of another length than the first
 * @throws {TypeError} not an array of arrays; an entry that is no number
 *
 * @example
 * fromRows([[1, 2], [3, 4]]).shape; // [2, 2]
 */
export function fromRows(rows: readonly (readonly number[])[]): { data: Float64Array; shape: [number, number] } {
  if (!Array.isArray(rows)) throw typeError("fromRows", "rows", "an array of arrays", rows);
  for (let i = 0; i < rows.length; i++) checkData("fromRows", `rows[${i}]`, rows[i]);
  const columns = rows.length === 0 ? 0 : rows[0].length;
  const data = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    if (row.length !== columns) {
      throw rangeError("fromRows", `rows[${i}]`, `${columns} numbers as in rows[0]`, row.length);
    }
    data.set(row, i * columns);
  });
  return { data, shape: [rows.length, columns] };
}

export const product = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1);

export const isFlat = (value: unknown): value is AnyData => Array.isArray(value) || ArrayBuffer.isView(value);

/** An argument's numbers as they came: `bits` are those of 16-bit numbers, for which view.data is an empty Float32Array. */
export interface Numbers {
  readonly view: View;
  readonly bits: { readonly data: Uint16Array; readonly format: HalfName } | undefined;
}

/** As `numbersOf`, 16-bit numbers as f32. */
function read(caller: string, name: string, value: Logits, options: Options): View {
  const { view, bits } = numbersOf(caller, name, value, options);
  if (bits === undefined) return view;
  const data = new Float32Array(bufferLike(bits.data, 4 * bits.data.length));
  widen(data, bits.data, bits.format);
  return { ...view, data };
}

/** Reads an argument; every error about data, shape and axis is thrown here. */
export function numbersOf(caller: string, name: string, value: Logits, options: Options): Numbers {
  if (!isFlat(value) && (typeof value !== "object" || value === null || !("data" in value))) {
    throw typeError(caller, name, "number[], Float32Array, Float64Array or { data, shape }", value);
  }
  const parts = (isFlat(value) ? { data: value } : value) as Partial<Tensor<AnyData> & OnnxTensor<AnyData>>;
  const { data: given, shape: own, dims } = parts;
  const kind = isFlat(value) ? "flat" : dims === undefined ? "shape" : "dims";
  let data: Data;
  let bits: Numbers["bits"];
  let { type = "" } = parts;
  if (isHalf(given)) {
    const format = halfName(caller, name, given, kind === "dims" ? type : undefined, options.dtype);
    bits = { data: bitsOf(given), format };
    data = new Float32Array(bufferLike(given, 0));
    type = "float32";
  } else {
    checkData(caller, kind === "flat" ? name : `${name}.data`, given);
    data = given;
  }
  const { length } = bits?.data ?? data;
  let shape: readonly number[] = [length];
  if (kind === "flat") {
    if (options.shape !== undefined) {
      checkShape(caller, "options.shape", options.shape);
      shape = options.shape;
    }
  } else {
    if (options.shape !== undefined) throw typeError(caller, "options.shape", "nothing beside a tensor", options.shape);
    const sizes = kind === "dims" ? dims : own;
    checkShape(caller, `${name}.${kind}`, sizes);
    shape = sizes;
    const expected = data instanceof Float32Array ? "float32" : "float64";
    if (kind === "dims" && type !== expected)
      throw typeError(caller, `${name}.type`, `"${expected}" for its data`, type);
  }
  if (product(shape) !== length) {
    throw rangeError(caller, name, `${product(shape)} elements for shape ${inWords(shape)}`, length);
  }
  const { axis = -1 } = options;
  const most = Math.max(shape.length, 1); // a scalar has an axis 0 to name, but none to leave out
  if (!Number.isInteger(axis) || axis < -most || axis >= most) {
    throw rangeError(caller, "options.axis", `an integer from ${-most} to ${most - 1}`, axis);
  }
  const at = axis < 0 ? axis + most : axis;
  const outer = product(shape.slice(0, at));
  const inner = product(shape.slice(at + 1));
  const view: View = {
    data,
    dtype: data instanceof Float32Array ? "f32" : "f64",
    kind,
    type,
    shape,
    axes: shape.length === 0 ? [] : [at],
    outer,
    classes: shape.length === 0 ? 1 : shape[at],
    inner,
    rows: outer * inner,
  };
  return { view, bits };
}

/** As `read`; `options.dtype` is for this argument or the one `beside` it. */
export function view(caller: string, name: string, value: Logits, options: Options, beside?: unknown): View {
  const result = read(caller, name, value, options);
  checkDtype(caller, options, [value, beside]);
  return result;
}

/** `options.dtype` says what one of the arguments holds. */
export function checkDtype(caller: string, { dtype }: Options, values: readonly unknown[]): void {
  if (dtype !== undefined && !values.some(holdsHalf)) {
    throw typeError(caller, "options.dtype", "nothing where there is no Uint16Array", dtype);
  }
}

const holdsHalf = (value: unknown): boolean => isHalf(isFlat(value) ? value : (value as Partial<Tensor> | null)?.data);

/** As `view`, for the last argument of an operation with these option names. */
export function viewWithOptions(
  caller: string,
  name: string,
  value: Logits,
  options: Options,
  allowed: readonly string[],
  beside?: unknown,
): View {
  checkOptions(caller, options, allowed);
  return view(caller, name, value, options, beside);
}

/** A second argument that must be like the first in kind of data and shape. */
export function viewLike(caller: string, name: string, value: Logits, like: View, options: Options): View {
  const second = read(caller, name, value, options);
  if (second.dtype !== like.dtype)
    throw typeError(caller, name, `${like.dtype} as the argument before`, words(`${second.dtype}`));
  const [own, expected] = [inWords(second.shape), inWords(like.shape)];
  if (own !== expected) throw rangeError(caller, name, `shape ${expected}`, words(own));
  return second;
}

/** The shape of one number for each row. */
export function rowShape({ shape, axes }: View, keepDims = false): number[] {
  return keepDims ? shape.map((size, d) => (axes.includes(d) ? 1 : size)) : shape.filter((_, d) => !axes.includes(d));
}

/** One number for each row of another argument: a flat array, or a tensor of one of these shapes. */
export function viewRows(
  caller: string,
  name: string,
  value: Logits,
  like: View,
  { dtype }: Pick<Options, "dtype">,
  shapes: readonly (readonly number[])[] = [rowShape(like)],
): View {
  const second = read(caller, name, value, { dtype });
  if (second.data.length !== like.rows) {
    throw rangeError(caller, name, `${like.rows} numbers, one for each row`, second.data.length);
  }
  const own = inWords(second.shape);
  const allowed = shapes.map(inWords);
  if (second.kind !== "flat" && !allowed.includes(own)) {
    throw rangeError(caller, `${name}.${second.kind}`, allowed.join(" or "), words(own));
  }
  return second;
}

/** A shape as messages have it. */
export const inWords = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** Whether an array is memory that threads share. */
export function isShared(data: unknown): data is ArrayBufferView {
  return (
    typeof SharedArrayBuffer === "function" && ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer
  );
}

const bufferLike = (data: unknown, bytes: number): ArrayBuffer | SharedArrayBuffer =>
  isShared(data) ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);

/** A new array of the argument's kind, shared if that is. */
export function allocate({ data }: { readonly data: Data }, length: number): Writable {
  if (Array.isArray(data)) return new Array<number>(length).fill(0);
  const buffer = bufferLike(data, length * (data as Float32Array).BYTES_PER_ELEMENT);
  return data instanceof Float32Array ? new Float32Array(buffer) : new Float64Array(buffer);
}

/** `out` if given, checked, or a new array. Input and out may be one array, but not overlap otherwise. */
export function receiver(
  caller: string,
  like: View,
  length: number,
  out: Writable | undefined,
  inputs: readonly Pick<View, "data">[],
  name = "options.out",
): Writable {
  if (out === undefined) return allocate(like, length);
  checkData(caller, name, out);
  const same = Array.isArray(like.data) ? Array.isArray(out) : out.constructor === like.data.constructor;
  if (!same)
    throw typeError(caller, name, Array.isArray(like.data) ? "number[]" : `a ${like.data.constructor.name}`, out);
  if (out.length !== length) throw rangeError(caller, name, `${length} elements`, out.length);
  if (!Array.isArray(out)) {
    for (const { data } of inputs) {
      if (Array.isArray(data) || (data as Float32Array).buffer !== out.buffer) continue;
      const other = data as Float32Array;
      const identical = other.byteOffset === out.byteOffset && other.length === out.length;
      const apart =
        other.byteOffset + other.byteLength <= out.byteOffset || out.byteOffset + out.byteLength <= other.byteOffset;
      if (!identical && !apart)
        throw rangeError(caller, name, "an array that does not overlap an input", words("one that does"));
    }
  }
  return out;
}

/** The result in the argument's own kind of object. */
export function wrap(like: View, data: Writable, shape: readonly number[]): Output {
  if (like.kind === "flat") return data;
  return like.kind === "dims" ? { data, dims: [...shape], type: like.type } : { data, shape: [...shape] };
}

/** One number for each row: a number where a flat array was one row, else an array without the class axes. */
export function wrapRows(like: View, data: Writable, keepDims = false): number | Output {
  if (like.kind === "flat" && like.shape.length === like.axes.length) return data[0];
  return wrap(like, data, rowShape(like, keepDims));
}
