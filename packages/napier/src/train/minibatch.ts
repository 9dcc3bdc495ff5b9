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
import { batchShares, ownParts, type Part, PartReader, partsOf } from "./parts.ts";
import type { Pace, Prepared, Validation } from "./prepare.ts";
import type { Reducer } from "./reducer.ts";
import type { RowBlock } from "./rows.ts";
import { checkGoal, checkSaved, isCounter, prefixed, type Saver, savedOnAbort, unprefixed } from "./saver.ts";
import { largestInputs } from "./scale.ts";
import { learningRateAt } from "./schedule.ts";
import { BlockScores, countCorrect, putRow, SCORE_ROWS, type Score, sumLosses } from "./score.ts";
import { WINDOW } from "./shuffle.ts";
import { Steps } from "./steps.ts";
import { startLayers } from "./warmstart.ts";

/** NLL and accuracy of the rows, or of those that are held. */
export async function score<L extends Label>(
  steps: Steps,
  { rows, heldOnly, blocks, range }: Validation<L>,
  reducer: Reducer | undefined,
  pace: Pace,
): Promise<Score> {
  const { network } = steps;
  const sums = new BlockScores(blocks, range.first, reducer);
  for await (const block of rows.blocks()) {
    let [loss, correct, done, filled] = [0, 0, 0, 0];
    const flush = async (): Promise<void> => {
      await steps.score(filled);
      loss += sumLosses(network, 0, filled);
      correct += countCorrect(network, 0, filled).correct;
      done += filled;
      filled = 0;
      await pace();
    };
    for (let i = 0; i < block.count; i++) {
      if (heldOnly && block.held?.[i] !== 1) continue;
      putRow(network, filled++, block, i);
      if (filled === SCORE_ROWS) await flush();
    }
    if (filled > 0) await flush();
    sums.add(block.index, loss, correct, done);
  }
  return sums.total();
}

type Textbook = "f16" | "f32";

/** The textbook losses of the rows; dlogits becomes the gradient of the mean over `all` of the batch. */
function naiveLosses({ space, classes, at }: Network, count: number, all: number, format: Textbook): void {
  const { logits, dlogits, targets, losses } = at;
  const row = (address: number, i: number): Float32Array =>
    space.f32.subarray(address / 4 + i * classes, address / 4 + (i + 1) * classes);
  for (let i = 0; i < count; i++) {
    const y = space.i32[targets / 4 + i];
    space.f64[losses / 8 + i] = naiveCrossEntropyWithGrad(row(dlogits, i), row(logits, i), y, 1 / all, format);
  }
}

/** What is told of a part of a batch: the sum of its losses, its hits, its largest logit. */
const SCORES = 3;

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
  if (!training.isRandom) {
    const todo = 'optimizer "lbfgs" needs none';
    throw rangeError("fit", "source", "a block(index) method for mini-batches", words("none"), todo);
  }
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const sizes = layerSizes(prepared.columns, plan.hidden, prepared.classes.length);
  const capacity = Math.max(SCORE_ROWS, Math.min(plan.batchSize, rows));
  const parts = partsOf(counts, prepared.rows, plan.batchSize);
  const { reducer } = plan;
  const steps = new Steps(crew, sizes, capacity, plan.batches.steps, reducer);
  try {
    steps.setInputs(await largestInputs(training, prepared.scaling, rows, reducer, pace));
    return await new Batches(plan, prepared, parts, steps, pace, saver).run();
  } finally {
    steps.end();
  }
}

