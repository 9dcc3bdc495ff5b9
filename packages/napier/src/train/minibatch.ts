import { rangeError, words } from "../check.ts";
import type { Crew } from "../crew.ts";
import { naiveCrossEntropyWithGrad } from "../naive.ts";
import type { checkFit } from "./checkfit.ts";
import { divergedError } from "./diverged.ts";
import { layerSizes, pack, unpack } from "./layers.ts";
import type { Label } from "./matrix.ts";
import type { Network } from "./mlp.ts";
import { Model } from "./model.ts";
import { EarlyStopping } from "./patience.ts";
import type { Pace, Prepared } from "./prepare.ts";
import type { RowBlock, Rows } from "./rows.ts";
import { learningRateAt } from "./schedule.ts";
import { countCorrect, putRow, SCORE_ROWS, type Score, sumLosses } from "./score.ts";
import { epochWindows, type Window } from "./shuffle.ts";
import { Steps } from "./steps.ts";
import { startLayers } from "./warmstart.ts";

/** NLL and accuracy of the rows, or of those that are held. */
export async function score(steps: Steps, rows: Rows, heldOnly: boolean, pace: Pace): Promise<Score> {
  const { network } = steps;
  let loss = 0;
  let correct = 0;
  let done = 0;
  let filled = 0;
  const flush = async (): Promise<void> => {
    const pending = steps.score(filled);
    if (pending) await pending;
    loss += sumLosses(network, filled);
    correct += countCorrect(network, filled);
    done += filled;
    filled = 0;
    await pace();
  };
  for await (const block of rows.blocks()) {
    for (let i = 0; i < block.count; i++) {
      if (heldOnly && block.held?.[i] !== 1) continue;
      putRow(network, filled++, block, i);
      if (filled === SCORE_ROWS) await flush();
    }
  }
  if (filled > 0) await flush();
  return { nll: loss / done, accuracy: correct / done };
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

/** A step on the rows and targets in the network; the sum of their losses, each by its weight where rows have one. */
async function step(steps: Steps, count: number, naive: boolean, weights: Float64Array | undefined): Promise<number> {
  const { network } = steps;
  if (naive) {
    await steps.forward(count);
    const loss = naiveLosses(network, count);
    await steps.backward(count);
    return loss;
  }
  const { scales, losses } = network.at;
  const to = scales / 8;
  for (let i = 0; i < count; i++) network.space.f64[to + i] = (weights?.[i] ?? 1) / count;
  await steps.step(count);
  if (weights === undefined) return sumLosses(network, count);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += weights[i] * network.space.f64[losses / 8 + i];
  return sum;
}

function largestLogit({ space, at, classes }: Network, count: number): number {
  const logits = space.f32.subarray(at.logits / 4, at.logits / 4 + count * classes);
  return logits.reduce((largest, x) => Math.max(largest, x), -Infinity);
}

/** A row of an epoch: which of the window's blocks it is in, and where. */
type EachRow = (block: RowBlock, row: number) => void | Promise<void>;

/** Calls `each` with the training rows of a window in its order; blocks are read once. */
async function walkWindow(rows: Rows, { blocks, order }: Window, skip: number, each: EachRow): Promise<void> {
  const found: RowBlock[] = [];
  for (const index of blocks) found.push(await rows.block(index));
  const places: number[] = [];
  found.forEach(({ count, held }, n) => {
    for (let i = 0; i < count; i++) if (held?.[i] !== 1) places.push(n * 65536 + i);
  });
  for (let k = skip; k < order.length; k++) {
    const place = places[order[k]];
    const done = each(found[place >>> 16], place & 65535);
    if (done) await done;
  }
}

/** Trains by mini-batches; the model has the weights of the epoch with the least validation NLL, without validation the last ones. */
export async function fitBatches<L extends Label>(
  plan: ReturnType<typeof checkFit<L>>,
  prepared: Prepared<L>,
  crew: Crew | undefined,
  pace: Pace,
): Promise<Model<L>> {
  const { epochs, batchSize, seed, onProgress } = plan;
  const { classes, features, columns, training, counts, weight, validation, scaling } = prepared;
  if (!training.isRandom) {
    throw rangeError(
      "fit",
      "source",
      "a block(index) method for mini-batches",
      words("none"),
      'optimizer "lbfgs" needs none',
    );
  }
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const sizes = layerSizes(columns, plan.hidden, classes.length);
  const capacity = Math.max(SCORE_ROWS, Math.min(batchSize, rows));
  const { steps: rule, schedule, patience } = plan.batches;
  const steps = new Steps(crew, sizes, capacity, rule);
  const perEpoch = Math.ceil(rows / batchSize);
  try {
    const naive = plan.loss === "naive-f32";
    const { network } = steps;
    network.load(pack(startLayers(plan.warmStart, sizes, classes, scaling, seed)), scaling.center, scaling.factor);
    const meanWeight = weight / rows;
    const weights = new Float64Array(batchSize);

    let best = network.save();
    const stopping = new EarlyStopping(patience);
    let before: { loss: number; gradientNorm: number; maxLogit: number } | undefined;
    const checkFinite = (
      what: "loss" | "weights",
      value: number,
      epoch: number,
      batch: number,
      count: number,
    ): void => {
      if (Number.isFinite(value)) return;
      const { learningRate } = steps;
      const { clipNorm } = rule;
      const training = {
        network,
        rows: count,
        features,
        scale: scaling.kind,
        learningRate,
        clipNorm,
        ...(before && { before }),
      };
      throw divergedError(what, value, epoch, batch, training);
    };
    let reported = -Infinity;
    let dead = false;
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const start = performance.now();
      let loss = 0;
      let correct = 0;
      let row = 0;
      let filled = 0;
      let weighted = false;
      const flush = async (): Promise<void> => {
        const count = filled;
        filled = 0;
        row += count;
        steps.learningRate = learningRateAt(
          (epoch - 1) * perEpoch + Math.ceil(row / batchSize),
          epochs * perEpoch,
          schedule,
        );
        const batchLoss = await step(steps, count, naive, weighted ? weights : undefined);
        if (!naive) checkFinite("loss", batchLoss, epoch, Math.ceil(row / batchSize), count);
        loss += batchLoss;
        correct += countCorrect(network, count);
        const dies: boolean = !dead && !Number.isFinite(loss);
        dead ||= dies;
        if (onProgress && (dies || performance.now() - reported >= 100)) {
          reported = performance.now();
          const seen = { loss: loss / row, gradientNorm: steps.gradientNorm(), maxLogit: largestLogit(network, count) };
          if (!dead) before = seen;
          onProgress({ kind: "step", epoch, epochs, row, rows, ...seen });
        }
        await pace();
      };
      for (const window of epochWindows(counts, seed, epoch)) {
        await walkWindow(training, window, 0, (block, i) => {
          weighted = block.weights !== undefined;
          if (block.weights) weights[filled] = block.weights[i] / meanWeight;
          putRow(network, filled++, block, i);
          return filled === batchSize || row + filled === rows ? flush() : undefined;
        });
      }
      const parameters = network.save();
      if (!naive) {
        const bad = parameters.find((w) => !Number.isFinite(w)) ?? 0;
        checkFinite("weights", bad, epoch, perEpoch, Math.min(rows, batchSize));
      }
      const held = validation && (await score(steps, validation.rows, validation.heldOnly, pace));
      const isBest = held === undefined || stopping.see(held.nll);
      if (isBest || stopping.best === Infinity) best = parameters;
      const snapshot = best;
      onProgress?.({
        ...{ kind: "epoch", epoch, epochs, best: isBest },
        train: { nll: loss / rows, accuracy: correct / rows },
        ...(held && { validation: held }),
        seconds: (performance.now() - start) / 1000,
        model: () => new Model({ classes, features, scaling, layers: unpack(snapshot, sizes) }),
      });
      if (stopping.isOver) break;
    }
    return new Model({ classes, features, scaling, layers: unpack(best, sizes) });
  } finally {
    steps.end();
  }
}
