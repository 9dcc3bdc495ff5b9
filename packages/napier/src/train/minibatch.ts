import { rangeError, words } from "../check.ts";
import type { Crew } from "../crew.ts";
import { naiveCrossEntropyWithGrad } from "../naive.ts";
import type { checkFit } from "./checkfit.ts";
import type { TrainingState } from "./checkpoint.ts";
import { divergedError } from "./diverged.ts";
import { layerSizes, pack, unpack } from "./layers.ts";
import type { Label } from "./matrix.ts";
import type { Network } from "./mlp.ts";
import { Model } from "./model.ts";
import type { Pace, Prepared } from "./prepare.ts";
import type { RowBlock, Rows } from "./rows.ts";
import { checkGoal, checkSaved, isCounter, prefixed, type Saver, savedOnAbort, unprefixed } from "./saver.ts";
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

type Textbook = "f16" | "f32";

/** The sum of the batch's textbook losses; dlogits becomes the gradient of their mean. */
function naiveLosses({ space, classes, at }: Network, count: number, format: Textbook): number {
  const { logits, dlogits, targets } = at;
  const row = (address: number, i: number): Float32Array =>
    space.f32.subarray(address / 4 + i * classes, address / 4 + (i + 1) * classes);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const y = space.i32[targets / 4 + i];
    sum += naiveCrossEntropyWithGrad(row(dlogits, i), row(logits, i), y, 1 / count, format);
  }
  return sum;
}

