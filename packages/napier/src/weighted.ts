import type { Area, Job } from "./job.ts";
import type { View, Writable } from "./tensor.ts";
import { WidenedJob } from "./widened.ts";

/** The logits as rows of f64; what a mask leaves out is −∞. */
function rowsOf(job: WidenedJob, { classes, inner, data }: View, mask: number | undefined): number {
  const rows = job.input(classes, inner, data);
  if (mask !== undefined) job.call("fill_masked_f64", [rows, mask], [-Infinity]);
  return rows;
}

const maskArea = (job: WidenedJob, { classes, inner }: View, mask: Uint8Array | undefined): number | undefined =>
  mask && job.mask(classes, inner, mask);

/** log |Σ w·e^x|, and where there is no receiver for its sign NaN for a negative sum. */
export function weightedJob(
  x: View,
  weights: Area["from"],
  mask: Uint8Array | undefined,
  out: Writable,
  sign: Writable | undefined,
): Job {
  const job = new WidenedJob();
  const value = job.output(x.dtype, 1, 1, out);
  const signs = sign === undefined ? job.scratch(1) : job.output(x.dtype, 1, 1, sign);
  const logits = rowsOf(job, x, maskArea(job, x, mask));
  job.call("log_sum_exp_weighted_f64", [value, signs, logits, job.input(x.classes, x.inner, weights)]);
  if (sign === undefined) job.call("nan_where_negative_f64", [value, signs]);
  return job.job(x.rows, x.classes);
}

/** g·w·e^x / Σ w·e^x, 0 where the mask leaves out */
export function weightedBackwardJob(
  x: View,
  weights: Area["from"],
  mask: Uint8Array | undefined,
  out: Writable,
  gradients: Area["from"],
): Job {
  const { classes, inner } = x;
  const job = new WidenedJob();
  const dx = job.output(x.dtype, classes, inner, out);
  const left = maskArea(job, x, mask);
  const inputs = [job.input(1, 1, gradients), rowsOf(job, x, left), job.input(classes, inner, weights)];
  job.call("log_sum_exp_weighted_backward_f64", [dx, ...inputs]);
  if (left !== undefined) job.call("fill_masked_f64", [dx, left], [0]);
  return job.job(x.rows, classes);
}

/** How many classes of each row a mask keeps. */
function counts(mask: Uint8Array, { rows, classes, inner }: View): Float64Array {
  const kept = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const first = Math.floor(i / inner) * classes * inner + (i % inner);
    for (let j = 0; j < classes; j++) kept[i] += mask[first + j * inner];
  }
  return kept;
}

/** log(1/n Σ e^x) over the n classes that the mask keeps */
export function meanJob(x: View, mask: Uint8Array | undefined, out: Writable): Job {
  const job = new WidenedJob();
  const value = job.output(x.dtype, 1, 1, out);
  const logits = rowsOf(job, x, maskArea(job, x, mask));
  const n = mask === undefined ? x.classes : counts(mask, x);
  job.call("log_mean_exp_f64", [value, logits, job.input(1, 1, n)]);
  return job.job(x.rows, x.classes);
}
