import { checkNumber, checkOptions, rangeError } from "../check.ts";
import { linear } from "../linear.ts";
import { logSoftmax, softmax } from "../softmax.ts";
import { sumOfLosses } from "./labelled.ts";
import { checkLabels, indicesOf, type Labels } from "./labels.ts";
import { type Layer, pack } from "./layers.ts";
import { checkMatrix, type Feature, type Label, type Matrix } from "./matrix.ts";
import { Network } from "./mlp.ts";
import { type Reliability, type ReliabilityOptions, reliability } from "./reliability.ts";
import type { Scaling } from "./scale.ts";
import { argmax, putRows, SCORE_ROWS, type Score, scoreRows } from "./score.ts";

export interface ModelParts<L extends Label = Label> {
  readonly classes: readonly L[];
  readonly features: readonly Feature[];
  readonly scaling: Scaling;
  readonly layers: readonly Layer[];
  /** T > 0, rounded to f32, 1 without it: what `calibrate` found; probabilities are those of logits / T */
  readonly temperature?: number;
}

/** Numbers of a model's rows, [rows, classes] row-major. */
export interface Scores {
  readonly data: Float32Array;
  readonly shape: [number, number];
}

/** A model has its own temperature, and its logits their shape. */
export type ModelReliabilityOptions = Pick<ReliabilityOptions, "bins" | "strategy" | "sampleWeight">;

function checkParts({ classes, features, scaling, layers, temperature }: ModelParts): void {
  if (layers.length === 0) throw rangeError("Model", "layers", "at least 1 layer", 0);
  const inputs = features.reduce((sum, { size }) => sum + size, 0);
  let width = inputs;
  layers.forEach((layer, l) => {
    const name = `layers[${l}]`;
    if (layer.inputs !== width) throw rangeError("Model", `${name}.inputs`, String(width), layer.inputs);
    if (layer.weight.length !== layer.inputs * layer.outputs) {
      throw rangeError("Model", `${name}.weight`, `${layer.outputs} × ${layer.inputs} numbers`, layer.weight.length);
    }
    if (layer.bias.length !== layer.outputs) {
      throw rangeError("Model", `${name}.bias`, `${layer.outputs} numbers`, layer.bias.length);
    }
    width = layer.outputs;
  });
  if (classes.length !== width) throw rangeError("Model", "classes", `${width} labels`, classes.length);
  for (const name of ["center", "factor"] as const) {
    const { length } = scaling[name];
    if (length !== inputs) throw rangeError("Model", `scaling.${name}`, `${inputs} numbers`, length);
  }
  checkNumber("Model", "temperature", temperature, "a finite f32 above 0", (T) => {
    return Math.fround(T) > 0 && Math.fround(T) < Infinity;
  });
}

/**
 * A trained classifier. A row has the same bits alone and in any batch; all arithmetic up to the logits is f32. `logits`
 * and `predict` know nothing of the temperature: calibrating again starts from the same numbers, and never moves a label.
 */
export class Model<L extends Label = Label> implements ModelParts<L> {
  readonly classes: readonly L[];
  readonly features: readonly Feature[];
  readonly scaling: Scaling;
  readonly layers: readonly Layer[];
  /** What the logits are divided by before they become probabilities. */
  readonly temperature: number;
  /** Numbers in a row: the sizes of the features together. */
  readonly inputs: number;
  #flat: Float32Array | undefined;

  constructor(parts: ModelParts<L>) {
    checkParts(parts);
    this.classes = parts.classes;
    this.features = parts.features;
    this.scaling = parts.scaling;
    this.layers = parts.layers;
    this.temperature = Math.fround(parts.temperature ?? 1);
    this.inputs = parts.layers[0].inputs;
  }

  /** The network of this model on the shared workspace, until the next operation lays out its own. */
  #network(rows: number): Network {
    this.#flat ??= pack(this.layers);
    const network = new Network(linear.space(), this.layers, Math.max(1, Math.min(rows, SCORE_ROWS)), 0);
    network.load(this.#flat, this.scaling.center, this.scaling.factor);
    return network;
  }

