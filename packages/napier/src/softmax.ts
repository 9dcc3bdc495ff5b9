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
import { copyIn, copyOut, tiles, type Workspace, workspace } from "./wasm.ts";

const OPTIONS = ["shape", "axis", "out"];
type MapOptions = Options & Out;
type Map1 = (space: Workspace, out: number, x: number, rows: number, classes: number) => void;
type Map2 = (space: Workspace, g: number, saved: number, rows: number, classes: number) => void;

function map(caller: string, logits: Logits, options: MapOptions, f32: Map1, f64: Map1): Logits {
  const x = viewWithOptions(caller, "logits", logits, options, OPTIONS);
  const out = receiver(caller, x, x.data.length, options.out, [x]);
  const space = workspace();
  const plan = tiles(x);
  const [at, outAt] = space.layout(plan.bytes, plan.bytes);
  const kernel = x.dtype === "f32" ? f32 : f64;
  for (const tile of plan.tiles) {
    copyIn(space, at, x.data, x, tile);
    kernel(space, outAt, at, tile.count, x.classes);
    copyOut(space, outAt, out, x, tile);
  }
  return wrap(x, out, x.shape);
}

function backward(
  caller: string,
  names: readonly [string, string],
  gradient: Logits,
  saved: Logits,
  options: MapOptions,
  f32: Map2,
  f64: Map2,
): Logits {
  const g: View = viewWithOptions(caller, names[0], gradient, options, OPTIONS);
  const s = viewLike(caller, names[1], saved, g, options);
  const out = receiver(caller, g, g.data.length, options.out, [g, s]);
  const space = workspace();
  const plan = tiles(g);
  const [gAt, sAt] = space.layout(plan.bytes, plan.bytes);
  const kernel = g.dtype === "f32" ? f32 : f64;
  for (const tile of plan.tiles) {
    copyIn(space, gAt, g.data, g, tile);
    copyIn(space, sAt, s.data, g, tile);
    kernel(space, gAt, sAt, tile.count, g.classes);
    copyOut(space, gAt, out, g, tile);
  }
  return wrap(g, out, g.shape);
}

/**
 * Log-probabilities: the logarithm of softmax, straight from the logits.
 *
 *   out[i, j] = x[i, j] − log Σ_k exp(x[i, k])
 *
 * @param logits  any shape, classes on the last axis (or `axis`), f32 or f64, in nats; any value, see Edges
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  which axis holds the classes, −1 by default
 * @param options.out  receives the result; may be the logits' own array
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape; the axis is not there
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, makes the row NaN; a single −∞ stays −∞.
 * Accuracy: ≤ 2 ulp (f32), ≤ 4 ulp (f64), the winning class included; never above 0.
 * Cost: reads x three times in cache, writes out once.
 * Source: Blanchard, Higham & Higham 2021, doi:10.1093/imanum/draa038, with one maximum left out of the sum
 *
 * @example
 * logSoftmax([1000, 0, -1000]); // [0, -1000, -2000]
 */
export const logSoftmax: Elementwise<MapOptions> = ((logits: Logits, options: MapOptions = {}) =>
  map(
    "logSoftmax",
    logits,
    options,
    ({ kernels }, to, x, rows, classes) => kernels.log_softmax_f32(to, x, rows, classes),
    ({ kernels }, to, x, rows, classes) => kernels.log_softmax_f64(to, x, rows, classes),
  )) as Elementwise<MapOptions>;

/**
 * Probabilities: positive numbers that sum to 1.
 *
 *   out[i, j] = exp(x[i, j]) / Σ_k exp(x[i, k])
 *
 * @param logits  any shape, classes on the last axis (or `axis`), f32 or f64, in nats; any value, see Edges
 * @param options  `shape`, `axis`, `out` as in logSoftmax
 * @returns same kind, dtype and shape as logits
 * @throws {RangeError} the data's length is not the product of the shape; the axis is not there
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, makes the row NaN; a single −∞ gives 0.
 * Accuracy: ≤ 4 ulp (f32), ≤ 8 ulp (f64), subnormal results included.
 * Cost: reads x twice in cache, writes out twice.
 * Source: as logSoftmax; it divides exponentials, it never exponentiates a log-softmax
 *
 * @example
 * softmax([1000, 1000, -Infinity]); // [0.5, 0.5, 0]
 */
export const softmax: Elementwise<MapOptions> = ((logits: Logits, options: MapOptions = {}) =>
  map(
    "softmax",
    logits,
    options,
    ({ kernels }, to, x, rows, classes) => kernels.softmax_f32(to, x, rows, classes),
    ({ kernels }, to, x, rows, classes) => kernels.softmax_f64(to, x, rows, classes),
  )) as Elementwise<MapOptions>;

/**
 * The gradient of the logits, from that of the log-probabilities.
 *
 *   dx[i, j] = g[i, j] − exp(logp[i, j]) · Σ_k g[i, k]
 *
 * @param dlogProbs  g, any shape, the gradient of a loss with respect to logSoftmax's result
 * @param logProbs  what logSoftmax returned, same kind and shape
 * @param options  `shape`, `axis`, `out` as in logSoftmax
 * @returns same kind, dtype and shape
 * @throws {RangeError} the two shapes differ
 *
 * Edges: −∞ in logProbs gives dx = g there; a NaN in either argument makes its row NaN where the formula does.
 * Accuracy: ≤ 4 ulp of the largest term. Cost: reads each argument twice, writes once.
 *
 * @example
 * logSoftmaxBackward([-1, 0], [Math.log(0.5), Math.log(0.5)]); // [-0.5, 0.5]
 */
export const logSoftmaxBackward: Elementwise2<MapOptions> = ((
  dlogProbs: Logits,
  logProbs: Logits,
  options: MapOptions = {},
) =>
  backward(
    "logSoftmaxBackward",
    ["dlogProbs", "logProbs"],
    dlogProbs,
    logProbs,
    options,
    ({ kernels }, g, saved, rows, classes) => kernels.log_softmax_backward_f32(g, g, saved, rows, classes),
    ({ kernels }, g, saved, rows, classes) => kernels.log_softmax_backward_f64(g, g, saved, rows, classes),
  )) as Elementwise2<MapOptions>;

/**
 * The gradient of the logits, from that of the probabilities.
 *
 *   dx[i, j] = p[i, j] · (g[i, j] − Σ_k g[i, k] p[i, k])
 *
 * @param dprobs  g, any shape, the gradient of a loss with respect to softmax's result
 * @param probs  what softmax returned, same kind and shape
 * @param options  `shape`, `axis`, `out` as in logSoftmax
 * @returns same kind, dtype and shape
 * @throws {RangeError} the two shapes differ
 *
 * Edges: a NaN in a row of either argument makes that row NaN.
 * Accuracy: ≤ 4 ulp of the largest term. Cost: reads each argument twice, writes once.
 *
 * @example
 * softmaxBackward([1, 0], [0.25, 0.75]); // [0.1875, -0.1875]
 */
export const softmaxBackward: Elementwise2<MapOptions> = ((dprobs: Logits, probs: Logits, options: MapOptions = {}) =>
  backward(
    "softmaxBackward",
    ["dprobs", "probs"],
    dprobs,
    probs,
    options,
    ({ kernels }, g, saved, rows, classes) => kernels.softmax_backward_f32(g, g, saved, rows, classes),
    ({ kernels }, g, saved, rows, classes) => kernels.softmax_backward_f64(g, g, saved, rows, classes),
  )) as Elementwise2<MapOptions>;
