import { PbfReader, PbfWriter } from "pbf";

/**
 * The part of the ONNX schema that Napier's models use, and what tells of others: message and field names, numbers and types are those of
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
    functions: [25, "FunctionProto", "repeated"],
  },
  FunctionProto: { node: [7, "NodeProto", "repeated"] },
  OperatorSetIdProto: { domain: [1, "string"], version: [2, "int64"] },
  StringStringEntryProto: { key: [1, "string"], value: [2, "string"] },
  GraphProto: {
    node: [1, "NodeProto", "repeated"],
    name: [2, "string"],
    initializer: [5, "TensorProto", "repeated"],
    input: [11, "ValueInfoProto", "repeated"],
    output: [12, "ValueInfoProto", "repeated"],
    sparseInitializer: [15, "SparseTensorProto", "repeated"],
  },
  NodeProto: {
    input: [1, "string", "repeated"],
    output: [2, "string", "repeated"],
    name: [3, "string"],
    opType: [4, "string"],
    attribute: [5, "AttributeProto", "repeated"],
    domain: [7, "string"],
  },
  AttributeProto: {
    name: [1, "string"],
    i: [3, "int64"],
    g: [6, "GraphProto"],
    graphs: [11, "GraphProto", "repeated"],
    type: [20, "int32"],
  },
  TensorProto: {
    dims: [1, "int64", "repeated"],
    dataType: [2, "int32"],
    name: [8, "string"],
    rawData: [9, "bytes"],
  },
  SparseTensorProto: { values: [1, "TensorProto"] },
  ValueInfoProto: { name: [1, "string"], type: [2, "TypeProto"] },
  TypeProto: {
    tensorType: [1, "TensorTypeProto"],
    sequenceType: [4, "SequenceTypeProto"],
    mapType: [5, "MapTypeProto"],
    sparseTensorType: [8, "TensorTypeProto"],
    optionalType: [9, "SequenceTypeProto"],
  },
  SequenceTypeProto: { elemType: [1, "TypeProto"] },
  MapTypeProto: { keyType: [1, "int32"], valueType: [2, "TypeProto"] },
  TensorTypeProto: { elemType: [1, "int32"], shape: [2, "TensorShapeProto"] },
  TensorShapeProto: { dim: [1, "DimensionProto", "repeated"] },
  DimensionProto: { dimValue: [1, "int64", "optional"], dimParam: [2, "string", "optional"] },
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

type MessageName = keyof typeof ONNX;
type Field = readonly [number: number, kind: string, rule?: "repeated" | "optional"];
type Message = Record<string, unknown>;

const SCHEMA: Readonly<Record<string, Readonly<Record<string, Field>>>> = ONNX;

interface Known {
  readonly field: string;
  readonly number: number;
  readonly kind: string;
  readonly isList: boolean;
  readonly isOptional: boolean;
}
/** The fields of each message in the order of their numbers. */
const FIELDS = new Map(
  Object.entries(SCHEMA).map(([name, fields]) => {
    const known = Object.entries(fields).map(([field, [number, kind, rule]]): [number, Known] => {
      return [number, { field, number, kind, isList: rule === "repeated", isOptional: rule === "optional" }];
    });
    return [name, new Map(known.sort(([a], [b]) => a - b))];
  }),
);
const isMessage = (kind: string): boolean => kind in SCHEMA;
/** How a value of this kind lies in the bytes: as a number of its own, or behind its length. */
const VARINT = 0;
const DELIMITED = 2;
const wireOf = (kind: string): number => (kind === "int64" || kind === "int32" ? VARINT : DELIMITED);

/** Fields in the order of their numbers; proto2, as onnx.proto is: repeated numbers are not packed. */
function write(name: string, message: Message, pbf: PbfWriter): void {
  for (const { field, number, kind, isList } of FIELDS.get(name)!.values()) {
    const value = message[field];
    if (value === undefined) continue;
    for (const item of isList ? (value as unknown[]) : [value]) {
      if (isMessage(kind)) pbf.writeMessage(number, (inner, to) => write(kind, inner, to), item as Message);
      else if (kind === "string") pbf.writeStringField(number, item as string);
      else if (kind === "bytes") pbf.writeBytesField(number, item as Uint8Array);
      else pbf.writeVarintField(number, item as number);
    }
  }
}

const NO_BYTES = new Uint8Array(0);

