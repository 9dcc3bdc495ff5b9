import { rangeError, words } from "./check.ts";
import { type Area, type Job, type KernelCall, perRow, scratch } from "./job.ts";
import type { RowKernel } from "./kernels.ts";
import { type Data, inWords, type Logits, type Options, type Out, type View, view, type Writable } from "./tensor.ts";

/** What functions of one number take last. */
export type ElementOptions = Omit<Options, "axis"> & Out;

/** An argument of any shape as rows of one number each; `options.dtype` is for it or the one `beside` it. */
export function elements(
  caller: string,
  name: string,
  value: Logits,
  { shape, dtype }: Omit<Options, "axis">,
  beside?: unknown,
): View {
  const x = view(caller, name, value, { shape, dtype }, beside);
  const rows = x.data.length;
  return { ...x, axes: [], outer: rows, classes: 1, inner: 1, rows };
}

/** A second argument of the same shape, in any kind of array: all is computed in f64. */
export function elementsLike(
  caller: string,
  name: string,
  value: Logits,
  like: View,
  { dtype }: Omit<Options, "axis">,
  beside: unknown,
): View {
  const second = elements(caller, name, value, { dtype }, beside);
  const [own, expected] = [inWords(second.shape), inWords(like.shape)];
  if (second.kind === "flat") {
    if (second.rows !== like.rows) throw rangeError(caller, name, `${like.rows} numbers`, second.rows);
  } else if (own !== expected) throw rangeError(caller, `${name}.${second.kind}`, expected, words(own));
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
