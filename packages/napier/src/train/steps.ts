import type { Crew, Place } from "../crew.ts";
import { linear } from "../linear.ts";
import type { Call, Phase, Task } from "../thread.ts";
import { powerOfTwo } from "./blocksums.ts";
import type { TrainingState } from "./checkpoint.ts";
import { clipFactor, normBlocks, normOf, squareCalls } from "./clip.ts";
import { type LayerSize, PANEL, panelsOf } from "./layers.ts";
import { call, type GradientRange, Network } from "./mlp.ts";
import { Optimizer, type OptimizerOptions, type State } from "./optimizer.ts";
import type { Reducer } from "./reducer.ts";

/** Multiplications that pay for waking a thread: some 25 µs of them. */
const LEAST_WORK = 500_000;
/** Tasks for each thread, where the work is enough: threads seldom run at one speed. */
const TASKS = 2;

/** What squaring a gradient and updating a parameter cost, in multiplications: 0.2 and up to 0.8 ns against 0.05. */
const SQUARE_WORK = 4;
const UPDATE_WORK = 16;

export type StepsOptions = OptimizerOptions & {
  readonly learningRate: number;
  /** The gradient of a step is shortened to this norm. */
  readonly clipNorm?: number;
};

/** A range of parameters to update. */
type Range = readonly [from: number, end: number, decays: boolean];

/** Gradients, and the ranges of parameters that they are for. */
interface Piece {
  readonly gradients: readonly GradientRange[];
  readonly updates: readonly Range[];
}

/** What a step of so many rows does, but for numbers that change from step to step. */
interface Plan {
  readonly phases: readonly Phase[];
  /** Tasks that have left sizes. */
  readonly slots: number;
  readonly pieces: readonly Piece[];
}

const NO_SCORES = (): BigInt64Array<ArrayBuffer> => new BigInt64Array(0);

/** What ranks add up beside the gradient, once the rows have their losses; it is changed in place. */
type Scores = () => BigInt64Array<ArrayBuffer>;

/** From 0 to `count` in at most `parts` ranges of multiples of `unit`, the last one's end excepted. */
function ranges(count: number, unit: number, parts: number): [first: number, end: number][] {
  const step = Math.ceil(count / parts / unit) * unit;
  const list: [number, number][] = [];
  for (let first = 0; first < count; first += step) list.push([first, Math.min(count, first + step)]);
  return list;
}

/** The least power of two above a number from 0 to f32's largest, given by its bits; NaN above those. */
const above = (bits: number): number => (bits >= 0x7f800000 ? NaN : powerOfTwo((bits >>> 23) - 126));

/**
 * Training steps of a network on the calling thread, or on the threads of a pool. A step is three phases: rows from input
 * to loss; rows back to the first layer's deltas; parameters, panel by panel. With `clipNorm` the third ends with the
 * gradients and their norm, and a fourth has the updates. Every number is computed by the same operations in the same order
 * wherever the cuts are, so its bits do not depend on threads.
 */
export class Steps {
  readonly network: Network;
  /** Of the steps to come. */
  learningRate: number;
  readonly #optimizer: Optimizer;
  readonly #clipNorm: number | undefined;
  /** Before clipping. */
  #norm = 0;
  readonly #crew: Crew | undefined;
  readonly #place: Place | undefined;
  // by rows: full batches, and the last one of an epoch
  readonly #whole = new Map<number, Plan>();
  readonly #back = new Map<number, Plan>();
  /** Where other ranks have other rows of each batch. */
  readonly #reducer: Reducer | undefined;