/** A step on the rows and targets in the network; the sum of their losses, each by its weight where rows have one. */
async function step(
  steps: Steps,
  count: number,
  textbook: Textbook | undefined,
  weights: Float64Array | undefined,
): Promise<number> {
  const { network } = steps;
  if (textbook) {
    await steps.forward(count);
    const loss = naiveLosses(network, count, textbook);
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
type EachRow = (block: RowBlock, row: number) => Promise<void> | undefined;

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

/** Where a training stands between two batches, and what it has found. */
interface Position {
  /** The epoch under way, from 1; one more than all when the last one is done. */
  epoch: number;
  /** Rows of the epoch that are done; what they add up to. */
  row: number;
  loss: number;
  correct: number;
  /** Whether a loss that is not finite was reported; only the textbook loss goes on after one. */
  dead: number;
  /** The epoch that the best parameters are of, 0 before the first; its validation. */
  bestEpoch: number;
  bestNll: number;
  bestAccuracy: number;
}

const START: Position = {
  ...{ epoch: 1, row: 0, loss: 0, correct: 0, dead: 0 },
  ...{ bestEpoch: 0, bestNll: Infinity, bestAccuracy: 0 },
};

/** Trains by mini-batches; the model has the weights of the epoch with the least validation NLL, without validation the last ones. */
export async function fitBatches<L extends Label>(
  plan: ReturnType<typeof checkFit<L>>,
  prepared: Prepared<L>,
  crew: Crew | undefined,
  pace: Pace,
  saver: Saver | undefined,
): Promise<Model<L>> {
  const { training, counts } = prepared;
  if (plan.reducer) throw rangeError("fit", "reducer", 'optimizer "lbfgs"', plan.optimizer);
  if (!training.isRandom) {
    const todo = 'optimizer "lbfgs" needs none';
    throw rangeError("fit", "source", "a block(index) method for mini-batches", words("none"), todo);
  }
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const sizes = layerSizes(prepared.columns, plan.hidden, prepared.classes.length);
  const capacity = Math.max(SCORE_ROWS, Math.min(plan.batchSize, rows));
  const steps = new Steps(crew, sizes, capacity, plan.batches.steps);
  try {
    return await new Batches(plan, prepared, steps, pace, saver).run();
  } finally {
    steps.end();
  }
}

class Batches<L extends Label> {
  readonly #plan: ReturnType<typeof checkFit<L>>;
  readonly #prepared: Prepared<L>;
  readonly #steps: Steps;
  readonly #pace: Pace;
  readonly #saver: Saver | undefined;
  /** Of the training. */
  readonly #rows: number;
  readonly #textbook: Textbook | undefined;
  /** Of the batch under way. */
  readonly #weights: Float64Array;
  #at = START;
  /** Flat parameters. */
  #best: Float32Array;
  #reported = -Infinity;
  /** What was reported last, while it was finite. */
  #seen: { loss: number; gradientNorm: number; maxLogit: number } | undefined;

  constructor(
    plan: ReturnType<typeof checkFit<L>>,
    prepared: Prepared<L>,
    steps: Steps,
    pace: Pace,
    saver: Saver | undefined,
  ) {
    const { classes, scaling, counts } = prepared;
    this.#plan = plan;
    this.#prepared = prepared;
    this.#steps = steps;
    this.#pace = pace;
    this.#saver = saver;
    this.#rows = counts.reduce((sum, count) => sum + count, 0);
    this.#textbook = plan.loss === "cross-entropy" ? undefined : plan.loss === "naive-f16" ? "f16" : "f32";
    this.#weights = new Float64Array(plan.batchSize);
    const { network } = steps;
    const layers = startLayers(plan.warmStart, network.sizes, classes, scaling, plan.seed);
    network.load(pack(layers), scaling.center, scaling.factor);
    this.#best = network.save();
  }

  async run(): Promise<Model<L>> {
    this.#resume();
    return savedOnAbort(
      this.#saver,
      this.#plan.signal,
      () => this.#state(),
      async () => {
        while (this.#at.epoch <= this.#plan.epochs && !this.#isOver()) {
          await this.#epoch();
          await this.#saver?.saveIfDue(() => this.#state());
        }
        await this.#saver?.save(this.#state());
        return this.#model(this.#best);
      },
    );
  }

  /** Whether so many epochs in a row were no better than the best. */
  #isOver(): boolean {
    return this.#at.epoch - 1 - this.#at.bestEpoch >= this.#plan.batches.patience;
  }

  #checkFinite(what: "loss" | "weights", value: number, batch: number, rows: number): void {
    if (this.#textbook || Number.isFinite(value)) return;
    const { features, scaling } = this.#prepared;
    const { network, learningRate } = this.#steps;
    const { clipNorm } = this.#plan.batches.steps;
    const before = this.#seen && { before: this.#seen };
    const training = { network, rows, features, scale: scaling.kind, learningRate, clipNorm, ...before };
    throw divergedError(what, value, this.#at.epoch, batch, training);
  }

  #model(parameters: Float32Array): Model<L> {
    const { classes, features, scaling } = this.#prepared;
    return new Model({ classes, features, scaling, layers: unpack(parameters, this.#steps.network.sizes) });
  }

  #state(): TrainingState {
    const { tensors, numbers } = this.#steps.save();
    const { patience } = this.#plan.batches;
    return {
      numbers: { ...this.#at, patience, ...prefixed("optimizer", numbers) },
      text: {},
      tensors: { best: this.#best, ...prefixed("optimizer", tensors) },
    };
  }

  #resume(): void {
    const { epochs, batches, resume, onProgress } = this.#plan;
    const state = this.#saver?.state;
    if (state) {
      const { numbers, tensors } = state;
      this.#at = this.#position(numbers);
      const { best } = tensors;
      checkSaved(best instanceof Float32Array && best.length === this.#best.length, "tensors");
      this.#best = best;
      const own = unprefixed("optimizer", tensors) as Record<string, Float32Array>;
      this.#steps.restore({ tensors: own, numbers: unprefixed("optimizer", numbers) });
      const begun = this.#at.epoch - (this.#at.row > 0 ? 0 : 1);
      checkGoal(begun <= epochs, `at most ${epochs} epochs`, `${begun}`, `let epochs be ${begun} at least`);
      const { patience } = numbers;
      const least = `let patience be ${patience} at least`;
      checkGoal(patience <= batches.patience, `patience of ${batches.patience} at most`, `${patience}`, least);
    }
    if (!resume) return;
    const { epoch, bestEpoch, bestNll, bestAccuracy } = this.#at;
    const best = bestNll < Infinity && { epoch: bestEpoch, validation: { nll: bestNll, accuracy: bestAccuracy } };
    const snapshot = this.#best;
    onProgress?.({
      ...{ kind: "resume", found: state !== undefined, notes: this.#saver?.notes ?? [], done: epoch - 1 },
      ...(best && { best }),
      model: () => this.#model(snapshot),
    });
  }

  /** Where a checkpoint was written; between two batches, after as many steps as lead there. */
  #position(numbers: TrainingState["numbers"]): Position {
    const at = Object.fromEntries(Object.keys(START).map((name) => [name, numbers[name]])) as unknown as Position;
    const { batchSize } = this.#plan;
    const { epoch, row, correct, dead, bestEpoch } = at;
    const areNumbers = Object.values(at).every((number) => typeof number === "number");
    const areCounters = [epoch, row, correct, dead, bestEpoch].every(isCounter);
    const isBetween = row <= this.#rows && (row % batchSize === 0 || row === this.#rows);
    const isPast = correct <= row && bestEpoch < epoch;
    const isTaken = numbers["optimizer.step"] === this.#stepsTo(epoch, row);
    checkSaved(areNumbers && areCounters && isBetween && isPast && isTaken && numbers.patience > 0, "counters");
    return at;
  }

  #stepsTo(epoch: number, row: number): number {
    const { batchSize } = this.#plan;
    return (epoch - 1) * Math.ceil(this.#rows / batchSize) + Math.ceil(row / batchSize);
  }

  /** The rest of the epoch, its score, and on to the next one. */
  async #epoch(): Promise<void> {
    const start = performance.now();
    await this.#train();
    const { epochs, batchSize, onProgress } = this.#plan;
    const { validation } = this.#prepared;
    const { network } = this.#steps;
    const { epoch, loss, correct, bestNll } = this.#at;
    const rows = this.#rows;
    const parameters = network.save();
    const wrong = parameters.find((w) => !Number.isFinite(w)) ?? 0;
    this.#checkFinite("weights", wrong, Math.ceil(rows / batchSize), Math.min(rows, batchSize));
    const held = validation && (await score(this.#steps, validation.rows, validation.heldOnly, this.#pace));
    const isBest = held === undefined || held.nll < bestNll;
    let next: Position = { ...this.#at, epoch: epoch + 1, row: 0, loss: 0, correct: 0 };
    if (isBest || bestNll === Infinity) this.#best = parameters;
    if (isBest) next = { ...next, bestEpoch: epoch };
    if (isBest && held) next = { ...next, bestNll: held.nll, bestAccuracy: held.accuracy };
    this.#at = next;
    const snapshot = this.#best;
    onProgress?.({
      ...{ kind: "epoch", epoch, epochs, best: isBest },
      train: { nll: loss / rows, accuracy: correct / rows },
      ...(held && { validation: held }),
      seconds: (performance.now() - start) / 1000,
      model: () => this.#model(snapshot),
    });
  }

  /** The batches of the epoch that are left. */
  async #train(): Promise<void> {
    const { seed, batchSize } = this.#plan;
    const { training, counts, weight } = this.#prepared;
    const { network } = this.#steps;
    const meanWeight = weight / this.#rows;
    let skip = this.#at.row;
    let filled = 0;
    let weighted = false;
    const add = (block: RowBlock, i: number): Promise<void> | undefined => {
      weighted = block.weights !== undefined;
      if (block.weights) this.#weights[filled] = block.weights[i] / meanWeight;
      putRow(network, filled++, block, i);
      if (filled < batchSize && this.#at.row + filled < this.#rows) return undefined;
      const count = filled;
      filled = 0;
      return this.#batch(count, weighted);
    };
    for (const window of epochWindows(counts, seed, this.#at.epoch)) {
      const { length } = window.order;
      if (skip < length) await walkWindow(training, window, skip, add);
      skip = Math.max(0, skip - length);
    }
  }

  /** A step on the rows in the network. */
  async #batch(count: number, weighted: boolean): Promise<void> {
    const { epochs, batchSize, batches, reportEvery, onProgress } = this.#plan;
    const { network } = this.#steps;
    const { epoch, dead } = this.#at;
    const row = this.#at.row + count;
    const rows = this.#rows;
    const perEpoch = Math.ceil(rows / batchSize);
    this.#steps.learningRate = learningRateAt(this.#stepsTo(epoch, row), epochs * perEpoch, batches.schedule);
    const batchLoss = await step(this.#steps, count, this.#textbook, weighted ? this.#weights : undefined);
    this.#checkFinite("loss", batchLoss, Math.ceil(row / batchSize), count);
    const loss = this.#at.loss + batchLoss;
    const correct = this.#at.correct + countCorrect(network, count);
    const dies = dead === 0 && !Number.isFinite(loss);
    this.#at = { ...this.#at, row, loss, correct, dead: dies ? 1 : dead };
    if (onProgress && (dies || performance.now() - this.#reported >= reportEvery)) {
      this.#reported = performance.now();
      const seen = {
        loss: loss / row,
        gradientNorm: this.#steps.gradientNorm(),
        maxLogit: largestLogit(network, count),
      };
      if (Number.isFinite(loss)) this.#seen = seen;
      onProgress({ kind: "step", epoch, epochs, row, rows, ...seen });
    }
    await this.#saver?.saveIfDue(() => this.#state());
    await this.#pace();
  }
}
