import { rangeError, words } from "../check.ts";
import { naiveCrossEntropyWithGrad } from "../naive.ts";
import { Workspace } from "../wasm.ts";
import { initialLayers, layerSizes, pack, unpack } from "./layers.ts";
import type { Label } from "./matrix.ts";
import { Network } from "./mlp.ts";
import { Model } from "./model.ts";
import { AdamW } from "./optimizer.ts";
import { checkFit, type FitOptions } from "./options.ts";
import { type Pace, type Part, pacer, prepare } from "./prepare.ts";
import { countCorrect, putRows, putTargets, SCORE_ROWS, type Score, scoreRows, sumLosses } from "./score.ts";
import { epochOrder } from "./shuffle.ts";

async function score(network: Network, { x, targets, rows }: Part, pace: Pace): Promise<Score> {
  let loss = 0;
  let correct = 0;
  for (let first = 0; first < rows.length; first += SCORE_ROWS) {
    const part = scoreRows(network, x, targets, rows, first, Math.min(SCORE_ROWS, rows.length - first));
    loss += part.loss;
    correct += part.correct;
    await pace();
  }
  return { nll: loss / rows.length, accuracy: correct / rows.length };
}

/** The sum of the batch's losses; dlogits becomes the gradient of their mean. */
function lossWithGrad(network: Network, count: number, naive: boolean): number {
  const { space, classes } = network;
  const { logits, dlogits, losses, rounded, targets, scales } = network.at;
  if (!naive) {
    space.f64.fill(1 / count, scales / 8, scales / 8 + count);
    space.kernels.cross_entropy_with_grad_f32(losses, rounded, dlogits, logits, targets, scales, count, classes);
    return sumLosses(network, count);
  }
  const row = (address: number, i: number): Float32Array =>
    space.f32.subarray(address / 4 + i * classes, address / 4 + (i + 1) * classes);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += naiveCrossEntropyWithGrad(row(dlogits, i), row(logits, i), space.i32[targets / 4 + i], 1 / count);
  }
  return sum;
}

/** What a step's report adds to its loss. */
function inspect({ space, at, classes, plan }: Network, count: number): { gradientNorm: number; maxLogit: number } {
  const gradient = space.f32.subarray(at.gradient / 4, at.gradient / 4 + plan.length);
  const logits = space.f32.subarray(at.logits / 4, at.logits / 4 + count * classes);
  return {
    gradientNorm: Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)),
    maxLogit: logits.reduce((largest, x) => Math.max(largest, x), -Infinity),
  };
}

/**
 * Trains a classifier: a linear model, or with `hidden` an MLP with ReLU, by AdamW on the mean cross-entropy of
 * mini-batches. The model has the weights of the epoch with the least validation NLL; without validation, the last ones.
 *
 * @param options.x  [rows, features], finite; numbers are rounded to f32
 * @param options.y  the class of each row: strings or numbers, at least 2 different ones
 * @returns the trained model, its classes in order
 * @throws {RangeError} a value of the options, of x or of y cannot be used, or the loss stops being finite
 * @throws {TypeError} an option has the wrong type, or does not exist
 *
 * Same options and data give the same bits on every machine. Abort with `signal`: rejects with its reason.
 *
 * @example
 * const x = { data: [0, 1, 2, 3], shape: [4, 1] };
 * const model = await fit({ x, y: ["low", "low", "high", "high"], learningRate: 0.1, epochs: 100 });
 * model.predict(x); // ["low", "low", "high", "high"]
 */
export async function fit<L extends Label>(options: FitOptions<L>): Promise<Model<L>> {
  const plan = checkFit(options);
  const { epochs, batchSize, seed, features, onProgress } = plan;
  const naive = plan.loss === "naive-f32";
  const pace = pacer(plan.signal);
  const { classes, training, validation, scaling } = await prepare(plan, pace);
  const rows = training.rows.length;

  const sizes = layerSizes(plan.x.shape[1], plan.hidden, classes.length);
  const network = new Network(new Workspace(), sizes, Math.max(SCORE_ROWS, Math.min(batchSize, rows)), true);
  network.load(pack(initialLayers(sizes, seed)), scaling.center, scaling.factor);
  const optimizer = new AdamW(network, plan.learningRate, plan.weightDecay);

  let best = network.save();
  let bestNll = Infinity;
  let reported = -Infinity;
  let dead = false;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const start = performance.now();
    const order = epochOrder(training.rows, seed, epoch);
    let loss = 0;
    let correct = 0;
    for (let first = 0; first < rows; first += batchSize) {
      const count = Math.min(batchSize, rows - first);
      putRows(network, training.x, order, first, count);
      putTargets(network, training.targets, order, first, count);
      network.forward(count);
      correct += countCorrect(network, count);
      const batchLoss = lossWithGrad(network, count, naive);
      if (!naive) checkFinite("loss", batchLoss, epoch, first / batchSize + 1);
      loss += batchLoss;
      network.backward(count);
      optimizer.step();

      const dies: boolean = !dead && !Number.isFinite(loss);
      dead ||= dies;
      if (onProgress && (dies || performance.now() - reported >= 100)) {
        reported = performance.now();
        const row = first + count;
        onProgress({ kind: "step", epoch, epochs, row, rows, loss: loss / row, ...inspect(network, count) });
      }
      await pace();
    }
    const parameters = network.save();
    if (!naive)
      checkFinite("weights", parameters.find((w) => !Number.isFinite(w)) ?? 0, epoch, Math.ceil(rows / batchSize));
    const held = validation && (await score(network, validation, pace));
    const isBest = held === undefined || held.nll < bestNll;
    if (isBest || bestNll === Infinity) best = parameters;
    if (isBest && held) bestNll = held.nll;
    const snapshot = best;
    onProgress?.({
      ...{ kind: "epoch", epoch, epochs, best: isBest },
      train: { nll: loss / rows, accuracy: correct / rows },
      ...(held && { validation: held }),
      seconds: (performance.now() - start) / 1000,
      model: () => new Model({ classes, features, scaling, layers: unpack(snapshot, sizes) }),
    });
  }
  return new Model({ classes, features, scaling, layers: unpack(best, sizes) });
}

function checkFinite(what: "loss" | "weights", value: number, epoch: number, batch: number): void {
  if (Number.isFinite(value)) return;
  const todo = 'the weights grew out of bounds: lower learningRate, or let scale be "standard"';
  throw rangeError("fit", what, "finite numbers", words(`${value} in epoch ${epoch}, batch ${batch}`), todo);
}
