import { type Area, areaOf, type KernelCall, scratch } from "./job.ts";
import type { RowKernel } from "./kernels.ts";
import type { View, Writable } from "./tensor.ts";

/** A job as it is put together: areas, and the calls that name them by their indices. */
export class Steps {
  readonly areas: Area[] = [];
  readonly calls: KernelCall[] = [];

  area(area: Area): number {
    return this.areas.push(area) - 1;
  }

  call(kernel: RowKernel, areas: readonly number[], ...numbers: number[]): void {
    this.calls.push(numbers.length > 0 ? { kernel, areas, numbers } : { kernel, areas });
  }

  /** An argument's rows in f64. */
  wide(x: View): number {
    const given = this.area(areaOf(x, x.data));
    if (x.dtype === "f64") return given;
    const rows = this.area(scratch("f64", x.classes));
    this.call("widen_f32", [rows, given]);
    return rows;
  }

  /** `write` makes rows in f64, which leave by `out` in the dtype of x. */
  leave(x: View, out: Writable, write: (rows: number) => void): void {
    const area = areaOf(x, undefined, out);
    const rows = this.area(x.dtype === "f64" ? area : scratch("f64", x.classes));
    write(rows);
    if (x.dtype === "f32") this.call("narrow_f32", [this.area(area), rows]);
  }
}

/** Areas that prepare_f64 leaves for the kernels after it. */
export interface PreparedRows {
  readonly d: number;
  readonly e: number;
  readonly records: number;
}

const RECORD = 8;

/** The rows x, in f64, over a temperature. */
export function tempered(steps: Steps, x: number, classes: number, temperature: number): PreparedRows {
  const [d, e, records] = [classes, classes, RECORD].map((width) => steps.area(scratch("f64", width)));
  steps.call("prepare_f64", [d, e, records, x], temperature);
  return { d, e, records };
}

/** A value for what a mask leaves out in an area. */
type Fill = readonly [area: number, value: number];

/** The calls of a job on x, with what the mask leaves out filled in one area before them, and in another after them. */
export function maskedCalls(
  x: View,
  mask: Uint8Array | undefined,
  areas: Area[],
  calls: readonly KernelCall[],
  before: Fill,
  after?: Fill,
): readonly KernelCall[] {
  if (mask === undefined) return calls;
  const at = areas.push({ ...areaOf(x), type: "u8", from: mask }) - 1;
  const fill = ([area, value]: Fill): KernelCall => ({
    kernel: `fill_masked_${x.dtype}`,
    areas: [area, at],
    numbers: [value],
  });
  return after === undefined ? [fill(before), ...calls] : [fill(before), ...calls, fill(after)];
}
