import { appendFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { gather, openSource } from "../src/index.ts";
import { napier, type Result, sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const file = (name: string) => join(folder, name);

/** Both sides of what DuckDB guesses types from and keeps in flight; 300,000 rows are read by more than one thread. */
const SIZES = [30_000, 300_000];

const LATE: [what: string, line: string, message: RegExp][] = [
  ["short", "1,2", /Expected Number of Columns: 3 Found: 2/],
  ["long", "1,2,0,5", /Expected Number of Columns: 3 Found: 4/],
  ["text", "hello,2,0", /hello/],
];

const COMMANDS: [name: string, args: (source: string) => string[]][] = [
  ["train", (source) => ["train", source, "--target", "y", "--out", "out.onnx"]],
  ["evaluate", (source) => ["evaluate", "good.onnx", source, "--target", "y"]],
  ["predict", (source) => ["predict", "good.onnx", source, "--out", "out.csv"]],
  ["check", (source) => ["check", source, "--targets", "y", "--json"]],
];

const lines = (rows: number) => Array.from({ length: rows }, (_, i) => `${i % 101},${i % 97},${i % 2}\n`).join("");

beforeAll(async () => {
  for (const rows of SIZES) {
    const good = `a,b,y\n${lines(rows)}`;
    writeFileSync(file(`good-${rows}.csv`), good);
    for (const [what, line] of LATE) writeFileSync(file(`${what}-${rows}.csv`), `${good}${line}\n`);
  }
  const trained = await napier(folder, "train", "good-30000.csv", "--target", "y", "--out", "good.onnx");
  expect(trained.code).toBe(0);
}, 60_000);

/** One error line, nothing on stdout, no file that was not there before. */
function expectError(result: Result, message: RegExp): void {
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error: "));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(message);
  expect(result).toMatchObject({ code: 2, stdout: "" });
  expect(readdirSync(folder).filter((name) => /^\.?out|\.tmp$/.test(name))).toEqual([]);
}

describe.each(COMMANDS)(
  "%s",
  (_, args) => {
    for (const rows of SIZES) {
      test.each(LATE)(`a %s line after ${rows} rows is an error`, async (what, _line, message) => {
        const name = `${what}-${rows}.csv`;
        const result = await napier(folder, ...args(name));
        expectError(result, new RegExp(`cannot read ${name}: CSV Error on Line: ${rows + 2}\\b.*${message.source}`));
      });
    }
  },
  60_000,
);

test("predict to stdout streams: batches before the late line are there, whole, and the error is one", async () => {
  const [small, large] = await Promise.all(
    SIZES.map((rows) => napier(folder, "predict", "good.onnx", `short-${rows}.csv`)),
  );
  expectError(small!, /cannot read short-30000\.csv/);
  const written = large!.stdout.split("\n");
  // how far the reader was ahead decides how many batches
  expect([large!.code, (written.length - 2) % 122_880, written.length > 122_880, written.at(-1)]).toEqual([
    2,
    0,
    true,
    "",
  ]);
  expectError({ ...large!, stdout: "" }, /cannot read short-300000\.csv/);
});

test.each(SIZES)(
  "all %i rows of a good file are read, in order",
  async (rows) => {
    for (const source of [`good-${rows}.csv`, `sql:SELECT * FROM '${file(`good-${rows}.csv`)}'`]) {
      const evaluated = await napier(folder, "evaluate", "good.onnx", source, "--target", "y", "--json");
      expect(JSON.parse(evaluated.stdout)).toMatchObject({ rows });
      const checked = await napier(folder, "check", source, "--targets", "y", "--json");
      expect(JSON.parse(checked.stdout)).toMatchObject({ rows });
      const predicted = await napier(folder, "predict", "good.onnx", source, "--out", "predictions.csv", "--force");
      expect(predicted.code).toBe(0);
      expect(readFileSync(file("predictions.csv"), "utf8").split("\n")).toHaveLength(rows + 2);
    }
    const source = await openSource(file(`good-${rows}.csv`), { target: "y" });
    const { x, y } = await gather(source);
    source.close();
    expect(x.shape).toEqual([rows, 2]);
    expect(y).toHaveLength(rows);
    const wrong = y.findIndex(
      (label, i) => label !== i % 2 || x.data[2 * i] !== i % 101 || x.data[2 * i + 1] !== i % 97,
    );
    expect(wrong).toBe(-1);
  },
  60_000,
);

const read = async (source: string): Promise<number> => {
  const opened = await openSource(source, { target: "y" });
  try {
    return (await gather(opened)).y.length;
  } finally {
    opened.close();
  }
};

test("the same from TSV, gzip, a query and the last of several files", async () => {
  const bad = `a,b,y\n${lines(30_000)}1,2\n`;
  writeFileSync(file("late.tsv"), bad.replaceAll(",", "\t"));
  writeFileSync(file("late.csv.gz"), gzipSync(bad));
  writeFileSync(file("part-1.csv"), `a,b,y\n${lines(30_000)}`);
  writeFileSync(file("part-2.csv"), bad);
  const query = `sql:SELECT * FROM '${file("short-300000.csv")}'`;
  for (const source of [file("late.tsv"), file("late.csv.gz"), file("part-?.csv"), query]) {
    await expect(read(source), source).rejects.toThrow(/cannot read .*CSV Error on Line: (30002|300002)/);
  }
  const late = `sql:SELECT i AS a, CASE WHEN i = 299999 THEN error('too late') ELSE i % 2 END::INTEGER AS y FROM range(300000) t(i)`;
  await expect(read(late)).rejects.toThrow(/too late/);
}, 60_000);

test("JSON lines whose last is broken, or of another type", async () => {
  const good = Array.from({ length: 30_000 }, (_, i) => `{"a": ${i % 101}, "y": ${i % 2}}\n`).join("");
  writeFileSync(file("good.jsonl"), good);
  expect(await read(file("good.jsonl"))).toBe(30_000);
  for (const [name, line] of [
    ["broken.jsonl", '{"a": 1, "y":\n'],
    ["text.jsonl", '{"a": "hello", "y": 1}\n'],
  ] as const) {
    writeFileSync(file(name), good + line);
    expectError(await napier(folder, "train", name, "--target", "y", "--out", "out.onnx"), new RegExp(name));
  }
});

test("a Parquet file that is cut short, or damaged in its last row group", async () => {
  const select = "SELECT random()::FLOAT AS a, i % 2 AS y FROM range(300000) t(i)";
  for (const name of ["cut.parquet", "damaged.parquet"]) {
    await sql(`COPY (${select}) TO '${file(name)}' (FORMAT parquet, ROW_GROUP_SIZE 20480)`);
  }
  expect(await read(file("cut.parquet"))).toBe(300_000);
  const bytes = readFileSync(file("damaged.parquet"));
  bytes.fill(0xff, Math.floor(bytes.length * 0.85), Math.floor(bytes.length * 0.95));
  writeFileSync(file("damaged.parquet"), bytes);
  truncateSync(file("cut.parquet"), bytes.length - 100);
  for (const name of ["cut.parquet", "damaged.parquet"]) {
    expectError(await napier(folder, "train", name, "--target", "y", "--out", "out.onnx"), new RegExp(name));
    expectError(await napier(folder, "check", name, "--json"), new RegExp(name));
  }
  expect(existsSync(file("out.onnx"))).toBe(false);
});

test("a file that grows while it is read", async () => {
  writeFileSync(file("growing.csv"), `a,b,y\n${lines(300_000)}`);
  const source = await openSource(file("growing.csv"), { target: "y" });
  let grown = false;
  const all = async () => {
    for await (const _ of source) {
      if (!grown) appendFileSync(file("growing.csv"), "1,2,0\n");
      grown = true;
    }
  };
  await expect(all()).rejects.toThrow(/cannot read .*growing\.csv: read 300000 of 300001 rows$/);
  source.close();
});

test("a query keeps its order, and need not give the same rows twice", async () => {
  const ordered = await openSource("sql:SELECT i AS a FROM range(300000) t(i) ORDER BY i DESC");
  const { x } = await gather(ordered);
  ordered.close();
  expect(x.data.findIndex((value, i) => value !== 299_999 - i)).toBe(-1);
  const rows = await read("sql:SELECT i AS a, i % 2 AS y FROM range(10000) t(i) WHERE random() < 0.5");
  expect(Math.abs(rows - 5000)).toBeLessThan(1000);
});

test.each([
  ["empty lines and no newline at the end", "a,y\n1,0\n\n2,1\n\n3,0", 3],
  ["one column", "y\n1\n2\n", 2],
  ["a header that is guessed", "1,2\n3,4\n5,6\n", 3],
  ["CRLF", "a,y\r\n1,0\r\n2,1\r\n", 2],
  ["newlines in quotes", 'a,t,y\n1,"x\ny",0\n2,"z\n\n",1\n', 2],
])("no row is miscounted: %s", async (_, text, rows) => {
  writeFileSync(file("edge.csv"), text);
  const source = await openSource(file("edge.csv"), { choice: { exclude: text.includes(",t,") ? ["t"] : [] } });
  const { x } = await gather(source);
  source.close();
  expect(x.shape[0]).toBe(rows);
});
