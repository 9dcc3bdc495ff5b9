import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromOnnx } from "@napier/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { napier, napierInterrupted, sql, temporaryFolder, writeTable } from "./command.ts";

const folder = temporaryFolder();
const SCALARS = "SELECT a, b, c, colour FROM rows";

beforeAll(async () => {
  const at = (...names: string[]) => names.map((name) => join(folder, name));
  await writeTable(at("rows.parquet", "rows.jsonl"));
  await writeTable(at("s.csv", "s.tsv", "s.csv.gz", "s.parquet", "s.jsonl", "s.ndjson", "s.json"), SCALARS);
  mkdirSync(join(folder, "parts"));
  // bytewise, "10" stands before "9" and "B" before "a"
  const parts = [
    ["10.parquet", 0, 200],
    ["9.parquet", 200, 250],
    ["B.parquet", 250, 420],
    ["a.parquet", 420, 600],
  ] as const;
  for (const [name, from, to] of parts) {
    await writeTable(at(`parts/${name}`), `SELECT a, b, c, colour FROM rows WHERE rowid BETWEEN ${from} AND ${to - 1}`);
  }
});

async function shaOf(source: string, ...options: string[]): Promise<string> {
  const args = ["--target", "colour", "--seed", "3", "--validation", "0.2", "--json"];
  const { code, stdout, stderr } = await napier(folder, "train", source, ...args, ...options);
  expect(stderr).not.toContain("error");
  expect(code).toBe(0);
  return JSON.parse(stdout).sha256;
}

test("--json prints one object with these keys, and the file has that sha256", async () => {
  const options = ["--target", "colour", "--validation", "0.25", "--hidden", "8,4", "--epochs", "3"];
  const { code, stdout, stderr } = await napier(
    folder,
    "train",
    "rows.parquet",
    ...options,
    "--out",
    "k.onnx",
    "--json",
  );
  expect(code).toBe(0);
  expect(stdout.split("\n")).toHaveLength(2);
  const score = { nll: expect.any(Number), accuracy: expect.any(Number) };
  const report = JSON.parse(stdout);
  expect(report).toEqual({
    model: "k.onnx",
    report: null,
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    rows: 600,
    features: 6,
    classes: ["blue", "green", "red"],
    optimizer: "adamw",
    train: score,
    validation: score,
    objective: null,
    iterations: null,
    converged: null,
    epochs: 3,
    leftOut: [],
    seconds: expect.any(Number),
  });
  const bytes = readFileSync(join(folder, "k.onnx"));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(report.sha256);
  const { features, layers, scaling } = fromOnnx(bytes);
  expect(features).toEqual([
    { name: "a", size: 1 },
    { name: "b", size: 1 },
    { name: "c", size: 1 },
    { name: "e", size: 3 },
  ]);
  expect(layers.map((layer) => layer.outputs)).toEqual([8, 4, 3]);
  expect(scaling.kind).toBe("standard");
  // piped, progress is plain lines, one an epoch
  expect(stderr.match(/^epoch \d\/3: training NLL .*; validation NLL .*$/gm)).toHaveLength(3);
  expect(stderr).not.toContain("\r");
});

test("training and validation scores are those of the model on those rows", async () => {
  const halves = ["SELECT * FROM 's.parquet' LIMIT 450", "SELECT * FROM 's.parquet' OFFSET 450"];
  const options = ["--target", "colour", "--optimizer", "adamw", "--epochs", "4", "--out", "halves.onnx", "--json"];
  const trained = await napier(folder, "train", `sql:${halves[0]}`, "--validation", `sql:${halves[1]}`, ...options);
  const report = JSON.parse(trained.stdout);
  for (const [i, name] of (["train", "validation"] as const).entries()) {
    const { stdout } = await napier(
      folder,
      "evaluate",
      "halves.onnx",
      `sql:${halves[i]}`,
      "--target",
      "colour",
      "--json",
    );
    const { rows, nll, accuracy } = JSON.parse(stdout);
    expect(rows).toBe(i === 0 ? 450 : 150);
    expect(accuracy).toBe(report[name].accuracy);
    expect(nll).toBeCloseTo(report[name].nll, 12);
  }
});

