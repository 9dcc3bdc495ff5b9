import type { Crew, Place } from "../crew.ts";
import { linear } from "../linear.ts";
import type { Phase, Task } from "../thread.ts";
import { type LayerSize, PANEL, panelsOf } from "./layers.ts";
import { call, Network } from "./mlp.ts";
import { AdamW } from "./optimizer.ts";

/** Multiplications that pay for waking a thread: some 25 µs of them. */
const LEAST_WORK = 500_000;
/** Tasks for each thread, where the work is enough: threads seldom run at one speed. */
const TASKS = 2;

/** Gradients, and the ranges of parameters that they are for: AdamW's arguments. */
interface Piece {
  readonly calls: Task;
  readonly updates: readonly (readonly [from: number, end: number, decays: boolean])[];
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
 * to loss; rows back to the first layer's deltas; parameters, panel by panel. Every number is computed by the same
 * operations in the same order wherever the cuts are, so its bits do not depend on threads.
 */
export class Steps {
  readonly network: Network;
  readonly #optimizer: AdamW;
  readonly #crew: Crew | undefined;
  readonly #place: Place | undefined;
  // by rows: full batches, and the last one of an epoch
  readonly #whole = new Map<number, Plan>();
  readonly #back = new Map<number, Plan>();

  constructor(
    crew: Crew | undefined,
    sizes: readonly LayerSize[],
    capacity: number,
    learningRate: number,
    weightDecay: number,
  ) {
    this.#crew = crew;
    this.#place = crew?.addPlace();
    this.network = new Network(this.#place?.space ?? linear.create(), sizes, capacity, true);
    if (this.#place) crew?.share(this.#place);
    this.#optimizer = new AdamW(this.network, learningRate, weightDecay);
  }

  /** Gives the pool's memory back. */
  end(): void {
    if (this.#place) this.#crew?.dropPlace(this.#place.id);
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

  /** Gradients and new parameters. */
  #parameters(pieces: readonly Piece[]): Phase {
    this.#optimizer.next();
    return pieces.map(({ calls, updates }) => [...calls, ...updates.map((part) => this.#optimizer.update(...part))]);
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
    return this.#run([...plan.phases, this.#parameters(plan.pieces)]);
  }
}
