import { type Caller, checkOptions, rangeError, words } from "../check.ts";
import { softmax } from "../softmax.ts";
import type { Targets } from "../targets.ts";
import type { Logits, Options } from "../tensor.ts";
import { eachTile, type Labelled, labelled, type SampleWeight } from "./labelled.ts";
import { Sum } from "./sum.ts";

/** 2^-15 and 2^15: just beyond scikit-learn's e^±10. */
const LEAST = 3.0517578125e-5;
const LARGEST = 32768;

/**
 * Where there is no best temperature between 2^-15 and 2^15: "least", the loss falls all the way down, as it does when
 * every row's own class has the largest logit; "largest", it falls all the way up: the logits say nothing about the classes.
 */
export type TemperatureLimit = "least" | "largest";

export interface FoundTemperature {
  readonly temperature: number;
  readonly limit: TemperatureLimit | undefined;
}

/** What the loss Σ w·(lse(β·z) − β·z_y) says at β = 1/T; it is convex in β. */
export class Slopes {
  /** Its derivative, and that one's. */
  readonly gradient = new Sum();
  curvature = 0;
  /** The derivative at β = ∞: above 0 where a row's class has not its largest logit. */
  cold = 0;
  /** Whether every row's logits are all the same: no β changes its loss. */
  isFlat = true;

  /** Adds rows, the first of them row `from` of all, which only errors name; their order matters, not where they are cut. */
  add(caller: Caller, argument: string, rows: Labelled, from: number, temperature: number): void {
    const { classes, targets, weights } = rows;
    eachTile(rows, (z, first, count) => {
      const p = softmax(z, { shape: [count, classes], temperature });
      for (let i = 0; i < count; i++) {
        const weight = weights === undefined ? 1 : weights[first + i];
        if (weight === 0) continue;
        const loss = this.#row(z, p, i * classes, classes, targets[first + i], weight);
        if (!Number.isFinite(loss)) {
          const got = Number.isNaN(loss) ? "NaN" : "Infinity";
          throw rangeError(caller, argument, "rows with a finite loss", words(`${got} at row ${from + first + i}`));
        }
      }
    });
  }

  /** Returns the row's derivative; where the loss is no finite number at any temperature, that. */
  #row(z: Float64Array, p: Float64Array, from: number, classes: number, y: number, weight: number): number {
    const own = z[from + y];
    if (own === -Infinity) return Number.isNaN(p[from]) ? Number.NaN : Infinity;
    let gradient = 0;
    let lost = 0;
    let most = 0;
    for (let k = from; k < from + classes; k++) {
      const c = z[k] - own;
      if (p[k] !== 0) {
        const term = p[k] * c;
        const next = gradient + term;
        const v = next - gradient;
        lost += gradient - (next - v) + (term - v);
        gradient = next;
      }
      if (c > most) most = c;
      if (c !== 0 && z[k] !== -Infinity) this.isFlat = false; // a masked class is one at any β
    }
    gradient += lost;
    let curvature = 0;
    for (let k = from; k < from + classes; k++) {
      if (p[k] === 0) continue;
      const c = z[k] - own - gradient;
      curvature += p[k] * c * c;
    }
    this.gradient.add(weight * gradient);
    this.curvature += weight * curvature;
    this.cold += weight * most;
    return gradient;
  }
}

/** What the search reads of them. */
export interface SlopeValues extends Pick<Slopes, "curvature" | "cold" | "isFlat"> {
  readonly gradient: { readonly value: number };
}

const found = (temperature: number, limit?: TemperatureLimit): FoundTemperature => ({ temperature, limit });

/**
 * Newton's method for the root of the loss's derivative in 1/T, inside a bracket that every step makes smaller. A step
 * that leaves the bracket, and from the twentieth on every second one, goes to its middle on a logarithmic scale instead.
 */
export class TemperatureSearch {
  /** Where the next slopes are wanted. */
  temperature = 1;
  #low = LEAST;
  #high = LARGEST;
  #isLowKnown = false;
  #isHighKnown = false;
  #steps = 0;

