import { checkData, rangeError, typeError, words } from "./check.ts";
import type { Data, View } from "./tensor.ts";

type MaskData = readonly number[] | readonly boolean[] | Uint8Array | Int32Array;
/** 1 or true keeps a number, 0 or false leaves it out; broadcast over leading axes, and axes of size 1. */
export type Mask =
  | MaskData
  | { readonly data: MaskData; readonly shape: readonly number[] }
  | { readonly data: MaskData; readonly dims: readonly number[]; readonly type: string };

const EXPECTED = "0 and 1 in number[], boolean[], Uint8Array, Int32Array or a tensor of these";

function isMaskData(value: unknown): value is MaskData {
  return Array.isArray(value) || value instanceof Uint8Array || value instanceof Int32Array;
}

/** A mask as large as x: one byte, 0 or 1, for each of its numbers. */
export function maskOf(caller: string, mask: Mask, x: View): Uint8Array {
  const name = "options.mask";
  const isFlat = isMaskData(mask);
  const { data, ...rest } = (isFlat ? { data: mask } : (mask ?? {})) as {
    data?: unknown;
    shape?: unknown;
    dims?: unknown;
  };
  if (!isMaskData(data)) throw typeError(caller, name, EXPECTED, mask);
  const given = (rest.shape ?? rest.dims) as readonly number[] | undefined;
  const own = given ?? (data.length === x.data.length ? x.shape : [data.length]);
  const rank = x.shape.length;
  const sizes = [...new Array<number>(Math.max(0, rank - own.length)).fill(1), ...own];
  const fits = sizes.length === rank && sizes.every((size, d) => size === 1 || size === x.shape[d]);
  if (!fits) {
    throw rangeError(caller, name, `a shape that broadcasts to [${x.shape.join(", ")}]`, words(`[${own.join(", ")}]`));
  }
  const count = sizes.reduce((total, size) => total * size, 1);
  if (data.length !== count)
    throw rangeError(caller, name, `${count} elements for shape [${own.join(", ")}]`, data.length);
  const bytes = Uint8Array.from(data as ArrayLike<number | boolean>, (v, k) => {
    if (v !== 0 && v !== 1 && typeof v !== "boolean") throw rangeError(caller, `${name}[${k}]`, "0 or 1", v);
    return Number(v);
  });
  // axis by axis, the last first: what stands for one of its places is repeated for all
  let full = bytes;
  let inner = 1;
  for (let d = rank - 1; d >= 0; d--) {
    const size = x.shape[d];
    if (sizes[d] !== size) {
      const wider = new Uint8Array(full.length * size);
      for (let from = 0, to = 0; from < full.length; from += inner) {
        const part = full.subarray(from, from + inner);
        for (let n = 0; n < size; n++, to += inner) wider.set(part, to);
      }
      full = wider;
    }
    inner *= size;
  }
  return full;
}

/** Which rows have a number that is kept. */
export function keptRows(mask: Uint8Array, { rows, classes, inner }: View): Uint8Array {
  const kept = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    let k = Math.floor(i / inner) * classes * inner + (i % inner);
    for (let j = 0; j < classes && kept[i] === 0; j++, k += inner) kept[i] = mask[k];
  }
  return kept;
}

/** One finite number from 0 for each class. */
export function classWeightsOf(caller: string, weight: Data, { classes }: View): Float64Array {
  const name = "options.weight";
  checkData(caller, name, weight);
  if (weight.length !== classes)
    throw rangeError(caller, name, `${classes} numbers, one for each class`, weight.length);
  return Float64Array.from(weight as ArrayLike<number>, (w, j) => {
    if (!(w >= 0 && w < Infinity)) throw rangeError(caller, `${name}[${j}]`, "a finite number from 0", w);
    return w;
  });
}
