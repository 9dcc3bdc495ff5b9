import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { napier, temporaryFolder, writeTable } from "./command.ts";

const folder = temporaryFolder();
let files: string[] = [];

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

beforeAll(async () => {
  await writeTable(["rows.parquet", "whole.parquet", "table.parquet"].map((name) => join(folder, name)));
  await writeTable([join(folder, "none.parquet")], "SELECT * FROM rows LIMIT 0");
  truncateSync(join(folder, "whole.parquet"), 3000);
  write("text.csv", "a,city,name,y\n1,x,Ann,u\n2,z,Bob,v\n");
  write("typo.csv", "a,y\n1,u\nn/a,v\n3,u\n");
  write("one.csv", "a,y\n1,u\n2,u\n");
  write("header.csv", "a,y\n");
  write("nan.csv", "a,b,y\n1,2,u\n3,nan,v\n");
  write("infinite.csv", "a,b,y\n1,2,u\n3,4,v\n-inf,5,u\n");
  write("null.csv", "a,b,y\n1,2,u\n3,,v\n");
  write("target.csv", "a,y\n1,u\n3,\n");
  write("big.csv", "a,y\n1,u\n1e39,v\n");
  write("ragged.jsonl", '{"e":[1,2],"y":"u"}\n{"e":[1,2,3],"y":"v"}\n');
  write("hole.jsonl", '{"e":[1,2],"y":"u"}\n{"e":[1,null],"y":"v"}\n');
  write("broken.jsonl", '{"a":1,"y":"u"}\n{"a":2,"y"\n');
  write("two.csv", "a,b,y\n1,2,u\n3,4,v\n");
  write("other.csv", "a,b,y\n1,2,u\n3,4,w\n");
  mkdirSync(join(folder, "sub"));
  const { code } = await napier(folder, "train", "rows.parquet", "--target", "colour", "--out", "m.onnx");
  expect(code).toBe(0);
  writeFileSync(join(folder, "cut.onnx"), readFileSync(join(folder, "m.onnx")).subarray(0, 400));
  files = readdirSync(folder).sort();
});

// no partial file, whatever went wrong
afterEach(() => expect(readdirSync(folder).sort()).toEqual(files));

const FILL = "hint: leave such rows out, or fill them in, with sql:SELECT …";
const FORMATS =
  'hint: a source is .csv, .tsv, .parquet, .jsonl, .ndjson or .json (text also with .gz), .npy or .safetensors, or "sql:SELECT …"';

async function refused(args: string[], ...lines: string[]): Promise<void> {
  const { code, stdout, stderr } = await napier(folder, ...args);
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: lines.map((line) => `${line}\n`).join("") });
}