  constructor(
    crew: Crew | undefined,
    sizes: readonly LayerSize[],
    capacity: number,
    options: StepsOptions,
    reducer?: Reducer,
  ) {
    this.#reducer = reducer;
    this.#crew = crew;
    this.#place = crew?.addPlace();
    const slots = crew ? TASKS * crew.threads : 1;
    this.network = new Network(this.#place?.space ?? linear.create(), sizes, capacity, slots);
    if (this.#place) crew?.share(this.#place);
    this.learningRate = options.learningRate;
    this.#clipNorm = options.clipNorm;
    this.#optimizer = new Optimizer(this.network, options);
  }

  /** Gives the pool's memory back. */
  end(): void {
    if (this.#place) this.#crew?.dropPlace(this.#place.id);
  }

  /** Parameters and the optimizer's state, between two steps. */
  save(): State {
    return this.#optimizer.save();
  }

  /** Goes on where a training of the same network and optimizer was saved; what else a checkpoint holds is left alone. */
  restore(state: Pick<TrainingState, "tensors" | "numbers">): void {
    this.#optimizer.restore(state);
  }

  /** The norm of the last step's gradient over all parameters, before clipping. */
  gradientNorm(): number {
    if (this.#clipNorm !== undefined) return this.#norm;
    call(this.network.space, squareCalls(this.network, 0, normBlocks(this.network)));
    return normOf(this.network);
  }

  #run(phases: readonly Phase[]): Promise<void> | undefined {
    if (this.#crew && this.#place && phases.some((phase) => phase.length > 1)) {
      return this.#crew.run(this.#place, phases);
    }
    for (const phase of phases) for (const task of phase) call(this.network.space, task);
    return undefined;
  }

  #parts(work: number): number {
    if (this.#crew === undefined) return 1;
    return Math.max(1, Math.min(TASKS * this.#crew.threads, Math.floor(work / LEAST_WORK)));
  }

  /** Tasks by rows; `n` counts them. */
  #byRows(rows: number, task: (first: number, end: number, n: number) => Task): Task[] {
    if (rows === 0) return [];
    return ranges(rows, 4, this.#parts(this.network.work(rows))).map(([first, end], n) => task(first, end, n));
  }

  #transposes(): Task {
    return this.network.sizes.flatMap((_, l) => (l === 0 ? [] : this.network.transposeCalls(l)));
  }

  #update(part: Range): Task[number] {
    return this.#optimizer.update(this.learningRate, ...part);
  }

  /** The units of the gradient's sums, from what the tasks by rows have found in all ranks; `rows` are those of the whole batch. */
  #setUnits(slots: number, rows: number): Promise<void> | undefined {
    const { space, at, sizesWidth: width } = this.network;
    // numbers from 0 are in the order of their bits, and NaN and ∞ above all others
    const largest = new Int32Array(width);
    for (let slot = 0; slot < slots; slot++) {
      const from = at.sizes / 4 + slot * width;
      for (let k = 0; k < width; k++) largest[k] = Math.max(largest[k], space.i32[from + k]);
    }
    const pending = this.#reducer?.max(largest);
    if (pending === undefined) return this.#writeUnits(largest, rows);
    return pending.then(() => this.#writeUnits(largest, rows));
  }

  #writeUnits(largest: Int32Array, rows: number): undefined {
    const { space, at, sizes } = this.network;
    let c = 0;
    while (1 << c < rows) c++;
    let k = 0;
    let to = at.cx / 8 + sizes[0].inputs;
    for (const { inputs } of sizes.slice(1)) {
      for (let n = 0; n < inputs; n++) space.f64[to++] = above(largest[k + n]);
      k += panelsOf(inputs) * PANEL;
    }
    const unit = 1.5 * powerOfTwo(c + 3); // see gradients.as.ts
    for (let n = 0; k < largest.length; n++, k++) space.f64[at.cg / 8 + n] = above(largest[k]) * unit;
    return undefined;
  }

  /** The largest sizes that the scaled inputs have in any row of the training, or more. */
  setInputs(largest: Float32Array): void {
    const { space, at } = this.network;
    const bits = new Int32Array(largest.slice().buffer);
    for (let k = 0; k < bits.length; k++) space.f64[at.cx / 8 + k] = above(bits[k]);
  }

  /** Adds up what the ranks have, where it lies. */
  async #share(reducer: Reducer, scores: Scores): Promise<void> {
    const { space, at, plan } = this.network;
    const own = scores();
    const all = new BigInt64Array(space.i32.buffer, at.sums, plan.length + own.length);
    all.set(own, plan.length);
    await reducer.sum(all);
    own.set(all.subarray(plan.length));
  }

  /** Sums of the gradient's squares. */
  #squares(): Phase {
    const blocks = normBlocks(this.network);
    const parts = this.#parts(SQUARE_WORK * this.network.plan.length);
    return ranges(blocks, 1, parts).map(([first, end]) => squareCalls(this.network, first, end));
  }

