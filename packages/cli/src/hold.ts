import { randomBytes } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Feature, Label } from "napier/train";
import { CommandError } from "./errors.ts";
import { BLOCK_ROWS, type Block, type Source } from "./rows.ts";

/** Bytes of rows that are held in memory; what is larger goes to a file. */
const MEMORY = 2 ** 28;
/** Bytes that are read ahead while rows are used, and the most blocks. */
const AHEAD = 2 ** 24;
const MOST_AHEAD = 8;

/** The 1-based row that has a label first, and how many have it. */
export interface Seen {
  readonly first: number;
  rows: number;
}

/** A source that was read once, and can be read block by block as often as training likes. */
export interface Held {
  readonly source: Source;
  readonly features: Feature[];
  readonly rows: number;
  readonly labels: ReadonlyMap<Label, Seen>;
  [Symbol.asyncIterator](): AsyncIterator<Block>;
  readonly block?: (index: number) => Promise<Block>;
  close(): Promise<void>;
}

export interface HoldOptions {
  /** Whether blocks are asked for in any order. */
  readonly random: boolean;
  /** Where a large source's rows go. */
  readonly folder?: string;
  readonly memory?: number;
  readonly onRows?: (rows: number) => void;
}

/** Rows as bytes: features as f32, labels' numbers as i32, weights as f64, a block of 4,096 after the other. */
class Spool {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #numbers = new Map<Label, number>();
  readonly #labels: Label[] = [];
  /** 1-based, of all rows of the source. */
  #firstRow = 1;
  #rows = 0;
  #inputs = 0;
  #weighted = false;

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  static async create(folder: string): Promise<Spool> {
    const path = join(folder, `napier-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
    const file = await open(path, "wx+", 0o600);
    // without a name it goes with the process, however that ends; Windows keeps the name until it is closed
    if (process.platform !== "win32") await rm(path);
    return new Spool(file, path);
  }

  #bytes(): { x: number; row: number } {
    const x = this.#inputs * 4;
    return { x, row: x + 4 + (this.#weighted ? 8 : 0) };
  }

  async append({ x: { data, shape }, y, weight, row: number }: Block): Promise<void> {
    if (this.#rows === 0) this.#firstRow = number;
    const [count, inputs] = shape;
    this.#inputs = inputs;
    this.#weighted = weight !== undefined;
    const { row } = this.#bytes();
    const numbers = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const label = y[i]!;
      let number = this.#numbers.get(label);
      if (number === undefined) {
        number = this.#labels.push(label) - 1;
        this.#numbers.set(label, number);
      }
      numbers[i] = number;
    }
    const parts = [data, numbers, ...(weight ? [Float64Array.from(weight)] : [])];
    const bytes = Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
    await this.#all("write", bytes, this.#rows * row);
    this.#rows += count;
  }

  /** All of the bytes, which a single call need not do. */
  async #all(what: "read" | "write", bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done;
      const count =
        what === "read"
          ? (await this.#file.read(bytes, done, left, position + done)).bytesRead
          : (await this.#file.write(bytes, done, left, position + done)).bytesWritten;
      if (count === 0) throw new Error(`the temporary file ${this.#path} ended early`);
      done += count;
    }
  }

  async block(index: number): Promise<Block> {
    const first = index * BLOCK_ROWS;
    const count = Math.min(BLOCK_ROWS, this.#rows - first);
    const { x, row } = this.#bytes();
    const bytes = new Uint8Array(count * row);
    await this.#all("read", bytes, first * row);
    const data = new Float32Array(bytes.buffer, 0, count * this.#inputs);
    const numbers = new Int32Array(bytes.buffer, count * x, count);
    const y = Array.from(numbers, (number) => this.#labels[number]!);
    const block = { x: { data, shape: [count, this.#inputs] as [number, number] }, y, row: this.#firstRow + first };
    if (!this.#weighted) return block;
    const at = count * (x + 4);
    // f64 begin on 8 bytes
    return { ...block, weight: new Float64Array(bytes.slice(at).buffer) };
  }

  /** All blocks in order; the next ones are read while one is used. */
  async *blocks(): AsyncGenerator<Block> {
    const count = Math.ceil(this.#rows / BLOCK_ROWS);
    const ahead = Math.max(1, Math.min(MOST_AHEAD, Math.floor(AHEAD / (this.#bytes().row * BLOCK_ROWS))));
    const coming: Promise<Block>[] = [];
    let next = 0;
    try {
      for (let index = 0; index < count; index++) {
        while (next < count && next <= index + ahead) {
          const block = this.block(next++);
          block.catch(() => {}); // it is told when its turn comes
          coming.push(block);
        }
        yield await coming.shift()!;
      }
    } finally {
      await Promise.allSettled(coming);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}

/** The features are read, so that an error of disk is told from one of the source. */
function spoolError(error: unknown, folder: string): CommandError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === "ENOSPC" ? "the disk is full" : (code ?? message);
  const hint = "it holds the rows of a source that is larger than memory; set TMPDIR to a folder with more room";
  return new CommandError(1, `cannot write the temporary file in ${folder}: ${why}`, hint, error);
}

/**
 * Reads a source once. Rows stay in memory up to 256 MiB; those of larger ones go to a temporary file, from which a pass is
 * several times as fast as from Parquet. Where the disk is full, Parquet that is only asked for in order is read again each
 * time. `Held` closes the source.
 */
export async function hold(source: Source, options: HoldOptions): Promise<Held> {
  const { random, folder = tmpdir(), memory = MEMORY, onRows } = options;
  const isParquet = source.files.length > 0 && source.files.every((file) => /\.parquet$/i.test(file));
  const labels = new Map<Label, Seen>();
  let blocks: Block[] | undefined = [];
  let spool: Spool | undefined;
  let rows = 0;
  let bytes = 0;
  const append = async (parts: readonly Block[]): Promise<void> => {
    try {
      spool ??= await Spool.create(folder);
      for (const block of parts) await spool.append(block);
    } catch (error) {
      if (random || !isParquet) throw spoolError(error, folder);
      await spool?.close();
      spool = undefined;
    }
  };
  try {
    for await (const block of source) {
      block.y.forEach((label, i) => {
        const seen = labels.get(label);
        if (seen === undefined) labels.set(label, { first: rows + i + 1, rows: 1 });
        else seen.rows++;
      });
      rows += block.y.length;
      bytes += block.x.data.byteLength + (block.weight?.byteLength ?? 0);
      blocks?.push(block);
      if (blocks && bytes > memory) {
        await append(blocks);
        blocks = undefined;
      } else if (spool) await append([block]);
      onRows?.(rows);
    }
  } catch (error) {
    await spool?.close();
    source.close();
    throw error;
  }
  const { features } = source;
  const found = { source, features, rows, labels };
  if (blocks) {
    source.close();
    const held = blocks;
    async function* all(): AsyncGenerator<Block> {
      for (const block of held) yield block;
    }
    return { ...found, [Symbol.asyncIterator]: all, block: async (index) => held[index]!, close: async () => {} };
  }
  if (spool === undefined) {
    return {
      ...found,
      [Symbol.asyncIterator]: () => source[Symbol.asyncIterator](),
      close: async () => source.close(),
    };
  }
  source.close();
  const file = spool;
  return {
    ...found,
    [Symbol.asyncIterator]: () => file.blocks(),
    block: (index) => file.block(index),
    close: () => file.close(),
  };
}
