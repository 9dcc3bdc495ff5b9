import { once } from "node:events";
import { createReadStream, rmSync } from "node:fs";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import type { DuckDBConnection, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import { DuckDBDataChunk } from "@duckdb/node-api";
import { databaseMessage, openDatabase, quoteName, quoteText } from "./database.ts";
import { CommandError } from "./errors.ts";

export interface Column {
  name: string;
  type: DuckDBType;
}

export const FORMATS = ["csv", "parquet", "jsonl"] as const;
export type TableFormat = (typeof FORMATS)[number];

const COPY: Record<TableFormat, string> = {
  csv: "FORMAT csv, HEADER",
  parquet: "FORMAT parquet",
  jsonl: "FORMAT json",
};

const CHUNK_ROWS = 2048; // DuckDB's vector size, the most that a chunk holds
/** Rows that are in memory: a row group of DuckDB's Parquet. */
const BATCH_ROWS = 122_880;

/** Writes a table by batches; no more of it than one stands in memory. */
export interface TableWriter {
  /** Values by column. */
  add(columns: readonly DuckDBValue[][]): Promise<void>;
  /** Writes what is left; a Parquet file is there only then. */
  end(): Promise<void>;
  close(): Promise<void>;
}

async function fill(
  connection: DuckDBConnection,
  columns: readonly Column[],
  parts: readonly DuckDBValue[][][],
): Promise<void> {
  const list = columns.map((c) => `${quoteName(c.name)} ${c.type}`).join(", ");
  await connection.run(`CREATE OR REPLACE TABLE batch (${list})`);
  const appender = await connection.createAppender("batch");
  for (const part of parts) {
    const rows = part[0]!.length;
    for (let first = 0; first < rows; first += CHUNK_ROWS) {
      const values = part.map((column) => column.slice(first, first + CHUNK_ROWS));
      const chunk = DuckDBDataChunk.create(
        columns.map((c) => c.type),
        values[0]!.length,
      );
      chunk.setColumns(values);
      appender.appendDataChunk(chunk);
    }
  }
  appender.closeSync();
}

/** A file's bytes; the stream stays open. */
async function pass(file: string, to: Writable): Promise<void> {
  for await (const part of createReadStream(file)) if (!to.write(part)) await once(to, "drain");
}

/**
 * A writer to a file, or to a stream that stays open. Batches go through files in a temporary folder: CSV and JSON lines are
 * passed on one by one, row groups of Parquet are put together at the end.
 *
 * @param as  the file's name in messages, where `to` is to be renamed
 */
export async function openTableWriter(
  to: string | Writable,
  format: TableFormat,
  columns: readonly Column[],
  as = String(to),
): Promise<TableWriter> {
  const name = typeof to === "string" ? as : "to stdout";
  const folder = await mkdtemp(join(tmpdir(), "napier-"));
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", onExit);
  const db = await openDatabase("write");
  const connection = await db.connect();
  const pieces: string[] = [];
  let waiting: DuckDBValue[][][] = [];
  let rows = 0;
  let batches = 0;
  const copy = async (from: string, file: string, options: string): Promise<void> => {
    try {
      await connection.run(`COPY ${from} TO ${quoteText(file)} (${options})`);
    } catch (error) {
      throw new CommandError(1, `cannot write ${name}: ${databaseMessage(error)}`, undefined, error);
    }
  };
  const flush = async (): Promise<void> => {
    await fill(connection, columns, waiting);
    waiting = [];
    rows = 0;
    const piece = join(folder, `${batches}.${format}`);
    // the header stands once
    const options = format === "csv" && batches > 0 ? "FORMAT csv, HEADER false" : COPY[format];
    batches++;
    await copy("batch", piece, options);
    if (format === "parquet") {
      pieces.push(piece);
      return;
    }
    if (typeof to === "string") for await (const part of createReadStream(piece)) await appendFile(to, part);
    else await pass(piece, to);
    await rm(piece);
  };
  return {
    add: async (values) => {
      waiting.push(values as DuckDBValue[][]);
      rows += values[0]!.length;
      if (rows >= BATCH_ROWS) await flush();
    },
    end: async () => {
      if (rows > 0 || batches === 0) await flush();
      if (format !== "parquet") return;
      const list = pieces.map(quoteText).join(", ");
      const whole = join(folder, "whole.parquet");
      const file = typeof to === "string" ? to : whole;
      await copy(pieces.length === 1 ? "batch" : `(SELECT * FROM read_parquet([${list}]))`, file, COPY.parquet);
      if (typeof to !== "string") await pass(whole, to);
    },
    close: async () => {
      db.closeSync();
      process.off("exit", onExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
