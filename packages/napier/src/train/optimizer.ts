import { rangeError, words } from "../check.ts";
import type { Task } from "../thread.ts";
import type { TrainingState } from "./checkpoint.ts";
import type { Areas, Network } from "./mlp.ts";

interface Moments {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** An optimizer and its constants. Decay, l2 and momentum are 0 by default; the decay is on weights, not on biases. */
export type OptimizerOptions =
  | ({ readonly optimizer: "adamw"; readonly weightDecay?: number } & Moments)
  | ({ readonly optimizer: "adam"; readonly l2?: number } & Moments)
  | {
      readonly optimizer: "sgd";
      readonly l2?: number;
      readonly momentum?: number;
      readonly nesterov?: boolean;
      /** What the buffer takes of a gradient. */
      readonly share?: number;
    };

export const MOMENTS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

interface At {
  readonly learningRate: number;
  /** β1^t and β2^t, which correct the bias of the moments. */
  readonly powers: readonly [number, number];
  /** Whether these are weights: biases do not decay. */
  readonly decays: boolean;
}

/** An optimizer's kernel: what it changes (it takes the gradient after that), and its numbers at a step. */
export interface Rule {
  readonly kernel: "adamw_f32" | "adam_f32" | "momentum_f32" | "nesterov_f32";
  readonly state: readonly ("w" | "mean" | "square" | "buffer")[];
  readonly betas: readonly [number, number];
  numbers(at: At): number[];
}

function adamRule(options: OptimizerOptions & { optimizer: "adam" | "adamw" }): Rule {
  const { beta1 = MOMENTS.beta1, beta2 = MOMENTS.beta2, epsilon = MOMENTS.epsilon } = options;
  const moments = ({ learningRate, powers }: At): number[] => {
    return [beta1, beta2, learningRate / (1 - powers[0]), 1 / Math.sqrt(1 - powers[1]), epsilon];
  };
  const rule = { state: ["w", "mean", "square"], betas: [beta1, beta2] } as const;
  if (options.optimizer === "adam") {
    const { l2 = 0 } = options;
    return { ...rule, kernel: "adam_f32", numbers: (at) => [at.decays ? l2 : 0, ...moments(at)] };
  }
  const { weightDecay = 0 } = options;
  const decay = ({ learningRate, decays }: At): number => (decays ? 1 - learningRate * weightDecay : 1);
  return { ...rule, kernel: "adamw_f32", numbers: (at) => [decay(at), ...moments(at)] };
}

export function ruleOf(options: OptimizerOptions): Rule {
  if (options.optimizer !== "sgd") return adamRule(options);
  const { l2 = 0, momentum = 0, nesterov = false, share = 1 } = options;
  return {
    kernel: nesterov ? "nesterov_f32" : "momentum_f32",
    state: ["w", "buffer"],
    betas: [0, 0],
    numbers: ({ learningRate, decays }) => [decays ? l2 : 0, momentum, share, learningRate],
  };
}

/**
 * β^step by repeated multiplication: Math.pow has other bits on other machines. It ends below 2^-60, where 1 − β^step has
 * long been 1.
 */
export function powerOf(beta: number, step: number): number {
  let power = 1;
  for (let t = 0; t < step && power > 8.673617379884035e-19; t++) power *= beta;
  return power;
}

/** All that a checkpoint must hold for the next step to have the same bits. */
export interface State {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly numbers: Readonly<Record<string, number>>;
}

const AREAS = { w: "parameters", mean: "mean", square: "square", buffer: "mean" } as const satisfies Record<
  Rule["state"][number],
  keyof Areas
>;

/** An optimizer over a network's parameters, along the gradient that stands in the network. */
export class Optimizer {
  readonly #network: Network;
  readonly #rule: Rule;
  #step = 0;
  #powers: [number, number] = [1, 1];

  constructor(network: Network, options: OptimizerOptions) {
    this.#network = network;
    this.#rule = ruleOf(options);
  }

  /** Begins a step, whose updates may come in any order. */
  next(): void {
    const [beta1, beta2] = this.#rule.betas;
    this.#step++;
    this.#powers = [this.#powers[0] * beta1, this.#powers[1] * beta2];
  }

  /** The step for parameters `from` to before `end`. */
  update(learningRate: number, from: number, end: number, decays: boolean): Task[number] {
    const { kernel, state, numbers } = this.#rule;
    const { at } = this.#network;
    const areas = [...state.map((name) => at[AREAS[name]]), at.gradient].map((area) => area + from * 4);
    return [kernel, [...areas, ...numbers({ learningRate, powers: this.#powers, decays }), end - from]];
  }

  save(): State {
    const { space, at, plan } = this.#network;
    const copy = (name: keyof Areas): Float32Array => space.f32.slice(at[name] / 4, at[name] / 4 + plan.length);
    const tensors = Object.fromEntries(this.#rule.state.map((name) => [name, copy(AREAS[name])]));
    return { tensors, numbers: { step: this.#step } };
  }

  /** Takes its own tensors and number out of a checkpoint. */
  restore({ tensors, numbers: { step } }: Pick<TrainingState, "tensors" | "numbers">): void {
    const { space, at, plan } = this.#network;
    const names = this.#rule.state;
    const fits = names.every((name) => tensors[name] instanceof Float32Array && tensors[name].length === plan.length);
    if (!fits || !Number.isSafeInteger(step) || step < 0) {
      const known = Object.entries(tensors).filter(([name]) => Object.hasOwn(AREAS, name));
      const has = known.map(([name, { length }]) => `${name} of ${length}`);
      const expected = `${names.join(", ")} of ${plan.length} f32 numbers and a step`;
      const todo = "it is of another network or of another optimizer";
      throw rangeError("fit", "checkpoint", expected, words([...has, `step ${step}`].join(", ")), todo);
    }
    for (const name of names) space.f32.set(tensors[name] as Float32Array, at[AREAS[name]] / 4);
    this.#step = step;
    this.#powers = [powerOf(this.#rule.betas[0], step), powerOf(this.#rule.betas[1], step)];
  }
}
