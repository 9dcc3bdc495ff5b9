import type { Counted } from "./counting.ts";
import { clearRows } from "./counting.ts";
import { type Prepared, perRow, scratch } from "./job.ts";
import type { SoftCrossEntropyOptions } from "./lossoptions.ts";
import { combine, type ReductionName, reduce } from "./reduction.ts";
import { Steps, tempered } from "./steps.ts";
import { type Output, type View, type Writable, wrap } from "./tensor.ts";
import { wide } from "./wide.ts";

/** What becomes of the losses of rows, where they are computed in f64 whatever comes in. */
export interface GeneralRows {
  readonly caller: string;
  readonly x: View;
  readonly reduction: ReductionName;
  readonly classWeights: Float64Array | undefined;
  readonly rows: Counted;
  readonly options: SoftCrossEntropyOptions;
}

/** Cross-entropy with any targets t from 0, in f64 whatever comes in, as kernels/softcrossentropy.as.ts has it. */
export interface GeneralLoss extends GeneralRows {
  readonly mask: Uint8Array | undefined;
  /** The call that fills the area t; the areas `weights` and `mask` are what its kernel takes. */
  targets(steps: Steps, t: number, weights: number, mask: number): void;
}

/** A row's weight may be so large that what its loss is rounded by, a part of 2^-1074, or 2^-1022 for f32, would be seen. */
const HEAVY = { f32: 6.668014432879854e240 /* 2^800 */, f64: 4 } as const;

/** Whether hard targets need this at all. */
export function isGeneral({ x, rows }: Pick<GeneralLoss, "x" | "rows">, options: SoftCrossEntropyOptions): boolean {
  const { labelSmoothing = 0, zLoss = 0, softcap, temperature = 1 } = options;
  const isHeavy = (w: number): boolean => Math.abs(w) > HEAVY[x.dtype];
  const changes = labelSmoothing > 0 || zLoss > 0 || softcap !== undefined || temperature !== 1;
  return changes || (rows.weights?.some(isHeavy) ?? false);
}

const LARGEST = 1.0715086071862673e301; // 2^1000

/**
 * The weights of the classes, and what a mean divides by. The mean's power of two is that of the true classes: where the
 * weight of another class would leave f64 with it, both go without.
 */
export function weightsOf({ classWeights, rows }: GeneralRows): { weights: Float64Array | undefined; divisor: number } {
  const { factor, divisor } = rows;
  if (factor <= 1 || classWeights?.every((w) => Math.abs(w) * factor < LARGEST))
    return { weights: classWeights?.map((w) => w * factor), divisor };
  return { weights: classWeights, divisor: divisor / factor };
}

/** z·lse², which may be in range where lse² is not, and where z·lse has lost digits below it. */
function squared(z: number, lse: number): number {
  const size = Math.abs(lse);
  return size > 1 && size < 1e150 ? z * (lse * lse) : z * lse * lse;
}

/** What the kernels leave of each row: the loss without z, and its lse. */
export class RowResults {
  readonly losses: Float64Array;
  readonly lses: Float64Array | undefined;

  constructor({ x, options: { zLoss = 0 } }: GeneralRows) {
    this.losses = new Float64Array(x.rows);
    if (zLoss > 0) this.lses = new Float64Array(x.rows);
  }

  /** The losses as they count, and what z adds to each. */
  #settled({ rows, options: { zLoss = 0 } }: GeneralRows): { losses: Float64Array; more: Float64Array } {
    const { losses, lses } = this;
    const more = lses?.map((lse) => squared(zLoss, lse)) ?? new Float64Array(0);
    rows.left?.forEach((isLeft, i) => {
      if (isLeft === 1) losses[i] = more[i] = 0;
    });
    return { losses, more };
  }

  /** The mean before it is rounded to the logits' dtype. */
  mean(loss: GeneralRows): number {
    const { losses, more } = this.#settled(loss);
    return combine(losses, weightsOf(loss).divisor) + combine(more, loss.rows.count);
  }

  reduced(loss: GeneralRows, out?: Writable): number | Output {
    const { caller, x, reduction, rows } = loss;
    const { losses, more } = this.#settled(loss);
    if (reduction !== "none") {
      const extra = combine(more, reduction === "mean" ? rows.count : 1);
      return reduce(caller, losses, reduction, x, undefined, weightsOf(loss).divisor, extra);
    }
    for (let i = 0; i < more.length; i++) {
      const both = losses[i] + more[i];
      losses[i] = Number.isNaN(both) ? Number.NaN : both; // ∞ − ∞ has another NaN's bits
    }
    return reduce(caller, losses, reduction, x, out);
  }
}

