import { type Mask, maskOf } from "./broadcast.ts";
import { areaOf, type Job, type KernelCall, type Prepared } from "./job.ts";
import { checkTemperature } from "./lossoptions.ts";
import { runNow } from "./runner.ts";
import { maskedCalls, Steps, tempered } from "./steps.ts";
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
  type Writable,
  wrap,
} from "./tensor.ts";
import { core } from "./wasm.ts";

const OPTIONS = ["shape", "axis", "dtype", "out", "mask", "temperature"];
export interface MapOptions extends Options, Out {
  /** 1 keeps a class of a row, 0 leaves it out */
  mask?: Mask;
  /** T > 0: the logits are divided by it */
  temperature?: number;
}

// Written out once: building them costs more than a short row.
const LOG_SOFTMAX = {
  f32: [{ kernel: "log_softmax_f32", areas: [0, 1] }],
  f64: [{ kernel: "log_softmax_f64", areas: [0, 1] }],
} as const;
const SOFTMAX = {
  f32: [{ kernel: "softmax_f32", areas: [0, 1] }],
  f64: [{ kernel: "softmax_f64", areas: [0, 1] }],
} as const;
// dx takes the place of g
const LOG_SOFTMAX_BACKWARD = {
  f32: [{ kernel: "log_softmax_backward_f32", areas: [0, 0, 1] }],
  f64: [{ kernel: "log_softmax_backward_f64", areas: [0, 0, 1] }],
} as const;
const SOFTMAX_BACKWARD = {
  f32: [{ kernel: "softmax_backward_f32", areas: [0, 0, 1] }],
  f64: [{ kernel: "softmax_backward_f64", areas: [0, 0, 1] }],
} as const;

/** What a class that is left out gets. */
const LEFT_OUT = { logSoftmax: -Infinity, softmax: 0 } as const;

/** Rows of no classes have no results: a stream may hold 2^30 of them. */
function jobOf({ rows, classes }: View, areas: Job["areas"], calls: readonly KernelCall[]): Job {
  return { rows: classes === 0 ? 0 : rows, classes, areas, calls };
}

/** Over a temperature: in f64 whatever comes in. */
function overTemperature(
  caller: "logSoftmax" | "softmax",
  x: View,
  out: Writable,
  mask: Uint8Array | undefined,
  temperature: number,
): Prepared<Logits> {
  const steps = new Steps();
  const given = steps.wide(x);
  const kept = mask && steps.area({ ...areaOf(x), type: "u8", from: mask });
  if (kept !== undefined) steps.call("fill_masked_f64", [given, kept], -Infinity);
  const { d, e, records } = tempered(steps, given, x.classes, temperature);
  steps.leave(x, out, (rows) => {
    if (caller === "softmax") steps.call("probs_f64", [rows, e, records]);
    else steps.call("log_probs_f64", [rows, d, records]);
    if (kept !== undefined) steps.call("fill_masked_f64", [rows, kept], LEFT_OUT[caller]);
  });
  const { areas, calls } = steps;
  return { family: core, job: jobOf(x, areas, calls), finish: () => wrap(x, out, x.shape) };
}

function map(
  caller: "logSoftmax" | "softmax",
  calls: typeof LOG_SOFTMAX | typeof SOFTMAX,
  logits: Logits,
  options: MapOptions,
): Prepared<Logits> {
  const x = viewWithOptions(caller, "logits", logits, options, OPTIONS);
  checkTemperature(caller, options);
  const out = receiver(caller, x, x.data.length, options.out, [x]);
  const mask = maskOf(caller, options.mask, x);
  const { temperature = 1 } = options;
  if (temperature !== 1) return overTemperature(caller, x, out, mask, temperature);
  const areas = [areaOf(x, undefined, out), areaOf(x, x.data)];
  const all = maskedCalls(x, mask, areas, calls[x.dtype], [1, -Infinity], [0, LEFT_OUT[caller]]);
  return {
    family: core,
    job: jobOf(x, areas, all),
    finish: () => wrap(x, out, x.shape),
  };
}

/** The calls, and their result, area 0, over the temperature. */
function divided(
  calls: readonly KernelCall[],
  { dtype }: View,
  { temperature = 1 }: MapOptions,
): readonly KernelCall[] {
  return temperature === 1 ? calls : [...calls, { kernel: `divide_${dtype}`, areas: [0], numbers: [temperature] }];
}

function backward(
  caller: string,
  calls: typeof LOG_SOFTMAX_BACKWARD | typeof SOFTMAX_BACKWARD,
  names: readonly [string, string],
  gradient: Logits,
  saved: Logits,
  options: MapOptions,
): Prepared<Logits> {
  const g = viewWithOptions(caller, names[0], gradient, options, OPTIONS, saved);
  checkTemperature(caller, options);
  const s = viewLike(caller, names[1], saved, g, options);
  const mask = maskOf(caller, options.mask, g);
  const out = receiver(caller, g, g.data.length, options.out, [g, s]);
  const areas = [areaOf(g, g.data, out), areaOf(g, s.data)];
  const all = maskedCalls(g, mask, areas, divided(calls[g.dtype], g, options), [0, 0], [0, 0]);
  return {
    family: core,
    job: jobOf(g, areas, all),
    finish: () => wrap(g, out, g.shape),
  };
}

