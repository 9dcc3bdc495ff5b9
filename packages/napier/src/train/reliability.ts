import { checkNumber, checkOneOf, checkOptions } from "../check.ts";
import { checkTemperature } from "../lossoptions.ts";
import { softmax } from "../softmax.ts";
import type { Targets } from "../targets.ts";
import type { Logits } from "../tensor.ts";
import { eachTile, type Labelled, labelled, lossesOf } from "./labelled.ts";
import type { Score } from "./score.ts";
import { Sum } from "./sum.ts";
import type { TemperatureOptions } from "./temperature.ts";

/** The rows whose winner's probability lies above `from`, up to and with `to`; the first bin's begin with `from`. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  /** How many they are, and the sum of their weights. */
  readonly count: number;
  readonly weight: number;
  /** The mean of the winner's probability, and the share of rows whose class is the winner. */
  readonly confidence: number;
  readonly accuracy: number;
}

/** How good probabilities are. */
export interface Reliability extends Score {
  /** Those with a weight above 0. */
  readonly rows: number;
  /** Mean of Σ_j (p_j − y_j)², from 0 to 2. */
  readonly brier: number;
  /** Expected calibration error: the mean of |accuracy − confidence| of the rows' bins. */
  readonly ece: number;
  /** Those that have rows, in ascending order. */
  readonly bins: readonly ReliabilityBin[];
}

class Bin {
  count = 0;
  readonly weight = new Sum();
  readonly confidence = new Sum();
  readonly hits = new Sum();
  /** Σ of hit − confidence */
  readonly gap = new Sum();
}

/** The first class with the largest logit. */
function winnerOf(z: Float64Array, from: number, classes: number): number {
  let best = 0;
  for (let j = 1; j < classes; j++) if (z[from + j] > z[from + best]) best = j;
  return best;
}

/** From 0 to 1 in bins of one width. */
function evenEdges(bins: number): Float64Array {
  return Float64Array.from({ length: bins + 1 }, (_, b) => b / bins);
}

/** Reads rows in any number of parts, whose order matters, not where they are cut. */
export class Tally {
  readonly #edges: Float64Array;
  readonly #bins: Bin[];
  #rows = 0;
  readonly #weight = new Sum();
  readonly #nll = new Sum();
  readonly #brier = new Sum();

  constructor(bins: number, edges: Float64Array = evenEdges(bins)) {
    this.#edges = edges;
    this.#bins = Array.from({ length: bins }, () => new Bin());
  }

  add(rows: Labelled, temperature: number): void {
    const { classes, targets, weights } = rows;
    eachTile(rows, (z, first, count) => {
      const p = softmax(z, { shape: [count, classes], temperature });
      const winners = Int32Array.from({ length: count }, (_, i) => winnerOf(z, i * classes, classes));
      const losses = lossesOf(z, classes, targets.subarray(first, first + count), temperature);
      for (let i = 0; i < count; i++) {
        const weight = weights === undefined ? 1 : weights[first + i];
        if (weight === 0) continue;
        this.#rows++;
        this.#weight.add(weight);
        this.#nll.add(weight * losses[i]);
        this.#row(p, i * classes, classes, targets[first + i], winners[i], weight);
      }
    });
  }

  #row(p: Float64Array, from: number, classes: number, y: number, winner: number, weight: number): void {
    // 1 − p of the row's class, with digits that a subtraction would not leave
    let others = 0;
    let squares = 0;
    for (let j = 0; j < classes; j++) {
      if (j === y) continue;
      others += p[from + j];
      squares += p[from + j] * p[from + j];
    }
    this.#brier.add(weight * (others * others + squares));
    const confidence = p[from + winner];
    const bin = this.#bins[this.#find(confidence)];
    bin.count++;
    bin.weight.add(weight);
    bin.confidence.add(weight * confidence);
    bin.gap.add(weight * (winner === y ? others : -confidence));
    if (winner === y) bin.hits.add(weight);
  }

  /** The first bin that does not end below it. */
  #find(confidence: number): number {
    let low = 0;
    let high = this.#bins.length - 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#edges[middle + 1] < confidence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The weight of all rows so far. */
  get weight(): number {
    return this.#weight.value;
  }

  report(): Reliability {
    const total = this.weight;
    const gap = new Sum();
    const hits = new Sum();
    const bins: ReliabilityBin[] = [];
    this.#bins.forEach((bin, b) => {
      if (bin.count === 0) return;
      const weight = bin.weight.value;
      gap.add(Math.abs(bin.gap.value));
      hits.add(bin.hits.value);
      bins.push({
        ...{ from: this.#edges[b], to: this.#edges[b + 1], count: bin.count, weight },
        ...{ confidence: bin.confidence.value / weight, accuracy: bin.hits.value / weight },
      });
    });
    return {
      ...{ rows: this.#rows, nll: this.#nll.value / total, accuracy: hits.value / total },
      ...{ brier: this.#brier.value / total, ece: gap.value / total, bins },
    };
  }
}

