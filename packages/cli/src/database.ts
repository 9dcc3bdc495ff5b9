import { randomBytes } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join, parse } from "node:path";
import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api";
import { DuckDBInstance } from "@duckdb/node-api";
import { CommandError, inputError, oneLine } from "./errors.ts";
import { attend, memoryLimit, outOfMemory, throwIfStopped } from "./queries.ts";

/** An embedded DuckDB of its own: files of this machine, no network, no extension, and no way to change that by SQL. */
export async function openDatabase(use: "read" | "write" = "read"): Promise<DuckDBInstance> {
  const spill = join(tmpdir(), `napier-duckdb-${process.pid}-${randomBytes(6).toString("hex")}`);
  const db = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    temp_directory: spill,
    memory_limit: `${memoryLimit()}B`,
  });
  // what is written is stopped between two blocks instead
  if (use === "read") attend(db, spill);
  const connection = await db.connect();
  const roots = [...new Set([process.cwd(), homedir(), tmpdir()].map((path) => quoteText(parse(path).root)))];
  // in this order: what is allowed, then nothing else, then no more settings
  await connection.run(`SET allowed_directories = [${roots.join(", ")}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
  connection.closeSync();
  return db;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Characters of a message: DuckDB puts whole lines of the file into it. */
const LONGEST = 400;

/** DuckDB's message without its class, its echo of our SQL and its list of CSV settings. */
export function databaseMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [first = ""] = text.split(/\n\s*\n|\nLINE \d+:|\n\s*Possible (?:fixes|solutions)/i);
  const line = oneLine(first.replace(/^(?:Failed to extract statements: )?(?:[A-Z][A-Za-z]* )+Error: /, ""));
  return line.length > LONGEST ? `${line.slice(0, LONGEST / 2)} … ${line.slice(-LONGEST / 2)}` : line;
}

/** Runs a step of reading a source; whatever DuckDB says about it is wrong input. */
export async function reading<T>(source: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throwIfStopped();
    const message = databaseMessage(error);
    if (/failed to (?:allocate|offload|pin)|Allocation failure|bad_alloc|could not allocate/i.test(message)) {
      throw outOfMemory(source, error);
    }
    const hint = /magic bytes/.test(message) ? "the file is truncated, or no Parquet" : undefined;
    throw inputError(`cannot read ${source}: ${message}`, hint, error);
  }
}

/** What DuckDB's parser makes of a text. */
interface Parsed {
  error: boolean;
  error_type?: string;
  error_message?: string;
  statements?: unknown[];
}

/**
 * Throws unless the text is one SELECT. It is parsed and no more: preparing an EXPORT makes its folder.
 *
 * @returns what the parser makes of it
 */
export async function checkSelect(connection: DuckDBConnection, source: string, sql: string): Promise<unknown[]> {
  const parse = await connection.prepare("SELECT json_serialize_sql($1::VARCHAR)");
  parse.bindVarchar(1, sql);
  const [[json]] = (await parse.runAndReadAll()).getRows() as [[string]];
  parse.destroySync();
  const { error, error_type: type, error_message: message = "", statements = [] }: Parsed = JSON.parse(json);
  if (type === "parser") throw inputError(`cannot read ${source}: ${oneLine(message)}`);
  if (!error && statements.length === 1) return statements;
  const [, word = ""] = /^\W*(\w+)/.exec(sql.replace(/^(\s|--.*\n|\/\*[\s\S]*?\*\/)*/, "")) ?? [];
  const other = statements.length === 0 ? "nothing" : `${statements.length} statements`;
  throw inputError(`${source}: expected one SELECT statement, got ${error ? `${word.toUpperCase()} …` : other}`);
}

/** The first `rows` rows of a chunk: after the columns asked for, it has one that is not theirs. */
export interface Part {
  chunk: DuckDBDataChunk;
  rows: number;
}

/** Whatever DuckDB has to say about any of the columns; then how many rows there are. */
async function countRows(connection: DuckDBConnection, from: string, columns: readonly string[]): Promise<number> {
  const counts = ["count(*)", ...columns.map((column) => `count(${column})`)].join(", ");
  return Number((await connection.runAndReadAll(`SELECT ${counts} FROM ${from}`)).getRows()[0]![0]);
}

/**
 * Streams the columns of all rows, in order. A stream that fails late, or is interrupted, just ends
 * (@duckdb/node-api 1.5: no result has an error to ask for), so a marker row comes after all others, and an end without it
 * is an error: the one that reading again in full throws. Where `again`, the rows read are also compared with DuckDB's own
 * count, which for a query (it may sample) would be another answer.
 */
export async function* readRows(
  db: DuckDBInstance,
  source: string,
  from: string,
  columns: readonly string[],
  again: boolean,
): AsyncGenerator<Part> {
  const connection = await db.connect();
  const lost = (read: number, of: string) => inputError(`cannot read ${source}: read ${read} of ${of} rows`);
  try {
    const nulls = columns.map(() => "NULL").join(", ");
    const query = `SELECT ${columns.join(", ")}, false FROM ${from} UNION ALL SELECT ${nulls}, true`;
    const result = await reading(source, () => connection.stream(query));
    let read = 0;
    let ended = false;
    for (;;) {
      const chunk = await reading(source, () => result.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) break;
      if (ended) throw lost(read, "more");
      ended = chunk.getColumnVector(columns.length).getItem(chunk.rowCount - 1) === true;
      const rows = chunk.rowCount - (ended ? 1 : 0);
      if (rows > 0) yield { chunk, rows };
      read += rows;
    }
    throwIfStopped();
    if (ended && !again) return;
    const all = await reading(source, () => countRows(connection, from, ended ? [] : columns));
    if (!ended || read !== all) throw lost(read, String(all));
  } finally {
    connection.closeSync();
  }
}
