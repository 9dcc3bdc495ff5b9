import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance, type JS } from "@duckdb/node-api";
import { afterAll } from "vitest";

export const BIN = fileURLToPath(new URL("../bin/napier.js", import.meta.url));

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** A folder that goes when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "napier-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the real command in `folder`. */
export function napier(folder: string, ...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd: folder, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Runs the command until a line on stderr matches, sends the signal, and waits for its end. */
export function napierInterrupted(
  folder: string,
  line: RegExp,
  signal: NodeJS.Signals,
  ...args: string[]
): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args], { cwd: folder });
    let stdout = "";
    let stderr = "";
    let sent = false;
    child.stdout.on("data", (part) => {
      stdout += part;
    });
    child.stderr.on("data", (part) => {
      stderr += part;
      if (sent || !line.test(stderr)) return;
      sent = true;
      child.kill(signal);
    });
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Rows of the last of these statements, run in an embedded DuckDB. */
export async function sql(...statements: string[]): Promise<JS[][]> {
  const db = await DuckDBInstance.create(":memory:");
  const connection = await db.connect();
  let rows: JS[][] = [];
  for (const statement of statements) rows = (await connection.runAndReadAll(statement)).getRowsJS();
  db.closeSync();
  return rows;
}

/** 600 rows in three classes that a line does not part: numbers, a boolean, an embedding, text, label. */
export const TABLE = `SELECT ((i * 37) % 101)::DOUBLE / 8 AS a, ((i * 53) % 97)::INTEGER AS b, i % 2 = 0 AS c,
  [((i * 29) % 31)::FLOAT, (i % 7)::FLOAT / 4, -1.5::FLOAT] AS e,
  ['red', 'green', 'blue'][((i * 37) % 101 + (i * 53) % 97) // 66 + 1] AS colour
  FROM range(600) t(i) ORDER BY i`;

/** Copies the table, or what is selected from it, to these files; the format goes by their names. */
export async function writeTable(files: readonly string[], select = "SELECT * FROM rows"): Promise<void> {
  const copies = files.map((file) => {
    const json = /\.(nd)?json(l)?(\.gz)?$/.test(file)
      ? ` (FORMAT json${/\.json$/.test(file) ? ", ARRAY true" : ""})`
      : "";
    return `COPY (${select}) TO '${file}'${file.includes(".tsv") ? " (FORMAT csv, DELIMITER '\t')" : json}`;
  });
  await sql(`CREATE TABLE rows AS ${TABLE}`, ...copies);
}
