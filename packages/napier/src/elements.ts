import { rangeError, words } from "./check.ts";
import type { HalfName } from "./half.ts";
import type { Area, Job, KernelCall } from "./job.ts";
import type { RowKernel } from "./kernels.ts";
import { type Data, inWords, type Logits, type Out, type View, view, type Writable } from "./tensor.ts";

/** What functions of one number take last. */
export interface ElementOptions extends Out {
  /** the shape of a flat array */
  shape?: readonly number[];
  /** what a Uint16Array holds, where no `type` says it */
  dtype?: HalfName;
}

/** An argument of any shape as rows of one number each; `options.dtype` is for it or the one `beside` it. */
export function elements(
  caller: string,
  name: string,
  value: Logits,
  { shape, dtype }: ElementOptions,
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
  { dtype }: ElementOptions = {},
  beside?: unknown,
): View {
  const second = elements(caller, name, value, { dtype }, beside);
  const [own, expected] = [inWords(second.shape), inWords(like.shape)];
  if (second.kind === "flat") {
    if (second.rows !== like.rows) throw rangeError(caller, name, `${like.rows} numbers`, second.rows);
  } else if (own !== expected) throw rangeError(caller, `${name}.${second.kind}`, expected, words(own));
  return second;
}

/** What stands in a number's place beside each of x's: one for all, a row of them for all rows, or as many. */
export type Source = Data | number | { readonly eachRow: Data };

const isRow = (source: Source): source is { readonly eachRow: Data } =>
  typeof source === "object" && "eachRow" in source;

/** A kernel on `count` numbers one by one, in f64: (…sinks, …sources, …numbers). What goes to an f32 array is rounded last. */
export function elementJob(
  kernel: RowKernel,
  count: number,
  sinks: readonly Writable[],
  sources: readonly Source[],
  numbers?: readonly number[],
): Job {
  const width = sources.find(isRow)?.eachRow.length ?? 1;
  const area = (type: Area["type"], from?: Source, to?: Writable): Area => ({ type, width, inner: 1, from, to });
  const areas: Area[] = [
    ...sinks.map((sink) => (sink instanceof Float32Array ? area("f64") : area("f64", undefined, sink))),
    ...sources.map((source) => area("f64", source)),
  ];
  const calls: KernelCall[] = [{ kernel, areas: areas.map((_, n) => n), numbers }];
  sinks.forEach((sink, n) => {
    if (!(sink instanceof Float32Array)) return;
    calls.push({ kernel: "narrow_f32", areas: [areas.length, n] });
    areas.push(area("f32", undefined, sink));
  });
  return { rows: count / width, classes: width, areas, calls };
}
