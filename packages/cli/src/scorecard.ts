import { crossEntropy, logSoftmax } from "napier";
import type { Label, Model, Reliability, ReliabilityBin } from "napier/train";
import { reliability, temperatureScaling } from "napier/train";
import { Examiner } from "./findings.ts";
import { Mean } from "./mean.ts";
import { tileRows } from "./scores.ts";

/** Rows of a class, and how often the model found it; null where there is nothing to divide by. */
export interface ClassScore {
  label: Label;
  rows: number;
  predicted: number;
  precision: number | null;
  recall: number | null;
  f1: number | null;
}

export interface Confused {
  label: Label;
  predicted: Label;
  rows: number;
}

/** What a softmax as it is written, and the usual log-sum-exp, would have made of the model's logits. */
export interface Survival {
  format: "f16" | "bf16" | "f32";
  /** Rows that log(softmax(x)) loses, because e^x is ∞, a class's probability is 0, or the winner's logarithm is off. */
  textbook: { overflow: number; underflow: number; lost: number; zero: number; rows: number };
  /** Rows whose winner x − max − log Σ exp(x − max) loses, and those to which it gives 0. */
  usual: { lost: number; zero: number };
}

/** The same rows with temperatures that were fitted on others: rows of even numbers by odd ones, and the other way. */
export interface Recalibrated {
  temperatures: [even: number, odd: number];
  rows: number;
  before: Calibration;
  after: Calibration;
}

export type Calibration = Pick<Reliability, "nll" | "brier" | "ece" | "bins">;

/** How good a model is on labelled rows. */
export interface Scorecard extends Calibration {
  rows: number;
  /** Of the mean NLL; null for a single row. */
  standardError: number | null;
  accuracy: number;
  /** The share of rows whose class is among the k most probable, for each k from 1 to 5 that is less than all. */
  topK: number[];
  classes: readonly Label[];
  temperature: number;
  perClass: ClassScore[];
  /** By true class, then predicted class; null with more than 1,000 classes. */
  confusion: number[][] | null;
  mostConfused: Confused[];
  survival: Survival[];
  recalibrated: Recalibrated | null;
}

const BINS = 15;
const MOST_K = 5;
const MOST_CLASSES = 1000;
const LISTED = 10;
/** Bytes of logits that are kept to calibrate on. */
const MEMORY = 2 ** 28;
const FEWEST = 20;
const FORMATS = ["f16", "bf16", "f32"] as const;

interface Kept {
  logits: Float32Array;
  targets: Int32Array;
}

/** One reliability of several parts' rows. */
function merge(parts: readonly Reliability[]): Reliability {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const mean = (of: (part: Reliability) => number) =>
    parts.reduce((sum, part) => sum + of(part) * (part.rows / rows), 0);
  const all = new Map<number, ReliabilityBin[]>();
  for (const bin of parts.flatMap(({ bins }) => bins)) all.set(bin.from, [...(all.get(bin.from) ?? []), bin]);
  const bins = [...all.values()]
    .map((same) => {
      const count = same.reduce((sum, bin) => sum + bin.count, 0);
      const share = (of: (bin: ReliabilityBin) => number) =>
        same.reduce((sum, bin) => sum + of(bin) * (bin.count / count), 0);
      const { from, to } = same[0]!;
      return {
        from,
        to,
        count,
        weight: count,
        confidence: share((b) => b.confidence),
        accuracy: share((b) => b.accuracy),
      };
    })
    .sort((a, b) => a.from - b.from);
  const ece = bins.reduce((sum, bin) => sum + Math.abs(bin.accuracy - bin.confidence) * (bin.count / rows), 0);
  return { rows, nll: mean((p) => p.nll), accuracy: mean((p) => p.accuracy), brier: mean((p) => p.brier), ece, bins };
}

const ratio = (of: number, all: number): number | null => (all === 0 ? null : of / all);

/** Reads labelled rows block by block; of what it keeps, only logits for the calibration grow with them, to 256 MiB. */
export class Scorer {
  readonly #model: Model;
  readonly #index: Map<Label, number>;
  readonly #loss = new Mean();
  readonly #hits: number[];
  readonly #confusion: Float64Array | undefined;
  readonly #rowsOf: Float64Array;
  readonly #predicted: Float64Array;
  readonly #found: Float64Array;
  readonly #examiner = new Examiner({ dtype: "f32", logProbs: false, list: 0, targets: "" });
  readonly #kept: Kept[] = [];
  #keptBytes = 0;
  #reliability: Reliability | undefined;
  #rows = 0;
  /** As training reports it: the sum of f32 kernels' losses. */
  #nll = 0;

  constructor(model: Model) {
    this.#model = model;
    const { length } = model.classes;
    this.#index = new Map(model.classes.map((label, j) => [label, j]));
    this.#hits = new Array(Math.max(1, Math.min(MOST_K, length - 1))).fill(0);
    this.#confusion = length > MOST_CLASSES ? undefined : new Float64Array(length * length);
    this.#rowsOf = new Float64Array(length);
    this.#predicted = new Float64Array(length);
    this.#found = new Float64Array(length);
  }

