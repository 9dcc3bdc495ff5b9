import { type Caller, rangeError, typeError, words } from "../check.ts";
import type { Label } from "./matrix.ts";

/** Labels of rows; numbers may come in a typed array. */
export type Labels<L extends Label = Label> = readonly L[] | Int32Array | Float64Array;

export function checkLabels(caller: Caller, argument: string, y: unknown, rows: number): asserts y is Labels {
  if (!Array.isArray(y) && !(y instanceof Int32Array) && !(y instanceof Float64Array)) {
    throw typeError(caller, argument, "an array of labels, Int32Array or Float64Array", y);
  }
  if (y.length !== rows) throw rangeError(caller, argument, `${rows} labels, one a row`, words(`${y.length}`));
  const kind = typeof y[0];
  for (let i = 0; i < rows; i++) {
    const label: unknown = y[i];
    const name = `${argument}[${i}]`;
    if (typeof label !== "string" && typeof label !== "number") {
      throw typeError(caller, name, "a string or a number", label);
    }
    if (typeof label !== kind) throw typeError(caller, name, `a ${kind}, as ${argument}[0]`, label);
    if (typeof label === "number" && !Number.isFinite(label)) {
      throw rangeError(caller, name, "a finite number", label);
    }
  }
}

/** The distinct labels in order: numbers by value, strings by code units. −0 counts as 0. */
export function classesOf<L extends Label>(y: Labels<L>): L[] {
  const distinct = new Set<Label>(y);
  return [...distinct].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)) as L[];
}

/** The class index of each label. */
export function indicesOf(
  caller: Caller,
  argument: string,
  y: Labels,
  classes: readonly Label[],
): Int32Array<ArrayBuffer> {
  const index = new Map(classes.map((label, j) => [label, j]));
  const indices = new Int32Array(y.length);
  for (let i = 0; i < y.length; i++) {
    const j = index.get(y[i]);
    if (j === undefined) {
      throw rangeError(caller, argument, "classes of the model", words(`${JSON.stringify(y[i])} at row ${i}`));
    }
    indices[i] = j;
  }
  return indices;
}
