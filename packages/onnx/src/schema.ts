import { PbfReader, PbfWriter } from "pbf";

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

type Field = readonly [number: number, kind: string, rule?: "repeated"];
type Message = Record<string, unknown>;

const SCHEMA: Readonly<Record<string, Readonly<Record<string, Field>>>> = ONNX;
const isMessage = (kind: string): boolean => kind in SCHEMA;
/** How a value of this kind lies in the bytes: as a number of its own, or behind its length. */
const VARINT = 0;
const DELIMITED = 2;
const wireOf = (kind: string): number => (kind === "int64" || kind === "int32" ? VARINT : DELIMITED);

/** Fields in the order of their numbers; proto2, as onnx.proto is: repeated numbers are not packed. */
function write(name: string, message: Message, pbf: PbfWriter): void {
  const fields = Object.entries(SCHEMA[name]!).sort(([, [a]], [, [b]]) => a - b);
  for (const [field, [number, kind, rule]] of fields) {
    const value = message[field];
    if (value === undefined) continue;
    for (const item of rule ? (value as unknown[]) : [value]) {
      if (isMessage(kind)) pbf.writeMessage(number, (inner, to) => write(kind, inner, to), item as Message);
      else if (kind === "string") pbf.writeStringField(number, item as string);
      else if (kind === "bytes") pbf.writeBytesField(number, item as Uint8Array);
      else pbf.writeVarintField(number, item as number);
    }
  }
}

/** What is missing: an empty list, an empty text, 0; a message is left out. */
function blank(name: string): Message {
  const message: Message = {};
  for (const [field, [, kind, rule]] of Object.entries(SCHEMA[name]!)) {
    if (rule) message[field] = [];
    else if (kind === "string") message[field] = "";
    else if (kind === "bytes") message[field] = new Uint8Array(0);
    else if (!isMessage(kind)) message[field] = 0;
  }
  return message;
}

const damaged = (): Error => new Error("damaged or truncated");

/** A message from here to before `end`; throws where a value reaches beyond it or is of another type. */
function read(name: string, pbf: PbfReader, end: number): Message {
  const fields = new Map(Object.entries(SCHEMA[name]!).map(([field, entry]) => [entry[0], { field, entry }]));
  const message = pbf.readFields(
    (number, found) => {
      const known = fields.get(number);
      if (known === undefined) return; // pbf skips it
      const {
        field,
        entry: [, kind, rule],
      } = known;
      if (pbf.type !== wireOf(kind)) throw damaged();
      let value: unknown;
      if (isMessage(kind)) {
        const length = pbf.readVarint();
        if (pbf.pos + length > end) throw damaged();
        value = read(kind, pbf, pbf.pos + length);
      } else if (kind === "string") value = pbf.readString();
      else if (kind === "bytes") value = pbf.readBytes();
      else value = pbf.readVarint(true);
      if (pbf.pos > end) throw damaged();
      if (rule) (found[field] as unknown[]).push(value);
      else found[field] = value;
    },
    blank(name),
    end,
  );
  if (pbf.pos !== end) throw damaged();
  return message;
}

/** The same model gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter();
  write("ModelProto", model as unknown as Message, pbf);
  return new Uint8Array(pbf.finish()); // a copy of their own: what pbf returns is part of a larger buffer
}

/** Missing lists are empty, missing texts "", missing numbers 0; throws where the bytes are damaged or cut. */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  return read("ModelProto", new PbfReader(bytes), bytes.length) as unknown as OnnxModel;
}
