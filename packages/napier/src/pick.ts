import { rangeError, words } from "./check.ts";
import { type Area, areaOf, type Prepared, perRow, scratch } from "./job.ts";
import { rng } from "./rng.ts";
import { runNow } from "./runner.ts";
import {
  type AnyData,
  allocate,
  type Computed,
  type Logits,
  type ManyRows,
  type OneRow,
  type OnnxArgument,
  type OnnxTensor,
  type Options,
  type Output,
  rowShape,
  type Tensor,
  type View,
  viewWithOptions,
  wrap,
} from "./tensor.ts";
import { core } from "./wasm.ts";
import { wide } from "./wide.ts";

type TypedData = Exclude<AnyData, readonly number[]>;
/** Class indices beside numbers of this kind: number[] beside number[], else Int32Array. */
type Indices<D extends AnyData> = D extends readonly number[] ? number[] : Int32Array;
type IndexTensor<D extends AnyData> = { readonly data: Indices<D>; readonly shape: readonly number[] };
type OnnxIndexTensor<D extends AnyData> = {
  readonly data: Indices<D>;
  readonly dims: readonly number[];
  readonly type: "int32";
};

/** Class indices beside logits of any kind. */
type IndexOutput = Indices<AnyData> | IndexTensor<AnyData> | OnnxIndexTensor<AnyData>;

const allocateIndices = ({ data }: View, length: number): number[] | Int32Array =>
  Array.isArray(data) ? new Array<number>(length).fill(0) : new Int32Array(length);

function wrapIndices({ kind }: View, data: number[] | Int32Array, shape: readonly number[]): unknown {
  if (kind === "flat") return data;
  return kind === "dims" ? { data, dims: shape, type: "int32" } : { data, shape };
}

/** Logits with a class to pick. */
function pickable(caller: string, logits: Logits, options: Options, allowed: readonly string[]): View {
  const x = viewWithOptions(caller, "logits", logits, options, allowed);
  if (x.classes === 0) throw rangeError(caller, "logits", "at least 1 class", words("0"));
  return x;
}

export interface TopLogProbs {
  (logits: readonly number[], k: number, options?: Options): { indices: number[]; logProbs: number[] };
  <D extends TypedData>(logits: D, k: number, options?: Options): { indices: Int32Array; logProbs: Computed<D> };
  <D extends AnyData>(
    logits: OnnxArgument<D>,
    k: number,
    options?: Options,
  ): { indices: OnnxIndexTensor<D>; logProbs: OnnxTensor<Computed<D>> };
  <D extends AnyData>(
    logits: Tensor<D>,
    k: number,
    options?: Options,
  ): { indices: IndexTensor<D>; logProbs: Tensor<Computed<D>> };
  (logits: Logits, k: number, options?: Options): { indices: IndexOutput; logProbs: Output };
}

function prepareTopLogProbs(
  logits: Logits,
  k: number,
  options: Options = {},
): Prepared<{ indices: unknown; logProbs: Output }> {
  const caller = "topLogProbs";
  const x = pickable(caller, logits, options, ["shape", "axis", "dtype"]);
  if (!Number.isInteger(k) || k < 1 || k > x.classes) {
    throw rangeError(caller, "k", `an integer from 1 to ${x.classes}`, k);
  }
  const logProbs = allocate(x, x.rows * k);
  const indices = allocateIndices(x, x.rows * k);
  const areas: Area[] = [
    { ...areaOf(x, undefined, logProbs), width: k },
    { type: "i32", width: k, inner: x.inner, from: undefined, to: indices },
    areaOf(x, x.data),
  ];
  const numbers = [k];
  const calls = [
    { kernel: `top_${x.dtype}`, areas: [0, 1, 2], numbers },
    { kernel: `log_probs_of_${x.dtype}`, areas: [0, 2], numbers },
  ] as const;
  const shape = x.shape.map((size, d) => (x.axes.includes(d) ? k : size));
  return {
    family: core,
    job: { rows: x.rows, classes: x.classes, areas, calls },
    finish: () => ({ indices: wrapIndices(x, indices, shape), logProbs: wrap(x, logProbs, shape) }),
  };
}

/**
 * The k most probable classes of each row, and their log-probabilities.
 *
 *   logProbs[i, 0] ≥ logProbs[i, 1] ≥ …, logProbs[i, j] = logSoftmax(x)[i, indices[i, j]]
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value, see Edges
 * @param k  how many, 1 to the number of classes
 * @param options  `shape`, `axis` as in logSoftmax
 * @returns `logProbs` in the logits' kind and dtype, `indices` beside it as int32 (number[] beside number[]); both have k
 * numbers where the logits have the classes
 * @throws {RangeError} k is no integer from 1 to the classes; no classes
 *
 * Edges: ordered by logits, equal ones by class; a NaN or +∞ in a row, or nothing but −∞, gives NaNs and classes 0 … k − 1.
 * Accuracy: the very bits of logSoftmax. Cost: reads x three times in cache and writes only k numbers a row.
 * Source: PyTorch's topk of log_softmax
 *
 * @example
 * topLogProbs([0, 1000, 1000], 2).indices; // [1, 2]
 * topLogProbs([40, 0, 1], 1).logProbs; // [-1.5796578428307375e-17]
 */
export const topLogProbs: TopLogProbs = ((logits: Logits, k: number, options?: Options) =>
  runNow(prepareTopLogProbs(logits, k, options))) as TopLogProbs;