describe("train refuses", () => {
  const cases: [source: string, options: string[], ...lines: string[]][] = [
    ["rows.parquet", ["--target", "color"], 'error: rows.parquet: no column "color"', 'hint: did you mean "colour"?'],
    ["one.csv", ["--target", "label"], 'error: one.csv: no column "label"', 'hint: its columns are "a", "y"'],
    [
      "two.csv",
      ["--target", "y", "--exclude", "c"],
      'error: two.csv: no column "c"',
      'hint: its columns are "a", "b", "y"',
    ],
    [
      "text.csv",
      ["--target", "y", "--exclude", "a"],
      'error: text.csv: columns "city", "name" are text, not numbers',
      "hint: turn them into numbers with sql:SELECT …",
    ],
    [
      "text.csv",
      ["--target", "y", "--keep", "city"],
      'error: text.csv: column "city" is text, not numbers',
      "hint: turn it into numbers with sql:SELECT …",
    ],
    [
      "text.csv",
      ["--target", "y", "--features", "a,name"],
      'error: text.csv: column "name" is text, not numbers',
      "hint: turn it into numbers with sql:SELECT …",
    ],
    ["text.csv", ["--target", "y", "--keep", "cty"], 'error: text.csv: no column "cty"', 'hint: did you mean "city"?'],
    ["text.csv", ["--target", "y", "--features", "y"], 'error: text.csv: column "y" cannot be a feature too'],
    [
      "typo.csv",
      ["--target", "y"],
      'error: typo.csv: column "a" is text, but 2 of 3 values are numbers, "n/a" in row 2 is none',
      "hint: put numbers there with sql:SELECT …, or leave it out with --exclude a",
    ],
    [
      "two.csv",
      ["--labels", "y.npy"],
      "error: --labels: two.csv is a table",
      "hint: name its column by --target <column>",
    ],
    [
      "sql:SELECT [[1, 2]] AS image, 'u' AS y",
      ["--target", "y"],
      "error: sql:SELECT [[1, 2]] AS image, 'u' AS y: column \"image\" is INTEGER[][], not numbers",
      "hint: turn it into numbers with sql:SELECT …",
    ],
    [
      "one.csv",
      ["--target", "y"],
      'error: one.csv: column "y" has one class only, "u"',
      "hint: a classifier needs two classes at least",
    ],
    ["one.csv", ["--target", "y", "--exclude", "a"], "error: one.csv: no feature column is left"],
    ["header.csv", ["--target", "y"], "error: header.csv has no rows"],
    ["none.parquet", ["--target", "colour"], "error: none.parquet has no rows"],
    ["nan.csv", ["--target", "y"], 'error: nan.csv: row 2, column "b": NaN is not a finite number', FILL],
    [
      "infinite.csv",
      ["--target", "y"],
      'error: infinite.csv: row 3, column "a": -Infinity is not a finite number',
      FILL,
    ],
    ["null.csv", ["--target", "y"], 'error: null.csv: row 2, column "b": NULL', FILL],
    [
      "big.csv",
      ["--target", "y"],
      'error: big.csv: row 2, column "a": 1e+39 is beyond float32\'s range',
      "hint: scale the column with sql:SELECT …",
    ],
    [
      "target.csv",
      ["--target", "y"],
      'error: target.csv: row 2, column "y": NULL in the target',
      "hint: leave such rows out with sql:SELECT … WHERE … IS NOT NULL",
    ],
    [
      "ragged.jsonl",
      ["--target", "y"],
      'error: ragged.jsonl: row 2, column "e": a list of 3 numbers where row 1 has 2',
    ],
    ["hole.jsonl", ["--target", "y"], 'error: hole.jsonl: row 2, column "e": NULL in the list, item 2', FILL],
    [
      "sql:SELECT 1 AS a, 1e16 AS y",
      ["--target", "y"],
      'error: sql:SELECT 1 AS a, 1e16 AS y: row 1, column "y": 10000000000000000 cannot be a label',
      "hint: make it text with sql:SELECT … ::VARCHAR",
    ],
    [
      "sql:SELECT CASE WHEN i < 5000 THEN i END AS a, i % 2 AS y FROM range(9000) t(i)",
      ["--target", "y"],
      'error: sql:SELECT CASE WHEN i < 5000 THEN i END AS a, i % 2 AS y F…: row 5001, column "a": NULL',
      FILL,
    ],
    [
      "whole.parquet",
      ["--target", "colour"],
      "error: cannot read whole.parquet: No magic bytes found at end of file 'whole.parquet'",
      "hint: the file is truncated, or no Parquet",
    ],
    ["nowhere.csv", ["--target", "y"], "error: nowhere.csv: no such file"],
    ["*.tsv", ["--target", "y"], "error: *.tsv: no file matches"],
    ["t*", ["--target", "y"], "error: t*: mixes parquet and csv files"],
    ["sub", ["--target", "y"], "error: sub is a folder", 'hint: name its files: "sub/*.parquet"'],
    ["m.onnx", ["--target", "y"], "error: m.onnx: unknown format", FORMATS],
    ["{one,two}.csv", ["--target", "y"], "error: {one,two}.csv: no such file"],
    ["sql:", ["--target", "y"], "error: sql:: expected one SELECT statement, got nothing"],
    [
      "sql:SELECT 1; SELECT 2",
      ["--target", "y"],
      "error: sql:SELECT 1; SELECT 2: expected one SELECT statement, got 2 statements",
    ],
    [
      "sql:COPY (SELECT 1) TO 'evil.csv'",
      ["--target", "y"],
      "error: sql:COPY (SELECT 1) TO 'evil.csv': expected one SELECT statement, got COPY …",
    ],
    ...[
      "EXPORT DATABASE 'evil'",
      "ATTACH 'evil.db'",
      "INSTALL httpfs",
      "LOAD httpfs",
      "SET memory_limit = '1GB'",
      "PRAGMA database_list",
      "EXPLAIN SELECT 1",
      "CREATE TABLE t AS SELECT 1 AS a, 2 AS y",
      "CALL pragma_version()",
      "-- SELECT\nINSERT INTO t VALUES (1)",
    ].map((sql): [string, string[], string] => [
      `sql:${sql}`,
      ["--target", "y"],
      `error: sql:${sql.replace("\n", " ")}: expected one SELECT statement, got ${sql.replace(/^--.*\n/, "").split(" ")[0]} …`,
    ]),
    [
      "sql:WITH t AS (DELETE FROM x RETURNING a) SELECT * FROM t",
      ["--target", "y"],
      "error: cannot read sql:WITH t AS (DELETE FROM x RETURNING a) SELECT * FROM t: A CTE needs a SELECT",
    ],
    [
      "sql:SELECT * FROM query('DROP TABLE x')",
      ["--target", "y"],
      "error: sql:SELECT * FROM query('DROP TABLE x'): query() is not read",
      "hint: write what it reads into the statement itself",
    ],
    [
      "sql:SELECT * FROM 's3://bucket/a.parquet'",
      ["--target", "y"],
      "error: cannot read sql:SELECT * FROM 's3://bucket/a.parquet': File s3://bucket/a.parquet requires the extension httpfs to be loaded",
    ],
    [
      "sql:SELECT * FROM sqlite_scan('a.db', 't')",
      ["--target", "y"],
      "error: cannot read sql:SELECT * FROM sqlite_scan('a.db', 't'): Table Function with name \"sqlite_scan\" is not in the catalog, but it exists in the sqlite_scanner extension.",
    ],
    ["sql:SELEC 1", ["--target", "y"], 'error: cannot read sql:SELEC 1: syntax error at or near "SELEC"'],
    [
      "sql:SELECT * FROM 'http://localhost/a.parquet'",
      ["--target", "y"],
      "error: cannot read sql:SELECT * FROM 'http://localhost/a.parquet': File http://localhost/a.parquet requires the extension httpfs to be loaded",
    ],
    [
      "two.csv",
      ["--target", "y", "--out", "no/m.onnx"],
      "error: --out no/m.onnx: there is no folder no",
      "hint: make it first: mkdir -p no",
    ],
    ["two.csv", ["--target", "y", "--out", "sub"], "error: --out sub is a folder"],
    [
      "two.csv",
      ["--target", "y", "--out", "./two.csv"],
      "error: --out ./two.csv is the source itself",
      "hint: give the result another name",
    ],
    [
      "two.csv",
      ["--target", "y", "--validation", "other.csv"],
      'error: other.csv: row 2, column "y": "w" is no class of the model',
      'hint: its classes are "u", "v"',
    ],
    [
      "two.csv",
      ["--target", "y", "--validation", "one.csv"],
      'error: one.csv: no column "b", which the model needs',
      'hint: its columns are "a", "y"',
    ],
    [
      "two.csv",
      ["--target", "y", "--epochs", "0"],
      "error: option '--epochs <n>' argument '0' is invalid. Expected a whole number of at least 1.",
    ],
    ["two.csv", ["--target", "y", "--epoch", "1"], "error: unknown option '--epoch'", "hint: did you mean --epochs?"],
    ["two.csv", [], "error: required option '--target <column>' not specified"],
  ];
  test.each(cases)("%s %j", async (source, options, ...lines) => {
    await refused(["train", source, ...options], ...lines);
  });

  test("a fraction that leaves no row", async () => {
    const { code, stderr } = await napier(folder, "train", "two.csv", "--target", "y", "--validation", "0.1");
    expect(code).toBe(2);
    expect(stderr).toBe("error: --validation expected a fraction that leaves rows on both sides, got 0 of 2 rows\n");
  });

  test("broken JSON lines, in one line", async () => {
    const { code, stderr } = await napier(folder, "train", "broken.jsonl", "--target", "y");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: cannot read broken\.jsonl: .*Malformed JSON.*\n$/);
  });
});

