import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { type CommandError, inputError } from "./errors.ts";
import { count } from "./words.ts";

/** Objects and arrays in each other; DuckDB 1.5 dies of some thousands. */
const DEEPEST = 500;
/** Columns of a table; the time to bind them grows faster than their number. */
export const MOST_COLUMNS = 20_000;
const DELIMITERS = [",", ";", "\t", "|"].map((delimiter) => delimiter.charCodeAt(0));
const [QUOTE, BACKSLASH, NEWLINE] = [0x22, 0x5c, 0x0a];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
/** By byte: 1 opens, 2 closes, 3 begins or ends a string. */
const KIND = Uint8Array.from({ length: 256 }, (_, byte) =>
  OPENING.has(byte) ? 1 : CLOSING.has(byte) ? 2 : byte === QUOTE ? 3 : 0,
);

/** Bytes of a line that DuckDB reads; it takes seconds to say so of a longer one. */
const LONGEST_LINE = 2_000_000;

const isPacked = (file: string): boolean => /\.gz$/i.test(file);

/** The bytes of a text file, unpacked. DuckDB takes damaged gzip for zeros, and one that is cut for all there is. */
async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(file, { highWaterMark: 2 ** 18 });
  if (!isPacked(file)) {
    yield* raw;
    return;
  }
  try {
    yield* raw.pipe(createGunzip({ chunkSize: 2 ** 18 }));
  } catch (error) {
    if (!/^Z_/.test((error as NodeJS.ErrnoException).code ?? "")) throw error;
    throw inputError(`${file}: its gzip data are damaged or truncated`, undefined, error);
  } finally {
    raw.destroy();
  }
}

export function tooManyColumns(source: string, columns: number): CommandError {
  const hint = "keep so many numbers as one list a row (Parquet, JSON lines), or as a .npy or .safetensors matrix";
  return inputError(`${source}: ${count(columns)} columns; at most ${count(MOST_COLUMNS)} are read`, hint);
}

/** Throws where JSON is nested deeper than any table is: at this depth a parser is attacked, or a file broken. */
export async function checkDepth(file: string): Promise<void> {
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const part of bytesOf(file)) {
    for (let k = 0; k < part.length; k++) {
      const byte = part[k]!;
      if (inString) {
        // a string ends with its line, closed or not: it must not hide the lines behind it
        if (byte === NEWLINE) inString = escaped = false;
        else if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      const kind = KIND[byte]!;
      if (kind === 0) continue;
      if (kind === 3) inString = true;
      else if (kind === 2) depth--;
      else if (++depth > DEEPEST) {
        throw inputError(`${file}: objects and arrays stand in each other more than ${DEEPEST} deep`, "is it a table?");
      }
    }
  }
}

/** Throws where a line is longer than DuckDB reads, or the first one has more columns; a packed file is read to its end. */
export async function checkLines(file: string): Promise<void> {
  const columns = DELIMITERS.map(() => 1);
  let isFirst = true;
  let line = 0;
  let length = 0;
  for await (const part of bytesOf(file)) {
    for (let from = 0; from < part.length; ) {
      const end = part.indexOf(NEWLINE, from);
      const to = end < 0 ? part.length : end;
      length += to - from;
      if (length > LONGEST_LINE) {
        const hint = "is it a table? keep long rows as Parquet, .npy or .safetensors";
        throw inputError(`${file}: line ${count(line + 1)} has more than ${count(LONGEST_LINE)} bytes`, hint);
      }
      if (isFirst) {
        const text = part.subarray(from, to);
        DELIMITERS.forEach((delimiter, k) => {
          for (let at = text.indexOf(delimiter); at >= 0; at = text.indexOf(delimiter, at + 1)) columns[k]!++;
        });
        const most = Math.max(...columns);
        if (most > MOST_COLUMNS) throw tooManyColumns(file, most);
      }
      if (end < 0) break;
      isFirst = false;
      line++;
      length = 0;
      from = end + 1;
    }
    if (!isFirst && !isPacked(file)) return;
  }
}
