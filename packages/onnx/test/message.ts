import { PbfWriter } from "pbf";

/** Numbers are varints, texts and bytes lie behind their length; a fixed number is what ONNX's schema has none of here. */
type Value = number | string | Uint8Array | { f32: number } | { f64: number };

/** A protobuf message, field by field, whatever a schema says; inner messages are bytes. */
export function message(...fields: [number: number, value: Value][]): Uint8Array {
  const pbf = new PbfWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number") pbf.writeVarintField(number, value);
    else if (typeof value === "string") pbf.writeStringField(number, value);
    else if (value instanceof Uint8Array) pbf.writeBytesField(number, value);
    else if ("f32" in value) pbf.writeFloatField(number, value.f32);
    else pbf.writeDoubleField(number, value.f64);
  }
  return pbf.finish().slice();
}

/** An ONNX file of IR 8 with this graph, opset 17. */
export const fileOf = (graph: Uint8Array): Uint8Array => message([1, 8], [8, message([1, ""], [2, 17])], [7, graph]);
export const file = (...graph: [number: number, value: Value][]): Uint8Array => fileOf(message(...graph));

/** So many empty messages, 2 bytes each, as field `number`. */
export function empties(number: number, count: number): Uint8Array {
  const bytes = new Uint8Array(2 * count);
  for (let k = 0; k < count; k++) bytes[2 * k] = number * 8 + 2;
  return bytes;
}
