import { rangeError } from "../check.ts";
import { naiveCrossEntropyWithGrad } from "../naive.ts";
import { Workspace } from "../wasm.ts";
import { classesOf, indicesOf } from "./labels.ts";
import { initialLayers, layerSizes, pack, unpack } from "./layers.ts";
import { checkValues, type Feature, type Label, type Matrix } from "./matrix.ts";
import { Network } from "./mlp.ts";
import { Model } from "./model.ts";
import { AdamW } from "./optimizer.ts";
import { checkFit, type FitOptions } from "./options.ts";
import { scalingOf } from "./scale.ts";
import { countCorrect, putRows, putTargets, SCORE_ROWS, type Score, scoreRows, sumLosses } from "./score.ts";
import { allRows, epochOrder, split } from "./shuffle.ts";

type Pace = () => Promise<void>;

/** Between two calls of the result nothing lasts long; every 40 ms it lets timers and signals have their turn. */
function pacer(signal: AbortSignal | undefined): Pace {
  signal?.throwIfAborted();
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 40) return;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    last = performance.now();
  };
}

async function checkAllValues(argument: string, x: Matrix, features: readonly Feature[], pace: Pace): Promise<void> {
  const [rows, columns] = x.shape;
  const step = Math.max(1, Math.floor(1e6 / columns));
  for (let first = 0; first < rows; first += step) {
    checkValues("fit", argument, x, features, first, Math.min(step, rows - first));
    await pace();
  }
}

async function score(network: Network, x: Matrix, y: Int32Array, rows: Uint32Array, pace: Pace): Promise<Score> {
  let loss = 0;
  let correct = 0;
  for (let first = 0; first < rows.length; first += SCORE_ROWS) {
    const part = scoreRows(network, x, y, rows, first, Math.min(SCORE_ROWS, rows.length - first));
    loss += part.loss;
    correct += part.correct;
    await pace();
  }
  return { nll: loss / rows.length, accuracy: correct / rows.length };
}

/** The sum of the batch's losses; dlogits is the gradient of their mean. */
function lossWithGrad(network: Network, count: number, naive: boolean): number {
  const { space, logits, dlogits, losses, targets, scales, classes } = network;
  if (!naive) {
    space.f64.fill(1 / count, scales / 8, scales / 8 + count);
    space.kernels.cross_entropy_with_grad_f32(losses, dlogits, logits, targets, scales, count, classes);
    return sumLosses(network, count);
  }
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const row = (address: number): Float32Array =>
      space.f32.subarray(address / 4 + i * classes, address / 4 + (i + 1) * classes);
    sum += naiveCrossEntropyWithGrad(row(dlogits), row(logits), space.i32[targets / 4 + i], 1 / count);
  }
  return sum;
}

/** What a step's report adds to its loss. */
function inspect({ space, gradient, logits, classes, plan }: Network, count: number) {
  let squares = 0;
  for (let k = gradient / 4, end = k + plan.length; k < end; k++) squares += space.f32[k] * space.f32[k];
  let maxLogit = -Infinity;
  for (let k = logits / 4, end = k + count * classes; k < end; k++) maxLogit = Math.max(maxLogit, space.f32[k]);
  return { gradientNorm: Math.sqrt(squares), maxLogit };
}

/**
 * Trains a classifier: a linear model, or with `hidden` an MLP with ReLU, by AdamW on the mean cross-entropy of
 * mini-batches. The model has the weights of the epoch with the least validation NLL, without validation the last.
 * Same options and data, same bits.
 *
 * @param options.x  [rows, features], finite; numbers are rounded to f32
 * @param options.y  the class of each row: strings or numbers, at least 2 different ones
 * @returns the trained model, its classes in order
 * @throws {RangeError} a value of the options, of x or of y cannot be used, or the loss stops being finite
 * @throws {TypeError} an option of the wrong type, or one that does not exist
 *
 * @example
 * const model = await fit({ x: { data: [0, 1, 2, 3], shape: [4, 1] }, y: ["low", "low", "high", "high"], learningRate: 0.1, epochs: 100 });
 * model.predict({ data: [0, 3], shape: [2, 1] }); // ["low", "high"]
 */
