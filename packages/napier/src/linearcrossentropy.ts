import { clearRows } from "./counting.ts";
import { fused } from "./fused.ts";
import { isGeneral } from "./generalloss.ts";
import type { Half } from "./half.ts";
import {
  countedRows,
  type LinearArguments,
  type LinearCrossEntropyOptions,
  type LinearGradOptions,
  type LinearParameter,
  layerOf,
  readLinear,
  receivers,
} from "./linearlayer.ts";
import { GeneralTileLoss, HardTileLoss, type TileLoss } from "./linearlosses.ts";
import { runLinear } from "./linearpasses.ts";
import type { Targets } from "./targets.ts";
import {
  type AnyData,
  type Computed,
  type Logits,
  type ManyRows,
  type OneRow,
  type OnnxArgument,
  type OnnxTensor,
  type Out,
  type Output,
  receiver,
  type Tensor,
  wrap,
} from "./tensor.ts";

type Options = LinearCrossEntropyOptions;
type Each = { reduction: "none" };
type Total = { reduction?: "mean" | "sum" };

/** As Loss, of the rows of a layer. */
export interface LinearLoss {
  (x: Logits, weight: Logits, targets: Targets, options?: Options & Total): number;
  (x: AnyData, weight: Logits, targets: Targets, options: Options & OneRow & Each): number;
  (x: readonly number[], weight: Logits, targets: Targets, options: Options & Out & ManyRows & Each): number[];
  (x: Float32Array | Half, weight: Logits, targets: Targets, options: Options & Out & ManyRows & Each): Float32Array;
  (x: Float64Array, weight: Logits, targets: Targets, options: Options & Out & ManyRows & Each): Float64Array;
  <D extends AnyData>(
    x: OnnxArgument<D>,
    weight: Logits,
    targets: Targets,
    options: Options & Out & Each,
  ): OnnxTensor<Computed<D>>;
  <D extends AnyData>(
    x: Tensor<D>,
    weight: Logits,
    targets: Targets,
    options: Options & Out & Each,
  ): Tensor<Computed<D>>;
  (x: Logits, weight: Logits, targets: Targets, options: Options & Out): number | Output;
}

/** What comes back for an argument, in its kind. */
type Like<V> = V extends AnyData
  ? Computed<V>
  : V extends OnnxArgument<infer D extends AnyData>
    ? OnnxTensor<Computed<D>>
    : V extends Tensor<infer D extends AnyData>
      ? Tensor<Computed<D>>
      : Output;

/** The loss and its gradients: dx is like x, the others like the weights. */
export interface LinearGradients<L, X, W> {
  loss: L;
  dx: Like<X>;
  dweight: Like<W>;
  dbias: Like<W>;
}

export interface LinearLossWithGrad {
  <X extends Logits, W extends Logits, P extends LinearParameter = LinearParameter>(
    x: X,
    weight: W,
    targets: Targets,
    options?: LinearGradOptions<P> & Total,
  ): Pick<LinearGradients<number, X, W>, "loss" | `d${P}`>;
  <X extends Logits, W extends Logits, P extends LinearParameter = LinearParameter>(
    x: X,
    weight: W,
    targets: Targets,
    options: LinearGradOptions<P>,
  ): Pick<LinearGradients<number | Like<X>, X, W>, "loss" | `d${P}`>;
}

function lossOf(given: LinearArguments): TileLoss {
  if (isGeneral(given, given.options)) return new GeneralTileLoss(given, given.y, given.mask);
  return new HardTileLoss(given.caller, given, given.y, given.mask);
}

/** As linearCrossEntropy, in a workspace of so many bytes. */
export function linearLoss(
  x: Logits,
  weight: Logits,
  targets: Targets,
  options: LinearCrossEntropyOptions & Out = {},
  bytes?: number,
): number | Output {
  const given = readLinear("linearCrossEntropy", x, weight, targets, options, []);
  const { caller, input, reduction } = given;
  if (reduction === "none" && options.out !== undefined)
    receiver(caller, given.x, given.x.rows, options.out, [input.view, given.weight.view]);
  const loss = lossOf(given);
  runLinear(fused.space(), layerOf(given), loss, countedRows(given), bytes);
  return loss.reduced(options.out);
}

/** As linearCrossEntropyWithGrad, in a workspace of so many bytes. */
export function linearLossWithGrad(
  x: Logits,
  weight: Logits,
  targets: Targets,
  options: LinearGradOptions = {},
  bytes?: number,
): { loss: number | Output; dx?: Output; dweight?: Output; dbias?: Output } {
  const caller = "linearCrossEntropyWithGrad";
  const given = readLinear(caller, x, weight, targets, options, ["grads"]);
  const gradients = receivers(given, options);
  const { input, rows, x: logits } = given;
  const { dx, dweight, dbias } = gradients;
  const loss = lossOf(given);
  runLinear(fused.space(), { ...layerOf(given), ...gradients }, loss, countedRows(given), bytes);
  if (dx !== undefined) clearRows(dx, input.view, rows.left);
  const { view } = given.weight;
  return {
    loss: loss.reduced(),
    ...(dx && { dx: wrap(input.view, dx, input.view.shape) }),
    ...(dweight && { dweight: wrap(view, dweight, view.shape) }),
    ...(dbias && { dbias: wrap(view, dbias, [logits.classes]) }),
  };
}