/** Quantiles of the winners' probabilities, between neighbours by a straight line, as NumPy's percentile has them. */
function quantileEdges(rows: Labelled, temperature: number, bins: number): Float64Array {
  const { classes, targets, weights } = rows;
  const all = new Float64Array(targets.length);
  let length = 0;
  eachTile(rows, (z, first, count) => {
    const p = softmax(z, { shape: [count, classes], temperature });
    for (let i = 0; i < count; i++) {
      if (weights?.[first + i] === 0) continue;
      all[length++] = p[i * classes + winnerOf(z, i * classes, classes)];
    }
  });
  const sorted = all.subarray(0, length).sort();
  return Float64Array.from({ length: bins + 1 }, (_, b) => {
    const place = (b / bins) * (length - 1);
    const below = sorted[Math.floor(place)];
    const above = sorted[Math.ceil(place)];
    const part = place - Math.floor(place);
    return part < 0.5 ? below + (above - below) * part : above - (above - below) * (1 - part);
  });
}

export function checkBins(caller: string, argument: string, bins: unknown): void {
  const isGood = (v: number): boolean => Number.isInteger(v) && v >= 1 && v <= 1e6;
  checkNumber(caller, argument, bins, "an integer from 1 to 1000000", isGood);
}

export interface ReliabilityOptions extends TemperatureOptions {
  /** T > 0: the logits are divided by it */
  temperature?: number;
  /** how many bins, 15 by default */
  bins?: number;
  /** "uniform" (default): bins of one width; "quantile": bins of as many rows each, as far as equal probabilities allow */
  strategy?: "uniform" | "quantile";
}

/**
 * How good the probabilities of a classifier are: NLL, Brier score, expected calibration error and the bins of a
 * reliability diagram.
 *
 *   nll = mean of −log p[i, y[i]], brier = mean of Σ_j (p[i, j] − [j = y[i]])², p = softmax(x / T)
 *   ece = Σ_b w_b·|accuracy_b − confidence_b| / Σ_b w_b over bins b of rows by their winner's probability
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; or log-probabilities,
 * which are logits too
 * @param targets  the class of each row, as in crossEntropy
 * @param options.shape  shape of a flat array; without it the array is one row
 * @param options.axis  which axis holds the classes, −1 by default
 * @param options.dtype  "float16" or "bfloat16" where a Uint16Array does not say which it holds
 * @param options.temperature  T, a finite number above 0; 1 without it
 * @param options.sampleWeight  w, a finite number from 0 for each row; 1 without it
 * @param options.bins  how many bins, 15 by default
 * @param options.strategy  "uniform" (default): bins of one width; "quantile": bins of as many rows each, as far as equal
 * probabilities allow
 * @returns `rows`, `nll`, `accuracy`, `brier`, `ece`, and `bins`, each with its limits `from` and `to`, its `count` and
 * `weight` of rows, their mean `confidence` and their `accuracy`; bins without rows are left out
 * @throws {RangeError} a target is no class; no rows, or none with a weight; an option out of its range
 * @throws {TypeError} an argument of the wrong type
 *
 * Edges: a row with NaN, +∞ or nothing but −∞ makes nll, brier and ece NaN; a target at −∞ makes nll +∞. Of equal logits
 * the first one wins.
 * Accuracy: f64 whatever comes in; the probabilities within 8 ulp, the sums compensated; 1 − p is the sum of the others.
 * Cost: two softmaxes in f64; "quantile" one more and a sort.
 * Source: Guo et al. 2017, arXiv:1706.04599; scikit-learn's log_loss, brier_score_loss (scale_by_half=False) and
 * calibration_curve
 *
 * @example
 * const logits = { data: [2, 0, 2, 0, 2, 0, 2, 0], shape: [4, 2] };
 * const { brier, ece, bins } = reliability(logits, [0, 0, 0, 1], { bins: 10 });
 * bins.length; // 1
 * bins[0].accuracy; // 0.75
 * bins[0].confidence; // 0.8807970779778823
 * ece; // 0.13079707797788243
 * brier; // 0.40921575121510445
 */
export function reliability(logits: Logits, targets: Targets, options: ReliabilityOptions = {}): Reliability {
  const caller = "reliability";
  checkOptions(caller, options, ["shape", "axis", "dtype", "temperature", "sampleWeight", "bins", "strategy"]);
  const { temperature = 1, bins = 15, strategy = "uniform" } = options;
  checkTemperature(caller, options);
  checkBins(caller, "options.bins", options.bins);
  checkOneOf(caller, "options.strategy", strategy, ["uniform", "quantile"]);
  const rows = labelled(caller, logits, targets, options);
  const tally = new Tally(bins, strategy === "quantile" ? quantileEdges(rows, temperature, bins) : undefined);
  tally.add(rows, temperature);
  return tally.report();
}
