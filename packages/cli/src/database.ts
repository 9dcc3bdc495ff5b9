import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { DuckDBInstance, StatementType } from "@duckdb/node-api";
import { CommandError, inputError, oneLine } from "./errors.ts";

/** An embedded DuckDB of its own, which never downloads an extension. */
export function openDatabase(): Promise<DuckDBInstance> {
  return DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    temp_directory: join(tmpdir(), `napier-duckdb-${process.pid}`),
  });
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** DuckDB's message without its class, its echo of our SQL and its list of CSV settings. */
export function databaseMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [first = ""] = text.split(/\n\s*\n|\nLINE \d+:|\n\s*Possible (?:fixes|solutions)/i);
  return oneLine(first.replace(/^(?:Failed to extract statements: )?(?:[A-Z][A-Za-z]* )+Error: /, ""));
}

/** Runs a step of reading a source; whatever DuckDB says about it is wrong input. */
export async function reading<T>(source: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const message = databaseMessage(error);
    const hint = /magic bytes/.test(message) ? "the file is truncated, or no Parquet" : undefined;
    throw inputError(`cannot read ${source}: ${message}`, hint, error);
  }
}

/** Throws unless the text is one SELECT: nothing else may run, however it is put. */
export async function checkSelect(connection: DuckDBConnection, source: string, sql: string): Promise<void> {
  const refuse = (got: string) => inputError(`${source}: expected one SELECT statement, got ${got}`);
  if (sql.trim() === "") throw refuse("nothing");
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw refuse(`${statements.count} statements`);
  const statement = await statements.prepare(0);
  const type = statement.statementType;
  statement.destroySync();
  if (type !== StatementType.SELECT) throw refuse(`a ${StatementType[type]} statement`);
}
