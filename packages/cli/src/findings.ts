import { crossEntropy } from "napier";
import type { Format } from "napier/naive";
import { narrowFormats, roundAll } from "./arithmetic.ts";
import { inputError } from "./errors.ts";
import { judge, type Row, textbook, textbookWinner, usualWinner, type Verdict } from "./formulas.ts";
import { Mean } from "./mean.ts";
import type { Dtype, Tile } from "./scores.ts";

/** A count of rows, and the first of them by their numbers from 1. */
export interface Some {
  rows: number;
  first: number[];
}

/**
 * A winner that the usual formula lost; `exact` is napier's f64 logSoftmax of the row as the format holds it, or as the
 * file holds it where that is beyond the format's range.
 */
export interface Worst {
  row: number;
  class: number;
  value: number;
  exact: number;
  ulps: number;
}

export interface Usual {
  lost: number;
  /** Of the lost ones, those whose winner got 0. */
  zero: number;
  worst: Worst | null;
}

/** Rows that log(softmax(x)) as it is written loses. */
export interface Textbook {
  overflow: number;
  underflow: number;
  /** Winners, as the usual formula's are counted; null in a format in which that is not followed. */
  lost: number | null;
  zero: number | null;
  /** Rows with any of these. */
  rows: number;
}

export interface LogProbs {
  tolerance: number;
  /** Rows whose log-sum-exp is farther from 0 than the tolerance. */
  unnormalized: { rows: number; worst: { row: number; logSumExp: number } | null };
  /** Rows with a winner of exactly 0, though the others leave it a number below that the dtype has. */
  winnerLost: number;
}

export interface TargetScore {
  rows: number;
  nll: number;
  /** Of the mean; null for a single row. */
  standardError: number | null;
  perplexity: number;
  accuracy: number;
}

export interface Findings {
  rows: number;
  classes: number;
  /** Of the finite values; null where there are none. */
  min: number | null;
  max: number | null;
  /** Rows without a finite answer, each counted once, as what comes first here; with log-probabilities above 0 too. */
  broken: { rows: number; nan: Some; infinite: Some; allMinusInfinity: Some; aboveZero: Some | null };
  /** Rows that are not broken and hold −∞. */
  masked: number;
  textbook: Partial<Record<Format, Textbook>> | null;
  usual: Partial<Record<Format, Usual>> | null;
  logProbs: LogProbs | null;
  targets: TargetScore | null;
}

/** How far from 0 the log-sum-exp of log-probabilities may be, which carry the rounding of their dtype. */
export const TOLERANCE: Record<Dtype, number> = { f16: 0.01, f32: 1e-5, f64: 1e-12 };

const TEXTBOOK = ["f16", "bf16", "f32", "f64"] as const;
/** The formats in which the usual formula is followed, the file's own first. */
const USUAL: Record<Dtype, readonly Format[]> = {
  f16: ["f16", "bf16", "f32"],
  f32: ["f32", "f16", "bf16"],
  f64: ["f64", "f32", "f16", "bf16"],
};
/** The formats that hold every number of a dtype. */
const HOLDS: Record<Dtype, readonly Format[]> = { f16: ["f16", "f32", "f64"], f32: ["f32", "f64"], f64: ["f64"] };

const some = (): Some => ({ rows: 0, first: [] });

export interface Settings {
  dtype: Dtype;
  /** The input holds log-probabilities. */
  logProbs: boolean;
  /** Rows of a kind that are listed. */
  list: number;
  /** For messages about targets. */
  targets: string;
}

/** Collects what is to be said about rows that come tile by tile; what it keeps does not grow with them. */
export class Examiner {
  readonly #settings: Settings;
  #rows = 0;
  #classes = 0;
  #min = Infinity;
  #max = -Infinity;
  readonly #nan = some();
  readonly #infinite = some();
  readonly #allMinusInfinity = some();
  readonly #aboveZero = some();
  #masked = 0;
  readonly #textbook: Map<Format, Textbook>;
  readonly #usual: Map<Format, Usual>;
  #unnormalized: LogProbs["unnormalized"] = { rows: 0, worst: null };
  #winnerLost = 0;
  #withTargets = false;
  readonly #nll = new Mean();
  #correct = 0;
  /** Maxima, least finite values and winners of the tile's rows; a winner of −1 stands for a broken row. */
  #maxima = new Float64Array(0);
  #minima = new Float64Array(0);
  #winners = new Int32Array(0);

