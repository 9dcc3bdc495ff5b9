import { type Area, areaOf, type KernelCall, type Prepared, scratch } from "./job.ts";
import type { Data, View } from "./tensor.ts";
import { wide } from "./wide.ts";

/** Areas in f64 for the kernels of `wide`: f32 is widened before their calls, and rounded after them. */
export class Plan {
  readonly areas: Area[] = [];
  readonly #before: KernelCall[] = [];
  readonly #after: KernelCall[] = [];

  #scratch(width: number): number {
    return this.areas.push(scratch("f64", width)) - 1;
  }

  /** An area that is taken as it is. */
  add(area: Area): number {
    return this.areas.push(area) - 1;
  }

  /** An input like x; a number is one for every entry. */
  read(x: View, data: Data | number): number {
    if (typeof data === "number") return this.add({ ...areaOf(x, data), type: "f64" });
    const own = this.add(areaOf(x, data));
    if (x.dtype === "f64") return own;
    const wide = this.#scratch(x.classes);
    this.#before.push({ kernel: "widen_f32", areas: [wide, own] });
    return wide;
  }

  /** A result like x; `undefined` is kept for later calls only. */
  write(x: View, to: Area["to"]): number {
    if (to === undefined) return this.#scratch(x.classes);
    const own = this.add(areaOf(x, undefined, to));
    if (x.dtype === "f64") return own;
    const wide = this.#scratch(x.classes);
    this.#after.push({ kernel: "narrow_f32", areas: [own, wide] });
    return wide;
  }

  prepare<R>({ rows, classes }: View, calls: readonly KernelCall[], finish: () => R): Prepared<R> {
    const all = [...this.#before, ...calls, ...this.#after];
    return { family: wide, job: { rows, classes, areas: this.areas, calls: all }, finish };
  }
}
