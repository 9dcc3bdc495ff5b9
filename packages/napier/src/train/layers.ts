import { rng } from "../rng.ts";
import { STREAM } from "./shuffle.ts";

/** One linear layer: out = x·Wᵀ + b, with ReLU after every layer but the last. */
export interface Layer {
  /** [outputs, inputs] row-major */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

export type LayerSize = Pick<Layer, "inputs" | "outputs">;

/** Columns of a panel, see kernels/matmul.as.ts. */
export const PANEL = 8;
/** Parameters whose squares are one sum, see kernels/clip.as.ts. */
export const NORM_BLOCK = 1024;

export function panelsOf(outputs: number): number {
  return Math.ceil(outputs / PANEL);
}

export function layerSizes(inputs: number, hidden: readonly number[], classes: number): LayerSize[] {
  const widths = [inputs, ...hidden, classes];
  return widths.slice(1).map((outputs, l) => ({ inputs: widths[l], outputs }));
}

/** Where each layer's panels and bias stand in the flat array of parameters, in elements. */
export function parameterPlan(sizes: readonly LayerSize[]): { weights: number[]; biases: number[]; length: number } {
  let length = 0;
  const take = (count: number): number => {
    length += count;
    return length - count;
  };
  const weights: number[] = [];
  const biases: number[] = [];
  for (const { inputs, outputs } of sizes) {
    weights.push(take(panelsOf(outputs) * PANEL * inputs));
    biases.push(take(panelsOf(outputs) * PANEL));
  }
  return { weights, biases, length };
}

/** The flat parameters of these layers, in panels filled up with zeros. */
export function pack(layers: readonly Layer[]): Float32Array<ArrayBuffer> {
  const { weights, biases, length } = parameterPlan(layers);
  const flat = new Float32Array(length);
  layers.forEach(({ weight, bias, inputs, outputs }, l) => {
    for (let j = 0; j < outputs; j++) {
      const to = weights[l] + (j - (j % PANEL)) * inputs + (j % PANEL);
      for (let k = 0; k < inputs; k++) flat[to + k * PANEL] = weight[j * inputs + k];
    }
    flat.set(bias, biases[l]);
  });
  return flat;
}

/** The layers of flat parameters, rows as everybody writes them. */
export function unpack(flat: Float32Array, sizes: readonly LayerSize[]): Layer[] {
  const { weights, biases } = parameterPlan(sizes);
  return sizes.map(({ inputs, outputs }, l) => {
    const weight = new Float32Array(outputs * inputs);
    for (let j = 0; j < outputs; j++) {
      const from = weights[l] + (j - (j % PANEL)) * inputs + (j % PANEL);
      for (let k = 0; k < inputs; k++) weight[j * inputs + k] = flat[from + k * PANEL];
    }
    return { weight, bias: flat.slice(biases[l], biases[l] + outputs), inputs, outputs };
  });
}

/** Zeros for a linear model (its loss is convex); else U(−1/√inputs, 1/√inputs) for weights and biases. */
export function initialLayers(sizes: readonly LayerSize[], seed: number): Layer[] {
  const random = rng(seed, STREAM.weights);
  return sizes.map(({ inputs, outputs }) => {
    const bound = sizes.length === 1 ? 0 : 1 / Math.sqrt(inputs);
    const draw = (): number => (2 * random.uniform() - 1) * bound + 0;
    const weight = Float32Array.from({ length: outputs * inputs }, draw);
    return { weight, bias: Float32Array.from({ length: outputs }, draw), inputs, outputs };
  });
}