  /** Calls `each` after the logits of up to 256 rows stand in the network. */
  #forward(caller: string, x: Matrix, each: (network: Network, first: number, count: number) => void): void {
    checkMatrix(caller, "x", x, this.inputs);
    const rows = x.shape[0];
    const network = this.#network(rows);
    for (let first = 0; first < rows; first += SCORE_ROWS) {
      const count = Math.min(SCORE_ROWS, rows - first);
      putRows(network, x, first, count);
      network.forward(count);
      each(network, first, count);
    }
  }

  #scores(caller: string, x: Matrix, kernel: "log_softmax_f32" | "softmax_f32" | null): Scores {
    const classes = this.classes.length;
    checkMatrix(caller, "x", x, this.inputs);
    const data = new Float32Array(x.shape[0] * classes);
    this.#forward(caller, x, ({ space, at: { logits, dlogits } }, first, count) => {
      if (kernel) space.kernels[kernel](dlogits, logits, count, classes);
      const start = (kernel ? dlogits : logits) / 4;
      data.set(space.f32.subarray(start, start + count * classes), first * classes);
    });
    return { data, shape: [x.shape[0], classes] };
  }

  /**
   * The raw scores of each row, as the last layer gives them, whatever the temperature.
   *
   *   h₀ = (x − center)·factor, hₗ₊₁ = max(0, hₗ·Wᵀ + b), logits = h·Wᵀ + b
   *
   * @param x  [rows, inputs]
   * @returns [rows, classes], f32
   * @throws {RangeError} the rows do not have the model's inputs
   */
  logits(x: Matrix): Scores {
    return this.#scores("logits", x, null);
  }

  /** log_softmax of logits / temperature, in nats, [rows, classes]; within 2 ulp of the logits' exact answer. */
  logProbs(x: Matrix): Scores {
    const { temperature } = this;
    if (temperature === 1) return this.#scores("logProbs", x, "log_softmax_f32");
    const scores = this.#scores("logProbs", x, null);
    logSoftmax(scores.data, { shape: scores.shape, temperature, out: scores.data });
    return scores;
  }

  /** softmax of logits / temperature, [rows, classes]; within 4 ulp. */
  probs(x: Matrix): Scores {
    const { temperature } = this;
    if (temperature === 1) return this.#scores("probs", x, "softmax_f32");
    const scores = this.#scores("probs", x, null);
    softmax(scores.data, { shape: scores.shape, temperature, out: scores.data });
    return scores;
  }

  /** The class of each row with the largest logit, the first one of equals. */
  predict(x: Matrix): L[] {
    const labels: L[] = [];
    this.#forward("predict", x, ({ space, at: { logits }, classes }, _, count) => {
      for (let i = 0; i < count; i++) labels.push(this.classes[argmax(space.f32, logits / 4 + i * classes, classes)]);
    });
    return labels;
  }

  /** The k most probable classes of each row, best first, and their log-probabilities; equals by class order. */
  top(x: Matrix, k: number): { classes: L[][]; logProbs: number[][] } {
    const { temperature } = this;
    if (!Number.isInteger(k) || k < 1 || k > this.classes.length) {
      throw rangeError("top", "k", `an integer from 1 to ${this.classes.length}`, k);
    }
    const all = this.classes.map((_, j) => j);
    const best: { classes: L[][]; logProbs: number[][] } = { classes: [], logProbs: [] };
    this.#forward("top", x, ({ space, at: { logits, dlogits }, classes }, _, count) => {
      // by logits: two of them can share a log-probability
      const ranked = Array.from({ length: count }, (_, i) => {
        const row = space.f32.slice(logits / 4 + i * classes, logits / 4 + (i + 1) * classes);
        return all.toSorted((a, b) => row[b] - row[a]).slice(0, k);
      });
      const rows = space.f32.subarray(dlogits / 4, dlogits / 4 + count * classes);
      if (temperature === 1) space.kernels.log_softmax_f32(dlogits, logits, count, classes);
      else {
        rows.set(space.f32.subarray(logits / 4, logits / 4 + count * classes));
        logSoftmax(rows, { shape: [count, classes], temperature, out: rows });
      }
      ranked.forEach((indices, i) => {
        best.classes.push(indices.map((j) => this.classes[j]));
        best.logProbs.push(indices.map((j) => rows[i * classes + j]));
      });
    });
    return best;
  }

  /**
   * Mean NLL in nats, of logits / temperature, and the share of rows whose class `predict` finds.
   *
   * @throws {RangeError} a label is none of the model's classes, or there are no rows
   */
  evaluate(x: Matrix, y: Labels<L>): Score & { rows: number } {
    checkMatrix("evaluate", "x", x, this.inputs);
    const rows = x.shape[0];
    if (rows === 0) throw rangeError("evaluate", "x", "at least 1 row", 0);
    checkLabels("evaluate", "y", y, rows);
    const targets = indicesOf("evaluate", "y", y, this.classes);
    const network = this.#network(rows);
    const { temperature } = this;
    const { space, at, classes } = network;
    let loss = 0;
    let correct = 0;
    for (let first = 0; first < rows; first += SCORE_ROWS) {
      const count = Math.min(SCORE_ROWS, rows - first);
      const part = scoreRows(network, x, targets, first, count);
      if (temperature === 1) loss += part.loss;
      else {
        const logits = space.f32.subarray(at.logits / 4, at.logits / 4 + count * classes);
        const y = targets.subarray(first, first + count);
        loss += sumOfLosses({ logits, classes, targets: y, weights: undefined }, temperature);
      }
      correct += part.correct;
    }
    return { rows, nll: loss / rows, accuracy: correct / rows };
  }

  /**
   * How good the probabilities are: `reliability` of the logits over the temperature.
   *
   * @throws {RangeError} a label is none of the model's classes, or there are no rows; an option out of its range
   */
  reliability(x: Matrix, y: Labels<L>, options: ModelReliabilityOptions = {}): Reliability {
    checkMatrix("reliability", "x", x, this.inputs);
    const rows = x.shape[0];
    if (rows === 0) throw rangeError("reliability", "x", "at least 1 row", 0);
    checkLabels("reliability", "y", y, rows);
    checkOptions("reliability", options, ["bins", "strategy", "sampleWeight"]);
    const targets = indicesOf("reliability", "y", y, this.classes);
    return reliability(this.logits(x), targets, { ...options, temperature: this.temperature });
  }
}