  constructor(settings: Settings) {
    this.#settings = settings;
    const followed = USUAL[settings.dtype];
    this.#usual = new Map(followed.map((format) => [format, { lost: 0, zero: 0, worst: null }]));
    this.#textbook = new Map(
      TEXTBOOK.map((format) => {
        const winners = followed.includes(format) ? 0 : null;
        return [format, { overflow: 0, underflow: 0, lost: winners, zero: winners, rows: 0 }];
      }),
    );
  }

  /** A tile, its numbers as f64, and logSoftmax of them. */
  add(tile: Tile, own: Float64Array, logProbs: Float64Array): void {
    this.#rows += tile.rows;
    this.#classes = tile.classes;
    if (this.#winners.length < tile.rows) {
      this.#maxima = new Float64Array(tile.rows);
      this.#minima = new Float64Array(tile.rows);
      this.#winners = new Int32Array(tile.rows);
    }
    for (let i = 0; i < tile.rows; i++) this.#scan(tile, i);
    const losses = Float64Array.from({ length: tile.rows }, (_, i) => {
      return 0 - logProbs[i * tile.classes + Math.max(this.#winners[i]!, 0)]!;
    });
    if (this.#settings.logProbs) this.#logProbs(losses, tile);
    else this.#formulas(own, losses, tile);
    if (tile.targets) this.#score(own, losses, tile.targets, tile);
  }

  #count(kind: Some, row: number): void {
    kind.rows++;
    if (kind.first.length < this.#settings.list) kind.first.push(row);
  }

  /** Range, kind and winner of a row. */
  #scan({ data, classes, row }: Tile, i: number): void {
    let max = -Infinity;
    let min = Infinity;
    let at = 0;
    let masks = 0;
    let nan = false;
    let infinite = false;
    const from = i * classes;
    for (let j = 0; j < classes; j++) {
      const v = data[from + j]!;
      if (v > max) {
        if (v === Infinity) {
          infinite = true;
          continue;
        }
        max = v;
        at = j;
      }
      if (v < min) {
        if (v === -Infinity) masks++;
        else min = v;
      }
      if (Number.isNaN(v)) nan = true;
    }
    if (max > this.#max) this.#max = max;
    if (min < this.#min) this.#min = min;
    const broken = nan || infinite || max === -Infinity;
    if (nan) this.#count(this.#nan, row + i);
    else if (infinite) this.#count(this.#infinite, row + i);
    else if (broken) this.#count(this.#allMinusInfinity, row + i);
    else if (masks > 0) this.#masked++;
    if (this.#settings.logProbs && !broken && max > 0) this.#count(this.#aboveZero, row + i);
    this.#maxima[i] = max;
    this.#minima[i] = min;
    this.#winners[i] = broken ? -1 : at;
  }

  /** −logSoftmax of each row's winner, within 4 ulp of f64; NaN for a broken row. */
  #losses(x: Float64Array, { rows, classes }: Tile): Float64Array {
    const winners = this.#winners.subarray(0, rows).map((at) => Math.max(at, 0));
    return crossEntropy(x, winners, { shape: [rows, classes], reduction: "none" }) as Float64Array;
  }

  #formulas(own: Float64Array, ownLosses: Float64Array, tile: Tile): void {
    const { dtype } = this.#settings;
    for (const format of TEXTBOOK) {
      const held = HOLDS[dtype].includes(format);
      const x = held ? own : this.#rounded(own, format);
      const usual = this.#usual.get(format);
      const losses = held || usual === undefined ? ownLosses : this.#losses(x, tile);
      const counts = this.#textbook.get(format)!;
      const ends = held ? [this.#maxima, this.#minima] : this.#roundedEnds(tile.rows, format);
      for (let i = 0; i < tile.rows; i++) {
        if (this.#winners[i]! < 0) continue;
        const from = i * tile.classes;
        const row: Row = { x, from, to: from + tile.classes, max: ends[0]![i]!, min: ends[1]![i]! };
        const verdict = textbook(row, format);
        if (verdict !== "fine") counts[verdict]++;
        const isLost = usual !== undefined && this.#textbookLoses(row, verdict, format, losses[i]!, counts);
        if (verdict !== "fine" || isLost) counts.rows++;
        if (usual === undefined) continue;
        const value = usualWinner(row, format, losses[i]!);
        const { lost, ulps } = judge(value, losses[i]!, format);
        if (!lost) continue;
        usual.lost++;
        if (value === 0) usual.zero++;
        if (usual.worst !== null && !(ulps > usual.worst.ulps)) continue;
        const loss = Number.isNaN(losses[i]!) ? ownLosses[i]! : losses[i]!;
        usual.worst = { row: tile.row + i, class: this.#winners[i]!, value, exact: 0 - loss, ulps };
      }
    }
  }

  #textbookLoses(row: Row, verdict: Verdict, format: Format, loss: number, counts: Textbook): boolean {
    const value = verdict === "overflow" ? Number.NaN : textbookWinner(row, format, loss);
    if (!judge(value, loss, format).lost) return false;
    counts.lost!++;
    if (value === 0) counts.zero!++;
    return true;
  }

  #rounded(x: Float64Array, format: Format): Float64Array {
    const out = new Float64Array(x.length);
    if (format === "f32") for (let k = 0; k < x.length; k++) out[k] = Math.fround(x[k]!);
    else roundAll(x, narrowFormats()[format as "f16" | "bf16"], out);
    return out;
  }

  #roundedEnds(rows: number, format: Format): [Float64Array, Float64Array] {
    return [this.#maxima, this.#minima].map((ends) => this.#rounded(ends.subarray(0, rows), format)) as [
      Float64Array,
      Float64Array,
    ];
  }

  #logProbs(losses: Float64Array, tile: Tile): void {
    const { dtype } = this.#settings;
    for (let i = 0; i < tile.rows; i++) {
      if (this.#winners[i]! < 0) continue;
      const max = this.#maxima[i]!;
      const logSumExp = max + losses[i]!;
      if (Math.abs(logSumExp) > TOLERANCE[dtype]) {
        const { worst } = this.#unnormalized;
        this.#unnormalized.rows++;
        if (worst === null || Math.abs(logSumExp) > Math.abs(worst.logSumExp)) {
          this.#unnormalized.worst = { row: tile.row + i, logSumExp };
        }
      }
      if (max === 0 && judge(0, losses[i]!, dtype).lost) this.#winnerLost++;
    }
  }

  #score(x: Float64Array, losses: Float64Array, targets: Float64Array, { rows, classes, row }: Tile): void {
    this.#withTargets = true;
    for (let i = 0; i < rows; i++) {
      const y = targets[i]!;
      if (!Number.isInteger(y) || y < 0 || y >= classes) {
        const what = `${this.#settings.targets}: row ${row + i}: ${y} is no class`;
        throw inputError(what, `classes are the integers from 0 to ${classes - 1}`);
      }
      if (this.#winners[i]! < 0) continue;
      const v = x[i * classes + y]!;
      // log Σ e^x − x_y from two numbers that are not negative
      this.#nll.add(this.#settings.logProbs ? 0 - v : losses[i]! + (this.#maxima[i]! - v));
      if (y === this.#winners[i]) this.#correct++;
    }
  }

  findings(): Findings {
    const { logProbs, dtype } = this.#settings;
    const kinds = [this.#nan, this.#infinite, this.#allMinusInfinity, this.#aboveZero];
    const { count, mean } = this.#nll;
    return {
      rows: this.#rows,
      classes: this.#classes,
      min: this.#min === Infinity ? null : this.#min,
      max: this.#max === -Infinity ? null : this.#max,
      broken: {
        rows: kinds.reduce((sum, { rows }) => sum + rows, 0),
        nan: this.#nan,
        infinite: this.#infinite,
        allMinusInfinity: this.#allMinusInfinity,
        aboveZero: logProbs ? this.#aboveZero : null,
      },
      masked: this.#masked,
      textbook: logProbs ? null : Object.fromEntries(this.#textbook),
      usual: logProbs ? null : Object.fromEntries(this.#usual),
      logProbs: logProbs
        ? { tolerance: TOLERANCE[dtype], unnormalized: this.#unnormalized, winnerLost: this.#winnerLost }
        : null,
      targets: this.#withTargets
        ? {
            rows: count,
            nll: count === 0 ? Number.NaN : mean,
            standardError: this.#nll.error(),
            perplexity: count === 0 ? Number.NaN : Math.exp(mean),
            accuracy: this.#correct / count,
          }
        : null,
    };
  }
}
