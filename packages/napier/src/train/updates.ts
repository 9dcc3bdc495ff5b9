import { checkNumber, checkOptions, rangeError, typeError, words } from "../check.ts";
import { type Job, perRow } from "../job.ts";
import { linear } from "../linear.ts";
import { runNow } from "../runner.ts";
import { type OptimizerOptions, powerOf, ruleOf } from "./optimizer.ts";
import { BELOW_1, FROM_0, integerFrom, type Range, TO_1 } from "./ranges.ts";

/** Weights, their gradient, and what Adam keeps from step to step: zeros before the first. */
export interface AdamState {
  w: Float32Array;
  gradient: Float32Array;
  mean: Float32Array;
  square: Float32Array;
  /** 1 for the first step; 0 leaves the moments' bias as it is. */
  step: number;
}

export interface AdamOptions {
  /** 0.001 by default. */
  learningRate?: number;
  /** 0.9 by default. */
  beta1?: number;
  /** 0.999 by default. */
  beta2?: number;
  /** 1e-8 by default. */
  epsilon?: number;
  /** l2·w joins the gradient; 0 by default. */
  l2?: number;
}

export interface AdamWOptions extends Omit<AdamOptions, "l2"> {
  /** 0.01 by default. */
  weightDecay?: number;
}

/** Weights, their gradient, and the momentum's buffer: zeros before the first step. */
export interface SgdState {
  w: Float32Array;
  gradient: Float32Array;
  buffer: Float32Array;
  /** 1 for the first step, which is not dampened. */
  step: number;
}

export interface SgdOptions {
  /** 0.01 by default. */
  learningRate?: number;
  /** 0.9 by default; 0 is plain gradient descent. */
  momentum?: number;
  /** The buffer takes 1 − dampening of a gradient; 0 by default. */
  dampening?: number;
  nesterov?: boolean;
  /** l2·w joins the gradient; 0 by default. */
  l2?: number;
}

type Arrays = Readonly<Record<string, Float32Array>>;

const ADAM_NAMES = ["learningRate", "beta1", "beta2", "epsilon"];

function checkState(caller: string, state: unknown, names: readonly string[]): void {
  if (typeof state !== "object" || state === null) {
    throw typeError(caller, "state", `{ ${[...names, "step"].join(", ")} }`, state);
  }
  const { step, ...arrays } = state as Record<string, unknown>;
  for (const name of names) {
    const array = arrays[name];
    if (!(array instanceof Float32Array)) throw typeError(caller, name, "a Float32Array", array);
    const { length } = arrays.w as Float32Array;
    if (array.length === length) continue;
    throw rangeError(caller, name, `${length} numbers, one for each of w`, words(`${array.length}`));
  }
  if (step === undefined) throw typeError(caller, "step", "an integer from 0", step);
  checkNumber(caller, "step", step, ...integerFrom(0));
}

const NUMBERS: Record<string, Range> = {
  learningRate: FROM_0,
  beta1: BELOW_1,
  beta2: BELOW_1,
  epsilon: FROM_0,
  weightDecay: FROM_0,
  l2: FROM_0,
  momentum: BELOW_1,
  dampening: TO_1,
};

function checkConstants(caller: string, options: object, names: readonly string[]): void {
  checkOptions(caller, options, names);
  for (const [name, value] of Object.entries(options)) {
    if (name in NUMBERS) checkNumber(caller, name, value, ...NUMBERS[name]);
    else if (value !== undefined && typeof value !== "boolean") throw typeError(caller, name, "true or false", value);
  }
}

/** A step in place, by tiles. */
function move(options: OptimizerOptions, learningRate: number, arrays: Arrays, step: number): Float32Array {
  const { kernel, state, betas, numbers } = ruleOf(options);
  const powers = [step && powerOf(betas[0], step), step && powerOf(betas[1], step)] as const;
  const changed = state.map((name) => perRow("f32", arrays[name], arrays[name]));
  const areas = [...changed, perRow("f32", arrays.gradient)];
  const call = { kernel, areas: areas.map((_, n) => n), numbers: numbers({ learningRate, powers, decays: true }) };
  const job: Job = { rows: arrays.w.length, classes: 1, areas, calls: [call] };
  return runNow({ family: linear, job, finish: () => arrays.w });
}

/**
 * One step of Adam: changes the weights and both moments in place, and returns the weights.
 *
 *   g' = g + l2·w    mean = β1·mean + (1 − β1)·g'    square = β2·square + (1 − β2)·g'²
 *   w = w − learningRate·m̂ / (√v̂ + ε), m̂ = mean / (1 − β1^step), v̂ = square / (1 − β2^step)
 *
 * @param state  w, gradient, mean and square, f32 of one length, and the number of the step
 * @param options  learningRate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8, l2 0
 * @returns state.w
 * @throws {TypeError} an array is no Float32Array, or an option has the wrong type or does not exist
 * @throws {RangeError} lengths differ, or a number is out of its range
 *
 * Edges: at step 0 the moments are used as they are, as in ONNX's Adam at T = 0; at T > 0 ONNX's epsilon is
 * epsilon·√(1 − β2^step) here. NaN stays NaN; with epsilon 0 a gradient that was always 0 makes it (0/0).
 * Accuracy: f32, the same bits on every machine; off by 2^-24 · (23·s + 3·|w|) at most, where g and l2·w do not cancel and
 * nothing leaves the range; s is the step with max(|mean|, |g'|) in the place of mean
 * Cost: reads four arrays, writes three; β^step takes up to `step` multiplications
 * Source: Kingma & Ba 2015, arXiv:1412.6980; the l2 of PyTorch's weight_decay and ONNX's norm_coefficient
 *
 * @example
 * const state = { w: Float32Array.of(1, 2), gradient: Float32Array.of(0.5, -4), mean: new Float32Array(2), square: new Float32Array(2), step: 1 };
 * adam(state, { learningRate: 0.5 }); // [0.5, 2.5]
 */
