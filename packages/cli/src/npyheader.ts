import { inputError } from "./errors.ts";

/** What a .npy file says of itself; `offset` is where its data begin. */
export interface NpyHeader {
  /** numpy's name of the type, as in "<f4". */
  descr: string;
  fortran: boolean;
  shape: number[];
  offset: number;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** Bytes of a file among which its header is. */
export const LONGEST_START = 65548;
const LONGEST_HEADER = 65536;
const LONGEST_PREFIX = 12;

/** As many as numpy has. */
const MOST_AXES = 64;

const PLAIN = /^[<>|=]?[a-z][0-9]{0,10}$/i;
const VALUES: Record<string, RegExp> = {
  descr: /'([^'\\]*)'|"([^"\\]*)"/y,
  fortran_order: /True|False/y,
  shape: /\(([0-9L, ]*)\)/y,
};

/** The dictionary of a header: three entries of known form, each once, in any order. Null where it is anything else. */
function entries(text: string): Record<string, string> | null {
  const found: Record<string, string> = {};
  const key = /\s*['"](\w+)['"]\s*:\s*/y;
  if (!text.startsWith("{")) return null;
  let at = 1;
  for (let k = 0; k < 3; k++) {
    if (k > 0 && text[at++] !== ",") return null;
    key.lastIndex = at;
    const name = key.exec(text)?.[1];
    if (name === undefined || !Object.hasOwn(VALUES, name) || name in found) return null;
    const value = VALUES[name]!;
    value.lastIndex = key.lastIndex;
    const match = value.exec(text);
    if (match === null) return null;
    found[name] = match[1] ?? match[2] ?? match[0];
    at = value.lastIndex;
  }
  return /^(?:,\s*)?\}$/.test(text.slice(at).trim()) ? found : null;
}

/** "(3, 4)" without its brackets, or null; a comma stands after the only size of one axis. */
function sizes(text: string): number[] | null {
  if (text.trim() === "") return [];
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length > 1 && parts.at(-1) === "") parts.pop();
  else if (parts.length === 1) return null;
  if (parts.length > MOST_AXES || !parts.every((part) => /^[0-9]+L?$/.test(part))) return null;
  const shape = parts.map((part) => Number.parseInt(part, 10));
  return shape.every(Number.isSafeInteger) ? shape : null;
}

/**
 * The header at the beginning of a file; `bytes` are its first, at most 12 + 65,536 of them.
 * Whatever they hold, the answer is a header or an error of one line.
 */
export function parseHeader(name: string, bytes: Uint8Array): NpyHeader {
  if (bytes.length < 10 || MAGIC.some((byte, k) => bytes[k] !== byte)) {
    throw inputError(`${name} is not a .npy file: it does not begin with \\x93NUMPY and a version`);
  }
  const [major, minor] = [bytes[6]!, bytes[7]!];
  if (major < 1 || major > 3 || minor !== 0) throw inputError(`${name}: .npy version ${major}.${minor} is unknown`);
  const prefix = major === 1 ? 10 : LONGEST_PREFIX;
  if (bytes.length < prefix) throw inputError(`${name} is truncated inside its header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > LONGEST_HEADER) {
    throw inputError(`${name}: a header of ${length} bytes; at most ${LONGEST_HEADER} are read`);
  }
  if (bytes.length < prefix + length) throw inputError(`${name} is truncated inside its header`);
  const text = Array.from(bytes.subarray(prefix, prefix + length), (byte) => String.fromCharCode(byte)).join("");
  const found = entries(text);
  const shape = found && sizes(found.shape!);
  if (!found || !shape || !PLAIN.test(found.descr!)) {
    throw inputError(
      `${name}: its header does not describe one plain array`,
      "write it with numpy.save from an array of numbers",
    );
  }
  return { descr: found.descr!, fortran: found.fortran_order === "True", shape, offset: prefix + length };
}

/** An open .npy file whose size agrees with its header. */
export interface NpyFile extends NpyHeader {
  name: string;
  /** Fills `bytes` from `position` bytes after the beginning of the data. */
  read(bytes: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** Numbers in an array of this shape; ∞ where that is beyond counting. */
export const numbersIn = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((size, next) => size * next, 1);

/** Throws where a file of so many bytes does not hold what its header says; an item has `itemBytes`. */
export function checkHeld(name: string, header: NpyHeader, itemBytes: number, bytes: number): void {
  const declared = numbersIn(header.shape) * itemBytes;
  const held = bytes - header.offset;
  if (declared === held) return;
  const shape = `shape (${header.shape.join(", ")}) of ${header.descr} needs ${declared} bytes`;
  throw inputError(`${name}: ${shape} of data, the file has ${held}`, held < declared ? "it is truncated" : undefined);
}
