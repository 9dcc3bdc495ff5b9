/**
 * The textbook formulas, with every step rounded to a format as hardware of that format would: to show what breaks.
 * For results to rely on, use logSoftmax and crossEntropy.
 */
import { checkData, checkOneOf } from "./check.ts";
import { core } from "./wasm.ts";

export type Format = "f16" | "bf16" | "f32" | "f64";

const FORMATS: readonly Format[] = ["f16", "bf16", "f32", "f64"];

/** Significant bits, and the least and the largest exponent of a normal number. */
const SHAPES = { f16: [11, -14, 15], bf16: [8, -126, 127] } as const;

const bits = new DataView(new ArrayBuffer(8));

/** 2^e for −1022 ≤ e ≤ 1023 */
function power(e: number): number {
  bits.setInt32(0, (e + 1023) << 20);
  bits.setInt32(4, 0);
  return bits.getFloat64(0);
}

function roundTo(x: number, format: Format): number {
  if (format === "f64" || x === 0 || !Number.isFinite(x)) return x;
  if (format === "f32") return Math.fround(x);
  const [digits, least, largest] = SHAPES[format];
  bits.setFloat64(0, x);
  const exponent = Math.max(((bits.getInt32(0) >>> 20) & 0x7ff) - 1023, least);
  const ulp = power(exponent - digits + 1);
  // x / ulp is exact and under 2^12; adding 1.5·2^52 rounds it to an integer, ties to even
  const rounded = (x / ulp + 6755399441055744 - 6755399441055744) * ulp;
  if (Math.abs(rounded) >= power(largest) * 2) return x > 0 ? Infinity : -Infinity;
  return rounded === 0 && x < 0 ? -0 : rounded;
}

const exp = (x: number, format: Format): number => roundTo(core.space().kernels.exp_f64(x), format);
const log = (x: number, format: Format): number => roundTo(core.space().kernels.log_f64(x), format);

function check(caller: string, logits: ArrayLike<number>, format: Format): number[] {
  checkData(caller, "logits", logits);
  checkOneOf(caller, "format", format, FORMATS);
  return Array.from(logits, (x) => roundTo(x, format));
}

/** A plain sum from the left, each partial sum rounded. */
function sumOf(terms: readonly number[], format: Format): number {
  return terms.reduce((sum, term) => roundTo(sum + term, format), 0);
}

interface SoftmaxSteps {
  exp: number[];
  sum: number;
  softmax: number[];
}

function softmaxSteps(caller: string, logits: ArrayLike<number>, format: Format): SoftmaxSteps {
  const exponentials = check(caller, logits, format).map((x) => exp(x, format));
  const sum = sumOf(exponentials, format);
  return { exp: exponentials, sum, softmax: exponentials.map((e) => roundTo(e / sum, format)) };
}

/**
 * x to the nearest number of the format, ties to even; subnormals and overflow as IEEE 754 has them.
 *
 * @throws {RangeError} format is none of "f16", "bf16", "f32", "f64"
 *
 * @example
 * round(65520, "f16"); // Infinity
 */
export function round(x: number, format: Format): number {
  checkOneOf("round", "format", format, FORMATS);
  return roundTo(x, format);
}

/**
 * softmax as it is written, with its intermediates.
 *
 *   softmax[j] = exp(x[j]) / Σ_k exp(x[k])
 *
 * @param logits  one row, in nats; rounded to the format first
 * @param format  the arithmetic of every step
 *
 * Edges: NaN (∞/∞) where an exponential overflows, NaN (0/0) where all underflow.
 *
 * @example
 * softmax([1000, 0], "f64"); // { exp: [Infinity, 1], sum: Infinity, softmax: [NaN, 0] }
 */
export function softmax(logits: ArrayLike<number>, format: Format): SoftmaxSteps {
  return softmaxSteps("softmax", logits, format);
}

/**
 * The logarithm of the textbook softmax, with its intermediates.
 *
 *   log[j] = log(exp(x[j]) / Σ_k exp(x[k]))
 *
 * Edges: −∞ where the softmax underflowed to 0, NaN where it is NaN.
 *
 * @example
 * logOfSoftmax([0, -1000], "f64").log; // [0, -Infinity]
 */
export function logOfSoftmax(logits: ArrayLike<number>, format: Format): SoftmaxSteps & { log: number[] } {
  const steps = softmaxSteps("logOfSoftmax", logits, format);
  return { ...steps, log: steps.softmax.map((p) => log(p, format)) };
}

/**
 * log-softmax by the usual log-sum-exp form, with its intermediates.
 *
 *   logSoftmax[j] = (x[j] − max) − log Σ_k exp(x[k] − max)
 *
 * Edges: never overflows; the largest class gets 0 where the others' exponentials do not change the sum 1.
 *
 * @example
 * logSumExpForm([40, 0], "f64").logSoftmax; // [0, -40]
 */
export function logSumExpForm(
  logits: ArrayLike<number>,
  format: Format,
): { max: number; shifted: number[]; exp: number[]; sum: number; log: number; logSoftmax: number[] } {
  const x = check("logSumExpForm", logits, format);
  const max = x.reduce((largest, value) => Math.max(largest, value), -Infinity);
  const shifted = x.map((value) => roundTo(value - max, format));
  const exponentials = shifted.map((value) => exp(value, format));
  const sum = sumOf(exponentials, format);
  const logarithm = log(sum, format);
  const logSoftmax = shifted.map((value) => roundTo(value - logarithm, format));
  return { max, shifted, exp: exponentials, sum, log: logarithm, logSoftmax };
}

/**
 * −log softmax(x)[y] of one row, and in dx what automatic differentiation makes of it step by step:
 * g = −scale / p[y] at y and 0 elsewhere, then dx[j] = p[j]·(g[j] − Σ_k g[k]·p[k]); every step is rounded to the format.
 *
 * Edges: p[y] = 0 gives a loss of ∞ and a gradient of NaN (0·∞); an overflowing exponential gives NaN.
 *
 * @param dx  receives the gradient; may be x
 * @param x  logits of one row, rounded to the format first
 * @param y  the true class
 * @param scale  the gradient of the loss that is returned
 * @param format  "f16", "bf16" or "f32"
 * @returns the loss, in nats
 *
 * @example
 * naiveCrossEntropyWithGrad(new Float32Array(2), Float32Array.of(1000, 0), 0, 1); // NaN
 */
export function naiveCrossEntropyWithGrad(
  dx: Float32Array,
  x: Float32Array,
  y: number,
  scale: number,
  format: Exclude<Format, "f64"> = "f32",
): number {
  const to = format === "f32" ? Math.fround : (value: number) => roundTo(value, format);
  const { exp_f64, log_f64 } = core.space().kernels;
  const classes = x.length;
  let sum = 0;
  for (let j = 0; j < classes; j++) {
    dx[j] = to(exp_f64(to(x[j])));
    sum = to(sum + dx[j]);
  }
  for (let j = 0; j < classes; j++) dx[j] = to(dx[j] / sum);
  const g = to(to(-scale) / dx[y]);
  let dot = 0;
  for (let j = 0; j < classes; j++) dot = to(dot + to((j === y ? g : 0) * dx[j]));
  const loss = -to(log_f64(dx[y]));
  for (let j = 0; j < classes; j++) {
    const d = to(dx[j] * to((j === y ? g : 0) - dot));
    dx[j] = Number.isNaN(d) ? Number.NaN : d; // the canonical one, whatever the processor made
  }
  return loss;
}