/**
 * Cross-entropy between a linear layer's logits and true classes; the logits are never stored.
 *
 *   loss[i] = crossEntropy(x·Wᵀ + b)[i] = −w[y[i]]·logSoftmax(Σ_k x[i, k]·W[:, k] + b)[y[i]];  "mean": Σ_i loss[i] / Σ_i w[y[i]]
 *
 * @param x  [rows, features], any shape with the features on its last axis, of 16, 32 or 64 bits
 * @param weight  W, [classes, features], of x's dtype; a flat array has classes times features numbers
 * @param targets  the true class of each row, as in crossEntropy
 * @param options.bias  b, [classes]; 0 without it
 * @param options.weight  w, a finite number for each class; not W, which is the second argument
 * @param options  `reduction`, `ignoreIndex`, `labelSmoothing`, `mask` ([rows, classes], or what broadcasts to it), `zLoss`,
 * `softcap`, `temperature` as in crossEntropy; `shape` (of a flat x), `dtype`, `out` (for "none")
 * @returns a number; with "none" one for each row, in x's kind
 * @throws {RangeError} weights that are not [classes, features]; a target is neither a class nor ignoreIndex; an option out of
 * its range
 * @throws {TypeError} weights or bias of another dtype than x
 *
 * Edges: those of crossEntropy, on the logits. A row that is left out is never read, and a class that a mask leaves out adds
 * nothing, whatever x and W hold. Logits that overflow are ±∞, or NaN where ∞ − ∞ is on the way.
 * Accuracy: a loss is within crossEntropy's bounds of the loss of logits each of which is within γ(features)·Σ|x·W| of the
 * exact one, γ(n) = n·u / (1 − n·u), u = 2^-24 (f32) or 2^-53 (f64); a bias counts as one feature more. It has the bits of
 * crossEntropy on those logits, alone and in any batch.
 * Cost: a product; one more for the rows whose logits do not lie between −87 and 40, and for what is computed in f64 (see
 * crossEntropy), where W has more classes than fit the workspace: 4 MB in all, and 128 or 256 bytes a row, instead of
 * rows × classes numbers.
 * Source: Cut Cross-Entropy (arXiv:2411.09009), Liger (arXiv:2410.10989), PyTorch's linear_cross_entropy
 *
 * @example
 * linearCrossEntropy([1, 2], [3, 1, -1, 0.5], 0); // 0.006715348489118068
 */
export const linearCrossEntropy: LinearLoss = ((
  x: Logits,
  weight: Logits,
  targets: Targets,
  options?: LinearCrossEntropyOptions & Out,
) => linearLoss(x, weight, targets, options)) as LinearLoss;

/**
 * Cross-entropy of a linear layer's logits and its gradients; the logits and their gradient are never stored.
 *
 *   dx = g·W, dweight = gᵀ·x, dbias[j] = Σ_i g[i, j], where g is what crossEntropyWithGrad has as dlogits
 *
 * @param x  as in linearCrossEntropy
 * @param weight  as in linearCrossEntropy
 * @param targets  as in linearCrossEntropy
 * @param options.grads  which of "x", "weight" and "bias" are wanted, all three by default; the bias's without a bias too
 * @param options.out  { dx, dweight, dbias }: receivers, none of them an array that is read
 * @param options  as in linearCrossEntropy
 * @returns `loss` as linearCrossEntropy returns it, `dx` in x's kind and shape, `dweight` and `dbias` in W's kind; with "none"
 * they are those of the sum
 * @throws {RangeError} as linearCrossEntropy; a receiver that is also something else
 * @throws {TypeError} as linearCrossEntropy
 *
 * Edges: those of crossEntropyWithGrad; rows that are left out have a dx of 0. An infinite or NaN weight or feature adds nothing
 * where g is 0, as it is for masked classes and for logits of −∞.
 * Accuracy: of the exact sums of these g: dx γ(classes)·Σ|g·W|; dweight in f32 γ(98)·Σ|g·x|: 96 rows are added in f32, and their
 * sums in f64; in f64 γ(rows + 1)·Σ|g·x|; dbias γ(rows)·Σ|g| of f64, rounded once. Sums stand in a fixed order: that of dx
 * depends on neither the other rows nor their number.
 * Cost: three products; four where W has more classes than fit the workspace, as in linearCrossEntropy: the logits are computed
 * twice. From 18,000 features on (f32; f64: 9,000) they are computed once more for each 18,000.
 * Source: as linearCrossEntropy
 *
 * @example
 * linearCrossEntropyWithGrad([1, 2], [3, 1, -1, 0.5], 0).dbias; // [-0.006692850924284856, 0.006692850924284856]
 */
export const linearCrossEntropyWithGrad: LinearLossWithGrad = ((
  x: Logits,
  weight: Logits,
  targets: Targets,
  options?: LinearGradOptions,
) => linearLossWithGrad(x, weight, targets, options)) as LinearLossWithGrad;
