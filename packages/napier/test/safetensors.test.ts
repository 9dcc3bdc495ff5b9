import { describe, expect, test } from "vitest";
import { Hash } from "../src/train/hash.ts";
import { decodeSafetensors, encodeSafetensors, type Safetensors } from "../src/train/safetensors.ts";

/**
 * Made by Python's safetensors 0.8.0, `safetensors.numpy.save(tensors, metadata)`, of what CONTENT has: the arrays in the
 * order weights, mean, steps, ids, u, bytes, none, scalar, 7.
 */
const FILE = [
  "SAIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJtYWRlIjoiYnkgc2FmZXRlbnNvcnMgMC44LjAgXCLDqVwiIn0sInN0ZXBzIjp7ImR0eXBlIjoiST",
  "Y0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMCwxNl19LCJtZWFuIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZz",
  "ZXRzIjpbMTYsMzJdfSwic2NhbGFyIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOlszMiw0MF19LCJub25lIjp7Im",
  "R0eXBlIjoiRjMyIiwic2hhcGUiOlswLDRdLCJkYXRhX29mZnNldHMiOls0MCw0MF19LCJ3ZWlnaHRzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUi",
  "OlsyLDNdLCJkYXRhX29mZnNldHMiOls0MCw2NF19LCJ1Ijp7ImR0eXBlIjoiVTMyIiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNjQsNj",
  "hdfSwiNyI6eyJkdHlwZSI6IkkzMiIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzY4LDcyXX0sImlkcyI6eyJkdHlwZSI6IkkzMiIsInNo",
  "YXBlIjpbMiwxXSwiZGF0YV9vZmZzZXRzIjpbNzIsODBdfSwiYnl0ZXMiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cy",
  "I6WzgwLDgzXX19ICAgIAAAAAAAAACAAQAAAAAAIAABAAAAAAAAAJqZmZmZmbk/AAAAAAAADEAAAIA/AAAgwAIAAAAAAIB/AACA/wAAAID/////",
  "BwAAAAcAAAD5////AAEC",
].join("");

const CONTENT: Safetensors = {
  tensors: {
    "7": { data: Int32Array.of(7), shape: [1] },
    bytes: { data: Uint8Array.of(0, 1, 2), shape: [3] },
    ids: { data: Int32Array.of(7, -7), shape: [2, 1] },
    mean: { data: Float64Array.of(5e-324, 0.1), shape: [2] },
    none: { data: new Float32Array(0), shape: [0, 4] },
    scalar: { data: Float64Array.of(3.5), shape: [] },
    steps: { data: BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n), shape: [2] },
    u: { data: Uint32Array.of(4294967295), shape: [1] },
    weights: { data: Float32Array.of(1, -2.5, 2.802596928649634e-45, Infinity, -Infinity, -0), shape: [2, 3] },
  },
  metadata: { made: 'by safetensors 0.8.0 "é"' },
};

const file = Uint8Array.from(atob(FILE), (character) => character.charCodeAt(0));

