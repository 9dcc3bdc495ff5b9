import { viewAxes } from "./axes.ts";
import { maskOf } from "./broadcast.ts";
import { backward, type LogSumExpBackward, type RowOptions } from "./logsumexp.ts";
import { runNow } from "./runner.ts";
import { type Logits, type Reduction, receiver, wrapRows } from "./tensor.ts";
import { meanJob } from "./weighted.ts";
import { wide } from "./wide.ts";

const OPTIONS = ["shape", "axis", "keepDims", "dtype", "out", "mask"];

/**
 * The logarithm of the mean of exponentials: averages probabilities that stand as logarithms, as over an ensemble.
 *
 *   out[i] = log(1/n Σ_j exp(x[i, j])), n the classes that are not masked
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param options  `shape`, `axis`, `keepDims`, `mask`, `dtype`, `out` as in logSumExp
 * @returns one number for a flat row; else the same kind and dtype without the averaged axes
 * @throws {RangeError} the data's length is not the product of the shape; an axis is not there, or there twice; a mask of
 * another shape
 *
 * Edges: as logSumExp: NaN before +∞, nothing but −∞ gives −∞, and so do an empty row and one that is masked whole.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64); where maximum and logarithm cancel, max(2 ulp, 2^-44·|max|) for f32 and
 * max(4 ulp, 2^-51·|max|) for f64. Equal logits give themselves.
 * Cost: one exponential a class, in f64; two where the mean is half of the largest or less.
 * Source: as logSumExp, with exp(x) − 1 where the mean is near the largest
 *
 * @example
 * logMeanExp([1000, 1000, 1000]); // 1000
 * logMeanExp([0, -1e-20]); // -5e-21
 */
export const logMeanExp: Reduction<RowOptions> = ((logits: Logits, options: RowOptions = {}) => {
  const caller = "logMeanExp";
  const x = viewAxes(caller, "logits", logits, options, OPTIONS);
  const mask = maskOf(caller, options.mask, x);
  const out = receiver(caller, x, x.rows, options.out, [x]);
  return runNow({ family: wide, job: meanJob(x, mask, out), finish: () => wrapRows(x, out, options.keepDims) });
}) as Reduction<RowOptions>;

/**
 * The gradient of the logits, from that of their log-mean-exp.
 *
 *   dx[i, j] = dout[i] · softmax(x)[i, j]
 *
 * @param dout  a number for one row, else one for each row in the logits' dtype; a tensor with or without the summed axes
 * @param logits  what logMeanExp was given
 * @param options  as in logMeanExp; `out` receives the gradient
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} not one gradient for each row; a tensor of another shape than logMeanExp's result
 *
 * Edges and accuracy: as logSumExpBackward, whose gradient it is: the mean's n is a constant. Cost: as softmax.
 *
 * @example
 * logMeanExpBackward(2, [1000, 1000]); // [1, 1]
 */
export const logMeanExpBackward: LogSumExpBackward<false, RowOptions> = ((
  dout: number | Logits,
  logits: Logits,
  options: RowOptions = {},
) => runNow(backward("logMeanExpBackward", "dout", dout, logits, options, OPTIONS))) as LogSumExpBackward<
  false,
  RowOptions
>;
