import { rangeError, words } from "../check.ts";
import { crewOf } from "../crew.ts";
import { naiveCrossEntropyWithGrad } from "../naive.ts";
import { initialLayers, layerSizes, pack, unpack } from "./layers.ts";
import type { Label } from "./matrix.ts";
import type { Network } from "./mlp.ts";
import { Model } from "./model.ts";
import { checkFit, type FitOptions } from "./options.ts";
import { type Pace, type Part, type Prepared, pacer, prepare } from "./prepare.ts";
import { countCorrect, putRows, putTargets, SCORE_ROWS, type Score, sumLosses } from "./score.ts";
import { epochOrder } from "./shuffle.ts";
import { Steps } from "./steps.ts";

async function score(steps: Steps, { x, targets, rows }: Part, pace: Pace): Promise<Score> {
  const { network } = steps;
  let loss = 0;
  let correct = 0;
  for (let first = 0; first < rows.length; first += SCORE_ROWS) {
    const count = Math.min(SCORE_ROWS, rows.length - first);
    putRows(network, x, rows, first, count);
    putTargets(network, targets, rows, first, count);
    const pending = steps.score(count);
    if (pending) await pending;
    loss += sumLosses(network, count);
    correct += countCorrect(network, count);
    await pace();
  }
  return { nll: loss / rows.length, accuracy: correct / rows.length };
}

/** The sum of the batch's textbook losses; dlogits becomes the gradient of their mean. */
function naiveLosses({ space, classes, at }: Network, count: number): number {
  const { logits, dlogits, targets } = at;
  const row = (address: number, i: number): Float32Array =>
    space.f32.subarray(address / 4 + i * classes, address / 4 + (i + 1) * classes);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += naiveCrossEntropyWithGrad(row(dlogits, i), row(logits, i), space.i32[targets / 4 + i], 1 / count);
  }
  return sum;
}

/** A step on the rows and targets in the network; the sum of their losses. */
async function step(steps: Steps, count: number, naive: boolean): Promise<number> {
  if (!naive) {
    await steps.step(count);
    return sumLosses(steps.network, count);
  }
  await steps.forward(count);
  const loss = naiveLosses(steps.network, count);
  await steps.backward(count);
  return loss;
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
 * Same options and data give the same bits on every machine and, with `pool`, on any number of threads. Abort with
 * `signal`: rejects with its reason.
 *
 * @example
 * const x = { data: [0, 1, 2, 3], shape: [4, 1] };
 * const model = await fit({ x, y: ["low", "low", "high", "high"], learningRate: 0.1, epochs: 100 });
 * model.predict(x); // ["low", "low", "high", "high"]
 */
export async function fit<L extends Label>(options: FitOptions<L>): Promise<Model<L>> {
  const plan = checkFit(options);
  const crew = crewOf("fit", plan.pool);
  const pace = pacer(plan.signal);
  const prepared = await prepare(plan, pace);
  const sizes = layerSizes(plan.x.shape[1], plan.hidden, prepared.classes.length);
  const capacity = Math.max(SCORE_ROWS, Math.min(plan.batchSize, prepared.training.rows.length));
  const steps = new Steps(crew, sizes, capacity, { optimizer: "adamw", ...plan });
  try {
    return await train(plan, prepared, steps, pace);
  } finally {
    steps.end();
  }
}

async function train<L extends Label>(
  plan: ReturnType<typeof checkFit<L>>,
  { classes, training, validation, scaling }: Prepared<L>,
  steps: Steps,
  pace: Pace,
): Promise<Model<L>> {
  const { epochs, batchSize, seed, features, onProgress } = plan;
  const naive = plan.loss === "naive-f32";
  const rows = training.rows.length;
  const { network } = steps;
  const { sizes } = network;
  network.load(pack(initialLayers(sizes, seed)), scaling.center, scaling.factor);

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
      const batchLoss = await step(steps, count, naive);
      if (!naive) checkFinite("loss", batchLoss, epoch, first / batchSize + 1);
      loss += batchLoss;
      correct += countCorrect(network, count);

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
    const held = validation && (await score(steps, validation, pace));
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
