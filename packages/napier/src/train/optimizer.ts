import type { Network } from "./mlp.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

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
    const { at, plan, space } = this.#network;
    // β^t by repeated multiplication: Math.pow has other bits on other machines
    this.#power1 *= BETA1;
    this.#power2 *= BETA2;
    const rate = this.#learningRate / (1 - this.#power1);
    const correction = 1 / Math.sqrt(1 - this.#power2);
    const update = (from: number, end: number, decay: number): void => {
      const [w, mean, square, g] = [at.parameters, at.mean, at.square, at.gradient].map((area) => area + from * 4);
      const { adamw_f32 } = space.kernels;
      adamw_f32(w, mean, square, g, end - from, decay, BETA1, BETA2, rate, correction, EPSILON);
    };
    plan.weights.forEach((weights, l) => {
      update(weights, plan.biases[l], 1 - this.#learningRate * this.#weightDecay);
      update(plan.biases[l], plan.weights[l + 1] ?? plan.length, 1);
    });
  }
}
