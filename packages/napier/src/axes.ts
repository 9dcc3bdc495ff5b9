import { checkOptions, rangeError, typeError } from "./check.ts";
import {
  type AxesOptions,
  allocate,
  type Data,
  type Logits,
  product,
  type View,
  view,
  type Writable,
} from "./tensor.ts";

/** As `viewWithOptions`, where the classes may run over several axes: row-major, in the order that the axes have in the shape. */
export function viewAxes(
  caller: string,
  name: string,
  value: Logits,
  options: AxesOptions,
  allowed: readonly string[],
  beside?: unknown,
): View {
  checkOptions(caller, options, allowed);
  const { shape, dtype, axis, keepDims } = options;
  if (keepDims !== undefined && typeof keepDims !== "boolean")
    throw typeError(caller, "options.keepDims", "true or false", keepDims);
  if (!Array.isArray(axis)) return view(caller, name, value, options as AxesOptions & { axis?: number }, beside);
  const x = view(caller, name, value, { shape, dtype }, beside);
  return overAxes(x, axis.length === 0 ? x.shape.map((_, d) => d) : axesOf(caller, axis, x.shape.length));
}

/** Each axis once, from 0, ascending. */
function axesOf(caller: string, given: readonly unknown[], rank: number): number[] {
  const most = Math.max(rank, 1); // a scalar has an axis 0 to name, but none to leave out
  const axes: number[] = [];
  for (let n = 0; n < given.length; n++) {
    const axis = given[n] as number;
    if (!Number.isInteger(axis) || axis < -most || axis >= most)
      throw rangeError(caller, `options.axis[${n}]`, `an integer from ${-most} to ${most - 1}`, axis);
    const d = axis < 0 ? axis + most : axis;
    if (axes.includes(d)) throw rangeError(caller, `options.axis[${n}]`, "an axis that is not there before", axis);
    axes.push(d);
  }
  return rank === 0 ? [] : axes.sort((a, b) => a - b);
}

/** Axes next to each other are one axis; others are copied, behind those that stay. */
function overAxes(x: View, axes: readonly number[]): View {
  const { shape } = x;
  const size = (dims: readonly number[]): number => product(dims.map((d) => shape[d]));
  const stay = shape.map((_, d) => d).filter((d) => !axes.includes(d));
  const [rows, classes] = [size(stay), size(axes)];
  const flat = { ...x, axes, outer: rows, classes, inner: 1, rows };
  if (x.data.length === 0) return flat;
  const long = axes.filter((d) => shape[d] > 1);
  const end = long.length === 0 ? 0 : long[long.length - 1] + 1;
  const isOne = product(shape.slice(long[0] ?? 0, end)) === classes;
  if (isOne) {
    const inner = product(shape.slice(end));
    return { ...flat, outer: rows / inner, inner };
  }
  const moved = { ...flat, order: [...stay, ...axes].filter((d) => shape[d] > 1) };
  return { ...moved, data: arrange(moved, x.data) };
}

/** Walks an array of these sizes, row-major, while `at` moves by a stride for each axis: `run` gets each stretch of the last axis. */
export function walk(
  sizes: readonly number[],
  strides: readonly number[],
  run: (at: number, step: number, to: number, count: number) => void,
): void {
  const last = sizes.length - 1;
  const [count, step] = last < 0 ? [1, 0] : [sizes[last], strides[last]];
  const index = sizes.map(() => 0);
  const total = product(sizes);
  for (let to = 0, at = 0; to < total; to += count) {
    run(at, step, to, count);
    for (let n = last - 1; n >= 0; n--) {
      at += strides[n];
      if (++index[n] < sizes[n]) break;
      at -= strides[n] * index[n];
      index[n] = 0;
    }
  }
}

function walkTranspose({ shape, order = [] }: View, run: Parameters<typeof walk>[2]): void {
  const sizes = order.map((d) => shape[d]);
  const strides = order.map((d) => product(shape.slice(d + 1)));
  walk(sizes, strides, run);
}

/** What stands as the argument does, in the order in which the kernels see it. */
export function arrange<D extends Data | Uint8Array>(x: View, data: D): D {
  if (x.order === undefined) return data;
  const out = data instanceof Uint8Array ? new Uint8Array(data.length) : allocate({ data }, data.length);
  walkTranspose(x, (at, step, to, count) => {
    for (let j = 0; j < count; j++) out[to + j] = data[at + j * step];
  });
  return out as Data | Uint8Array as D;
}

/** What kernels wrote, back to where the argument has it. */
export function putBack(x: View, data: Data, out: Writable): void {
  walkTranspose(x, (at, step, from, count) => {
    for (let j = 0; j < count; j++) out[at + j * step] = data[from + j];
  });
}
