import type { Crew, Place } from "../crew.ts";
import { linear } from "../linear.ts";
import type { Call } from "../thread.ts";
import type { Space } from "../wasm.ts";
import { BlockSums, powerOfTwo } from "./blocksums.ts";
import type { Evaluation } from "./lbfgs.ts";
import { call } from "./mlp.ts";
import type { Pace } from "./prepare.ts";
import type { Reducer } from "./reducer.ts";
import type { RowBlock, Rows } from "./rows.ts";
import type { Scaling } from "./scale.ts";
import { BLOCK } from "./shuffle.ts";

/** Bytes of a piece's features: it stays in the cache from one product to the next. */
const PIECE_BYTES = 2_097_152;
/** Bytes of features that stay in the kernels' memory from pass to pass; of more, two pieces a thread at a time. */
const RESIDENT_BYTES = 536_870_912;
/** Pieces for each thread at a time: threads seldom run at one speed. */
const STRIPES = 2;
const WORD = 4_294_967_296;

/** Rows whose gradient is summed in f64 before it is quantised: they divide a block, and depend on the inputs alone. */
export function pieceRows(inputs: number): number {
  let rows = 1024;
  while (rows > 64 && rows * inputs * 4 > PIECE_BYTES) rows /= 2;
  return rows;
}

/** The least n with value ≤ 2^n. */
function ceilLog2(value: number): number {
  let n = 0;
  while (powerOfTwo(n) < value && n < 1023) n++;
  while (powerOfTwo(n - 1) >= value && n > -900) n--;
  return n;
}

export interface Problem {
  readonly inputs: number;
  readonly classes: number;
  readonly scaling: Scaling;
  /** Blocks of the training: of all ranks, and those that are read here. */
  readonly blocks: number;
  readonly ownBlocks: number;
  readonly reducer: Reducer | undefined;
  /** What the rows that are not held count together. */
  readonly weight: number;
  /** The share of that weight that each class has. */
  readonly shares: Float64Array;
  /** λ of λ/2·‖W‖², beside the mean loss. */
  readonly penalty: number;
}

/** Works on the pieces in slots `first` to before `end`; `meanwhile` may run beside it, and must be done when it resolves. */
type Work = (first: number, end: number, meanwhile: () => Promise<void>) => Promise<void>;

type Areas = Record<
  "w" | "center" | "factor" | "shift" | "x" | "targets" | "weights" | "losses" | "sums" | "scratch",
  number
>;

/**
 * The objective of multinomial logistic regression over rows that are read piece by piece, and its gradient.
 *
 *   f(W, b) = Σ w_i·NLL_i / Σ w_i + λ/2·‖W‖²
 *
 * Parameters are [inputs + 1][columns] f64, the biases last, columns the classes rounded up to a multiple of two. Biases are
 * the logits at the features' means, b + W·m: the objective is the same, and features that are far from 0 take a third to
 * a seventh of the iterations.
 *
 * Sums do not depend on their order: a piece's gradient is one f64 sum, quantised once to int64 in units q_k of its
 * input k, and integers are associative. |Σ_i g_ic·x_ik| ≤ B_k = Σ_i w_i·|x_ik|, because no |g_ic| is above w_i; so with
 * q_k = 2^(⌈log₂ B_k⌉ − 61) nothing overflows, and each piece is off by half a q_k: for 2^14 pieces together by 2^-47·B_k at most.
 * Losses of pieces are added as BlockSums are.
 */
export class Regression {
  readonly columns: number;
  readonly #rows: Rows;
  readonly #problem: Problem;
  readonly #crew: Crew | undefined;
  readonly #place: Place | undefined;
  readonly #space: Space;
  readonly #pieceRows: number;
  readonly #slots: number;
  readonly #stripes: number;
  readonly #at: Areas;
  readonly #scratchBytes: number;
  /** Whether all rows are in the kernels' memory and stay there. */
  readonly #isResident: boolean;
  #isLoaded = false;
  /** Rows in each slot. */
  readonly #counts: number[] = [];
  #quanta = new Float64Array(0);
  #means = new Float64Array(0);

