import type { Call } from "../thread.ts";
import { call, type Network } from "./mlp.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** All that a checkpoint must hold for the next step to have the same bits. */
export interface State {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly numbers: Readonly<Record<string, number>>;
}

const AREAS = { w: "parameters", mean: "mean", square: "square" } as const;
type Name = keyof typeof AREAS;

/** AdamW over a network's parameters; the decay is on weights, not on biases. */
export class AdamW {
  readonly #network: Network;
  readonly #learningRate: number;
  readonly #weightDecay: number;
  #power1 = 1;
  #power2 = 1;

  constructor(network: Network, learningRate: number, weightDecay: number) {
    this.#network = network;
    this.#learningRate = learningRate;
    this.#weightDecay = weightDecay;
  }

  /** One step along the gradient that stands in the network. */
  step(): void {
    this.next();
    const { plan, space } = this.#network;
    plan.weights.forEach((weights, l) => {
      call(space, [this.update(weights, plan.biases[l], true), this.update(plan.biases[l], this.#end(l), false)]);
    });
  }

  #end(l: number): number {
    const { weights, length } = this.#network.plan;
    return weights[l + 1] ?? length;
  }

  save(): State {
    const { space, at, plan } = this.#network;
    const copy = (name: Name): Float32Array => space.f32.slice(at[AREAS[name]] / 4, at[AREAS[name]] / 4 + plan.length);
    const tensors = { w: copy("w"), mean: copy("mean"), square: copy("square") };
    return { tensors, numbers: { power1: this.#power1, power2: this.#power2 } };
  }

  restore({ tensors, numbers }: State): void {
    const { space, at } = this.#network;
    for (const name of Object.keys(AREAS) as Name[]) space.f32.set(tensors[name], at[AREAS[name]] / 4);
    this.#power1 = numbers.power1;
    this.#power2 = numbers.power2;
  }

  /** Begins a step, whose updates may come in any order. */
  next(): void {
    // β^t by repeated multiplication: Math.pow has other bits on other machines
    this.#power1 *= BETA1;
    this.#power2 *= BETA2;
  }

  /** The step for parameters `from` to before `end`. */
  update(from: number, end: number, decays: boolean): Call {
    const { parameters, mean, square, gradient } = this.#network.at;
    const at = from * 4;
    const decay = decays ? 1 - this.#learningRate * this.#weightDecay : 1;
    const rate = this.#learningRate / (1 - this.#power1);
    const correction = 1 / Math.sqrt(1 - this.#power2);
    const numbers = [end - from, decay, BETA1, BETA2, rate, correction, EPSILON];
    return ["adamw_f32", [parameters + at, mean + at, square + at, gradient + at, ...numbers]];
  }
}
