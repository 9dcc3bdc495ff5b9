import { type Point, searchLine } from "./linesearch.ts";

/** An objective's value and gradient at a point. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** What is minimised. It neither keeps nor changes `w`; its gradient is copied, so that it may be one array every time. */
export type Objective = (w: Float64Array) => Promise<Evaluation> | Evaluation;

/** All that the next iteration depends on besides the options: from a copy of it, the run goes on with the same bits. */
export interface LbfgsState {
  readonly iteration: number;
  /** Calls of the objective. */
  readonly evaluations: number;
  readonly w: Float64Array;
  /** NaN before the first evaluation, and `gradient` empty. */
  readonly value: number;
  readonly gradient: Float64Array;
  /** Steps and the gradients' differences over them, the oldest first. */
  readonly s: readonly Float64Array[];
  readonly y: readonly Float64Array[];
  /** The lowest value and the least max norm of a gradient so far, and the iterations since one of them went down. */
  readonly lowest: number;
  readonly least: number;
  readonly vain: number;
}

export interface LbfgsOptions {
  /** Pairs of s and y that are kept, 10 by default. */
  readonly memory?: number;
  /** The diagonal of a guess of the inverse Hessian, positive; its common factor does not matter after the first step. */
  readonly scale?: Float64Array;
}

/**
 * "moved": to a lower point, or at the value's rounding noise to a flatter one. "stalled": no lower point can be found.
 * "unbounded": the value falls without end in sight. With the last two, nothing has changed but for the history.
 */
export type Outcome = "moved" | "stalled" | "unbounded";

/** A pair is left out where s·y ≤ this part of ‖s‖·‖y‖: its sign may be rounding's. */
const LEAST_COSINE = 3.552713678800501e-15; // 2^-48
/** A fall of the value by less than this part of it may be rounding's. */
const LEAST_FALL = 8.881784197001252e-16; // 2^-50
/** Iterations in a row without any gain after which the run is at the rounding noise; badly scaled ones had up to 20 before. */
const MOST_VAIN = 30;

/** Σ a[k]·b[k], in four sums: the additions would wait for each other in one. */
function dot(a: Float64Array, b: Float64Array): number {
  const { length } = a;
  const whole = length - (length % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let k = 0; k < whole; k += 4) {
    s0 += a[k] * b[k];
    s1 += a[k + 1] * b[k + 1];
    s2 += a[k + 2] * b[k + 2];
    s3 += a[k + 3] * b[k + 3];
  }
  for (let k = whole; k < length; k++) s0 += a[k] * b[k];
  return s0 + s1 + (s2 + s3);
}

/** out += c·a */
function addTo(out: Float64Array, c: number, a: Float64Array): void {
  for (let k = 0; k < out.length; k++) out[k] += c * a[k];
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let k = 0; k < out.length; k++) out[k] = a[k] - b[k];
  return out;
}

/** a[k] *= b[k] */
function multiply(a: Float64Array, b: Float64Array): void {
  for (let k = 0; k < a.length; k++) a[k] *= b[k];
}

/** The largest |a[k]|; NaN where there is one. */
function maxNorm(a: Float64Array): number {
  let largest = 0;
  for (let k = 0; k < a.length; k++) {
    const size = Math.abs(a[k]);
    if (size <= largest) continue;
    if (!(size > largest)) return NaN;
    largest = size;
  }
  return largest;
}

interface Trial extends Point {
  readonly gradient: Float64Array;
}

/**
 * Minimises a smooth function by L-BFGS (Nocedal 1980, doi:10.1090/S0025-5718-1980-0572855-7) with a strong-Wolfe line
 * search. All sums have a fixed order, so the same objective gives the same bits on every machine.
 *
 * ```ts
 * const search = new Lbfgs(start);
 * await search.start(objective);
 * while (search.gradientNorm > tolerance && search.iteration < most) if ((await search.step(objective)) !== "moved") break;
 * ```
 *
 * Memory: 2·memory + 6 vectors. An iteration costs 4·memory passes over a vector besides the evaluations, nearly always one.
 */
export class Lbfgs {
  readonly #memory: number;
  readonly #scale: Float64Array | undefined;
  #state: LbfgsState;

  /** From a point, or from what `save` returned: then with the options of that run. */
  constructor(start: Float64Array | LbfgsState, { memory = 10, scale }: LbfgsOptions = {}) {
    this.#memory = memory;
    this.#scale = scale?.slice();
    const fresh = { iteration: 0, evaluations: 0, value: NaN, gradient: new Float64Array(0), s: [], y: [] };
    const none = { lowest: Infinity, least: Infinity, vain: 0 };
    this.#state = start instanceof Float64Array ? { ...fresh, ...none, w: start.slice() } : copy(start);
  }

  get iteration(): number {
    return this.#state.iteration;
  }

  get evaluations(): number {
    return this.#state.evaluations;
  }

  /** The point; the minimiser's own array, replaced by the next step. */
  get w(): Float64Array {
    return this.#state.w;
  }

  get value(): number {
    return this.#state.value;
  }