  constructor(crew: Crew | undefined, rows: Rows, problem: Problem) {
    const { inputs, classes, scaling } = problem;
    this.#rows = rows;
    this.#problem = problem;
    this.#crew = crew;
    this.columns = classes + (classes % 2);
    this.#pieceRows = pieceRows(inputs);
    const pieces = problem.ownBlocks * (BLOCK / this.#pieceRows);
    this.#stripes = Math.max(1, Math.min(pieces, crew ? STRIPES * crew.threads : 1));
    this.#isResident = pieces * this.#pieceRows * inputs * 4 <= RESIDENT_BYTES;
    this.#slots = this.#isResident ? pieces : this.#stripes * 4;
    this.#place = crew?.addPlace();
    this.#space = this.#place?.space ?? linear.create();
    this.#scratchBytes = 64 * Math.ceil(this.#space.kernels.regression_scratch_bytes(inputs, classes) / 64);
    const bytes: Areas = {
      w: (inputs + 1) * this.columns * 8, // two columns at least: room for what prepare sums
      center: inputs * 4,
      factor: inputs * 4,
      shift: (inputs + 1) * 8,
      x: this.#slots * this.#pieceRows * inputs * 4,
      targets: this.#slots * this.#pieceRows * 4,
      weights: this.#slots * this.#pieceRows * 8,
      losses: this.#slots * 8,
      sums: this.#stripes * (inputs + 1) * this.columns * 8,
      scratch: this.#stripes * this.#scratchBytes,
    };
    const addresses = this.#space.layout(...Object.values(bytes));
    this.#at = Object.fromEntries(Object.keys(bytes).map((name, n) => [name, addresses[n]])) as Areas;
    if (this.#place) crew?.share(this.#place);
    this.#space.f32.set(scaling.center, this.#at.center / 4);
    this.#space.f32.set(scaling.factor, this.#at.factor / 4);
  }

  /** Gives the pool's memory back. */
  end(): void {
    if (this.#place) this.#crew?.dropPlace(this.#place.id);
  }

  /** Rows `first` … of a block into a slot; those that are held weigh nothing. */
  #fill(slot: number, { x, targets, weights, held, count }: RowBlock, first: number): void {
    const { inputs } = this.#problem;
    const rows = Math.min(this.#pieceRows, count - first);
    const { f32, f64, i32 } = this.#space;
    const at = slot * this.#pieceRows;
    f32.set(x.subarray(first * inputs, (first + rows) * inputs), this.#at.x / 4 + at * inputs);
    i32.set(targets.subarray(first, first + rows), this.#at.targets / 4 + at);
    for (let i = 0; i < rows; i++) {
      const weight = held?.[first + i] === 1 ? 0 : (weights?.[first + i] ?? 1);
      f64[this.#at.weights / 8 + at + i] = weight;
    }
    this.#counts[slot] = rows;
  }

  /** Pieces in order. */
  async *#pieces(pace: Pace): AsyncGenerator<[block: RowBlock, first: number]> {
    for await (const block of this.#rows.blocks()) {
      for (let first = 0; first < block.count; first += this.#pieceRows) yield [block, first];
      await pace();
    }
  }

  /** Calls `each` with the slots that hold the next pieces, for all pieces in order; those after them are read `meanwhile`. */
  async #pass(each: Work, pace: Pace): Promise<void> {
    if (this.#isLoaded) return each(0, this.#counts.length, async () => {});
    const pieces = this.#pieces(pace);
    const half = this.#isResident ? this.#slots : this.#slots / 2;
    const fill = async (first: number): Promise<number> => {
      let slot = first;
      while (slot < first + half) {
        const next = await pieces.next();
        if (next.done) break;
        this.#fill(slot++, ...next.value);
      }
      return slot;
    };
    try {
      let first = 0;
      let end = await fill(first);
      while (end > first) {
        const other = first + half < this.#slots ? first + half : 0;
        let filled = other;
        await each(first, end, async () => {
          if (!this.#isResident) filled = await fill(other);
        });
        first = other;
        end = filled;
      }
    } finally {
      await pieces.return(undefined);
    }
    this.#isLoaded = this.#isResident;
  }

  /** Reads the rows once for the units of the sums. Returns a guess of the inverse Hessian's diagonal. */
  async prepare(pace: Pace): Promise<Float64Array> {
    const { inputs, weight, shares, penalty, blocks, reducer } = this.#problem;
    const { x, weights, center, factor, w, sums } = this.#at;
    const space = this.#space;
    // the places of the parameters and of their sums, until they come
    const areas = [w, w + inputs * 8, sums];
    const all = areas.map(() => new BlockSums(inputs));
    let left = BLOCK / this.#pieceRows;
    const clear = (): void => {
      for (const address of areas) space.f64.fill(0, address / 8, address / 8 + inputs);
    };
    const endBlock = (): void => {
      for (const [n, address] of areas.entries()) all[n].add(space.f64.slice(address / 8, address / 8 + inputs));
      clear();
      left = BLOCK / this.#pieceRows;
    };
    clear();
    await this.#pass((first, end, meanwhile) => {
      for (let slot = first; slot < end; slot++) {
        const row = slot * this.#pieceRows;
        const from = [x + row * inputs * 4, weights + row * 8, center, factor];
        call(space, [["regression_moments", [...areas, ...from, this.#counts[slot], inputs]]]);
        if (--left === 0) endBlock();
      }
      return meanwhile();
    }, pace);
    if (left < BLOCK / this.#pieceRows) endBlock();
    const [sizes, squares, totals] = [
      await all[0].total(blocks, reducer),
      await all[1].total(blocks, reducer),
      await all[2].total(blocks, reducer),
    ];
    this.#quanta = new Float64Array(inputs + 1);
    for (let k = 0; k <= inputs; k++) {
      // twice the bound: its own sum is rounded
      const n = ceilLog2(k < inputs ? sizes[k] : weight) + 1 - 62;
      this.#quanta[k] = powerOfTwo(n);
      this.#space.f64[this.#at.shift / 8 + k] = powerOfTwo(-n);
    }
    this.#means = totals.map((total) => total / weight);
    const scale = new Float64Array((inputs + 1) * this.columns).fill(1);
    for (let k = 0; k <= inputs; k++) {
      for (let j = 0; j < shares.length; j++) {
        const variance = k < inputs ? Math.max(0, squares[k] / weight - this.#means[k] * this.#means[k]) : 1;
        const curvature = variance * shares[j] * (1 - shares[j]);
        const sum = curvature + (k < inputs ? penalty : 0);
        if (sum > 0) scale[k * this.columns + j] = 1 / sum;
      }
    }
    return scale;
  }

  /** b += sign·W·m: with 1, parameters of a model become those of the search; with −1 the other way. */
  shifted(w: Float64Array, sign: 1 | -1): Float64Array {
    const { inputs, classes } = this.#problem;
    const out = w.slice();
    const biases = inputs * this.columns;
    for (let k = 0; k < inputs; k++) {
      for (let j = 0; j < classes; j++) out[biases + j] += sign * this.#means[k] * w[k * this.columns + j];
    }
    return out;
  }

  /** Value and gradient at these parameters. */
  async evaluate(w: Float64Array, pace: Pace): Promise<Evaluation> {
    const { inputs, classes, weight, penalty, blocks, reducer } = this.#problem;
    const { columns } = this;
    const length = (inputs + 1) * columns;
    this.#space.f64.set(this.shifted(w, -1), this.#at.w / 8);
    this.#space.f64.fill(0, this.#at.sums / 8, this.#at.sums / 8 + this.#stripes * length);
    const losses = new BlockSums(1);
    await this.#pass(async (first, end, meanwhile) => {
      await this.#run(first, end, meanwhile);
      const from = this.#at.losses / 8;
      for (let slot = first; slot < end; slot++) losses.add(this.#space.f64.slice(from + slot, from + slot + 1));
    }, pace);
    const pieces = blocks * (BLOCK / this.#pieceRows);
    const [loss] = await losses.total(pieces, reducer);
    const words = await this.#totals();
    const gradient = new Float64Array(length);
    let square = 0;
    for (let k = inputs; k >= 0; k--) {
      for (let j = 0; j < classes; j++) {
        const at = k * columns + j;
        gradient[at] = ((words[2 * at + 1] * WORD + (words[2 * at] >>> 0)) * this.#quanta[k]) / weight;
        if (k === inputs) continue;
        gradient[at] += penalty * w[at] - this.#means[k] * gradient[inputs * columns + j];
        square += w[at] * w[at];
      }
    }
    return { value: loss / weight + (penalty / 2) * square, gradient };
  }

  /** The integers of all stripes, and of all ranks, by words: low ones first. */
  async #totals(): Promise<Int32Array> {
    const length = (this.#problem.inputs + 1) * this.columns;
    const { i32 } = this.#space;
    const totals = new BigInt64Array(length);
    const words = new Int32Array(totals.buffer);
    for (let at = 0; at < 2 * length; at += 2) {
      let low = 0;
      let high = 0;
      for (let stripe = 0; stripe < this.#stripes; stripe++) {
        const word = this.#at.sums / 4 + 2 * stripe * length + at;
        low += i32[word] >>> 0;
        high += i32[word + 1];
      }
      words[at] = low; // its lower 32 bits
      words[at + 1] = high + Math.floor(low / WORD);
    }
    await this.#problem.reducer?.sum(totals);
    return words;
  }

  /** The pieces in the slots, a stripe of them each task. */
  #run(begin: number, end: number, meanwhile: () => Promise<void>): Promise<void> {
    const { inputs, classes } = this.#problem;
    const { x, targets, weights, losses, sums, w, center, factor, shift, scratch } = this.#at;
    const length = (inputs + 1) * this.columns * 8;
    const tasks: Call[][] = [];
    for (let slot = begin; slot < end; slot++) {
      const stripe = slot % this.#stripes;
      const first = slot * this.#pieceRows;
      tasks[stripe] ??= [];
      tasks[stripe].push([
        "softmax_regression",
        [
          ...[
            losses + slot * 8,
            sums + stripe * length,
            x + first * inputs * 4,
            targets + first * 4,
            weights + first * 8,
          ],
          ...[w, center, factor, shift, scratch + stripe * this.#scratchBytes],
          ...[this.#counts[slot], inputs, classes],
        ],
      ]);
    }
    if (this.#crew && this.#place) return this.#crew.runBeside(this.#place, tasks, meanwhile);
    for (const task of tasks) call(this.#space, task);
    return meanwhile();
  }
}
