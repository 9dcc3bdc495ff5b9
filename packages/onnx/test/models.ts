import { Model, type ModelParts } from "napier/train";

/** Numbers that are the same everywhere: multiples of 2⁻¹⁶ in [−1, 1). */
export function numbers(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 15) / 2 ** 16 - 1;
  });
}

/** A model of these widths, the first one its inputs, with logits of a few units as trained ones have. */
export function modelOf(
  widths: readonly number[],
  kind: "standard" | "minmax" | "none",
  seed: number,
  temperature = 1,
): Model {
  const inputs = widths[0]!;
  const layers: ModelParts["layers"] = widths.slice(1).map((outputs, l) => ({
    weight: numbers(outputs * widths[l]!, seed + 2 * l).map((w) => (w * 2) / Math.sqrt(widths[l]!)),
    bias: numbers(outputs, seed + 2 * l + 1),
    inputs: widths[l]!,
    outputs,
  }));
  return new Model({
    classes: Array.from({ length: widths.at(-1)! }, (_, j) => (seed % 2 === 0 ? j - 1 : `klasse „${j}“`)),
    features:
      inputs === 1
        ? [{ name: "x", size: 1 }]
        : [
            { name: "ä\n", size: 1 },
            { name: "image", size: inputs - 1 },
          ],
    scaling: {
      kind,
      center: kind === "none" ? new Float32Array(inputs) : numbers(inputs, seed + 100),
      factor: kind === "none" ? new Float32Array(inputs).fill(1) : numbers(inputs, seed + 101).map((f) => f + 2),
    },
    layers,
    temperature,
  });
}

export const MODELS: Record<string, Model> = {
  "linear, standard": modelOf([5, 3], "standard", 1),
  "linear, one input, none": modelOf([1, 2], "none", 2),
  "MLP, minmax": modelOf([37, 16, 10], "minmax", 3),
  "deep MLP, none": modelOf([12, 9, 8, 7, 4], "none", 4),
  "many classes, standard": modelOf([20, 33, 300], "standard", 5),
  "calibrated, standard": modelOf([6, 4], "standard", 6, 1.7),
  "calibrated MLP, none": modelOf([9, 8, 3], "none", 7, 0.3),
};
