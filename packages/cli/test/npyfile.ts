import { writeFileSync } from "node:fs";

type Numbers = Float32Array | Float64Array | Uint16Array | Int32Array | Uint8Array | BigInt64Array;

const DESCR: Record<string, string> = {
  Float32Array: "<f4",
  Float64Array: "<f8",
  Uint16Array: "<f2", // the bits
  Int32Array: "<i4",
  Uint8Array: "|u1",
  BigInt64Array: "<i8",
};

/** The header that numpy.save writes, with whatever stands in the dictionary. */
export function npyHeader(dictionary: string, version = 1): Buffer {
  const prefix = version === 1 ? 10 : 12;
  const padding = 63 - ((prefix + dictionary.length) % 64);
  const text = Buffer.from(`${dictionary}${" ".repeat(padding)}\n`, "latin1");
  const start = Buffer.alloc(prefix);
  start.write("\x93NUMPY", "latin1");
  start[6] = version;
  if (version === 1) start.writeUInt16LE(text.length, 8);
  else start.writeUInt32LE(text.length, 8);
  return Buffer.concat([start, text]);
}

export function dictionary(descr: string, shape: string, fortran = false): string {
  return `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${shape}, }`;
}

/** What numpy.save writes. */
export function writeNpy(file: string, data: Numbers, shape: readonly number[]): void {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const header = npyHeader(dictionary(DESCR[data.constructor.name]!, tuple));
  writeFileSync(file, Buffer.concat([header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}