class Batches<L extends Label> {
  readonly #plan: ReturnType<typeof checkFit<L>>;
  readonly #prepared: Prepared<L>;
  readonly #parts: readonly Part[];
  readonly #own: readonly Part[];
  /** Of every part of the batch under way. */
  readonly #scores: Float64Array<ArrayBuffer>;
  /** Rows of the last batch that are here, and where in it. */
  #here = { rows: 0, firstRow: 0 };
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
    parts: readonly Part[],
    steps: Steps,
    pace: Pace,
    saver: Saver | undefined,
  ) {
    const { classes, scaling, counts } = prepared;
    this.#parts = parts;
    this.#own = ownParts(parts, plan.reducer);
    this.#scores = new Float64Array(SCORES * parts.length);
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

  async #checkFinite(what: "loss" | "weights", value: number, batch: number): Promise<void> {
    if (this.#textbook || Number.isFinite(value)) return;
    const { features, scaling } = this.#prepared;
    const { network, learningRate } = this.#steps;
    const { clipNorm } = this.#plan.batches.steps;
    const before = this.#seen && { before: this.#seen };
    const training = { network, ...this.#here, features, scale: scaling.kind, learningRate, clipNorm, ...before };
    throw await divergedError(what, value, this.#at.epoch, batch, training, this.#plan.reducer);
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
    await this.#checkFinite("weights", wrong, Math.ceil(rows / batchSize));
    const held = validation && (await score(this.#steps, validation, this.#plan.reducer, this.#pace));
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
    const { training, weight } = this.#prepared;
    const { network } = this.#steps;
    const { epoch, row: done } = this.#at;
    const meanWeight = weight / this.#rows;
    const window = Math.max(1, Math.floor(WINDOW / this.#parts.length));
    const taken = this.#parts.map(() => 0);
    let readers: PartReader[] | undefined;
    let row = 0;
    for (const shares of batchShares(this.#parts, batchSize)) {
      const count = shares.reduce((sum, share) => sum + share, 0);
      row += count;
      if (row <= done) {
        for (const [p, share] of shares.entries()) taken[p] += share;
        continue;
      }
      readers ??= this.#own.map((part) => new PartReader(training, part, window, seed, epoch, taken[part.index]));
      let filled = 0;
      let weighted = false;
      const put = (block: RowBlock, i: number): void => {
        weighted = block.weights !== undefined;
        if (block.weights) this.#weights[filled] = block.weights[i] / meanWeight;
        putRow(network, filled++, block, i);
      };
      for (const [n, reader] of readers.entries()) {
        for (let left = shares[this.#own[n].index]; left > 0; left--) {
          if (reader.isEmpty) await reader.load();
          reader.next(put);
        }
      }
      await this.#batch(count, shares, weighted);
    }
  }

  /** The scores of the own parts of the batch, zeros for those of other ranks, as bits: their sum has all. */
  #readScores(shares: readonly number[], weights: Float64Array | undefined): BigInt64Array<ArrayBuffer> {
    const { network } = this.#steps;
    this.#scores.fill(0);
    let first = 0;
    for (const { index } of this.#own) {
      const end = first + shares[index];
      const { correct, largest } = countCorrect(network, first, end);
      this.#scores.set([sumLosses(network, first, end, weights), correct, largest], SCORES * index);
      first = end;
    }
    return new BigInt64Array(this.#scores.buffer);
  }

  /** A step on the rows in the network: the sum of their losses, each by its weight where rows have one, and more. */
  async #step(count: number, shares: readonly number[], weighted: boolean) {
    const { network } = this.#steps;
    const own = this.#own.map(({ index }) => shares[index]);
    const rows = own.reduce((sum, share) => sum + share, 0);
    const firstRow = shares.slice(0, this.#own[0]?.index ?? 0).reduce((sum, share) => sum + share, 0);
    this.#here = { rows, firstRow };
    const weights = weighted ? this.#weights : undefined;
    const scores = (): BigInt64Array<ArrayBuffer> => this.#readScores(shares, weights);
    network.setParts(own);
    if (this.#textbook) {
      await this.#steps.forward(rows);
      naiveLosses(network, rows, count, this.#textbook);
      await this.#steps.backward(rows, count, scores);
    } else {
      const to = network.at.scales / 8;
      for (let i = 0; i < rows; i++) network.space.f64[to + i] = (weights?.[i] ?? 1) / count;
      await this.#steps.step(rows, count, scores);
    }
    if (this.#plan.reducer === undefined) scores();
    let [loss, correct, largest] = [0, 0, -Infinity];
    for (let p = 0; p < this.#parts.length; p++) {
      loss += this.#scores[SCORES * p];
      correct += this.#scores[SCORES * p + 1];
      if (shares[p] > 0) largest = Math.max(largest, this.#scores[SCORES * p + 2]);
    }
    return { loss, correct, largest };
  }

  async #batch(count: number, shares: readonly number[], weighted: boolean): Promise<void> {
    const { epochs, batchSize, batches, reportEvery, onProgress } = this.#plan;
    const { epoch, dead } = this.#at;
    const row = this.#at.row + count;
    const rows = this.#rows;
    const perEpoch = Math.ceil(rows / batchSize);
    this.#steps.learningRate = learningRateAt(this.#stepsTo(epoch, row), epochs * perEpoch, batches.schedule);
    const found = await this.#step(count, shares, weighted);
    await this.#checkFinite("loss", found.loss, Math.ceil(row / batchSize));
    const loss = this.#at.loss + found.loss;
    const correct = this.#at.correct + found.correct;
    const dies = dead === 0 && !Number.isFinite(loss);
    this.#at = { ...this.#at, row, loss, correct, dead: dies ? 1 : dead };
    if (onProgress && (dies || performance.now() - this.#reported >= reportEvery)) {
      this.#reported = performance.now();
      const seen = { loss: loss / row, gradientNorm: this.#steps.gradientNorm(), maxLogit: found.largest };
      if (Number.isFinite(loss)) this.#seen = seen;
      onProgress({ kind: "step", epoch, epochs, row, rows, ...seen });
    }
    await this.#saver?.saveIfDue(() => this.#state());
    await this.#pace();
  }
}
