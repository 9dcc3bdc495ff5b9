import { fromOnnx } from "@napier/onnx";
import { listOf } from "../../../cli/src/errors.ts";
import { count, some } from "../../../cli/src/words.ts";

const SCALINGS: Record<string, string> = {
  standard: "each feature minus its mean, over its deviation",
  minmax: "each feature moved to [0, 1]",
  none: "as the features come",
};

/** What is in a model file of ours, in people's words. */
export async function describeModel(file: File): Promise<[label: string, text: string][]> {
  const model = fromOnnx(new Uint8Array(await file.arrayBuffer()));
  const { layers, classes, features, scaling, temperature } = model;
  const numbers = layers.flatMap(({ weight, bias }) => [...weight, ...bias]);
  const widths = layers.slice(0, -1).map(({ outputs }) => outputs);
  const largest = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const broken = numbers.filter((value) => !Number.isFinite(value)).length;
  return [
    [
      "kind",
      widths.length === 0
        ? "a linear model (multinomial logistic regression)"
        : `an MLP with ReLU, hidden layers of ${widths.join(" and ")}`,
    ],
    [
      "takes",
      `${some(model.inputs, "number")} a row: ${listOf(features.map(({ name, size }) => (size > 1 ? `${name} (${size})` : name)))}`,
    ],
    ["scaling", SCALINGS[scaling.kind] ?? scaling.kind],
    ["gives", `log-probabilities of ${some(classes.length, "class")}: ${listOf(classes)}`],
    ["temperature", temperature === 1 ? "1, not calibrated" : `${Number(temperature.toPrecision(6))}, calibrated`],
    ["weights", `${count(numbers.length)} numbers, the largest ${Number(largest.toPrecision(4))}`],
    ["broken", broken === 0 ? "no weight: all are finite" : `${some(broken, "weight")}: NaN or ∞`],
  ];
}
