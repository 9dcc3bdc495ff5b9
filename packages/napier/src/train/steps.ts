import type { Crew, Place } from "../crew.ts";
import { linear } from "../linear.ts";
import type { Phase, Task } from "../thread.ts";
import type { TrainingState } from "./checkpoint.ts";
import { clipFactor, normBlocks, normOf, squareCalls } from "./clip.ts";
import { type LayerSize, PANEL, panelsOf } from "./layers.ts";
import { call, Network } from "./mlp.ts";
import { Optimizer, type OptimizerOptions, type State } from "./optimizer.ts";

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
  readonly calls: Task;
  readonly updates: readonly Range[];
}

/** What a step of so many rows does, but for numbers that change from step to step. */
interface Plan {
  readonly phases: readonly Phase[];
  readonly pieces: readonly Piece[];
}

/** From 0 to `count` in at most `parts` ranges of multiples of `unit`, the last one's end excepted. */
function ranges(count: number, unit: number, parts: number): [first: number, end: number][] {
  const step = Math.ceil(count / parts / unit) * unit;
  const list: [number, number][] = [];
  for (let first = 0; first < count; first += step) list.push([first, Math.min(count, first + step)]);
  return list;
}

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

  constructor(crew: Crew | undefined, sizes: readonly LayerSize[], capacity: number, options: StepsOptions) {
    this.#crew = crew;
    this.#place = crew?.addPlace();
    this.network = new Network(this.#place?.space ?? linear.create(), sizes, capacity, true);
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

  /** Tasks by rows. */
  #byRows(rows: number, task: (first: number, end: number) => Task): Task[] {
    return ranges(rows, 4, this.#parts(this.network.work(rows))).map(([first, end]) => task(first, end));
  }

  #transposes(): Task {
    return this.network.sizes.flatMap((_, l) => (l === 0 ? [] : this.network.transposeCalls(l)));
  }

  #update(part: Range): Task[number] {
    return this.#optimizer.update(this.learningRate, ...part);
  }

  /** Gradients and new parameters. */
  #parameters(pieces: readonly Piece[]): Phase {
    this.#optimizer.next();
    return pieces.map(({ calls, updates }) => [...calls, ...updates.map((part) => this.#update(part))]);
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
    return [{ calls: pieces.flatMap(({ calls }) => calls), updates: pieces.flatMap(({ updates }) => updates) }];
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
        calls: network.gradientCalls(l, rows, first, end),
        updates: [part(weights, first * inputs, end * inputs, true), part(biases, first, end, false)],
      }));
    }
    // few outputs: cut along the inputs too
    const pieces = ranges(panels, 1, panels).flatMap(([panel]) =>
      ranges(inputs, 4, Math.ceil(parts / panels)).map(([first, end]) => ({
        calls: network.columnCalls(l, rows, panel, first, end),
        updates: [part(weights, panel * inputs + first, panel * inputs + end, true)],
      })),
    );
    return [...pieces, { calls: [network.biasCall(l, rows)], updates: [part(biases, 0, panels, false)] }];
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

  /** Logits, losses, gradients and new parameters, from rows, targets and scales. */
  step(rows: number): Promise<void> | undefined {
    const { network } = this;
    return this.#train(this.#whole, rows, (first, end) => [
      ...network.forwardCalls(first, end),
      ...network.lossCalls(first, end, true),
      ...network.deltaCalls(first, end),
    ]);
  }

  /** Gradients and new parameters, from dlogits; after `forward` of the same rows. */
  backward(rows: number): Promise<void> | undefined {
    return this.#train(this.#back, rows, (first, end) => this.network.deltaCalls(first, end));
  }

  #train(made: Map<number, Plan>, rows: number, task: (first: number, end: number) => Task): Promise<void> | undefined {
    let plan = made.get(rows);
    if (plan === undefined) {
      const phases: Task[][] = [this.#byRows(rows, task)];
      if (this.network.sizes.length > 1) {
        if (phases[0].length > 1) phases[0].unshift(this.#transposes());
        else phases[0] = [[...phases[0][0], ...this.#transposes()]];
        phases.push(this.#byRows(rows, (first, end) => this.network.backwardCalls(first, end)));
      }
      plan = { phases, pieces: this.#pieces(rows) };
      made.set(rows, plan);
    }
    const { phases, pieces } = plan;
    const clipNorm = this.#clipNorm;
    if (clipNorm === undefined) return this.#run([...phases, this.#parameters(pieces)]);
    const gradients = pieces.map(({ calls }) => calls);
    const pending = this.#run([...phases, gradients, this.#squares()]);
    return pending ? pending.then(() => this.#run([this.#clipped(clipNorm)])) : this.#run([this.#clipped(clipNorm)]);
  }
}
