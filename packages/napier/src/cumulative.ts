import { typeError } from "./check.ts";
import { runNow } from "./runner.ts";
import {
  type Elementwise,
  type Elementwise2,
  type Logits,
  type Options,
  type Out,
  receiver,
  type View,
  viewLike,
  viewWithOptions,
  wrap,
} from "./tensor.ts";
import { wide } from "./wide.ts";
import { WidenedJob } from "./widened.ts";

export interface CumulativeOptions extends Options, Out {
  /** from the last class to the first; false by default */
  reverse?: boolean;
}

const OPTIONS = ["shape", "axis", "dtype", "out", "reverse"];

/** The way along a row: 1 from the first class on, −1 from the last one. */
function stepOf(caller: string, { reverse = false }: CumulativeOptions): number {
  if (typeof reverse !== "boolean") throw typeError(caller, "options.reverse", "true or false", reverse);
  return reverse ? -1 : 1;
}

/**
 * The logarithm of the running sum of exponentials: cumulated probabilities, for survival and order models.
 *
 *   out[i, j] = log Σ_{k ≤ j} exp(x[i, k]), with `reverse` over k ≥ j
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  along which axis the sum runs, −1 by default
 * @param options.reverse  whether it runs from the last class to the first, false by default
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds; such results are f32
 * @param options.out  receives the result; may be the logits' own array
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape; the axis is not there
 *
 * Edges: −∞ until something else has come; +∞ gives +∞ from its place on, NaN gives NaN from its place on.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64); where the largest entry so far and the logarithm cancel, max(2 ulp, 2^-44·|largest|)
 * for f32 and max(4 ulp, 2^-51·|largest|) for f64, at any length.
 * Cost: an exponential and a logarithm a class, in f64.
 * Source: as logSumExp, with a reference that follows the maximum
 *
 * @example
 * logCumSumExp([0, -40, 1000]); // [0, 4.248354255291589e-18, 1000]
 */
export const logCumSumExp: Elementwise<CumulativeOptions> = ((logits: Logits, options: CumulativeOptions = {}) => {
  const caller = "logCumSumExp";
  const x = viewWithOptions(caller, "logits", logits, options, OPTIONS);
  const step = stepOf(caller, options);
  const out = receiver(caller, x, x.data.length, options.out, [x]);
  const job = new WidenedJob();
  const at = job.output(x.dtype, x.classes, x.inner, out);
  job.call("log_cum_sum_exp_f64", [at, job.input(x.classes, x.inner, x.data)], [step]);
  return runNow({ family: wide, job: job.job(x.rows, x.classes), finish: () => wrap(x, out, x.shape) });
}) as Elementwise<CumulativeOptions>;

/**
 * The gradient of the logits, from that of their running log-sum-exp.
 *
 *   dx[i, k] = Σ_{j ≥ k} dout[i, j] · exp(x[i, k] − out[i, j]), with `reverse` over j ≤ k
 *
 * @param dout  any shape, the gradient of a loss with respect to logCumSumExp's result
 * @param logits  what logCumSumExp was given, same kind and shape
 * @param options  as in logCumSumExp; `out` receives the gradient
 * @returns same kind, dtype and shape
 * @throws {RangeError} the two shapes differ
 *
 * Edges: NaN or +∞ in a row makes it NaN, and so are the −∞ before anything else has come; a later −∞ gives 0.
 * Accuracy: ≤ 4 ulp of the largest term, where the terms of one sign count as one.
 * Cost: three exponentials a class at most, in f64; does not grow with the square of the classes.
 *
 * @example
 * logCumSumExpBackward([1, 1], [0, 0]); // [1.5, 0.5]
 */
export const logCumSumExpBackward: Elementwise2<CumulativeOptions> = ((
  dout: Logits,
  logits: Logits,
  options: CumulativeOptions = {},
) => {
  const caller = "logCumSumExpBackward";
  const g = viewWithOptions(caller, "dout", dout, options, OPTIONS, logits);
  const x: View = viewLike(caller, "logits", logits, g, options);
  const step = stepOf(caller, options);
  const out = receiver(caller, g, g.data.length, options.out, [g, x]);
  const job = new WidenedJob();
  const at = job.output(g.dtype, g.classes, g.inner, out);
  const inputs = [g, x].map(({ data }) => job.input(g.classes, g.inner, data));
  job.call("log_cum_sum_exp_backward_f64", [at, ...inputs, job.scratch(g.classes)], [step]);
  return runNow({ family: wide, job: job.job(g.rows, g.classes), finish: () => wrap(g, out, g.shape) });
}) as Elementwise2<CumulativeOptions>;
