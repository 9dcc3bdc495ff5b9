import type { Crew, Place } from "../crew.ts";
import { linear } from "../linear.ts";
import type { Space } from "../wasm.ts";
import { ExactSum } from "./exactsum.ts";
import type { Evaluation } from "./lbfgs.ts";
import type { Pace } from "./prepare.ts";
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

/** 2^n for n in f64's normal range. */
function powerOfTwo(n: number): number {
  const word = new DataView(new ArrayBuffer(8));
  word.setUint32(0, (n + 1023) << 20);
  return word.getFloat64(0);
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
  /** Rows of the training, those held included. */
  readonly rows: number;
  /** What the rows that are not held count together. */
  readonly weight: number;
  /** The share of that weight that each class has. */
  readonly shares: Float64Array;
  /** λ of λ/2·‖W‖², beside the mean loss. */
  readonly penalty: number;
}

type Areas = Record<"w" | "center" | "factor" | "shift" | "x" | "targets" | "weights" | "losses" | "sums", number>;

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
 * q_k = 2^(⌈log₂ B_k⌉ − 62) nothing overflows, and each piece is off by half a q_k: for 2^14 pieces together by 2^-49·B_k.
 * Losses of pieces are added exactly.
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
    const pieces = Math.ceil(problem.rows / BLOCK) * (BLOCK / this.#pieceRows);
    this.#stripes = Math.min(pieces, crew ? STRIPES * crew.threads : 1);
    this.#isResident = pieces * this.#pieceRows * inputs * 4 <= RESIDENT_BYTES;
    this.#slots = this.#isResident ? pieces : this.#stripes * 4;
    this.#place = crew?.addPlace();
    this.#space = this.#place?.space ?? linear.create();
    const bytes: Areas = {
      w: (inputs + 1) * this.columns * 8,
      center: inputs * 4,
      factor: inputs * 4,
      shift: (inputs + 1) * 8,
      x: this.#slots * this.#pieceRows * inputs * 4,
      targets: this.#slots * this.#pieceRows * 4,
      weights: this.#slots * this.#pieceRows * 8,
      losses: this.#slots * 8,
      sums: this.#stripes * (inputs + 1) * this.columns * 8,
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

  /** Calls `each` with the number of slots that hold the next pieces, for all pieces in order. */
  async #pass(each: (slots: number) => Promise<void>, pace: Pace): Promise<void> {
    if (this.#isLoaded) return each(this.#counts.length);
    let slot = 0;
    for await (const block of this.#rows.blocks()) {
      for (let first = 0; first < block.count; first += this.#pieceRows) {
        this.#fill(slot++, block, first);
        if (slot < this.#slots) continue;
        await each(slot);
        slot = 0;
      }
      await pace();
    }
    if (slot > 0) {
      this.#counts.length = slot;
      await each(slot);
    }
    this.#isLoaded = this.#isResident;
  }

  /** Reads the rows once for the units of the sums. Returns a guess of the inverse Hessian's diagonal. */
  async prepare(pace: Pace): Promise<Float64Array> {
    const { inputs, scaling, weight, shares, penalty } = this.#problem;
    const sizes = new Float64Array(inputs);
    const squares = new Float64Array(inputs);
    const sums = new Float64Array(inputs);
    await this.#pass(async (slots) => {
      for (let slot = 0; slot < slots; slot++) this.#measure(slot, sizes, squares, sums, scaling);
    }, pace);
    this.#quanta = new Float64Array(inputs + 1);
    for (let k = 0; k <= inputs; k++) {
      // twice the bound: its own sum is rounded
      const n = ceilLog2(k < inputs ? sizes[k] : weight) + 1 - 62;
      this.#quanta[k] = powerOfTwo(n);
      this.#space.f64[this.#at.shift / 8 + k] = powerOfTwo(-n);
    }
    this.#means = sums.map((sum) => sum / weight);
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

  #measure(
    slot: number,
    sizes: Float64Array,
    squares: Float64Array,
    sums: Float64Array,
    { center, factor }: Scaling,
  ): void {
    const { inputs } = this.#problem;
    const { f32, f64 } = this.#space;
    const at = slot * this.#pieceRows;
    for (let i = 0; i < this.#counts[slot]; i++) {
      const weight = f64[this.#at.weights / 8 + at + i];
      const from = this.#at.x / 4 + (at + i) * inputs;
      for (let k = 0; k < inputs; k++) {
        const x = Math.fround(Math.fround(f32[from + k] - center[k]) * factor[k]);
        sizes[k] += weight * Math.abs(x);
        squares[k] += weight * x * x;
        sums[k] += weight * x;
      }
    }
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
    const { inputs, classes, weight, penalty } = this.#problem;
    const { columns } = this;
    const length = (inputs + 1) * columns;
    this.#space.f64.set(this.shifted(w, -1), this.#at.w / 8);
    this.#space.f64.fill(0, this.#at.sums / 8, this.#at.sums / 8 + this.#stripes * length);
    const loss = new ExactSum();
    await this.#pass(async (slots) => {
      await this.#run(slots);
      const from = this.#at.losses / 8;
      for (let slot = 0; slot < slots; slot++) loss.add(this.#space.f64[from + slot]);
    }, pace);
    const gradient = new Float64Array(length);
    let square = 0;
    for (let k = inputs; k >= 0; k--) {
      for (let j = 0; j < classes; j++) {
        const at = k * columns + j;
        gradient[at] = (this.#sum(at) * this.#quanta[k]) / weight;
        if (k === inputs) continue;
        gradient[at] += penalty * w[at] - this.#means[k] * gradient[inputs * columns + j];
        square += w[at] * w[at];
      }
    }
    return { value: loss.value() / weight + (penalty / 2) * square, gradient };
  }

  /** The integers of all stripes, added: exact until the last addition. */
  #sum(at: number): number {
    const length = (this.#problem.inputs + 1) * this.columns;
    const { i32 } = this.#space;
    let high = 0;
    let low = 0;
    for (let stripe = 0; stripe < this.#stripes; stripe++) {
      const word = this.#at.sums / 4 + 2 * (stripe * length + at);
      low += i32[word] >>> 0;
      high += i32[word + 1];
    }
    return high * WORD + low;
  }

  async #run(slots: number): Promise<void> {
    for (let slot = 0; slot < slots; slot++) this.#piece(slot);
  }

  #piece(slot: number): void {
    const { inputs, classes, scaling } = this.#problem;
    const { f32, f64, i32, kernels } = this.#space;
    const { columns } = this;
    const at = slot * this.#pieceRows;
    const rows = this.#counts[slot];
    const W = f64.subarray(this.#at.w / 8, this.#at.w / 8 + (inputs + 1) * columns);
    const part = new Float64Array((inputs + 1) * columns);
    const scratch = linear.space();
    const [xa, da, ya, sa, la] = scratch.layout(classes * 8, classes * 8, 8, 8, 8);
    const x = new Float64Array(inputs);
    let loss = 0;
    for (let i = 0; i < rows; i++) {
      const from = this.#at.x / 4 + (at + i) * inputs;
      for (let k = 0; k < inputs; k++)
        x[k] = Math.fround(Math.fround(f32[from + k] - scaling.center[k]) * scaling.factor[k]);
      for (let j = 0; j < classes; j++) {
        let z = W[inputs * columns + j];
        for (let k = 0; k < inputs; k++) z += x[k] * W[k * columns + j];
        scratch.f64[xa / 8 + j] = z;
      }
      scratch.i32[ya / 4] = i32[this.#at.targets / 4 + at + i];
      const weight = f64[this.#at.weights / 8 + at + i];
      scratch.f64[sa / 8] = weight;
      scratch.kernels.cross_entropy_with_grad_f64(la, da, xa, ya, sa, 1, classes);
      loss += weight * scratch.f64[la / 8];
      for (let j = 0; j < classes; j++) {
        const g = scratch.f64[da / 8 + j];
        for (let k = 0; k < inputs; k++) part[k * columns + j] += x[k] * g;
        part[inputs * columns + j] += g;
      }
    }
    f64[this.#at.losses / 8 + slot] = loss;
    const sums = new BigInt64Array(f64.buffer, this.#at.sums, part.length);
    for (let k = 0; k <= inputs; k++) {
      for (let j = 0; j < classes; j++)
        sums[k * columns + j] += BigInt(Math.round(part[k * columns + j] / this.#quanta[k]));
    }
    void kernels;
  }
}
