import { rangeError, words } from "./check.ts";
import { type Area, type Job, type KernelCall, perRow, scratch } from "./job.ts";
import type { RowKernel } from "./kernels.ts";
import { type Data, type Logits, type Out, type View, view, type Writable } from "./tensor.ts";

/** What functions of one number take last. */
export interface ElementOptions extends Out {
  /** the shape of a flat array */
  shape?: readonly number[];
}

/** An argument of any shape, no dimension included, as rows of one number each. */
export function elements(caller: string, name: string, value: Logits, options: ElementOptions): View {
  const x = view(caller, name, value, { shape: options.shape });
  const shape = [...x.shape, 1];
  const rows = x.data.length;
  return { ...x, shape, axes: [shape.length - 1], outer: rows, classes: 1, inner: 1, rows };
}

/** A second argument of the same shape, in any kind of array: all is computed in f64. */
export function elementsLike(caller: string, name: string, value: Logits, like: View): View {
  const second = elements(caller, name, value, {});
  if (second.kind === "flat") {
    if (second.rows !== like.rows) throw rangeError(caller, name, `${like.rows} numbers`, second.rows);
  } else if (second.shape.length !== like.shape.length || second.shape.some((size, d) => size !== like.shape[d])) {
    const list = (shape: readonly number[]): string => `[${shape.slice(0, -1).join(", ")}]`;
    throw rangeError(caller, `${name}.${second.kind}`, list(like.shape), words(list(second.shape)));
  }
  return second;
}

/** A kernel on numbers one by one, in f64: (…sinks, …sources, …numbers). What goes to an f32 array is rounded last. */
export function elementJob(
  kernel: RowKernel,
  rows: number,
  sinks: readonly Writable[],
  sources: readonly (Data | number)[],
  numbers?: readonly number[],
): Job {
  const areas: Area[] = [
    ...sinks.map((sink) => (sink instanceof Float32Array ? scratch("f64", 1) : perRow("f64", undefined, sink))),
    ...sources.map((source) => perRow("f64", source)),
  ];
  const calls: KernelCall[] = [{ kernel, areas: areas.map((_, n) => n), numbers }];
  sinks.forEach((sink, n) => {
    if (!(sink instanceof Float32Array)) return;
    calls.push({ kernel: "narrow_f32", areas: [areas.length, n] });
    areas.push(perRow("f32", undefined, sink));
  });
  return { rows, classes: 1, areas, calls };
}
