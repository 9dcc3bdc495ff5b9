import { rangeError, words } from "../check.ts";
import { initialLayers, type Layer, type LayerSize } from "./layers.ts";
import type { Label } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { Scaling } from "./scale.ts";

/** Throws where a model's classes or layers are not those of the training. */
function checkWarmStart(model: Model, sizes: readonly LayerSize[], classes: readonly Label[]): void {
  const list = (labels: readonly Label[]): string => JSON.stringify(labels.length > 20 ? labels.length : labels);
  if (list(model.classes) !== list(classes) || model.classes.some((label, j) => label !== classes[j])) {
    throw rangeError("fit", "warmStart", `a model of the classes ${list(classes)}`, words(list(model.classes)));
  }
  const text = (layers: readonly LayerSize[]): string => [layers[0].inputs, ...layers.map((l) => l.outputs)].join("-");
  if (text(model.layers) !== text(sizes)) {
    throw rangeError("fit", "warmStart", `layers of ${text(sizes)} units`, words(text(model.layers)));
  }
}

/** The first layer of a model as one behind another scaling: the same logits but for rounding. In f64. */
function rescaled({ weight, bias, inputs, outputs }: Layer, from: Scaling, to: Scaling): Layer {
  const w = new Float32Array(weight.length);
  const b = new Float32Array(outputs);
  for (let j = 0; j < outputs; j++) {
    let sum = bias[j];
    for (let k = 0; k < inputs; k++) {
      const slope = weight[j * inputs + k] * from.factor[k];
      w[j * inputs + k] = slope / to.factor[k];
      sum += slope * (to.center[k] - from.center[k]);
    }
    b[j] = sum;
  }
  return { weight: w, bias: b, inputs, outputs };
}

/** Where training begins: a given model's layers behind the new scaling, or the usual ones. */
export function startLayers(
  model: Model | undefined,
  sizes: readonly LayerSize[],
  classes: readonly Label[],
  scaling: Scaling,
  seed: number,
): readonly Layer[] {
  if (model === undefined) return initialLayers(sizes, seed);
  checkWarmStart(model, sizes, classes);
  const [first, ...rest] = model.layers;
  return [rescaled(first, model.scaling, scaling), ...rest];
}