// Arguments checked, work described: what the operations below run at once, and a pool's on its threads.
export const prepareLogSoftmax = (logits: Logits, options: MapOptions = {}): Prepared<Logits> =>
  map("logSoftmax", LOG_SOFTMAX, logits, options);
export const prepareSoftmax = (logits: Logits, options: MapOptions = {}): Prepared<Logits> =>
  map("softmax", SOFTMAX, logits, options);
export const prepareLogSoftmaxBackward = (g: Logits, logProbs: Logits, options: MapOptions = {}): Prepared<Logits> =>
  backward("logSoftmaxBackward", LOG_SOFTMAX_BACKWARD, ["dlogProbs", "logProbs"], g, logProbs, options);
export const prepareSoftmaxBackward = (g: Logits, probs: Logits, options: MapOptions = {}): Prepared<Logits> =>
  backward("softmaxBackward", SOFTMAX_BACKWARD, ["dprobs", "probs"], g, probs, options);

/**
 * Log-probabilities: the logarithm of softmax, straight from the logits.
 *
 *   out[i, j] = x[i, j] / T − log Σ_k exp(x[i, k] / T)
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  which axis holds the classes, −1 by default
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds; such results are f32
 * @param options.mask  1 keeps a class of a row, 0 leaves it out, even a NaN; it broadcasts to the logits' shape
 * @param options.temperature  T, a finite number above 0; 1 without it
 * @param options.out  receives the result; may be the logits' own array
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape; the axis is not there
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, makes the row NaN; a single −∞ stays −∞. What is masked is −∞.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64), the winning class included; never above 0.
 * Cost: reads x three times in cache, writes out once; over a temperature in f64, which takes f32 five times as long.
 * Source: Blanchard, Higham & Higham 2021, doi:10.1093/imanum/draa038, with one maximum left out of the sum
 *
 * @example
 * logSoftmax([1000, 0, -1000]); // [0, -1000, -2000]
 */
export const logSoftmax: Elementwise<MapOptions> = ((logits: Logits, options?: MapOptions) =>
  runNow(prepareLogSoftmax(logits, options))) as Elementwise<MapOptions>;

/**
 * Probabilities: positive numbers that sum to 1.
 *
 *   out[i, j] = exp(x[i, j] / T) / Σ_k exp(x[i, k] / T)
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value
 * @param options  `shape`, `axis`, `dtype`, `mask`, `temperature`, `out` as in logSoftmax
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape; the axis is not there
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, makes the row NaN; a single −∞ gives 0. What is masked is 0.
 * Accuracy: ≤ 4 ulp (f32), ≤ 8 ulp (f64), subnormal results included.
 * Cost: reads x twice in cache, writes out twice.
 * Source: as logSoftmax; it divides exponentials, it never exponentiates a log-softmax
 *
 * @example
 * softmax([1000, 1000, -Infinity]); // [0.5, 0.5, 0]
 */
export const softmax: Elementwise<MapOptions> = ((logits: Logits, options?: MapOptions) =>
  runNow(prepareSoftmax(logits, options))) as Elementwise<MapOptions>;

/**
 * The gradient of the logits, from that of the log-probabilities.
 *
 *   dx[i, j] = (g[i, j] − exp(logp[i, j]) · Σ_k g[i, k]) / T
 *
 * @param dlogProbs  g, any shape, the gradient of a loss with respect to logSoftmax's result
 * @param logProbs  what logSoftmax returned, same kind and shape
 * @param options  `shape`, `axis`, `dtype`, `mask`, `temperature`, `out` as in logSoftmax
 * @returns same kind, dtype and shape
 * @throws {RangeError} the two shapes differ
 *
 * Edges: what is masked has neither a gradient nor a part in the sum; −∞ in logProbs gives dx = g there; a NaN in either argument makes its row NaN where the formula does.
 * Accuracy: ≤ 4 ulp of the largest term. Cost: reads each argument twice, writes once.
 *
 * @example
 * logSoftmaxBackward([-1, 0], [Math.log(0.5), Math.log(0.5)]); // [-0.5, 0.5]
 */
export const logSoftmaxBackward: Elementwise2<MapOptions> = ((
  dlogProbs: Logits,
  logProbs: Logits,
  options?: MapOptions,
) => runNow(prepareLogSoftmaxBackward(dlogProbs, logProbs, options))) as Elementwise2<MapOptions>;

/**
 * The gradient of the logits, from that of the probabilities.
 *
 *   dx[i, j] = p[i, j] · (g[i, j] − Σ_k g[i, k] p[i, k]) / T
 *
 * @param dprobs  g, any shape, the gradient of a loss with respect to softmax's result
 * @param probs  what softmax returned, same kind and shape
 * @param options  `shape`, `axis`, `dtype`, `mask`, `temperature`, `out` as in logSoftmax
 * @returns same kind, dtype and shape
 * @throws {RangeError} the two shapes differ
 *
 * Edges: a NaN in a row of either argument makes that row NaN; what is masked is 0.
 * Accuracy: ≤ 4 ulp of the largest term. Cost: reads each argument twice, writes once.
 *
 * @example
 * softmaxBackward([1, 0], [0.25, 0.75]); // [0.1875, -0.1875]
 */
export const softmaxBackward: Elementwise2<MapOptions> = ((dprobs: Logits, probs: Logits, options?: MapOptions) =>
  runNow(prepareSoftmaxBackward(dprobs, probs, options))) as Elementwise2<MapOptions>;