  /** Takes the slopes at the temperature; returns the result, or undefined as long as more slopes are wanted. */
  next({ gradient: { value: gradient }, curvature, cold, isFlat }: SlopeValues): FoundTemperature | undefined {
    const T = this.temperature;
    // no derivative is above 0; it may have become 0 to f64 long before the end
    if (cold === 0) return isFlat ? found(1) : found(LEAST, "least");
    if (gradient === 0) return found(T);
    if (gradient > 0) {
      if (T === LARGEST) return found(T, "largest");
      this.#low = T;
      this.#isLowKnown = true;
    } else {
      if (T === LEAST) return found(T, "least");
      this.#high = T;
      this.#isHighKnown = true;
    }
    return this.#step(T, (T * gradient) / curvature);
  }

  /** From T by Newton's step: 1/T becomes (1 − step) / T, and ∞ is the temperature of what would be below 0. */
  #step(T: number, step: number): FoundTemperature | undefined {
    const newton = step < 1 ? T / (1 - step) : Infinity;
    // what is left of the error is of the order of the step's square: 2^-60
    if (Math.abs(step) < 9.313225746154785e-10 /* 2^-30 */) {
      return found(Math.min(this.#high, Math.max(this.#low, newton)));
    }
    this.#steps++;
    const isNewton = this.#steps < 20 || this.#steps % 2 === 0;
    let next = Math.sqrt(this.#low) * Math.sqrt(this.#high);
    if (newton >= this.#high && !this.#isHighKnown) next = LARGEST;
    else if (newton <= this.#low && !this.#isLowKnown) next = LEAST;
    else if (newton > this.#low && newton < this.#high && isNewton) next = newton;
    else if (next <= this.#low || next >= this.#high) return found(T); // no number is left between them
    this.temperature = next;
    return undefined;
  }
}

export interface TemperatureOptions extends Options {
  /** a number from 0 for each row: how much it counts */
  sampleWeight?: SampleWeight;
}

/**
 * The temperature at which probabilities tell best how sure they can be: the one with the least mean NLL.
 *
 *   T = argmin Σ_i w[i]·(log Σ_k exp(x[i, k] / T) − x[i, y[i]] / T) / Σ_i w[i]
 *
 * Take rows that the model was not trained on. T above 1 says that it was too sure of itself. No T changes which class
 * is the most probable one.
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; or log-probabilities
 * @param targets  the class of each row, as in crossEntropy
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  which axis holds the classes, −1 by default
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds
 * @param options.sampleWeight  w, a finite number from 0 for each row; 1 without it
 * @returns `temperature`, and `limit`: "least" or "largest" where the loss has no minimum between 2^-15 and 2^15, which is
 * then the temperature; else undefined. "least" is what rows give that are all predicted right, "largest" logits that do
 * not go with the targets
 * @throws {RangeError} a row whose loss is NaN or +∞; a target is no class; no rows, or none with a weight
 * @throws {TypeError} an argument of the wrong type
 *
 * Edges: 1 where every T is as good (each row's logits all the same). A class at −∞ that is no target is left out.
 * Accuracy: to the last few ulps of f64 where the minimum is a sharp one; each probability is within 8 ulp.
 * Cost: 5 to 10 passes, each a softmax in f64. Source: Guo et al. 2017, arXiv:1706.04599
 *
 * @example
 * const logits = { data: [2, 0, 2, 0, 2, 0, 2, 0], shape: [4, 2] }; // as sure of all rows, and wrong in one of four
 * const { temperature, limit } = temperatureScaling(logits, [0, 0, 0, 1]);
 * temperature; // 1.8204784532536746
 * limit; // undefined
 */
export function temperatureScaling(
  logits: Logits,
  targets: Targets,
  options: TemperatureOptions = {},
): FoundTemperature {
  const caller = "temperatureScaling";
  checkOptions(caller, options, ["shape", "axis", "dtype", "sampleWeight"]);
  const rows = labelled(caller, logits, targets, options);
  const search = new TemperatureSearch();
  for (;;) {
    const slopes = new Slopes();
    slopes.add(caller, "logits", rows, 0, search.temperature);
    const found = search.next(slopes);
    if (found) return found;
  }
}