describe("evaluate and predict refuse", () => {
  const cases: [args: string[], ...lines: string[]][] = [
    [
      ["evaluate", "cut.onnx", "rows.parquet", "--target", "colour"],
      "error: cut.onnx is not a whole model of napier: 400 bytes that are not ONNX, or a damaged or truncated file",
    ],
    [
      ["predict", "two.csv", "rows.parquet"],
      "error: two.csv is not a whole model of napier: 18 bytes that are not ONNX, or a damaged or truncated file",
    ],
    [
      ["evaluate", "n.onnx", "rows.parquet", "--target", "colour"],
      "error: n.onnx: no such file",
      "hint: train a model first: napier train <source> --target <column>",
    ],
    [
      ["predict", "m.onnx", "two.csv", "--out", "p.csv"],
      'error: two.csv: no column "c", which the model needs',
      'hint: its columns are "a", "b", "y"',
    ],
    [
      ["predict", "m.onnx", "sql:SELECT * REPLACE ([1, 2] AS e) FROM 'rows.parquet'", "--out", "p.csv"],
      "error: sql:SELECT * REPLACE ([1, 2] AS e) FROM 'rows.parquet': row 1, column \"e\": a list of 2 numbers where the model needs 3",
    ],
    [
      ["predict", "m.onnx", "sql:SELECT * REPLACE ('x' AS a) FROM 'rows.parquet'", "--out", "p.csv"],
      "error: sql:SELECT * REPLACE ('x' AS a) FROM 'rows.parquet': column \"a\" is text, not numbers",
      "hint: turn it into numbers with sql:SELECT …",
    ],
    [
      ["evaluate", "m.onnx", "sql:SELECT * REPLACE (7 AS colour) FROM 'rows.parquet'", "--target", "colour"],
      "error: sql:SELECT * REPLACE (7 AS colour) FROM 'rows.parquet': row 1, column \"colour\": 7 is no class of the model",
      'hint: its classes are "blue", "green", "red"; they are strings and this is a number',
    ],
    [
      ["predict", "m.onnx", "rows.parquet", "--out", "no/p.csv"],
      "error: --out no/p.csv: there is no folder no",
      "hint: make it first: mkdir -p no",
    ],
    [
      ["predict", "m.onnx", "rows.parquet", "--out", "p.xlsx"],
      "error: --out p.xlsx: unknown format",
      "hint: use .parquet, .csv, .jsonl or -, or name it by --format",
    ],
    [["predict", "m.onnx", "rows.parquet", "--top", "4"], "error: --top 4: the model has 3 classes"],
    [["predict", "m.onnx", "none.parquet", "--out", "p.csv"], "error: none.parquet has no rows"],
    [["forget"], "error: unknown command 'forget'"],
  ];
  test.each(cases)("%j", (args, ...lines) => refused(args, ...lines));

  test("a stack is for --debug only", async () => {
    const { code, stderr } = await napier(folder, "evaluate", "n.onnx", "rows.parquet", "--target", "y", "--debug");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: n\.onnx: no such file\nhint: .*\n(?:.*\n)*\s+at /);
  });
});

test("numbers that grow out of bounds are a failure, exit code 1", async () => {
  const source = "sql:SELECT i::FLOAT AS a, i % 2 AS y FROM range(100) t(i)";
  const options = [
    "--target",
    "y",
    "--optimizer",
    "adamw",
    "--learning-rate",
    "1e30",
    "--batch-size",
    "10",
    "--scale",
    "none",
    "--out",
    "dead.onnx",
  ];
  const { code, stdout, stderr } = await napier(folder, "train", source, ...options);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /^error: training came to an end: .*\nhint: lower --learning-rate, set --clip-norm, or let --scale be standard\n$/m,
  );
});