export function adam(state: AdamState, options: AdamOptions = {}): Float32Array {
  checkState("adam", state, ["w", "gradient", "mean", "square"]);
  checkConstants("adam", options, [...ADAM_NAMES, "l2"]);
  const { learningRate = 1e-3, ...constants } = options;
  const { step, ...arrays } = state;
  return move({ optimizer: "adam", ...constants }, learningRate, arrays, step);
}

/**
 * One step of AdamW, whose decay does not go through the moments: changes the weights and both moments in place, and
 * returns the weights.
 *
 *   mean = β1·mean + (1 − β1)·g    square = β2·square + (1 − β2)·g²
 *   w = (1 − learningRate·weightDecay)·w − learningRate·m̂ / (√v̂ + ε), m̂ and v̂ as in adam
 *
 * @param state  w, gradient, mean and square, f32 of one length, and the number of the step
 * @param options  learningRate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8, weightDecay 0.01
 * @returns state.w
 * @throws {TypeError} an array is no Float32Array, or an option has the wrong type or does not exist
 * @throws {RangeError} lengths differ, or a number is out of its range
 *
 * Edges: those of adam
 * Accuracy: that of adam, with g for g'
 * Cost: reads four arrays, writes three; β^step takes up to `step` multiplications
 * Source: Loshchilov & Hutter 2019, arXiv:1711.05101, as PyTorch orders it
 *
 * @example
 * const state = { w: Float32Array.of(1, 2), gradient: Float32Array.of(0.5, -4), mean: new Float32Array(2), square: new Float32Array(2), step: 1 };
 * adamW(state, { learningRate: 0.5, weightDecay: 0.5 }); // [0.25, 2]
 */
export function adamW(state: AdamState, options: AdamWOptions = {}): Float32Array {
  checkState("adamW", state, ["w", "gradient", "mean", "square"]);
  checkConstants("adamW", options, [...ADAM_NAMES, "weightDecay"]);
  const { learningRate = 1e-3, weightDecay = 0.01, ...constants } = options;
  const { step, ...arrays } = state;
  return move({ optimizer: "adamw", weightDecay, ...constants }, learningRate, arrays, step);
}

/**
 * One step of stochastic gradient descent with momentum: changes the weights and the buffer in place, and returns the
 * weights.
 *
 *   g' = g + l2·w    buffer = momentum·buffer + (1 − dampening)·g', at the first step momentum·buffer + g'
 *   w = w − learningRate·buffer, with nesterov w − learningRate·(g' + momentum·buffer)
 *
 * @param state  w, gradient and buffer, f32 of one length, and the number of the step
 * @param options  learningRate 0.01, momentum 0.9, dampening 0, nesterov false, l2 0
 * @returns state.w
 * @throws {TypeError} an array is no Float32Array, or an option has the wrong type or does not exist
 * @throws {RangeError} lengths differ, or a number is out of its range
 *
 * Edges: steps 0 and 1 are first steps. ONNX's Momentum at T is step T + 1, its alpha is momentum, its beta 1 − dampening.
 * NaN stays NaN.
 * Accuracy: f32, the same bits on every machine; off by 2^-24 · (43·learningRate·largest of |momentum·buffer|, |g| and |l2·w|
 * + |w|) at most
 * Cost: reads three arrays, writes two
 * Source: PyTorch's SGD; ONNX's Momentum
 *
 * @example
 * const state = { w: Float32Array.of(1, 2), gradient: Float32Array.of(0.5, -4), buffer: new Float32Array(2), step: 1 };
 * sgd(state, { learningRate: 0.5, momentum: 0.5 }); // [0.75, 4]
 * sgd({ ...state, step: 2 }, { learningRate: 0.5, momentum: 0.5, nesterov: true }); // [0.3125, 7.5]
 */
export function sgd(state: SgdState, options: SgdOptions = {}): Float32Array {
  checkState("sgd", state, ["w", "gradient", "buffer"]);
  checkConstants("sgd", options, ["learningRate", "momentum", "dampening", "nesterov", "l2"]);
  const { learningRate = 0.01, momentum = 0.9, dampening = 0, ...constants } = options;
  const { step, ...arrays } = state;
  const share = step > 1 ? 1 - dampening : 1;
  return move({ optimizer: "sgd", momentum, share, ...constants }, learningRate, arrays, step);
}