  get gradient(): Float64Array {
    return this.#state.gradient;
  }

  /** The largest |gradient[k]|; ∞ before the first evaluation. */
  get gradientNorm(): number {
    return this.#state.evaluations === 0 ? Infinity : maxNorm(this.#state.gradient);
  }

  /** A copy of all that a later run needs to go on. During a step it is the state before it. */
  save(): LbfgsState {
    return copy(this.#state);
  }

  /** Evaluates the first point, unless that is done. */
  async start(objective: Objective): Promise<void> {
    if (this.#state.evaluations > 0) return;
    const { value, gradient } = await objective(this.#state.w);
    const own = gradient.slice();
    this.#state = { ...this.#state, evaluations: 1, value, gradient: own, lowest: value, least: maxNorm(own) };
  }

  /** One iteration; if the objective throws, none. */
  async step(objective: Objective): Promise<Outcome> {
    await this.start(objective);
    if (!(Math.abs(this.value) < Infinity) || !(this.gradientNorm < Infinity)) return "stalled";
    if (this.#state.vain >= MOST_VAIN) return "stalled";
    const outcome = await this.#descend(objective);
    if (outcome !== "stalled" || this.#state.s.length === 0) return outcome;
    // the history may be of other parts of the function, or of rounding
    this.#state = { ...this.#state, s: [], y: [] };
    return await this.#descend(objective);
  }

  async #descend(objective: Objective): Promise<Outcome> {
    const before = this.#state;
    const { w, value, gradient, s } = before;
    const direction = this.#direction();
    const slope = dot(direction, gradient);
    if (!(slope < 0 && slope > -Infinity)) return "stalled";
    let evaluations = 0;
    const next = new Float64Array(w.length);
    const move = (length: number): Float64Array => {
      for (let k = 0; k < w.length; k++) next[k] = w[k] + length * direction[k];
      return next;
    };
    const evaluate = async (length: number): Promise<Trial> => {
      const { value, gradient } = await objective(move(length));
      evaluations++;
      return { length, value, gradient: gradient.slice(), slope: dot(direction, gradient) };
    };
    // with a history the direction has a length of its own; without one, a first step of length 1 says what it should be
    const first = s.length > 0 ? 1 : Math.min(1, 1 / Math.sqrt(dot(direction, direction)));
    const found = await searchLine({ length: 0, value, slope, gradient }, first, evaluate);
    this.#state = { ...before, evaluations: before.evaluations + evaluations };
    if (found.kind === "endless") return "unbounded";
    if (found.kind === "none") return "stalled";
    this.#accept(found.point, move(found.point.length));
    return "moved";
  }

  #accept({ value, gradient }: Trial, w: Float64Array): void {
    const before = this.#state;
    const step = difference(w, before.w);
    const change = difference(gradient, before.gradient);
    const norms = Math.sqrt(dot(step, step)) * Math.sqrt(dot(change, change));
    const isGood = dot(step, change) > LEAST_COSINE * norms;
    const keep = (list: readonly Float64Array[], last: Float64Array): readonly Float64Array[] =>
      isGood ? [...list, last].slice(-this.#memory) : list;
    const norm = maxNorm(gradient);
    const gains = norm < before.least || before.lowest - value > LEAST_FALL * Math.abs(value);
    this.#state = {
      ...{ w, value, gradient, s: keep(before.s, step), y: keep(before.y, change) },
      iteration: before.iteration + 1,
      evaluations: before.evaluations,
      lowest: Math.min(before.lowest, value),
      least: Math.min(before.least, norm),
      vain: gains ? 0 : before.vain + 1,
    };
  }

  /** −H·gradient by the two loops over the history; H₀ = γ·diag(scale), γ = s·y / y·diag(scale)·y of the last pair. */
  #direction(): Float64Array {
    const { gradient, s, y } = this.#state;
    const direction = new Float64Array(gradient.length);
    addTo(direction, -1, gradient);
    const products = s.map((step, n) => dot(step, y[n]));
    const factors: number[] = [];
    for (let n = s.length - 1; n >= 0; n--) {
      factors[n] = dot(s[n], direction) / products[n];
      addTo(direction, -factors[n], y[n]);
    }
    const scale = this.#scale;
    if (scale) multiply(direction, scale);
    const last = s.length - 1;
    if (last >= 0) {
      const scaled = y[last].slice();
      if (scale) multiply(scaled, scale);
      const gamma = products[last] / dot(y[last], scaled);
      for (let k = 0; k < direction.length; k++) direction[k] *= gamma;
    }
    for (let n = 0; n < s.length; n++) {
      addTo(direction, factors[n] - dot(y[n], direction) / products[n], s[n]);
    }
    return direction;
  }
}

function copy(state: LbfgsState): LbfgsState {
  const { w, gradient, s, y } = state;
  const all = (list: readonly Float64Array[]): Float64Array[] => list.map((v) => v.slice());
  return { ...state, w: w.slice(), gradient: gradient.slice(), s: all(s), y: all(y) };
}
