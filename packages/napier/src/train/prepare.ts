import { rangeError, words } from "../check.ts";
import { classesOf, indicesOf } from "./labels.ts";
import { checkValues, type Feature, type Label, type Matrix } from "./matrix.ts";
import type { checkFit } from "./options.ts";
import { type Scaling, scalingOf } from "./scale.ts";
import { allRows, split } from "./shuffle.ts";

export type Pace = () => Promise<void>;

/** Called between short pieces of work: every 40 ms it lets timers and signals have their turn. */
export function pacer(signal: AbortSignal | undefined): Pace {
  signal?.throwIfAborted();
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 40) return;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    last = performance.now();
  };
}

/** Rows of a matrix, and the class index of each of the matrix's rows. */
export interface Part {
  readonly x: Matrix;
  readonly targets: Int32Array;
  readonly rows: Uint32Array;
}

export interface Prepared<L extends Label> {
  readonly classes: L[];
  readonly training: Part;
  readonly validation: Part | undefined;
  readonly scaling: Scaling;
}

async function checkAllValues(argument: string, x: Matrix, features: readonly Feature[], pace: Pace): Promise<void> {
  const [rows, columns] = x.shape;
  const step = Math.max(1, Math.floor(1e6 / columns)); // about 3 ms
  for (let first = 0; first < rows; first += step) {
    checkValues("fit", argument, x, features, first, Math.min(step, rows - first));
    await pace();
  }
}

/** Classes, the rows on either side, and the scaling that the training rows ask for; checks every number. */
export async function prepare<L extends Label>(
  { x, y, validation, seed, scale, features }: ReturnType<typeof checkFit<L>>,
  pace: Pace,
): Promise<Prepared<L>> {
  await checkAllValues("x", x, features, pace);
  const classes = classesOf(y);
  if (classes.length < 2)
    throw rangeError("fit", "y", "at least 2 classes", words(`only ${JSON.stringify(classes[0])}`));
  const targets = indicesOf("fit", "y", y, classes);
  const rows = x.shape[0];
  const parts = typeof validation === "number" ? split(rows, validation, seed) : undefined;
  const training = { x, targets, rows: parts?.training ?? allRows(rows) };
  let held = parts && { x, targets, rows: parts.validation };
  if (typeof validation === "object") {
    await checkAllValues("validation.x", validation.x, features, pace);
    const indices = indicesOf("fit", "validation.y", validation.y, classes);
    held = { x: validation.x, targets: indices, rows: allRows(indices.length) };
  }
  return { classes, training, validation: held, scaling: await scalingOf(x, training.rows, scale, pace) };
}
