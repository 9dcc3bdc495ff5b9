import { arrange, walk } from "./axes.ts";
import { checkData, checkShape, rangeError, typeError, words } from "./check.ts";
import { inWords, isFlat, product, rowShape, type View } from "./tensor.ts";

/** 1 or true keeps, 0 or false leaves out. */
export type MaskData = readonly boolean[] | readonly number[] | Uint8Array | Int32Array | BigInt64Array;
/**
 * A flat mask is one for each class, or for each number. The shape of a tensor broadcasts to the logits': aligned at the
 * last axis, sizes of 1 repeat.
 */
export type Mask = MaskData | OptionTensor<MaskData>;

export type WeightData = readonly number[] | Float32Array | Float64Array;
export type Weights = WeightData | OptionTensor<WeightData>;

type OptionTensor<D> =
  | { readonly data: D; readonly shape: readonly number[] }
  | { readonly data: D; readonly dims: readonly number[]; readonly type: string };

/** An option's parts. `name` is that of its data, for messages. */
interface Given {
  readonly data: unknown;
  /** Of a tensor: what it is called, and its sizes. */
  readonly kind?: "shape" | "dims";
  readonly shape?: readonly number[];
  readonly name: string;
}

function parts(caller: string, name: string, value: unknown, kinds: string): Given {
  if (isFlat(value)) return { data: value, name };
  if (typeof value !== "object" || value === null || !("data" in value))
    throw typeError(caller, name, `${kinds.replace(" or ", ", ")} or a tensor of these`, value);
  const { data, shape: own, dims } = value as { data: unknown; shape?: unknown; dims?: unknown };
  const kind = dims === undefined ? "shape" : "dims";
  const shape = dims ?? own;
  checkShape(caller, `${name}.${kind}`, shape);
  return { data, kind, shape, name: `${name}.data` };
}

/** The sizes of a tensor's option, one for each axis of x. */
function alignedShape(caller: string, name: string, { kind, shape = [] }: Given, length: number, x: View): number[] {
  const missing = x.shape.length - shape.length;
  const aligned = x.shape.map((_, d) => (d < missing ? 1 : shape[d - missing]));
  if (missing < 0 || aligned.some((size, d) => size !== 1 && size !== x.shape[d])) {
    const isOfRows = inWords(shape) === inWords(rowShape(x));
    const todo = isOfRows ? `for whole rows give it the shape ${inWords(rowShape(x, true))}` : undefined;
    const expected = `${inWords(x.shape)} or a shape that broadcasts to it`;
    throw rangeError(caller, `${name}.${kind}`, expected, words(inWords(shape)), todo);
  }
  if (product(shape) !== length)
    throw rangeError(caller, `${name}.data`, `${product(shape)} elements for shape ${inWords(shape)}`, length);
  return aligned;
}

/** Fills `out`, of x's shape, from data of an aligned shape. */
function repeat(out: Uint8Array | Float32Array | Float64Array, data: typeof out, aligned: number[], x: View): void {
  const strides = aligned.map((size, d) => (size === 1 ? 0 : product(aligned.slice(d + 1))));
  const sizes: number[] = [];
  const steps: number[] = [];
  // an axis that goes on where the one after it ends is one with it
  for (let d = aligned.length - 1; d >= 0; d--) {
    if (sizes.length > 0 && strides[d] === sizes[0] * steps[0]) sizes[0] *= x.shape[d];
    else {
      sizes.unshift(x.shape[d]);
      steps.unshift(strides[d]);
    }
  }
  const isLeading = steps[0] === 0;
  const first = isLeading ? 1 : 0;
  walk(sizes.slice(first), steps.slice(first), (at, step, to, count) => {
    if (step === 0) out.fill(data[at], to, to + count);
    else for (let j = 0; j < count; j++) out[to + j] = data[at + j * step];
  });
  if (!isLeading) return;
  for (let done = out.length / sizes[0]; done < out.length; done *= 2)
    out.copyWithin(done, 0, Math.min(done, out.length - done));
}

const MASKS = "boolean[], number[], Uint8Array, Int32Array or BigInt64Array";

const isMaskData = (data: unknown): data is MaskData =>
  Array.isArray(data) || data instanceof Uint8Array || data instanceof Int32Array || data instanceof BigInt64Array;

const bit = (value: unknown): number =>
  value === 1 || value === true || value === 1n ? 1 : value === 0 || value === false || value === 0n ? 0 : 2;

function maskBytes(caller: string, name: string, data: MaskData): Uint8Array {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data.length);
  if (bytes !== data) for (let k = 0; k < data.length; k++) bytes[k] = bit(data[k]);
  for (let k = 0; k < bytes.length; k++) {
    if (bytes[k] > 1) throw rangeError(caller, `${name}[${k}]`, "0, 1, false or true", data[k]);
  }
  return bytes;
}

/** A mask's bytes, and its sizes, one for each axis of x. */
function alignedMask(caller: string, mask: Mask, x: View): { bytes: Uint8Array; aligned: number[] } {
  const name = "options.mask";
  const given = parts(caller, name, mask, MASKS);
  const { data } = given;
  if (!isMaskData(data)) throw typeError(caller, given.name, MASKS, data);
  let aligned: number[];
  if (given.shape === undefined) {
    const length = product(x.shape);
    const [all, one] = [`${length} entries`, ` or ${x.classes}, one for each class`];
    const isFull = data.length === length;
    if (!isFull && data.length !== x.classes)
      throw rangeError(caller, name, x.classes === length ? all : all + one, data.length);
    aligned = x.shape.map((size, d) => (isFull || x.axes.includes(d) ? size : 1));
  } else aligned = alignedShape(caller, name, given, data.length, x);
  return { bytes: maskBytes(caller, given.name, data), aligned };
}

