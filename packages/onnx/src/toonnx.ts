import type { Model } from "napier/train";
import { crc32 } from "./crc32.ts";
import type { Attribute, Node, Tensor, ValueInfo } from "./schema.ts";
import { encodeModel, FLOAT, INT } from "./schema.ts";

/** Opset 17 with IR 8 (2022): Gemm-13 and LogSoftmax-13 are its newest operators, and every current runtime has them. */
const OPSET = 17;
const IR_VERSION = 8;

export const FORMAT = "1";
export const KEYS = {
  format: "napier.format",
  classes: "napier.classes",
  features: "napier.features",
  scaling: "napier.scaling",
  checksum: "napier.crc32",
} as const;

/** Of all that decides a prediction besides the operators: the weights, then the metadata. */
export function checksum(initializers: readonly Tensor[], ...metadata: string[]): string {
  return crc32([...initializers.map((t) => t.rawData), new TextEncoder().encode(metadata.join("\n"))]);
}

/** The operators in their order. */
export function operators(scaling: string, layers: number, isTempered: boolean): string {
  const dense = Array.from({ length: layers }, () => "Gemm").join(" Relu ");
  return `${scaling === "none" ? "" : "Sub Mul "}${dense} ${isTempered ? "Div " : ""}LogSoftmax`;
}

/** Little endian, as raw_data is, on every machine. */
function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < values.length; k++) view.setFloat32(k * 4, values[k]!, true);
  return bytes;
}

function tensor(name: string, values: Float32Array, ...dims: number[]): Tensor {
  return { dims, dataType: FLOAT, name, rawData: littleEndian(values) };
}

function rows(name: string, columns: number): ValueInfo {
  return {
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimParam: "N" }, { dimValue: columns }] } } },
  };
}

function node(opType: string, input: string[], output: string, ...attribute: Attribute[]): Node {
  return { input, output: [output], name: output, opType, attribute, domain: "" };
}

/**
 * The model as an ONNX file: `x` [N, inputs] in, `logits` and `log_probs` [N, classes] out, all float32.
 *
 *   x → Sub center → Mul factor → (Gemm → Relu)… → Gemm = logits → Div temperature → LogSoftmax = log_probs
 *
 * @param model  a classifier of `fit` or `fromOnnx`
 * @returns the file's bytes; the same model gives the same bytes, and they hold no time, path or source name
 *
 * Edges: scaling "none" leaves Sub and Mul out, a temperature of 1 leaves Div out. Class and feature names travel in metadata_props as JSON.
 */
export function toOnnx(model: Model): Uint8Array<ArrayBuffer> {
  const { classes, features, scaling, layers, temperature } = model;
  const nodes: Node[] = [];
  const initializers: Tensor[] = [];
  let last = "x";
  if (scaling.kind !== "none") {
    initializers.push(tensor("center", scaling.center, model.inputs), tensor("factor", scaling.factor, model.inputs));
    nodes.push(node("Sub", [last, "center"], "centered"), node("Mul", ["centered", "factor"], "scaled"));
    last = "scaled";
  }
  layers.forEach(({ weight, bias, inputs, outputs }, index) => {
    const name = `layer${index + 1}`;
    const final = index === layers.length - 1;
    initializers.push(tensor(`${name}.weight`, weight, outputs, inputs), tensor(`${name}.bias`, bias, outputs));
    const transB = { name: "transB", i: 1, type: INT };
    nodes.push(node("Gemm", [last, `${name}.weight`, `${name}.bias`], final ? "logits" : name, transB));
    if (!final) nodes.push(node("Relu", [name], `${name}.relu`));
    last = `${name}.relu`;
  });
  last = "logits";
  if (temperature !== 1) {
    initializers.push(tensor("temperature", Float32Array.of(temperature)));
    nodes.push(node("Div", [last, "temperature"], "tempered"));
    last = "tempered";
  }
  nodes.push(node("LogSoftmax", [last], "log_probs", { name: "axis", i: -1, type: INT }));

  const texts = [
    JSON.stringify(classes),
    JSON.stringify(features.map(({ name, size }) => ({ name, size }))),
    scaling.kind,
  ] as const;
  return encodeModel({
    irVersion: IR_VERSION,
    producerName: "napier",
    producerVersion: FORMAT,
    graph: {
      node: nodes,
      name: "classifier",
      initializer: initializers,
      input: [rows("x", model.inputs)],
      output: [rows("logits", classes.length), rows("log_probs", classes.length)],
    },
    opsetImport: [{ domain: "", version: OPSET }],
    metadataProps: [
      { key: KEYS.format, value: FORMAT },
      { key: KEYS.classes, value: texts[0] },
      { key: KEYS.features, value: texts[1] },
      { key: KEYS.scaling, value: texts[2] },
      { key: KEYS.checksum, value: checksum(initializers, ...texts) },
    ],
  });
}