/** What is missing: an empty list, an empty text, 0; a message and what is optional are left out. */
function blank(fields: Iterable<Known>): Message {
  const message: Message = {};
  for (const { field, kind, isList, isOptional } of fields) {
    if (isOptional) continue;
    if (isList) message[field] = [];
    else if (kind === "string") message[field] = "";
    else if (kind === "bytes") message[field] = NO_BYTES;
    else if (!isMessage(kind)) message[field] = 0;
  }
  return message;
}

/** Messages and items of lists that are kept at a time: one of 2 bytes may take 100 times that in memory. */
const MOST_PARTS = 2 ** 17;
/** Messages in each other, as in Google's parsers. */
const DEEPEST = 100;

/** Messages of these kinds are handed over as soon as they are read, and not kept. */
export type Sinks = Partial<Record<MessageName, (message: never) => void>>;

class Reader {
  readonly #pbf: PbfReader;
  readonly #sinks: Sinks;
  #parts = 0;
  /** In words that follow "got". */
  refused: string;

  constructor(bytes: Uint8Array, sinks: Sinks) {
    this.#pbf = new PbfReader(bytes);
    this.#sinks = sinks;
    this.refused = `${bytes.length} bytes that are not ONNX, or a damaged or truncated file`;
  }

  #refuse(why = this.refused): never {
    this.refused = why;
    throw new RangeError(why);
  }

  #count(): void {
    if (++this.#parts > MOST_PARTS) this.#refuse(`one of more than ${MOST_PARTS} nodes, names and numbers`);
  }

  /** A message from here to before `end`; throws where a value reaches beyond it or is of another type. */
  read(name: string, end: number, depth: number): Message {
    const pbf = this.#pbf;
    if (depth > DEEPEST) this.#refuse(`one of messages in each other deeper than ${DEEPEST}`);
    this.#count();
    const fields = FIELDS.get(name)!;
    const message = pbf.readFields(
      (number, found) => {
        const known = fields.get(number);
        if (known === undefined) return; // pbf skips it
        const { kind } = known;
        const isPacked = known.isList && wireOf(kind) === VARINT && pbf.type === DELIMITED; // as proto3 writes numbers
        if (pbf.type !== wireOf(kind) && !isPacked) this.#refuse();
        if (isMessage(kind)) this.#inner(known, found, end, depth);
        else if (isPacked) {
          const last = pbf.readVarint() + pbf.pos;
          while (pbf.pos < last) this.#keep(known, found, pbf.readVarint(true));
        } else if (kind === "string") this.#keep(known, found, pbf.readString());
        else if (kind === "bytes") this.#keep(known, found, pbf.readBytes());
        else this.#keep(known, found, pbf.readVarint(true));
        if (pbf.pos > end) this.#refuse();
      },
      blank(fields.values()),
      end,
    );
    if (pbf.pos !== end) this.#refuse();
    return message;
  }

  #keep({ field, isList }: Known, found: Message, value: unknown): void {
    if (!isList) found[field] = value;
    else {
      if (typeof value !== "object") this.#count(); // messages count where they are read
      (found[field] as unknown[]).push(value);
    }
  }

  #inner(known: Known, found: Message, end: number, depth: number): void {
    const pbf = this.#pbf;
    const length = pbf.readVarint();
    if (pbf.pos + length > end) this.#refuse();
    const kept = this.#parts;
    const value = this.read(known.kind, pbf.pos + length, depth + 1);
    const sink = this.#sinks[known.kind as MessageName] as ((message: Message) => void) | undefined;
    if (sink === undefined) this.#keep(known, found, value);
    else {
      sink(value);
      this.#parts = kept;
    }
  }
}

/** The same model gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter();
  write("ModelProto", model as unknown as Message, pbf);
  return new Uint8Array(pbf.finish()); // a copy of their own: what pbf returns is part of a larger buffer
}

/**
 * Missing lists are empty, missing texts "", missing numbers 0.
 *
 * @throws {RangeError} in words that follow "got": the bytes are damaged or cut, or hold more than is kept
 */
export function decodeModel(bytes: Uint8Array, sinks: Sinks = {}): OnnxModel {
  const reader = new Reader(bytes, sinks);
  try {
    return reader.read("ModelProto", bytes.length, 0) as unknown as OnnxModel;
  } catch (error) {
    throw new RangeError(reader.refused, { cause: error });
  }
}