interface Areas {
  readonly steps: Steps;
  readonly given: number;
  readonly t: number;
  readonly e: number;
  readonly records: number;
  readonly mask: number;
}

/** The logits capped, masked and tempered, the targets, and the losses. */
function lossSteps(loss: GeneralLoss, { losses, lses }: RowResults): Areas {
  const { x, mask, options } = loss;
  const { softcap, temperature = 1 } = options;
  const { classes } = x;
  const steps = new Steps();
  const given = steps.wide(x);
  const rows = softcap === undefined ? given : steps.area(scratch("f64", classes));
  if (softcap !== undefined) steps.call("softcap_f64", [rows, given], softcap);
  const kept = steps.area({ type: "u8", width: classes, inner: x.inner, from: mask ?? 1, to: undefined });
  if (mask !== undefined) steps.call("fill_masked_f64", [rows, kept], -Infinity);
  const { d, e, records } = tempered(steps, rows, classes, temperature);
  const eachRow = weightsOf(loss).weights;
  const from = eachRow === undefined ? 1 : { eachRow };
  const weights = steps.area({ ...scratch("f64", classes), from });
  const t = steps.area(scratch("f64", classes));
  loss.targets(steps, t, weights, kept);
  const results = [steps.area(perRow("f64", undefined, losses)), steps.area(perRow("f64", undefined, lses))];
  steps.call("soft_loss_f64", [...results, d, t, records]);
  return { steps, given, t, e, records, mask: kept };
}

export function prepareGeneralLoss(loss: GeneralLoss, out: Writable | undefined): Prepared<number | Output> {
  const results = new RowResults(loss);
  const { areas, calls } = lossSteps(loss, results).steps;
  const { rows, classes } = loss.x;
  return { family: wide, job: { rows, classes, areas, calls }, finish: () => results.reduced(loss, out) };
}

/** The mean before it is rounded to the logits' dtype. */
export function prepareGeneralMean(loss: GeneralLoss): Prepared<number> {
  const results = new RowResults(loss);
  const { areas, calls } = lossSteps(loss, results).steps;
  const { rows, classes } = loss.x;
  return { family: wide, job: { rows, classes, areas, calls }, finish: () => results.mean(loss) };
}

/** What a mean divides a gradient by, and that of z·lse². */
export function gradientDivisors(loss: GeneralRows): { divisor: number; count: number } {
  const isMean = loss.reduction === "mean";
  return {
    divisor: (isMean && weightsOf(loss).divisor) || 1,
    count: isMean && loss.rows.count > 0 ? loss.rows.count : 1,
  };
}

export function prepareGeneralLossWithGrad(
  loss: GeneralLoss,
  out: Writable,
): Prepared<{ loss: number | Output; dlogits: Output }> {
  const { x, options, rows } = loss;
  const { softcap, temperature = 1, zLoss = 0 } = options;
  const results = new RowResults(loss);
  const { steps, given, t, e, records, mask } = lossSteps(loss, results);
  const { divisor, count } = gradientDivisors(loss);
  steps.leave(x, out, (dx) => {
    steps.call("soft_gradient_f64", [dx, e, t, records], divisor, count, zLoss, temperature);
    if (softcap !== undefined) steps.call("softcap_backward_f64", [dx, given], softcap);
    if (loss.mask !== undefined) steps.call("fill_masked_f64", [dx, mask], 0);
  });
  const { areas, calls } = steps;
  return {
    family: wide,
    job: { rows: x.rows, classes: x.classes, areas, calls },
    finish: () => {
      clearRows(out, x, rows.left);
      return { loss: results.reduced(loss), dlogits: wrap(x, out, x.shape) };
    },
  };
}