  /** All parameters, in ranges of about a part each. */
  #ranges(parts: number): Range[] {
    const { weights, biases, length } = this.network.plan;
    return weights.flatMap((from, l) => [
      ...ranges(biases[l] - from, PANEL, parts).map(([first, end]): Range => [from + first, from + end, true]),
      [biases[l], weights[l + 1] ?? length, false] as const,
    ]);
  }

  /** New parameters from a gradient whose squares are summed. */
  #clipped(clipNorm: number): Phase {
    const { plan, at } = this.network;
    this.#norm = normOf(this.network);
    const factor = clipFactor(this.#norm, clipNorm);
    this.#optimizer.next();
    const parts = this.#parts(UPDATE_WORK * plan.length);
    const tasks = this.#ranges(parts).map((part): Task => {
      const [from, end] = part;
      const update = this.#update(part);
      return factor === 1 ? [update] : [["scale_f32", [at.gradient + from * 4, factor, end - from]], update];
    });
    return parts > 1 ? tasks : [tasks.flat()];
  }

  #pieces(rows: number): Piece[] {
    const pieces = this.network.sizes.flatMap((_, l) => this.#layer(l, rows));
    if (this.#parts(this.network.work(rows)) > 1) return pieces;
    const gradients = pieces.flatMap((piece) => piece.gradients);
    return [{ gradients, updates: pieces.flatMap(({ updates }) => updates) }];
  }

  #layer(l: number, rows: number): Piece[] {
    const { network } = this;
    const { inputs, outputs } = network.sizes[l];
    const weights = network.plan.weights[l];
    const biases = network.plan.biases[l];
    const panels = panelsOf(outputs);
    const parts = this.#parts(rows * inputs * panels * PANEL);
    const part = (from: number, first: number, end: number, decays: boolean): Piece["updates"][number] => [
      from + first * PANEL,
      from + end * PANEL,
      decays,
    ];
    if (panels >= parts) {
      return ranges(panels, 1, parts).map(([first, end]) => ({
        gradients: [network.weights(l, first, end), network.biases(l, first, end)],
        updates: [part(weights, first * inputs, end * inputs, true), part(biases, first, end, false)],
      }));
    }
    // few outputs: cut along the inputs too
    const pieces = ranges(panels, 1, panels).flatMap(([panel]) =>
      ranges(inputs, 4, Math.ceil(parts / panels)).map(([first, end]) => ({
        gradients: [network.weights(l, panel, panel + 1, first, end)],
        updates: [part(weights, panel * inputs + first, panel * inputs + end, true)],
      })),
    );
    return [...pieces, { gradients: [network.biases(l)], updates: [part(biases, 0, panels, false)] }];
  }

  /** Logits of the rows. */
  forward(rows: number): Promise<void> | undefined {
    return this.#run([this.#byRows(rows, (first, end) => this.network.forwardCalls(first, end))]);
  }

  /** Logits and losses of the rows. */
  score(rows: number): Promise<void> | undefined {
    const { network } = this;
    return this.#run([
      this.#byRows(rows, (first, end) => [
        ...network.forwardCalls(first, end),
        ...network.lossCalls(first, end, false),
      ]),
    ]);
  }

  /**
   * Logits, losses, gradients and new parameters, from rows, targets and scales.
   *
   * @param rows  that are here, in the parts that the network was told
   * @param all  of the whole batch
   */
  step(rows: number, all = rows, scores: Scores = NO_SCORES): Promise<void> | undefined {
    const { network } = this;
    return this.#train(this.#whole, rows, all, scores, (first, end) => [
      ...network.forwardCalls(first, end),
      ...network.lossCalls(first, end, true),
      ...network.deltaCalls(first, end),
    ]);
  }

  /** Gradients and new parameters, from dlogits; after `forward` of the same rows. */
  backward(rows: number, all = rows, scores: Scores = NO_SCORES): Promise<void> | undefined {
    return this.#train(this.#back, rows, all, scores, (first, end) => this.network.deltaCalls(first, end));
  }

  #planOf(rows: number, task: (first: number, end: number) => Task): Plan {
    const { network } = this;
    const isDeep = network.sizes.length > 1;
    const phases: Task[][] = [
      this.#byRows(rows, (first, end, n) => [...task(first, end), ...(isDeep ? [] : network.sizeCalls(n, first, end))]),
    ];
    const slots = phases[0].length;
    if (isDeep && slots > 0) {
      if (slots > 1) phases[0].unshift(this.#transposes());
      else phases[0] = [[...phases[0][0], ...this.#transposes()]];
      const back = (first: number, end: number, n: number): Task => [
        ...network.backwardCalls(first, end),
        ...network.sizeCalls(n, first, end),
      ];
      phases.push(this.#byRows(rows, back));
    }
    return { phases, slots, pieces: this.#pieces(rows) };
  }

  #train(
    made: Map<number, Plan>,
    rows: number,
    all: number,
    scores: Scores,
    task: (first: number, end: number) => Task,
  ): Promise<void> | undefined {
    const plan = made.get(rows) ?? this.#planOf(rows, task);
    made.set(rows, plan);
    const first = this.#run(plan.phases);
    if (this.#reducer) return this.#shared(plan, all, this.#reducer, scores, first);
    const rest = (): Promise<void> | undefined => {
      this.#setUnits(plan.slots, all);
      return this.#descend(plan.pieces, (range) => this.network.gradientCall(range));
    };
    return first ? first.then(rest) : rest();
  }

  async #shared(
    { slots, pieces }: Plan,
    all: number,
    reducer: Reducer,
    scores: Scores,
    first: Promise<void> | undefined,
  ): Promise<void> {
    await first;
    await this.#setUnits(slots, all);
    await this.#run([pieces.map(({ gradients }) => gradients.map((range) => this.network.sumsCall(range)))]);
    await this.#share(reducer, scores);
    await this.#descend(pieces, (range) => this.network.roundCall(range));
  }

  /** New parameters, from gradients that each come by a call. */
  #descend(pieces: readonly Piece[], made: (range: GradientRange) => Call): Promise<void> | undefined {
    const clipNorm = this.#clipNorm;
    if (clipNorm === undefined) {
      this.#optimizer.next();
      const update = (part: Range): Call => this.#update(part);
      return this.#run([pieces.map(({ gradients, updates }) => [...gradients.map(made), ...updates.map(update)])]);
    }
    const pending = this.#run([pieces.map(({ gradients }) => gradients.map(made)), this.#squares()]);
    return pending ? pending.then(() => this.#run([this.#clipped(clipNorm)])) : this.#run([this.#clipped(clipNorm)]);
  }
}
