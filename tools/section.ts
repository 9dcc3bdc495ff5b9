import type * as core from "napier";
import type * as linear from "napier/linear";
import type { Row } from "./rows.ts";

/** What a section of the corpus is given. */
export interface Section {
  readonly library: { readonly core: typeof core; readonly linear: typeof linear };
  readonly results: { put(...values: unknown[]): void };
  uniform(): number;
  normal(): number;
  row(row: Row, classes: number, dtype: "f32" | "f64"): number[];
}

export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

export const typed = (dtype: "f32" | "f64", values: readonly number[]): Float64Array =>
  (dtype === "f32" ? Float32Array : Float64Array).from(values) as Float64Array;