test("a fraction's two scores add up to that of all rows", async () => {
  const options = [
    "--target",
    "colour",
    "--validation",
    "0.2",
    "--optimizer",
    "adamw",
    "--epochs",
    "3",
    "--out",
    "fraction.onnx",
    "--json",
  ];
  const { train, validation } = JSON.parse((await napier(folder, "train", "s.csv", ...options)).stdout);
  const { stdout } = await napier(folder, "evaluate", "fraction.onnx", "s.csv", "--target", "colour", "--json");
  const all = JSON.parse(stdout);
  expect(train.nll * 480 + validation.nll * 120).toBeCloseTo(all.nll * 600, 9);
  expect(Math.round(train.accuracy * 480) + Math.round(validation.accuracy * 120)).toBe(Math.round(all.accuracy * 600));
});

test("same seed, same bytes; another seed, others", async () => {
  const first = await shaOf("rows.parquet", "--hidden", "5", "--out", "1.onnx");
  expect(await shaOf("rows.parquet", "--hidden", "5", "--out", "2.onnx")).toBe(first);
  expect(readFileSync(join(folder, "1.onnx"))).toEqual(readFileSync(join(folder, "2.onnx")));
  expect(await shaOf("rows.parquet", "--hidden", "5", "--seed", "4", "--out", "2.onnx")).not.toBe(first);
});

test("--threads: the same bytes", async () => {
  const large = ["--hidden", "256,128", "--out"];
  const first = await shaOf("rows.parquet", ...large, "0.onnx");
  for (const threads of ["1", "2", "3"]) {
    expect(await shaOf("rows.parquet", "--threads", threads, ...large, `${threads}.onnx`), threads).toBe(first);
  }
});

test.each(["0", "1.5", "257", "two"])("--threads %s is wrong usage", async (threads) => {
  const { code, stderr } = await napier(folder, "train", "s.csv", "--target", "colour", "--threads", threads);
  expect([code, stderr]).toEqual([
    2,
    `error: option '--threads <n>' argument '${threads}' is invalid. Expected a whole number from 1 to 256.\n`,
  ]);
});

describe("the format does not matter", () => {
  let csv: Promise<string> | undefined;
  const sources = [
    "s.tsv",
    "s.csv.gz",
    "s.parquet",
    "s.jsonl",
    "s.ndjson",
    "s.json",
    "parts/*.parquet",
    "sql:SELECT * FROM 's.parquet'; -- all of it",
    "sql:SELECT a::FLOAT AS a, b::HUGEINT AS b, c::INTEGER AS c, colour FROM 's.csv'",
  ];
  test.each(sources)("%s gives the bytes of s.csv", async (source) => {
    csv ??= shaOf("s.csv", "--out", "g.onnx");
    expect(await shaOf(source, "--out", "f.onnx")).toBe(await csv);
  });

  test("lists from Parquet, JSON lines and arrays in SQL", async () => {
    const sha = await shaOf("rows.parquet", "--out", "f.onnx");
    expect(await shaOf("rows.jsonl", "--out", "f.onnx")).toBe(sha);
    const array = "sql:SELECT a, b, c, e::DOUBLE[3] AS e, colour FROM 'rows.parquet'";
    expect(await shaOf(array, "--out", "f.onnx")).toBe(sha);
  });

  test("a file whose name looks like a glob is that file", async () => {
    copyFileSync(join(folder, "s.csv"), join(folder, "s[1]*.csv"));
    expect(await shaOf("s[1]*.csv", "--out", "f.onnx")).toBe(await shaOf("s.csv", "--out", "f.onnx"));
  });
});

