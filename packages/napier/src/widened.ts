import type { Area, Job, KernelCall } from "./job.ts";
import type { RowKernel } from "./kernels.ts";
import type { Dtype } from "./tensor.ts";

/** A job of kernels that take f64 rows: its inputs are widened by their copy, its f32 outputs rounded once, at the end. */
export class WidenedJob {
  readonly #areas: Area[] = [];
  readonly #calls: KernelCall[] = [];
  readonly #narrow: KernelCall[] = [];

  #add(type: Area["type"], width: number, inner: number, from: Area["from"], to: Area["to"]): number {
    return this.#areas.push({ type, width, inner, from, to }) - 1;
  }

  input(width: number, inner: number, from: Area["from"]): number {
    return this.#add("f64", width, inner, from, undefined);
  }

  scratch(width: number): number {
    return this.#add("f64", width, 1, undefined, undefined);
  }

  /** A row's mask: one byte a class. */
  mask(width: number, inner: number, from: Area["from"]): number {
    return this.#add("u8", width, inner, from, undefined);
  }

  output(dtype: Dtype, width: number, inner: number, to: Area["to"]): number {
    if (dtype === "f64") return this.#add("f64", width, inner, undefined, to);
    const wide = this.scratch(width);
    const narrow = this.#add("f32", width, inner, undefined, to);
    this.#narrow.push({ kernel: width === 1 ? "narrow_rows_f32" : "narrow_f32", areas: [narrow, wide] });
    return wide;
  }

  call(kernel: RowKernel, areas: readonly number[], numbers?: readonly number[]): void {
    this.#calls.push({ kernel, areas, ...(numbers && { numbers }) });
  }

  /** `width` of an area is 1 or `classes`. */
  job(rows: number, classes: number): Job {
    return { rows, classes, areas: this.#areas, calls: [...this.#calls, ...this.#narrow] };
  }
}
