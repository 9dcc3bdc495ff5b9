import { type Counted, weigh } from "./counting.ts";
import { type Area, perRow } from "./job.ts";
import { combine, type ReductionName, reduce } from "./reduction.ts";
import type { Output, View, Writable } from "./tensor.ts";

/** What becomes of the losses of rows of hard targets. */
export interface CountedRows {
  readonly x: View;
  readonly reduction: ReductionName;
  readonly rows: Counted;
}

/**
 * Where the kernels' losses go: sums over rows take them as f64, and so do weights; each on its own is, in f32,
 * −logSoftmax(x)[y] to the bit, which is not always the f64 loss rounded. The kernels for f32 have both.
 */
export class RowLosses {
  readonly exact: Float64Array;
  readonly rounded: Float32Array | undefined;

  constructor({ x, reduction, rows }: CountedRows) {
    this.exact = new Float64Array(x.rows);
    if (x.dtype === "f32" && reduction === "none" && rows.weights === undefined)
      this.rounded = new Float32Array(x.rows);
  }

  /** As the kernels' first areas. */
  areas({ x }: CountedRows): Area[] {
    const exact = perRow("f64", undefined, this.exact);
    return x.dtype === "f64" ? [exact] : [exact, perRow("f32", undefined, this.rounded)];
  }

  reduced(caller: string, { x, reduction, rows }: CountedRows, out?: Writable): number | Output {
    const losses = this.rounded ?? this.exact;
    weigh(losses, rows);
    return reduce(caller, losses, reduction, x, out, rows.divisor);
  }

  /** The mean before it is rounded to the logits' dtype. */
  mean({ rows }: CountedRows): number {
    weigh(this.exact, rows);
    return combine(this.exact, rows.divisor);
  }
}

/** What each row's gradient is multiplied by: where all are the same, one number. */
export function scalesOf({ reduction, rows: { weights, divisor } }: CountedRows): Float64Array | number {
  const by = reduction === "mean" && divisor !== 0 ? divisor : 1;
  return weights === undefined ? 1 / by : weights.map((w) => w / by);
}