test("labels are numbers where the column holds numbers, text otherwise", async () => {
  const classes = async (label: string): Promise<unknown> => {
    const source = `sql:SELECT a, (${label}) AS y FROM (SELECT *, row_number() OVER () AS i FROM 's.parquet')`;
    const { stdout } = await napier(folder, "train", source, "--target", "y", "--out", "l.onnx", "--json");
    return JSON.parse(stdout).classes;
  };
  expect(await classes("(i % 3)::UTINYINT")).toEqual([0, 1, 2]);
  expect(await classes("(i % 2) - 0.5")).toEqual([-0.5, 0.5]);
  expect(await classes("i % 2 = 0")).toEqual(["false", "true"]);
  expect(await classes("DATE '2024-02-28' + (i % 2)::INTEGER")).toEqual(["2024-02-28", "2024-02-29"]);
  expect(await classes("(i % 3)::VARCHAR")).toEqual(["0", "1", "2"]);
});

test("--exclude leaves columns out", async () => {
  const options = [
    "--target",
    "colour",
    "--exclude",
    "e,b",
    "--optimizer",
    "adamw",
    "--epochs",
    "1",
    "--out",
    "x.onnx",
    "--json",
  ];
  const { stdout } = await napier(folder, "train", "rows.parquet", ...options);
  expect(JSON.parse(stdout).features).toBe(2);
  expect(fromOnnx(readFileSync(join(folder, "x.onnx"))).features.map((f) => f.name)).toEqual(["a", "c"]);
});

test("Ctrl-C saves the best model so far and exits with 130", async () => {
  const options = [
    "--target",
    "colour",
    "--validation",
    "0.2",
    "--optimizer",
    "adamw",
    "--epochs",
    "100000",
    "--out",
    "stopped.onnx",
  ];
  const { code, stdout, stderr } = await napierInterrupted(
    folder,
    /^epoch 1\//m,
    "SIGINT",
    "train",
    "s.csv",
    ...options,
  );
  expect(stderr).toMatch(/^interrupted after \d+ epochs; the best model so far is saved to stopped\.onnx, of epoch /m);
  expect(stderr).toMatch(/^hint: use it as it is, or run the same command again to train all 100,000 epochs$/m);
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  const evaluated = await napier(folder, "evaluate", "stopped.onnx", "s.csv", "--target", "colour");
  expect(evaluated.stdout).toMatch(/^s\.csv: NLL [\d.]+, accuracy [\d.]+ % \(600 rows\)\n/);
});

test("without --json the result is a few lines", async () => {
  const { stdout } = await napier(
    folder,
    "train",
    "s.csv",
    "--target",
    "colour",
    "--validation",
    "0.2",
    "--hidden",
    "6",
    "--epochs",
    "2",
  );
  expect(stdout).toMatch(
    /^model\.onnx: 3 features → 3 classes, sha256 [0-9a-f]{64}\n {2}training {4}NLL .* \(480 rows\)\n {2}validation {2}NLL .* \(epoch [12], 120 rows\)\n {2}2 epochs in .* s\n$/,
  );
});

test("rows that come in chunks of any size make the same blocks", async () => {
  const filtered = "SELECT a, b, colour FROM many WHERE k % 7 <> 3 AND k % 11 <> 5";
  const rows = `SELECT k, (k * 37) % 101 AS a, (k * 53) % 97 AS b, ((k * 37) % 101 > 50)::VARCHAR AS colour FROM range(20000) t(k)`;
  await sql(`COPY (${filtered.replace("many", `(${rows} ORDER BY k)`)}) TO '${join(folder, "flat.parquet")}'`);
  const sha = await shaOf("flat.parquet", "--out", "f.onnx");
  expect(await shaOf(`sql:${filtered.replace("many", `(${rows})`)}`, "--out", "f.onnx")).toBe(sha);
});

test("no temporary file is left", () => {
  expect(readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
});
