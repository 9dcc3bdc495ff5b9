import { putBack, viewAxes } from "./axes.ts";
import { checkOptions } from "./check.ts";
import { prepareMeanLoss } from "./crossentropy.ts";
import { type Area, areaOf, type Prepared, perRow, scratch } from "./job.ts";
import { type LogSumExpBackward, perRowGradients, type RowOptions } from "./logsumexp.ts";
import type { CrossEntropyOptions } from "./lossoptions.ts";
import { runNow } from "./runner.ts";
import type { Targets } from "./targets.ts";
import { allocate, type Logits, type Output, type Reduction, receiver, wrap, wrapRows } from "./tensor.ts";
import { core } from "./wasm.ts";
import { wide } from "./wide.ts";

const OPTIONS = ["shape", "axis", "keepDims", "dtype", "out"];

function prepareEntropy(logits: Logits, options: RowOptions = {}): Prepared<number | Output> {
  const caller = "entropy";
  const x = viewAxes(caller, "logits", logits, options, OPTIONS);
  const { rows, classes } = x;
  const out = receiver(caller, x, rows, options.out, [x]);
  const exact = new Float64Array(rows);
  const areas: Area[] = [
    perRow("f64", undefined, exact),
    { ...areaOf(x, x.data), type: "f64" },
    scratch("f64", classes),
  ];
  const finish = (): number | Output => {
    for (let i = 0; i < rows; i++) out[i] = exact[i];
    return wrapRows(x, out, options.keepDims);
  };
  return { family: wide, job: { rows, classes, areas, calls: ENTROPY }, finish };
}

const ENTROPY = [{ kernel: "entropy_f64", areas: [0, 1, 2] }] as const;
const ENTROPY_BACKWARD = { kernel: "entropy_backward_f64", areas: [0, 1, 2] } as const;
const NARROW = { kernel: "narrow_f32", areas: [3, 0] } as const;

/**
 * The entropy of each row's probabilities, in nats: 0 where one class is certain, log of the classes where all are alike.
 *
 *   out[i] = −Σ_j p[i, j]·log p[i, j], p = softmax(x)
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value, see Edges
 * @param options  `shape`, `axis` (one or more), `keepDims`, `dtype`, `out` as in logSumExp
 * @returns one number for a flat row; else the same kind and dtype without the classes' axes
 * @throws {RangeError} the data's length is not the product of the shape; an axis is not there, or there twice
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, gives NaN; a single −∞ adds 0.
 * Accuracy: ≤ 1 ulp (f32), ≤ 4 ulp (f64), near 0 included; never below 0. Cost: reads x three times, all in f64.
 * Source: the sum is log1p(s) + Σ p·(max − x), of parts that are never negative
 *
 * @example
 * entropy([40, 0]); // 1.7418252446695514e-16
 */
export const entropy: Reduction<RowOptions> = ((logits: Logits, options?: RowOptions) =>
  runNow(prepareEntropy(logits, options))) as Reduction<RowOptions>;

function prepareEntropyBackward(dentropy: number | Logits, logits: Logits, options: RowOptions = {}): Prepared<Output> {
  const caller = "entropyBackward";
  const x = viewAxes(caller, "logits", logits, options, OPTIONS, dentropy);
  const { rows, classes } = x;
  const g = perRowGradients(caller, "dentropy", dentropy, x, options);
  const out = receiver(caller, x, x.data.length, options.out, typeof g === "number" ? [x] : [x, g]);
  const moved = x.order === undefined ? undefined : allocate(x, x.data.length);
  const isNarrow = x.dtype === "f32";
  const result = areaOf(x, undefined, moved ?? out);
  const areas: Area[] = [
    isNarrow ? scratch("f64", classes) : result,
    perRow("f64", typeof g === "number" ? g : g.data),
    { ...areaOf(x, x.data), type: "f64" },
    ...(isNarrow ? [result] : []),
  ];
  const calls = isNarrow ? [ENTROPY_BACKWARD, NARROW] : [ENTROPY_BACKWARD];
  const finish = (): Output => {
    if (moved !== undefined) putBack(x, moved, out);
    return wrap(x, out, x.shape);
  };
  return { family: wide, job: { rows, classes, areas, calls }, finish };
}

/**
 * The gradient of the logits, from that of their entropy.
 *
 *   dx[i, j] = −dentropy[i]·p[i, j]·(log p[i, j] + entropy[i])
 *
 * @param dentropy  a number for one row, else one for each row in the logits' dtype
 * @param logits  what entropy was given
 * @param options  as in entropy, `out` receives the gradient
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} not one gradient for each row; a tensor of another shape than entropy's result
 *
 * Edges: as softmax, and 0 at −∞; a dentropy of ±∞ or NaN multiplies the rounded gradient, so that 0·∞ is NaN.
 * Accuracy: ≤ 1 ulp (f32), ≤ 8 ulp (f64) of the larger of p·(max − x) and p·Σ p·(max − x), the winner's tiny gradient
 * included. Cost: as entropy.
 *
 * @example
 * entropyBackward(1, [7, 7, -Infinity]); // [0, 0, 0]
 */
export const entropyBackward: LogSumExpBackward = ((dentropy: number | Logits, logits: Logits, options?: RowOptions) =>
  runNow(prepareEntropyBackward(dentropy, logits, options))) as LogSumExpBackward;

/** What does not change what is guessed: no smoothing, no terms beside the loss. */
export type PerplexityOptions = Pick<
  CrossEntropyOptions,
  "shape" | "axis" | "dtype" | "weight" | "ignoreIndex" | "mask" | "softcap" | "temperature"
>;
const PERPLEXITY_OPTIONS = ["shape", "axis", "dtype", "weight", "ignoreIndex", "mask", "softcap", "temperature"];

/**
 * The perplexity of true classes under logits: how many equally likely classes would be as hard to guess.
 *
 *   exp(crossEntropy(x, y)), of the mean over the rows that count
 *
 * @param logits  as in crossEntropy
 * @param targets  as in crossEntropy
 * @param options  `shape`, `axis`, `dtype`, `weight`, `ignoreIndex`, `mask`, `softcap`, `temperature` as in crossEntropy
 * @returns a number from 1
 * @throws {RangeError} a target is not a class; not one target for each row; no classes
 *
 * Edges: NaN and +∞ as the loss; no rows that count give 1.
 * Accuracy: the loss's error is absolute here: relative (4·loss + 1)·2^-52 for f64; for f32 (loss + 1)·2^-23, from the f64
 * mean before it is rounded. Cost: as crossEntropy.
 *
 * @example
 * perplexity([0, 0, 0, 0, 0, 0, 0, 0], [2, 0], { shape: [2, 4] }); // 4
 */
export function perplexity(logits: Logits, targets: Targets, options: PerplexityOptions = {}): number {
  const caller = "perplexity";
  checkOptions(caller, options, PERPLEXITY_OPTIONS);
  const { mean, dtype } = runNow(prepareMeanLoss(caller, logits, targets, options));
  const value = core.space().kernels.exp_f64(mean);
  return dtype === "f32" ? Math.fround(value) : value;
}
