import { rangeError, words } from "../check.ts";

/** Numbers of a tensor, as they are stored. */
export type TensorData = Float64Array | Float32Array | BigInt64Array | Int32Array | Uint32Array | Uint8Array;

export interface StoredTensor {
  readonly data: TensorData;
  readonly shape: readonly number[];
}

export interface Safetensors {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** In the order in which tensors stand: what takes 8 bytes a number comes first, so each is aligned without holes. */
const ARRAYS = {
  I64: BigInt64Array,
  F64: Float64Array,
  F32: Float32Array,
  U32: Uint32Array,
  I32: Int32Array,
  U8: Uint8Array,
};
type Dtype = keyof typeof ARRAYS;
const DTYPES = Object.keys(ARRAYS) as Dtype[];

const METADATA = "__metadata__";
/** Bytes of a header, as the format has it. */
const MOST = 100_000_000;
/** Objects in each other: the header, a tensor, its shape. */
const DEEPEST = 3;
/** Characters for each object and array of a header: a tensor has three of them, and 48 characters at least. */
const LEAST_CHARACTERS = 16;
const MOST_SHOWN = 200;

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const byName = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));

/** JSON of an object whose keys stay in this order; JSON.stringify would put a name such as "7" first. */
const objectOf = (entries: readonly (readonly [string, string])[]): string =>
  `{${entries.map(([key, json]) => `${JSON.stringify(key)}:${json}`).join()}}`;

/** A safetensors file: the same bytes for the same content, in whatever order the names come. */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  const placed = byName(tensors).map(([name, { data, shape }]) => {
    const argument = `tensors[${JSON.stringify(name)}]`;
    if (name === METADATA) throw rangeError("encodeSafetensors", argument, "another name", name);
    if (sizeOf(shape) !== data.length) {
      throw rangeError("encodeSafetensors", argument, `${sizeOf(shape)} numbers for its shape`, data.length);
    }
    return { name, data, shape, rank: DTYPES.findIndex((dtype) => data instanceof ARRAYS[dtype]) };
  });
  placed.sort((a, b) => a.rank - b.rank);
  let end = 0;
  const entries = placed.map(({ name, data, shape, rank }) => {
    const begin = end;
    end += data.byteLength;
    return [name, JSON.stringify({ dtype: DTYPES[rank], shape, data_offsets: [begin, end] })] as const;
  });
  const strings = byName(metadata).map(([key, text]) => [key, JSON.stringify(text)] as const);
  const header = new TextEncoder().encode(objectOf([[METADATA, objectOf(strings)], ...entries]));
  const start = 8 + Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(start + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.fill(0x20, 8, start).set(header, 8);
  let at = start;
  for (const { data } of placed) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function refuse(got: string): never {
  const line = got.slice(0, MOST_SHOWN).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "\ufffd");
  const shown = got.length > MOST_SHOWN ? `${line}…` : line;
  throw rangeError("decodeSafetensors", "bytes", "a safetensors file", words(shown));
}

/** Keys in a text that is meant to be JSON, its objects and arrays, and how deep they stand in each other. */
function measure(json: string): { keys: number; objects: number; depth: number } {
  let keys = 0;
  let objects = 0;
  let depth = 0;
  let open = 0;
  for (let k = 0; k < json.length; k++) {
    const character = json[k];
    if (character === "{" || character === "[") {
      objects++;
      depth = Math.max(depth, ++open);
    } else if (character === "}" || character === "]") open--;
    else if (character === ":") keys++;
    else if (character === '"') {
      for (k++; k < json.length && json[k] !== '"'; k++) if (json[k] === "\\") k++;
    }
  }
  return { keys, objects, depth };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const areSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry([name, value]: [string, unknown]): Entry {
  const called = `a tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) return refuse(`${called} that is no object`);
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  for (const key of Object.keys(rest)) refuse(`${called} with a key ${JSON.stringify(key)}`);
  const known = DTYPES.find((each) => each === dtype);
  if (known === undefined) return refuse(`${called} of dtype ${JSON.stringify(dtype)}`);
  if (!areSizes(shape)) return refuse(`${called} of shape ${JSON.stringify(shape)}`);
  if (!areSizes(offsets) || offsets.length !== 2) return refuse(`${called} at ${JSON.stringify(offsets)}`);
  const [begin, end] = offsets;
  const bytes = sizeOf(shape) * ARRAYS[known].BYTES_PER_ELEMENT;
  if (bytes !== end - begin) refuse(`${called} of ${bytes} bytes at ${JSON.stringify(offsets)}`);
  return { name, dtype: known, shape: shape.map((size) => size + 0), begin, end }; // JSON has a -0
}

/** The JSON object at the beginning. */
function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8) refuse(`${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(Math.min(MOST, bytes.length - 8))) refuse(`a header of ${length} bytes in ${bytes.length}`);
  const start = 8 + Number(length);
  let header: unknown;
  let keys: number;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
    const measured = measure(text);
    keys = measured.keys;
    // before JSON.parse, whose objects would take many times the bytes
    const isDense = (measured.objects - DEEPEST) * LEAST_CHARACTERS > text.length;
    header = isDense || measured.depth > DEEPEST ? undefined : JSON.parse(text);
  } catch {
    return refuse("a header that is not JSON");
  }
  if (!isObject(header)) return refuse("a header that is no object of objects");
  const parsed = Object.values(header).map((value) => (isObject(value) ? Object.keys(value).length : 0));
  if (keys !== parsed.reduce((sum, count) => sum + count, parsed.length))
    refuse("a header with a key twice, or too deep");
  return { header, start };
}

/**
 * The content of a safetensors file, copied. Every byte belongs to exactly one tensor, so the copies are never larger
 * than the file.
 *
 * @throws {RangeError} the bytes are no safetensors file, or hold a dtype that is not here
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  const { header, start } = readHeader(bytes);
  const { [METADATA]: metadata = {}, ...others } = header;
  if (!isObject(metadata)) return refuse("metadata that is no object");
  const strings = Object.entries(metadata).map(([key, text]): [string, string] =>
    typeof text === "string" ? [key, text] : refuse(`metadata ${JSON.stringify(key)} that is no string`),
  );
  const entries = Object.entries(others).map(readEntry);
  let at = 0; // no holes and no overlaps: each tensor begins where the one before ends
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) refuse(`a tensor ${JSON.stringify(name)} at ${begin}, where ${at} was expected`);
    at = end;
  }
  if (start + at !== bytes.length) refuse(`tensors of ${at} bytes in ${bytes.length - start}`);
  const tensors = entries.map(({ name, dtype, shape, begin, end }): [string, StoredTensor] => {
    const data = new Uint8Array(end - begin); // not slice: a Buffer's is no copy
    data.set(bytes.subarray(start + begin, start + end));
    return [name, { data: new ARRAYS[dtype](data.buffer), shape }];
  });
  return { tensors: Object.fromEntries(tensors), metadata: Object.fromEntries(strings) };
}