export interface SampleOptions extends Options {
  /** what the logits are divided by, 1 by default; 0 takes the first maximum */
  temperature?: number;
  /** draw from the k largest logits only */
  topK?: number;
  /** draw from the smallest set of the most probable classes whose probabilities reach this sum only */
  topP?: number;
  /** an integer from 0 to 4294967295 */
  seed: number;
}

export interface Sample {
  (logits: AnyData, options: SampleOptions & OneRow): number;
  (logits: readonly number[], options: SampleOptions & ManyRows): number[];
  (logits: TypedData, options: SampleOptions & ManyRows): Int32Array;
  <D extends AnyData>(logits: D, options: SampleOptions): number | Indices<D>;
  <D extends AnyData>(logits: OnnxArgument<D>, options: SampleOptions): OnnxIndexTensor<D>;
  <D extends AnyData>(logits: Tensor<D>, options: SampleOptions): IndexTensor<D>;
  (logits: Logits, options: SampleOptions): number | IndexOutput;
}

function checkSampling(caller: string, { temperature = 1, topK, topP = 1, seed }: SampleOptions): void {
  const isNumber = (value: unknown): value is number => typeof value === "number";
  if (!isNumber(temperature) || !(temperature >= 0 && temperature < Infinity)) {
    throw rangeError(caller, "options.temperature", "a finite number from 0", temperature);
  }
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) {
    throw rangeError(caller, "options.topK", "an integer from 1", topK);
  }
  if (!isNumber(topP) || !(topP > 0 && topP <= 1)) {
    throw rangeError(caller, "options.topP", "a number above 0, up to 1", topP);
  }
  if (!Number.isInteger(seed) || seed < 0 || seed > 4294967295) {
    const todo = "a seed makes the same draws on every machine";
    throw rangeError(caller, "options.seed", "an integer from 0 to 4294967295", seed, todo);
  }
}

/** A number of 53 bits for each row, uniform in [0, 1), from a generator of its own. */
function uniforms(seed: number, rows: number): Float64Array {
  const u = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const { next } = rng(seed, i);
    const high = next() >>> 5;
    u[i] = (high * 67108864 + (next() >>> 6)) / 9007199254740992;
  }
  return u;
}

function prepareSample(logits: Logits, options: SampleOptions = {} as SampleOptions): Prepared<unknown> {
  const caller = "sample";
  const x = pickable(caller, logits, options, ["shape", "axis", "dtype", "temperature", "topK", "topP", "seed"]);
  checkSampling(caller, options);
  const { temperature = 1, topK = x.classes, topP = 1, seed } = options;
  const drawn = allocateIndices(x, x.rows);
  const { classes } = x;
  const k = Math.min(topK, classes);
  const sorted = temperature > 0 && (k < classes || topP < 1) ? classes : 0;
  const isNarrow = x.dtype === "f32";
  const areas: Area[] = [
    perRow("i32", undefined, drawn),
    isNarrow ? scratch("f64", classes) : areaOf(x, x.data),
    perRow("f64", uniforms(seed, x.rows)),
    scratch("f64", classes),
    scratch("f64", sorted),
    scratch("i32", sorted),
    ...(isNarrow ? [areaOf(x, x.data)] : []),
  ];
  const draw = { kernel: "sample_f64", areas: [0, 1, 2, 3, 4, 5], numbers: [temperature, k, topP] } as const;
  const calls = isNarrow ? [{ kernel: "widen_f32", areas: [1, 6] } as const, draw] : [draw];
  return {
    family: wide,
    job: { rows: x.rows, classes, areas, calls },
    finish: () => {
      if (x.kind === "flat" && x.shape.length === 1) return drawn[0];
      const shape = rowShape(x);
      return wrapIndices(x, drawn, shape);
    },
  };
}

/**
 * A class of each row, drawn with the row's probabilities: the same one from the same seed on every machine.
 *
 *   P(out[i] = j) = exp(x[i, j] / T) / Σ_k exp(x[i, k] / T), over the classes that the filters leave
 *
 * Filters in this order: temperature T; the topK largest logits, equal ones by class; the smallest set of the most probable
 * of these whose probabilities, taken anew, reach topP, the class that crosses it included.
 *
 * @param logits  any shape, classes on the last axis (or `axis`), of 16, 32 or 64 bits, in nats; any value, see Edges
 * @param options.seed  an integer from 0 to 4294967295; row i draws from a generator of (seed, i), so give each step its own
 * @param options.temperature  1 by default; 0 takes the first maximum
 * @param options.topK  an integer from 1; more than the classes is all of them
 * @param options.topP  above 0, up to 1
 * @param options  `shape`, `axis` as in logSoftmax
 * @returns a number for one flat row; else an Int32Array (number[] for number[]), or an int32 tensor without the class axis
 * @throws {RangeError} a filter or the seed is not in its range; no classes
 *
 * Edges: a NaN or +∞ in a row, or nothing but −∞, gives −1. A class of probability 0 is never drawn.
 * Accuracy: weights exp((x − max) / T) in f64, each within (2·|x − max| / T + 2) ulp, against a uniform number of 53 bits.
 * Cost: as an f64 softmax; a filter adds a selection.
 * Source: Holtzman et al. 2020, arXiv:1904.09751 (topP); the order of the filters is that of Hugging Face's generate
 *
 * @example
 * sample([0, 3, 1], { temperature: 0, seed: 1 }); // 1
 * sample([0, 3, 1, 0, 3, 1], { shape: [2, 3], topK: 1, seed: 1 }); // [1, 1]
 */
export const sample: Sample = ((logits: Logits, options?: SampleOptions) =>
  runNow(prepareSample(logits, options))) as Sample;