/**
 * A mask as the kernels take it, a byte for each of x's numbers as x's data has them: 1 keeps, 0 leaves out.
 * A flat one has as many entries as x, or as x's last axis. A Uint8Array that fits as it stands is not copied.
 */
export function maskOf(caller: string, mask: Mask | undefined, x: View): Uint8Array | undefined {
  if (mask === undefined) return undefined;
  const { bytes, aligned } = alignedMask(caller, mask, x);
  return full(bytes, aligned, x, () => new Uint8Array(x.data.length));
}

/** A mask that stands as it came: that of a row and its class j is data[at(row) + j·step]. */
export interface MaskRows {
  readonly data: Uint8Array;
  readonly step: 0 | 1;
  at(row: number): number;
}

/** As maskOf where x, whose classes are on its last axis, is never there as a whole. */
export function maskRowsOf(caller: string, mask: Mask | undefined, x: View): MaskRows | undefined {
  if (mask === undefined) return undefined;
  const { bytes, aligned } = alignedMask(caller, mask, x);
  const sizes = x.shape.slice(0, -1);
  const strides = sizes.map((_, d) => (aligned[d] === 1 ? 0 : product(aligned.slice(d + 1))));
  return {
    data: bytes,
    step: aligned[aligned.length - 1] === x.classes ? 1 : 0,
    at(row) {
      let at = 0;
      for (let d = sizes.length - 1; d >= 0; d--) {
        at += (row % sizes[d]) * strides[d];
        row = Math.floor(row / sizes[d]);
      }
      return at;
    },
  };
}

/** 1 for each of so many rows of which a mask keeps a class. */
export function keptByRows({ data, step, at }: MaskRows, rows: number, classes: number): Uint8Array {
  return Uint8Array.from({ length: rows }, (_, row) => {
    const first = at(row);
    if (step === 0) return data[first];
    let j = 0;
    while (j < classes && data[first + j] === 0) j++;
    return j < classes ? 1 : 0;
  });
}

/** Data of an aligned shape as x's data stands. */
function full<D extends Uint8Array | Float32Array | Float64Array>(
  data: D,
  aligned: number[],
  x: View,
  make: () => D,
): D {
  if (data.length === x.data.length) return arrange(x, data);
  const out = make();
  repeat(out, data, aligned, x);
  return arrange(x, out);
}

/** 1 for each row, outer × inner, of which a mask of x keeps a class. */
export function keptRows(mask: Uint8Array, { rows, outer, classes, inner }: View): Uint8Array {
  const kept = new Uint8Array(rows);
  if (inner === 1) {
    for (let i = 0, end = classes; i < rows; i++, end += classes) {
      let k = end - classes;
      while (k < end && mask[k] === 0) k++;
      if (k < end) kept[i] = 1;
    }
    return kept;
  }
  for (let o = 0, k = 0; o < outer; o++) {
    for (let j = 0; j < classes; j++) {
      for (let i = o * inner; i < (o + 1) * inner; i++, k++) kept[i] |= mask[k];
    }
  }
  return kept;
}

type Floats = Float32Array | Float64Array;

function floatsOf(caller: string, given: Given, isGood: (value: number) => boolean, expected: string): Floats {
  const { data, name } = given;
  checkData(caller, name, data);
  for (let k = 0; k < data.length; k++) {
    if (!isGood(data[k])) throw rangeError(caller, `${name}[${k}]`, expected, data[k]);
  }
  return Array.isArray(data) ? Float64Array.from(data) : (data as Floats);
}

const WEIGHTS = "number[], Float32Array or Float64Array";

/**
 * Numbers for x's, of any sign: those of one row where all rows have the same, else one for each of x's, as x's data has
 * them. A flat array has one for each class, or as many as x.
 */
export function broadcastOf(
  caller: string,
  name: string,
  value: Weights,
  x: View,
): Floats | { readonly eachRow: Floats } {
  const given = parts(caller, name, value, WEIGHTS);
  const data = floatsOf(caller, given, (v) => !Number.isNaN(v), "a number");
  if (given.shape === undefined) {
    if (data.length === x.classes) return { eachRow: data };
    if (data.length === x.data.length) return arrange(x, data);
    const each = `${x.classes} numbers, one for each class`;
    throw rangeError(caller, name, `${each}, or ${x.data.length}`, data.length);
  }
  const aligned = alignedShape(caller, name, given, data.length, x);
  const isOfClasses = data.length === x.classes && aligned.every((size, d) => size === 1 || x.axes.includes(d));
  if (isOfClasses) return { eachRow: data };
  return full(data, aligned, x, () => new (data.constructor as Float64ArrayConstructor)(x.data.length));
}

/** A weight for each class, finite. */
export function classWeightsOf(caller: string, weight: Weights, { classes }: View): Float64Array {
  const name = "options.weight";
  const given = parts(caller, name, weight, WEIGHTS);
  const data = floatsOf(caller, given, Number.isFinite, "a finite number");
  if (given.shape !== undefined && inWords(given.shape) !== `[${classes}]`)
    throw rangeError(caller, `${name}.${given.kind}`, `[${classes}]`, words(inWords(given.shape)));
  if (data.length !== classes)
    throw rangeError(caller, given.name, `${classes} numbers, one for each class`, data.length);
  return Float64Array.from(data);
}
