import protobuf from "protobufjs/light.js";

/**
 * The part of the ONNX schema that Napier's models use: message and field names, numbers and types are those of
 * onnx/onnx.proto (ONNX project, Apache-2.0, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */
const ONNX = {
  ModelProto: {
    irVersion: [1, "int64"],
    producerName: [2, "string"],
    producerVersion: [3, "string"],
    graph: [7, "GraphProto"],
    opsetImport: [8, "OperatorSetIdProto", "repeated"],
    metadataProps: [14, "StringStringEntryProto", "repeated"],
  },
  OperatorSetIdProto: { domain: [1, "string"], version: [2, "int64"] },
  StringStringEntryProto: { key: [1, "string"], value: [2, "string"] },
  GraphProto: {
    node: [1, "NodeProto", "repeated"],
    name: [2, "string"],
    initializer: [5, "TensorProto", "repeated"],
    input: [11, "ValueInfoProto", "repeated"],
    output: [12, "ValueInfoProto", "repeated"],
  },
  NodeProto: {
    input: [1, "string", "repeated"],
    output: [2, "string", "repeated"],
    name: [3, "string"],
    opType: [4, "string"],
    attribute: [5, "AttributeProto", "repeated"],
    domain: [7, "string"],
  },
  AttributeProto: { name: [1, "string"], i: [3, "int64"], type: [20, "int32"] },
  TensorProto: {
    dims: [1, "int64", "repeated"],
    dataType: [2, "int32"],
    name: [8, "string"],
    rawData: [9, "bytes"],
  },
  ValueInfoProto: { name: [1, "string"], type: [2, "TypeProto"] },
  TypeProto: { tensorType: [1, "TensorTypeProto"] },
  TensorTypeProto: { elemType: [1, "int32"], shape: [2, "TensorShapeProto"] },
  TensorShapeProto: { dim: [1, "DimensionProto", "repeated"] },
  DimensionProto: { dimValue: [1, "int64"], dimParam: [2, "string"] },
} as const;

export const FLOAT = 1; // TensorProto.DataType
export const INT = 2; // AttributeProto.AttributeType

export interface Attribute {
  name: string;
  i: number;
  type: number;
}
export interface Node {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  attribute: Attribute[];
  domain: string;
}
export interface Tensor {
  dims: number[];
  dataType: number;
  name: string;
  rawData: Uint8Array;
}
export interface ValueInfo {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: { dimValue?: number; dimParam?: string }[] } } };
}
export interface Graph {
  node: Node[];
  name: string;
  initializer: Tensor[];
  input: ValueInfo[];
  output: ValueInfo[];
}
export interface OnnxModel {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  graph: Graph;
  opsetImport: { domain: string; version: number }[];
  metadataProps: { key: string; value: string }[];
}

let modelType: protobuf.Type | undefined;

/** Built at the first use: protobufjs compiles its codecs then, which a page may forbid that never reads a model. */
function type(): protobuf.Type {
  if (modelType === undefined) {
    const root = new protobuf.Root();
    for (const [message, fields] of Object.entries(ONNX)) {
      const built = new protobuf.Type(message);
      for (const [name, [id, kind, rule]] of Object.entries<readonly [number, string, string?]>(fields)) {
        // proto2, as onnx.proto is: repeated numbers are not packed
        built.add(new protobuf.Field(name, id, kind, rule, undefined, rule ? { packed: false } : undefined));
      }
      root.add(built);
    }
    modelType = root.lookupType("ModelProto");
  }
  return modelType;
}

/** Fields in the order of their numbers, so the same model gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  // copied: what protobufjs returns in Node is a slice of a shared Buffer
  return new Uint8Array(
    type()
      .encode(model as unknown as protobuf.Message)
      .finish(),
  );
}

/** Missing lists are empty, missing texts "", missing numbers 0; throws protobufjs's errors. */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const options = { longs: Number, defaults: true, arrays: true };
  return type().toObject(type().decode(bytes), options) as OnnxModel;
}
