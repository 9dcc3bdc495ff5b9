import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { type CommandError, inputError } from "./errors.ts";
import { count } from "./words.ts";

/** Objects and arrays in each other; DuckDB 1.5 dies of some thousands. */
const DEEPEST = 500;
/** Columns of a table; the time to bind them grows faster than their number. */
export const MOST_COLUMNS = 20_000;
const DELIMITERS = [",", ";", "\t", "|"].map((delimiter) => delimiter.charCodeAt(0));
const [QUOTE, BACKSLASH, NEWLINE, COLON] = [0x22, 0x5c, 0x0a, 0x3a];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
/** By byte: 1 opens, 2 closes, 3 begins or ends a string, 4 ends a key. */
const KIND = Uint8Array.from({ length: 256 }, (_, byte) =>
  OPENING.has(byte) ? 1 : CLOSING.has(byte) ? 2 : byte === QUOTE ? 3 : byte === COLON ? 4 : 0,
);

/** Bytes of a line that DuckDB reads; it takes seconds to say so of a longer one. */
const LONGEST_LINE = 2_000_000;

/** Bytes of a text file from which DuckDB tells its columns: its buffer of 16 times the longest line. */
const SNIFFED = 2 ** 25;

/** How a file's first bytes say that it is packed; by its name too, where `compression` may say otherwise. */
async function packing(file: string): Promise<"gzip" | "zstd" | undefined> {
  const handle = await open(file);
  const start = Buffer.alloc(4);
  await handle.read(start, 0, 4, 0);
  await handle.close();
  if (start.readUInt32LE() === 0xfd2fb528 || /\.zst$/i.test(file)) return "zstd";
  return start.readUInt16LE() === 0x8b1f || /\.gz$/i.test(file) ? "gzip" : undefined;
}

/** Throws for what is packed in a way that nobody looks into here. */
export async function checkPacking(file: string): Promise<void> {
  if ((await packing(file)) === "zstd") throw inputError(`${file} is packed by zstd`, "unpack it, or pack it by gzip");
}

/** The bytes of a text file, unpacked. DuckDB takes damaged gzip for zeros, and one that is cut for all there is. */
async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(file, { highWaterMark: 2 ** 18 });
  if ((await packing(file)) === undefined) {
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

/** @param isMore  whether there are more than were counted */
export function tooManyColumns(source: string, columns: number, isMore = false): CommandError {
  const hint = "keep so many numbers as one list a row (Parquet, JSON lines), or as a .npy or .safetensors matrix";
  return inputError(
    `${source}: ${isMore ? "more than " : ""}${count(columns)} columns; at most ${count(MOST_COLUMNS)} are read`,
    hint,
  );
}

/**
 * Throws where JSON is nested deeper than any table is, at which depth a parser is attacked, or a file broken, and where an
 * object has more keys than a table has columns.
 */
export async function checkDepth(file: string): Promise<void> {
  let depth = 0;
  const keys = new Int32Array(DEEPEST + 1);
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
      else if (kind === 4) {
        if (depth > 0 && ++keys[depth]! > MOST_COLUMNS) throw tooManyColumns(file, MOST_COLUMNS, true);
      } else if (++depth > DEEPEST) {
        throw inputError(`${file}: objects and arrays stand in each other more than ${DEEPEST} deep`, "is it a table?");
      } else keys[depth] = 0;
    }
  }
}

/** The most columns that a line has by any of the delimiters. */
function columnsOf(line: Buffer, delimiters: readonly number[]): number {
  const counts = delimiters.map((delimiter) => {
    let count = 1;
    for (let at = line.indexOf(delimiter); at >= 0; at = line.indexOf(delimiter, at + 1)) count++;
    return count;
  });
  return Math.max(...counts);
}

/**
 * Throws where a line is longer than DuckDB reads, or has more columns, among those by which it tells the columns: lines
 * before the header may be others. A packed file is read to its end.
 *
 * @param delimiter  what else parts the columns
 */
export async function checkLines(file: string, delimiter = ""): Promise<void> {
  const delimiters = [...DELIMITERS, ...Buffer.from(delimiter).subarray(0, 1)];
  const isPacked = (await packing(file)) !== undefined;
  let line = 0;
  let length = 0;
  let begun: Buffer[] = [];
  let read = 0;
  for await (const part of bytesOf(file)) {
    for (let from = 0; from < part.length; ) {
      const end = part.indexOf(NEWLINE, from);
      const to = end < 0 ? part.length : end;
      length += to - from;
      if (length > LONGEST_LINE) {
        const most = columnsOf(Buffer.concat([...begun, part.subarray(from, to)]), delimiters);
        if (most > MOST_COLUMNS) throw tooManyColumns(file, most, true);
        const hint = "is it a table? keep long rows as Parquet, .npy or .safetensors";
        throw inputError(`${file}: line ${count(line + 1)} has more than ${count(LONGEST_LINE)} bytes`, hint);
      }
      if (end < 0) {
        begun.push(part.subarray(from));
        break;
      }
      // a shorter line has no room for as many
      if (length >= MOST_COLUMNS) {
        const most = columnsOf(Buffer.concat([...begun, part.subarray(from, to)]), delimiters);
        if (most > MOST_COLUMNS) throw tooManyColumns(file, most);
      }
      line++;
      length = 0;
      begun = [];
      from = end + 1;
    }
    read += part.length;
    if (read >= SNIFFED && !isPacked) return;
  }
  const most = columnsOf(Buffer.concat(begun), delimiters);
  if (most > MOST_COLUMNS) throw tooManyColumns(file, most);
}