  /** Rows whose labels are the model's. */
  add(x: { data: Float32Array; shape: [number, number] }, y: readonly Label[]): void {
    const classes = this.#model.classes.length;
    this.#nll += this.#model.evaluate(x, y).nll * y.length;
    const { data } = this.#model.logits(x);
    const targets = Int32Array.from(y, (label) => this.#index.get(label)!);
    const most = tileRows(classes);
    for (let first = 0; first < y.length; first += most) {
      const end = Math.min(y.length, first + most);
      this.#tile(data.subarray(first * classes, end * classes), targets.subarray(first, end));
    }
    if (this.#keptBytes + data.byteLength <= MEMORY) {
      this.#kept.push({ logits: data, targets });
      this.#keptBytes += data.byteLength;
    } else this.#keptBytes = Infinity;
  }

  #tile(logits: Float32Array, targets: Int32Array): void {
    const { classes: labels, temperature } = this.#model;
    const classes = labels.length;
    const rows = targets.length;
    const shape = [rows, classes];
    const own = Float64Array.from(logits);
    const losses = crossEntropy(own, targets, { shape, temperature, reduction: "none" }) as Float64Array;
    for (const loss of losses) this.#loss.add(loss);
    for (let i = 0; i < rows; i++) this.#rank(logits.subarray(i * classes, (i + 1) * classes), targets[i]!);
    const part = reliability(own, targets, { shape, temperature, bins: BINS });
    this.#reliability = this.#reliability ? merge([this.#reliability, part]) : part;
    // what its softmax sees
    const seen = temperature === 1 ? logits : logits.map((x) => x / temperature);
    const exact = temperature === 1 ? own : Float64Array.from(seen);
    const tile = { data: seen, rows, classes, row: this.#rows + 1, targets: null };
    this.#examiner.add(tile, exact, logSoftmax(exact, { shape }));
    this.#rows += rows;
  }

  /** Where the true class stands among all by its logit; of equals the first one wins. */
  #rank(row: Float32Array, y: number): void {
    const own = row[y]!;
    let before = 0;
    let winner = 0;
    for (let j = 0; j < row.length; j++) {
      if (row[j]! > row[winner]!) winner = j;
      if (row[j]! > own || (row[j] === own && j < y)) before++;
    }
    for (let k = before; k < this.#hits.length; k++) this.#hits[k]!++;
    this.#rowsOf[y]!++;
    this.#predicted[winner]!++;
    if (winner === y) this.#found[y]!++;
    if (this.#confusion) this.#confusion[y * row.length + winner]!++;
  }

  #mostConfused(): Confused[] {
    const { classes } = this.#model;
    const pairs: Confused[] = [];
    this.#confusion?.forEach((rows, k) => {
      const [y, j] = [Math.floor(k / classes.length), k % classes.length];
      if (rows > 0 && y !== j) pairs.push({ label: classes[y]!, predicted: classes[j]!, rows });
    });
    return pairs.sort((a, b) => b.rows - a.rows).slice(0, LISTED);
  }

  /** Rows of one parity, in order. */
  #half(parity: number): Kept {
    const classes = this.#model.classes.length;
    let row = 0;
    const logits: Float32Array[] = [];
    const targets: number[] = [];
    for (const kept of this.#kept) {
      for (let i = 0; i < kept.targets.length; i++, row++) {
        if (row % 2 !== parity) continue;
        logits.push(kept.logits.subarray(i * classes, (i + 1) * classes));
        targets.push(kept.targets[i]!);
      }
    }
    const data = new Float32Array(logits.length * classes);
    for (const [i, part] of logits.entries()) data.set(part, i * classes);
    return { logits: data, targets: Int32Array.from(targets) };
  }

  #recalibrated(): Recalibrated | null {
    if (this.#rows < FEWEST || !Number.isFinite(this.#reliability!.nll)) return null;
    const classes = this.#model.classes.length;
    const halves = [this.#half(0), this.#half(1)] as const;
    const shapes = halves.map(({ targets }) => [targets.length, classes]);
    const found = halves.map(({ logits, targets }, k) => temperatureScaling(logits, targets, { shape: shapes[k] }));
    if (found.some(({ limit }) => limit !== undefined)) return null;
    const temperatures: [number, number] = [found[1]!.temperature, found[0]!.temperature];
    const of = (temperatures: readonly number[]): Reliability =>
      merge(
        halves.map(({ logits, targets }, k) =>
          reliability(logits, targets, { shape: shapes[k], temperature: temperatures[k], bins: BINS }),
        ),
      );
    const { temperature } = this.#model;
    const [before, after] = [of([temperature, temperature]), of(temperatures)];
    return { temperatures, rows: before.rows, before, after };
  }

  scorecard(): Scorecard {
    const { classes, temperature } = this.#model;
    const { brier, ece, bins } = this.#reliability!;
    const { textbook, usual } = this.#examiner.findings();
    const width = classes.length;
    return {
      rows: this.#rows,
      nll: this.#nll / this.#rows,
      standardError: this.#loss.error(),
      accuracy: this.#hits[0]! / this.#rows,
      topK: this.#hits.map((hits) => hits / this.#rows),
      brier,
      ece,
      bins,
      classes,
      temperature,
      perClass: classes.map((label, j) => {
        const [rows, predicted, found] = [this.#rowsOf[j]!, this.#predicted[j]!, this.#found[j]!];
        const scores = {
          precision: ratio(found, predicted),
          recall: ratio(found, rows),
          f1: ratio(2 * found, rows + predicted),
        };
        return { label, rows, predicted, ...scores };
      }),
      confusion: this.#confusion
        ? classes.map((_, y) => Array.from(this.#confusion!.subarray(y * width, (y + 1) * width)))
        : null,
      mostConfused: this.#mostConfused(),
      survival: FORMATS.map((format) => {
        const { lost, zero } = usual![format]!;
        const own = textbook![format]!;
        return { format, textbook: { ...own, lost: own.lost ?? 0, zero: own.zero ?? 0 }, usual: { lost, zero } };
      }),
      recalibrated: this.#recalibrated(),
    };
  }
}
