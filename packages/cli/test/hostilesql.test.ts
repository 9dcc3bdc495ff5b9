import { type ChildProcess, execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { openSource } from "../src/source.ts";
import { BIN, napier, type Result, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const COLUMNS = 100_000;

beforeAll(() => {
  const line = (of: (k: number) => string | number): string => Array.from({ length: COLUMNS }, (_, k) => of(k)).join();
  const wide = `${line((k) => `c${k}`)},y\n${line((k) => k % 7)},u\n`;
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}\n`;
  writeFileSync(at("deep.jsonl"), deep);
  writeFileSync(at("deep.txt"), deep);
  writeFileSync(at("deep.json.gz"), gzipSync(deep));
  writeFileSync(at("wide.csv"), wide);
  writeFileSync(at("wide.jsonl"), `{${line((k) => `"c${k}":${k % 7}`)},"y":"u"}\n`);
  writeFileSync(at("late.csv"), `${"a title\n".repeat(20)}${wide}`);
  writeFileSync(at("tilde.txt"), wide.replaceAll(",", "~"));
  writeFileSync(at("good.csv"), `a,y\n${Array.from({ length: 40 }, (_, i) => `${i % 7},${i % 2}\n`).join("")}`);
  mkdirSync(at("tmp"));
});

/** With so little memory that a query's end is near, and a folder of its own for temporary files. */
function limited(memory: string, timeout: number, ...args: string[]): Promise<Result & { signal: unknown }> {
  return started(memory, timeout, args).end;
}

function started(memory: string, timeout: number, args: readonly string[]) {
  const env = { ...process.env, NAPIER_MEMORY: memory, TMPDIR: at("tmp") };
  let child: ChildProcess | undefined;
  const end = new Promise<Result & { signal: unknown }>((resolve) => {
    child = execFile(process.execPath, [BIN, ...args], { cwd: folder, env, timeout }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), signal: error?.signal ?? null, stdout, stderr });
    });
  });
  return { end, child: child! };
}

const DEEP = "objects and arrays stand in each other more than 500 deep\nhint: is it a table?\n";
const WIDE =
  "100,001 columns; at most 20,000 are read\nhint: keep so many numbers as one list a row (Parquet, JSON lines), or as a .npy or .safetensors matrix\n";

describe("files that killed or hung DuckDB through sql: were not looked at", () => {
  test.each([
    ["SELECT * FROM 'deep.jsonl'", `deep.jsonl: ${DEEP}`],
    ["WITH t AS (SELECT * FROM read_json_auto('deep.txt')) SELECT * FROM t", `deep.txt: ${DEEP}`],
    ["SELECT a, (SELECT count(*) FROM \"deep.json.gz\") AS n, y FROM 'good.csv'", `deep.json.gz: ${DEEP}`],
    ["SELECT * FROM 'wide.csv'", `wide.csv: ${WIDE}`],
    ["SELECT * FROM 'wide.jsonl'", `wide.jsonl: ${WIDE.replace("100,001", "more than 20,000")}`],
    ["SELECT * FROM READ_CSV(['good.csv', 'w*.csv'])", `./wide.csv: ${WIDE}`],
    ["FROM 'good.csv' UNION ALL BY NAME FROM 'late.csv'", `late.csv: ${WIDE}`],
    ["SELECT * FROM read_csv('tilde.txt', delim = '~')", `tilde.txt: ${WIDE}`],
  ])("%s", async (sql, message) => {
    const { code, signal, stderr } = await limited("1GB", 20_000, "train", `sql:${sql}`, "--target", "y", "--dry-run");
    expect({ code, signal, stderr }).toEqual({ code: 2, signal: null, stderr: `error: ${message}` });
  });

  test.each([
    ["SELECT * FROM read_csv('good' || '.csv')", "read_csv() expected the names of its files as text"],
    ["FROM query_table(['good.csv'])", "query_table() is not read"],
    ["FROM query('FROM ''deep.jsonl''')", "query() is not read"],
    ["FROM json_execute_serialized_sql('{}')", "json_execute_serialized_sql() is not read"],
  ])("nor can it be hidden: %s", async (sql, message) => {
    await expect(openSource(`sql:${sql}`, { target: "y" })).rejects.toThrow(`: ${message}`);
  });
});

test("SQL reads the user's own files: those that the operating system lets the user read, and no others", async () => {
  const elsewhere = temporaryFolder();
  const file = join(elsewhere, "theirs.csv");
  writeFileSync(file, "a,y\n1,u\n2,v\n3,u\n");
  const read = () => napier(folder, "train", `sql:FROM '${file}'`, "--target", "y", "--dry-run", "--json");
  expect(JSON.parse((await read()).stdout).rows).toBe(3);
  for (const [sql, refusal] of [
    ["FROM 'https://localhost/a.csv'", "requires the extension httpfs to be loaded"],
    ["FROM sqlite_scan('a.db', 't')", "exists in the sqlite_scanner extension"],
    [`ATTACH '${file}'`, "expected one SELECT statement, got ATTACH"],
    [`COPY (SELECT 1) TO '${file}'`, "expected one SELECT statement, got COPY"],
    [`SELECT * FROM read_duckdb('${file}', table_name = 't')`, "read_duckdb() is not read"],
  ]) {
    await expect(openSource(`sql:${sql}`, { target: "y" }), sql).rejects.toThrow(refusal);
  }
  // root reads everything
  if (process.getuid?.() === 0) return;
  chmodSync(file, 0);
  const { code, stderr } = await read();
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^error: [^\n]*(Permission denied|EACCES)[^\n]*\n$/)]);
});

test.skipIf(process.platform === "win32").each([
  ["train", "pipe.csv", "--target", "y"],
  ["train", "sql:FROM 'pipe.csv'", "--target", "y"],
  ["predict", "pipe.csv", "good.csv"],
  ["inspect", "pipe.csv"],
])("a pipe was waited for without end: %s %s", async (...args) => {
  if (!existsSync(at("pipe.csv"))) execFileSync("mkfifo", [at("pipe.csv")]);
  expect(await limited("1GB", 20_000, ...args)).toEqual({
    code: 2,
    signal: null,
    stdout: "",
    stderr:
      "error: pipe.csv is no regular file\nhint: files are read more than once: save what comes through a pipe to a file first\n",
  });
});

test.each([
  ["a list of the query's own, 24 GB", "SELECT unnest(range(3000000000)) AS a, 1 AS y"],
  ["a list of all rows, 2.4 GB", "SELECT list(i) AS a, 1 AS y FROM range(300000000) t(i)"],
])("a query took all memory: %s", async (_, sql) => {
  const { code, signal, stderr } = await limited("200MB", 30_000, "train", `sql:${sql}`, "--target", "y", "--dry-run");
  expect({ code, signal, stderr }).toEqual({
    code: 2,
    signal: null,
    stderr: `error: cannot read sql:${sql}: it needs more than the 0.2 GB of memory that a query may hold\nhint: select fewer rows or columns, or allow it more: NAPIER_MEMORY=16GB napier …\n`,
  });
  expect(readdirSync(at("tmp"))).toEqual([]);
});

/** Seconds of all cores that a process has used: start-up takes one, and only a query goes on to four. */
function secondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

describe.runIf(process.platform === "linux")("Ctrl-C did not end a query", () => {
  const LONG =
    "sql:SELECT count(*) AS a, 1 AS y FROM range(10000000000) t(i), range(1000) u(j) WHERE hash(i + j) % 7 = 1";
  test.each([
    ["train", LONG, "--target", "y", "--dry-run"],
    ["check", LONG],
  ])("%s", async (...args) => {
    const { end, child } = started("1GB", 60_000, args);
    while (secondsOf(child.pid!) < 4) await setTimeout(50);
    const start = performance.now();
    child.kill("SIGINT");
    const { code, signal, stderr } = await end;
    expect(performance.now() - start).toBeLessThan(10_000);
    expect([code, signal]).toEqual([130, null]);
    expect(stderr).toMatch(/^interrupted[^\n]*; nothing is saved\n$/);
  });
});
