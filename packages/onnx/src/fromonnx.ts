import type { Feature, Label, Layer, Scaling } from "napier/train";
import { Model } from "napier/train";
import type { OnnxModel, Tensor } from "./schema.ts";
import { decodeModel, FLOAT } from "./schema.ts";
import { checksum, FORMAT, KEYS, operators } from "./toonnx.ts";

function refusal(got: string): RangeError {
  return new RangeError(`fromOnnx: bytes expected an ONNX file that toOnnx wrote, got ${got}`);
}

const MOST_SHOWN = 120;

/** Somebody else's text on one line. */
function shown(text: string): string {
  const line = text.slice(0, MOST_SHOWN).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\uFFFD");
  return text.length > MOST_SHOWN ? `${line}…` : line;
}

function isFeature(value: unknown): value is Feature {
  const { name, size } = (value ?? {}) as Partial<Feature>;
  return typeof name === "string" && Number.isSafeInteger(size) && size! > 0;
}

function isLabel(value: unknown): value is Label {
  return typeof value === "string" || Number.isFinite(value);
}

function list<T>(text: string, isItem: (value: unknown) => value is T, what: string): T[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isItem)) throw refusal(`a damaged list of ${what}`);
  return value;
}

/** Takes initializers by name and checks what it gives out. */
function reader(initializers: ReadonlyMap<string, Tensor>) {
  return (name: string, ...dims: number[]): Float32Array => {
    const found = initializers.get(name);
    if (found === undefined) throw refusal(`one without "${name}"`);
    const length = dims.reduce((a, b) => a * b, 1);
    const fits = found.dataType === FLOAT && found.dims.join() === dims.join() && found.rawData.length === length * 4;
    if (!fits) throw refusal(`one whose "${name}" is not float32 [${dims.join(", ")}]`);
    const view = new DataView(found.rawData.buffer, found.rawData.byteOffset, found.rawData.byteLength);
    return Float32Array.from({ length }, (_, k) => view.getFloat32(k * 4, true));
  };
}

function decode(bytes: Uint8Array): OnnxModel {
  let model: OnnxModel;
  try {
    model = decodeModel(bytes);
  } catch (error) {
    throw refusal((error as Error).message);
  }
  if (!model.graph) throw refusal(`${bytes.length} bytes without an ONNX graph`);
  return model;
}

/**
 * The classifier that `toOnnx` wrote: the same bits of weights and temperature, so the same bits of logits and probabilities.
 *
 * @param bytes  a whole file of `toOnnx`
 * @returns a model that can predict, be evaluated and be written again to the same bytes
 * @throws {RangeError} the bytes are truncated, damaged, or a graph that Napier did not write
 */
export function fromOnnx(bytes: Uint8Array): Model {
  const { graph, metadataProps } = decode(bytes);
  const metadata = new Map(metadataProps.map(({ key, value }) => [key, value]));
  const get = (key: string): string => {
    const value = metadata.get(key);
    if (value === undefined) throw refusal(`one without ${key} in its metadata (foreign or truncated)`);
    return value;
  };
  const format = get(KEYS.format);
  if (format !== FORMAT) throw refusal(`format ${shown(format)} where this version reads ${FORMAT}`);
  const texts = [get(KEYS.classes), get(KEYS.features), get(KEYS.scaling)] as const;
  if (get(KEYS.checksum) !== checksum(graph.initializer, ...texts))
    throw refusal("one with damaged weights or metadata");
  const classes = list(texts[0], isLabel, "classes");
  const features = list(texts[1], isFeature, "features");
  const kind = texts[2];
  if (kind !== "standard" && kind !== "minmax" && kind !== "none") throw refusal(`scaling "${shown(kind)}"`);
  const depth = graph.node.filter((n) => n.opType === "Gemm").length;
  const operations = graph.node.map((n) => n.opType).join(" ");
  const isTempered = graph.node.at(-2)?.opType === "Div";
  if (depth === 0 || operations !== operators(kind, depth, isTempered))
    throw refusal(`a graph of ${shown(operations) || "nothing"}`);

  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const take = reader(initializers);
  const inputs = features.reduce((sum, feature) => sum + feature.size, 0);
  const layers: Layer[] = [];
  let width = inputs;
  for (let index = 1; index <= depth; index++) {
    const name = `layer${index}`;
    const hidden = initializers.get(`${name}.weight`)?.dims[0] ?? 1;
    const outputs = index === depth ? classes.length : hidden;
    if (outputs < 1) throw refusal(`one whose "${name}.weight" has no rows`);
    const weight = take(`${name}.weight`, outputs, width);
    layers.push({ weight, bias: take(`${name}.bias`, outputs), inputs: width, outputs });
    width = outputs;
  }
  const scaling: Scaling =
    kind === "none"
      ? { kind, center: new Float32Array(inputs), factor: new Float32Array(inputs).fill(1) }
      : { kind, center: take("center", inputs), factor: take("factor", inputs) };
  const temperature = isTempered ? take("temperature")[0]! : 1;
  if (isTempered && (!(temperature > 0 && temperature < Infinity) || temperature === 1)) {
    throw refusal(`one whose "temperature" is ${temperature}`);
  }
  return new Model({ classes, features, scaling, layers, temperature });
}