/** A file with this header and so many bytes of data. */
function made(header: string | Uint8Array, bytes = 0, length?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const all = new Uint8Array(8 + json.length + bytes);
  new DataView(all.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  all.set(json, 8);
  return all;
}
const tensor = (dtype: string, shape: unknown, offsets: unknown, more = ""): string =>
  `{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":${JSON.stringify(offsets)}${more}}`;
const one = tensor("F32", [1], [0, 4]);

const REFUSED: [string, Uint8Array][] = [
  ["0 bytes", new Uint8Array(0)],
  ["7 bytes", new Uint8Array(7)],
  ["a header of 3 bytes in 10", made("{}", 0, 3n)],
  ["a header of 18446744073709551615 bytes in 10", made("{}", 0, 2n ** 64n - 1n)],
  ["a header that is not JSON", made("")],
  ["a header that is not JSON", made("{} {}")],
  ["a header that is not JSON", made('{"a')],
  ["a header that is not JSON", made('{"a\\')],
  ["a header that is not JSON", made("\ufeff{}")],
  ["a header that is not JSON", made(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x30, 0x7d))],
  ["a header that is no object of objects", made("[]")],
  ["a header that is no object of objects", made("null")],
  ["a header that is no object of objects", made('{"a":{"shape":[[1]]}}')],
  ["a header that is no object of objects", made("[".repeat(1e6))],
  ["a header with a key twice, or too deep", made(`{"a":${one},"a":${one}}`, 4)],
  ["a header with a key twice, or too deep", made(`{"a":${one.replace("}", ',"dtype":"F32"}')}}`, 4)],
  ["a header with a key twice, or too deep", made('{"__metadata__":{"a":"1","a":"2"}}')],
  ["a header with a key twice, or too deep", made('{"a":{"shape":{"b":1}}}')],
  ["metadata that is no object", made('{"__metadata__":[]}')],
  ['metadata "a" that is no string', made('{"__metadata__":{"a":1}}')],
  ['a tensor "a" that is no object', made('{"a":1}')],
  ['a tensor "a" with a key "more"', made(`{"a":${tensor("F32", [1], [0, 4], ',"more":1')}}`, 4)],
  ['a tensor "a" of dtype "F16"', made(`{"a":${tensor("F16", [2], [0, 4])}}`, 4)],
  ['a tensor "a" of dtype "constructor"', made(`{"a":${tensor("constructor", [2], [0, 4])}}`, 4)],
  ['a tensor "a" of dtype undefined', made('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4)],
  ['a tensor "a" of shape [-1]', made(`{"a":${tensor("F32", [-1], [0, 4])}}`, 4)],
  ['a tensor "a" of shape [0.5]', made(`{"a":${tensor("F32", [0.5], [0, 2])}}`, 2)],
  ['a tensor "a" of shape [9007199254740992]', made(`{"a":${tensor("F32", [2 ** 53], [0, 4])}}`, 4)],
  ['a tensor "a" of shape 1', made(`{"a":${tensor("F32", 1, [0, 4])}}`, 4)],
  ['a tensor "a" at [0]', made(`{"a":${tensor("F32", [1], [0])}}`, 4)],
  ['a tensor "a" at [0,"4"]', made(`{"a":${tensor("F32", [1], [0, "4"])}}`, 4)],
  ['a tensor "a" of 8 bytes at [0,4]', made(`{"a":${tensor("F32", [2], [0, 4])}}`, 4)],
  ['a tensor "a" of 8 bytes at [12,4]', made(`{"a":${tensor("F32", [2], [12, 4])}}`, 12)],
  // the product of the shape is 2^64, and would be 0 in 64 bits
  ['a tensor "a" of 73786976294838210000 bytes at [0,0]', made(`{"a":${tensor("F32", [2 ** 32, 2 ** 32], [0, 0])}}`)],
  ['a tensor "b" at 0, where 4 was expected', made(`{"a":${one},"b":${one}}`, 4)],
  ['a tensor "b" at 2, where 4 was expected', made(`{"a":${one},"b":${tensor("F32", [1], [2, 6])}}`, 6)],
  ['a tensor "b" at 8, where 4 was expected', made(`{"a":${one},"b":${tensor("F32", [1], [8, 12])}}`, 12)],
  ['a tensor "a" at 4, where 0 was expected', made(`{"a":${tensor("F32", [1], [4, 8])}}`, 8)],
  ["tensors of 4 bytes in 3", made(`{"a":${one}}`, 3)],
  ["tensors of 4 bytes in 5", made(`{"a":${one}}`, 5)],
  ["tensors of 4000000000000 bytes in 4", made(`{"a":${tensor("F32", [1e12], [0, 4e12])}}`, 4)],
  ["tensors of 0 bytes in 1", made("{}", 1)],
];

describe("safetensors", () => {
  test("the bytes are those of Python's package", () => {
    expect(encodeSafetensors(CONTENT)).toEqual(file);
  });
  test("Python's bytes give the content, -0 too", () => {
    expect(decodeSafetensors(file)).toEqual(CONTENT);
  });
  test("from any address, and as copies, of a Buffer too", () => {
    for (let from = 0; from < 8; from++) {
      const moved = Buffer.alloc(file.length + 8).subarray(from, from + file.length);
      moved.set(file);
      const content = decodeSafetensors(moved);
      moved.fill(0);
      expect(content).toEqual(CONTENT);
    }
  });
  test("the order in which names come changes nothing", () => {
    const backwards = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
      Object.fromEntries(Object.entries(record).reverse());
    const metadata = { b: "2", a: "1", "10": "", "9": "" };
    const { tensors } = CONTENT;
    const bytes = encodeSafetensors({ tensors, metadata });
    expect(encodeSafetensors({ tensors: backwards(tensors), metadata: backwards(metadata) })).toEqual(bytes);
    expect(decodeSafetensors(bytes)).toEqual({ tensors, metadata });
  });
  test("nothing at all, and names that objects have", () => {
    expect(decodeSafetensors(made("{}  "))).toEqual({ tensors: {}, metadata: {} });
    const odd = ["__proto__", "constructor", 'a"b:{[', "\\", ""];
    const tensors = Object.fromEntries(odd.map((name, n) => [name, { data: Uint8Array.of(n), shape: [1] }]));
    const metadata = Object.fromEntries(odd.map((name) => [name, `${name}: {`]));
    expect(decodeSafetensors(encodeSafetensors({ tensors, metadata }))).toEqual({ tensors, metadata });
  });
  test.each(REFUSED)("refused: %s", (got, bytes) => {
    const message = `decodeSafetensors: bytes expected a safetensors file, got ${got}`;
    expect(() => decodeSafetensors(bytes)).toThrow(new RangeError(message));
  });
  test("every truncation is refused", () => {
    for (let length = 0; length < file.length; length++) {
      expect(() => decodeSafetensors(file.subarray(0, length)), `${length} bytes`).toThrow(RangeError);
    }
  });
  test("what cannot be written", () => {
    const write = (name: string, shape: number[]) => () =>
      encodeSafetensors({ tensors: { [name]: { data: new Float32Array(3), shape } }, metadata: {} });
    expect(write("w", [2, 2])).toThrow(
      new RangeError('encodeSafetensors: tensors["w"] expected 4 numbers for its shape, got 3'),
    );
    expect(write("__metadata__", [3])).toThrow(
      new RangeError('encodeSafetensors: tensors["__metadata__"] expected another name, got "__metadata__"'),
    );
  });
});

describe("Hash", () => {
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 37 + 11) % 256);
  // by Python's mmh3 5.3.0, mmh3_x86_128_digest, its four words as numbers
  test.each([
    [0, "00000000000000000000000000000000"],
    [1, "1a2a893c825db56b825db56b825db56b"],
    [15, "e834163d88c1111c03559fa97162791c"],
    [16, "aa3a2073a8c41845adf04182b35623e7"],
    [17, "c5078dc0fbe3511f9ede0bb0aee0538b"],
    [31, "661fa41664e569c4c4d9c5a2aebc2f18"],
    [100, "7fba628ad6a0c2b0d8fe5b8d7d9ba630"],
    [200003, "688058dff35907c3220ec0a193cce383"],
  ])("%d bytes, whole and in pieces", (length, hex) => {
    expect(new Hash().add(bytes(length)).hex()).toBe(hex);
    const pieces = new Hash();
    for (let from = 0, step = 1; from < length; from += step, step = (step * 7) % 9973) {
      pieces.add(bytes(length).subarray(from, from + step));
    }
    expect(pieces.hex()).toBe(hex);
  });
});
