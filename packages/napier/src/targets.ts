import { rangeError, typeError, words } from "./check.ts";
import { type AnyData, inWords, type OnnxArgument, rowShape, type View } from "./tensor.ts";

/** Class indices, one for each row of the logits. */
export type TargetData = readonly number[] | Int32Array | BigInt64Array;
export type Targets =
  | number
  | TargetData
  | { readonly data: TargetData; readonly shape: readonly number[] }
  | OnnxArgument<TargetData | AnyData>;

function isData(value: unknown): value is TargetData {
  return Array.isArray(value) || value instanceof Int32Array || value instanceof BigInt64Array;
}

/** Whether sizes are the logits' own: probabilities, perhaps. */
const isLike = (sizes: unknown, { shape }: View): boolean =>
  Array.isArray(sizes) && shape.length > 0 && inWords(sizes) === inWords(shape);

/** The class of each row, checked: as many as rows, each an integer from 0 to classes − 1, or ignoreIndex, which gives −1. */
export function classIndices(
  caller: string,
  targets: Targets,
  logits: View,
  logitsName = "logits",
  ignoreIndex?: number,
): Int32Array {
  const { classes, rows } = logits;
  if (classes === 0) throw rangeError(caller, logitsName, "at least 1 class", words("0"));
  let data: TargetData;
  let name = "targets";
  if (typeof targets === "number") {
    data = [targets];
  } else if (isData(targets)) {
    data = targets;
  } else {
    // by name: other libraries' tensors have getters, which a rest or a spread leaves out
    const { data: inside, shape, dims } = (targets ?? {}) as { data?: unknown; shape?: unknown; dims?: unknown };
    if (!isData(inside)) {
      throw typeError(caller, name, "a number, number[], Int32Array, BigInt64Array or a tensor of these", targets);
    }
    data = inside;
    const sizes = shape ?? dims;
    const expected = rowShape(logits);
    if (!Array.isArray(sizes) || sizes.length !== expected.length || sizes.some((size, d) => size !== expected[d])) {
      throw rangeError(
        caller,
        `${name}.${shape === undefined ? "dims" : "shape"}`,
        inWords(expected),
        Array.isArray(sizes) ? words(inWords(sizes)) : sizes,
        isLike(sizes, logits) ? "softCrossEntropy takes probabilities" : undefined,
      );
    }
    name = "targets.data";
  }
  if (data.length !== rows) {
    const isOne = logits.kind === "flat" && logits.shape.length === 1;
    const todo = Array.isArray(data[0])
      ? "a flat array, or { data, shape }"
      : isOne
        ? "a flat array without options.shape is one row"
        : undefined;
    throw rangeError(caller, name, `${rows} class ${rows === 1 ? "index" : "indices"}`, data.length, todo);
  }
  const y = new Int32Array(rows);
  // kinds apart: one loop for all of them costs 10 ns a row
  if (data instanceof Int32Array) y.set(data);
  else if (!(data instanceof BigInt64Array))
    for (let i = 0; i < rows; i++) y[i] = isClass(data[i], classes) ? data[i] : -1;
  else for (let i = 0; i < rows; i++) y[i] = isClass(Number(data[i]), classes) ? Number(data[i]) : -1;
  const isBig = data instanceof BigInt64Array;
  const ignored = isBig && ignoreIndex !== undefined ? BigInt(ignoreIndex) : ignoreIndex;
  for (let i = 0; i < rows; i++) {
    if (ignored !== undefined && data[i] === ignored) y[i] = -1;
    else if (!(y[i] >= 0 && y[i] < classes)) {
      const where = typeof targets === "number" ? name : `${name}[${i}]`;
      if (typeof data[i] === "bigint" && Array.isArray(data))
        throw typeError(caller, where, "a number", data[i], "a BigInt64Array takes bigints");
      const usual = data[i] === (isBig ? -100n : -100) && ignored === undefined;
      const todo = usual ? "pass ignoreIndex: -100 to leave such rows out" : undefined;
      throw rangeError(caller, where, `an integer from 0 to ${classes - 1}`, data[i], todo);
    }
  }
  return y;
}

const isClass = (value: unknown, classes: number): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < classes;
