// A model file of one operator, y = operator(x) over the last axis of [rows, classes], written by hand: protobuf is
// (field number · 8 + wire type, value) pairs.
const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
const number = (field, n) => [...varint(field * 8), ...varint(n)];
const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
const text = (field, content) => bytes(field, new TextEncoder().encode(content));

/** @param {"LogSoftmax" | "Softmax"} operator @param {"f32" | "f64"} dtype */
export function operatorModel(operator, dtype) {
  const shape = [...bytes(1, text(2, "rows")), ...bytes(1, text(2, "classes"))];
  const type = bytes(1, [...number(1, dtype === "f32" ? 1 : 11), ...bytes(2, shape)]);
  const value = (name) => [...text(1, name), ...bytes(2, type)];
  const axis = [...text(1, "axis"), ...number(3, 1), ...number(20, 2)];
  const node = [...text(1, "x"), ...text(2, "y"), ...text(4, operator), ...bytes(5, axis)];
  const graph = [...bytes(1, node), ...text(2, "g"), ...bytes(11, value("x")), ...bytes(12, value("y"))];
  return Uint8Array.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, number(2, 17))]);
}