export async function fit<L extends Label>(options: FitOptions<L>): Promise<Model<L>> {
  const { x, y, validation, hidden, epochs, batchSize, seed, features, signal, onProgress, ...rest } =
    checkFit(options);
  const naive = rest.loss === "naive-f32";
  const pace = pacer(signal);
  await checkAllValues("x", x, features, pace);
  const classes = classesOf(y);
  if (classes.length < 2) throw rangeError("fit", "y", "at least 2 classes", ` 1, ${JSON.stringify(classes[0])}`);
  const targets = indicesOf("fit", "y", y, classes);
  const [rows, columns] = x.shape;
  const parts = typeof validation === "number" ? split(rows, validation, seed) : null;
  const training = parts?.training ?? allRows(rows);
  let held = parts && { x, targets, rows: parts.validation };
  if (typeof validation === "object") {
    await checkAllValues("validation.x", validation.x, features, pace);
    const indices = indicesOf("fit", "validation.y", validation.y, classes);
    held = { x: validation.x, targets: indices, rows: allRows(indices.length) };
  }
  const scaling = await scalingOf(x, training, rest.scale, pace);

  const sizes = layerSizes(columns, hidden, classes.length);
  const capacity = Math.max(SCORE_ROWS, Math.min(batchSize, training.length));
  const network = new Network(new Workspace(), sizes, capacity, true);
  network.load(pack(initialLayers(sizes, seed)), scaling.center, scaling.factor);
  const optimizer = new AdamW(network, rest.learningRate, rest.weightDecay);
  const modelOf = (flat: Float32Array): Model<L> =>
    new Model({ classes, features, scaling, layers: unpack(flat, sizes) });

  let best = network.save();
  let bestNll = Infinity;
  let reported = -Infinity;
  let dead = false;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const start = performance.now();
    const order = epochOrder(training, seed, epoch);
    let loss = 0;
    let correct = 0;
    for (let first = 0; first < order.length; first += batchSize) {
      const count = Math.min(batchSize, order.length - first);
      putRows(network, x, order, first, count);
      putTargets(network, targets, order, first, count);
      network.forward(count);
      correct += countCorrect(network, count);
      const batchLoss = lossWithGrad(network, count, naive);
      loss += batchLoss;
      if (!naive && !Number.isFinite(batchLoss)) {
        const where = ` ${batchLoss} in epoch ${epoch}, batch ${Math.floor(first / batchSize) + 1}`;
        throw rangeError("fit", "loss", "a finite number", where, TODO);
      }
      network.backward(count);
      optimizer.step();
      const died: boolean = !dead && !Number.isFinite(loss);
      dead ||= died;
      if (onProgress && (died || performance.now() - reported >= 100)) {
        reported = performance.now();
        const row = first + count;
        onProgress({
          kind: "step",
          epoch,
          epochs,
          row,
          rows: order.length,
          loss: loss / row,
          ...inspect(network, count),
        });
      }
      await pace();
    }
    const train = { nll: loss / order.length, accuracy: correct / order.length };
    const heldScore = held ? await score(network, held.x, held.targets, held.rows, pace) : undefined;
    const isBest = heldScore === undefined || heldScore.nll < bestNll;
    if (isBest || bestNll === Infinity) best = network.save();
    if (isBest && heldScore) bestNll = heldScore.nll;
    const snapshot = best;
    const seconds = (performance.now() - start) / 1000;
    onProgress?.({
      kind: "epoch",
      epoch,
      epochs,
      train,
      validation: heldScore,
      seconds,
      best: isBest,
      model: () => modelOf(snapshot),
    });
  }
  return modelOf(best);
}

const TODO = 'the weights grew out of bounds: lower learningRate, or let scale be "standard"';
