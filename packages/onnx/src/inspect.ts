import type { Tensor } from "./schema.ts";
import { decodeModel } from "./schema.ts";
import { KEYS } from "./toonnx.ts";

/** What a graph takes or gives. */
export interface OnnxValue {
  readonly name: string;
  /** "float32", "int64", "string", "sequence(map(int64, float32))" …; "unknown" where the file does not say. */
  readonly type: string;
  /** A size, a name that stands for one, or null for any; null where not even the number of axes is known. */
  readonly shape: readonly (number | string | null)[] | null;
}

export interface OnnxSummary {
  /** Program and version that wrote it, as far as it says so. */
  readonly producer: string;
  readonly irVersion: number;
  /** The standard operators' domain is "ai.onnx". */
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** In order of first use; those of other domains behind the domain's name. */
  readonly operators: readonly { readonly name: string; readonly count: number }[];
  /** Numbers in initializers, wherever their bytes are. */
  readonly parameters: number;
  /** Of the file. */
  readonly bytes: number;
  readonly metadata: readonly (readonly [key: string, value: string])[];
  /** Whether it says that `toOnnx` wrote it: then `fromOnnx` reads it, or says what is wrong. */
  readonly napier: boolean;
}

/** TensorProto.DataType by its numbers, as numpy spells them. */
const TYPES = [
  ...["unknown", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16"],
  ...["float64", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz"],
  ...["float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2", "float6e2m3"],
  "float6e3m2",
];
const STANDARD = "ai.onnx";
/** The IR version from which a file without opsets is cut. */
const NEEDS_OPSETS = 3;
/** Different operators, each kept by its name. */
const MOST_OPERATORS = 2 ** 16;

interface Tensors {
  elemType: number;
  shape?: { dim: { dimValue?: number; dimParam?: string }[] };
}
/** At most one of them, in any file but a damaged one. */
interface Type {
  tensorType?: Tensors;
  sparseTensorType?: Tensors;
  sequenceType?: { elemType?: Type };
  optionalType?: { elemType?: Type };
  mapType?: { keyType: number; valueType?: Type };
}

const refusal = (got: string): RangeError => new RangeError(`inspectOnnx: bytes expected an ONNX file, got ${got}`);
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const elementOf = (type: number): string => TYPES[type] ?? `type ${type}`;

function typeOf(type: Type = {}): string {
  const { tensorType, sparseTensorType, sequenceType, optionalType, mapType } = type;
  if (tensorType) return elementOf(tensorType.elemType);
  if (sparseTensorType) return `sparse(${elementOf(sparseTensorType.elemType)})`;
  if (sequenceType) return `sequence(${typeOf(sequenceType.elemType)})`;
  if (optionalType) return `optional(${typeOf(optionalType.elemType)})`;
  if (mapType) return `map(${elementOf(mapType.keyType)}, ${typeOf(mapType.valueType)})`;
  return "unknown";
}

function toValue({ name, type = {} }: { name: string; type?: Type }): OnnxValue {
  const { shape } = type.tensorType ?? type.sparseTensorType ?? {};
  const sizes = shape?.dim.map(({ dimValue, dimParam }) => {
    if (dimValue !== undefined) return isCount(dimValue) ? dimValue : null;
    return dimParam || null;
  });
  return { name, type: typeOf(type), shape: sizes ?? null };
}

/** As many as its shape says; its numbers may lie in another file. */
const numbersIn = ({ dims }: Tensor): number => (dims.includes(0) ? 0 : dims.reduce((size, next) => size * next, 1));

/**
 * What an ONNX file holds, whoever wrote it: nothing is computed, and no weights are copied.
 *
 * @param bytes  a whole file; weights that lie in files beside it are not needed
 * @returns inputs, outputs, operators with their counts, the number of parameters, metadata, and who wrote it
 * @throws {RangeError} the bytes are truncated, damaged, or not ONNX
 *
 * Edges: the operators of subgraphs (If, Loop) and of the file's own functions are counted too, before the node that has them. Numbers
 * in attributes, where scikit-learn's converter puts coefficients, are no parameters. Cost: reads the bytes once.
 */
export function inspectOnnx(bytes: Uint8Array): OnnxSummary {
  const counts = new Map<string, number>();
  let parameters = 0;
  let wrong: string | undefined;
  const ignore = (): void => {};
  const sinks = {
    AttributeProto: ignore,
    SparseTensorProto: ignore,
    FunctionProto: ignore,
    NodeProto: ({ domain, opType }: { domain: string; opType: string }) => {
      if (opType === "") wrong ??= "a graph with a node that has no operator";
      const name = domain === "" || domain === STANDARD ? opType : `${domain}.${opType}`;
      const count = counts.get(name) ?? 0;
      if (count === 0 && counts.size === MOST_OPERATORS)
        wrong ??= `one of more than ${MOST_OPERATORS} different operators`;
      else counts.set(name, count + 1);
    },
    TensorProto: (tensor: Tensor) => {
      if (!tensor.dims.every(isCount)) wrong ??= "one with an initializer whose shape is damaged";
      parameters += numbersIn(tensor);
    },
  };
  let model: ReturnType<typeof decodeModel>;
  try {
    model = decodeModel(bytes, sinks);
  } catch (error) {
    throw refusal((error as Error).message);
  }
  const { graph, irVersion, producerName, producerVersion, opsetImport, metadataProps } = model;
  if (!graph) throw refusal(`${bytes.length} bytes without an ONNX graph`);
  if (!isCount(irVersion) || irVersion === 0) throw refusal("a graph without an IR version");
  if (irVersion >= NEEDS_OPSETS && opsetImport.length === 0) throw refusal("a graph without an opset");
  if (!Number.isSafeInteger(parameters)) wrong ??= "one of more parameters than can be counted";
  if (wrong) throw refusal(wrong);
  return {
    producer: [producerName, producerVersion].filter(Boolean).join(" "),
    irVersion,
    opsets: opsetImport.map(({ domain, version }) => ({ domain: domain || STANDARD, version })),
    inputs: graph.input.map(toValue),
    outputs: graph.output.map(toValue),
    operators: Array.from(counts, ([name, count]) => ({ name, count })),
    parameters,
    bytes: bytes.length,
    metadata: metadataProps.map(({ key, value }) => [key, value] as const),
    napier: metadataProps.some(({ key }) => key === KEYS.format),
  };
}
