import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fromOnnx } from "@napier/onnx";
import type { Model } from "napier/train";
import { beforeAll, expect, test } from "vitest";
import { gather, openSource } from "../src/index.ts";
import { BIN, napier, sql, temporaryFolder, writeTable } from "./command.ts";

const folder = temporaryFolder();
let model: Model;
let x: { data: Float32Array; shape: [number, number] };

beforeAll(async () => {
  await writeTable([join(folder, "rows.parquet")]);
  const options = ["--target", "colour", "--hidden", "6", "--epochs", "4", "--out", "m.onnx"];
  expect((await napier(folder, "train", "rows.parquet", ...options)).code).toBe(0);
  model = fromOnnx(readFileSync(join(folder, "m.onnx")));
  const source = await openSource(join(folder, "rows.parquet"), { features: model.features });
  x = (await gather(source)).x;
  source.close();
});

async function predict(...options: string[]): Promise<string> {
  const { code, stdout } = await napier(folder, "predict", "m.onnx", "rows.parquet", ...options);
  expect(code).toBe(0);
  return stdout;
}

test("Parquet holds what the model says, bit for bit", async () => {
  expect(await predict("--out", "p.parquet")).toBe("");
  const path = join(folder, "p.parquet");
  const described = await sql(`DESCRIBE SELECT * FROM '${path}'`);
  expect(described.map(([name, type]) => [name, type])).toEqual([
    ["prediction", "VARCHAR"],
    ["probability", "FLOAT"],
    ["log_probability", "FLOAT"],
  ]);
  const rows = await sql(`SELECT * FROM '${path}'`);
  const probs = model.probs(x).data;
  const logProbs = model.logProbs(x).data;
  const expected = model.predict(x).map((label, i) => {
    const k = i * 3 + model.classes.indexOf(label);
    return [label, probs[k], logProbs[k]];
  });
  expect(rows).toEqual(expected);
});

test("CSV, JSON lines and stdout say the same", async () => {
  await predict("--out", "p.csv");
  await predict("--out", "p.jsonl");
  const csv = readFileSync(join(folder, "p.csv"), "utf8");
  expect(csv).toMatch(/^prediction,probability,log_probability\n(red|green|blue),0\.\d+,-\d/);
  expect(await predict()).toBe(csv);
  expect(await predict("--out", "-")).toBe(csv);
  const read = (name: string) =>
    sql(`SELECT prediction, probability::FLOAT, log_probability::FLOAT FROM '${join(folder, name)}'`);
  expect(await read("p.csv")).toEqual(await read("p.parquet"));
  expect(await read("p.jsonl")).toEqual(await read("p.parquet"));
});

test("--top adds classes and log-probabilities, best first", async () => {
  await predict("--top", "3", "--out", "top.parquet");
  const rows = await sql(
    `SELECT * EXCLUDE (prediction, probability, log_probability) FROM '${join(folder, "top.parquet")}'`,
  );
  const { classes, logProbs } = model.top(x, 3);
  expect(rows).toEqual(classes.map((best, i) => best.flatMap((label, k) => [label, logProbs[i]![k]])));
  const [header] = (await predict("--top", "2")).split("\n");
  expect(header).toBe("prediction,probability,log_probability,class_1,log_prob_1,class_2,log_prob_2");
});

test("number labels stay numbers", async () => {
  const source =
    "sql:SELECT a, b, (colour = 'red')::INTEGER * 2 - 1 AS y, 0.5 + (colour = 'red')::INTEGER AS z FROM 'rows.parquet'";
  for (const [target, other, type] of [
    ["y", "z", "BIGINT"],
    ["z", "y", "DOUBLE"],
  ] as const) {
    const options = ["--target", target, "--exclude", other, "--out", "n.onnx"];
    expect((await napier(folder, "train", source, ...options)).code).toBe(0);
    expect((await napier(folder, "predict", "n.onnx", source, "--out", "n.parquet", "--force")).code).toBe(0);
    const path = join(folder, "n.parquet");
    const described = await sql(`DESCRIBE SELECT * FROM '${path}'`);
    expect(described[0]!.slice(0, 2)).toEqual(["prediction", type]);
    const found = await sql(`SELECT DISTINCT prediction::DOUBLE AS p FROM '${path}' ORDER BY p`);
    for (const [label] of found) expect(target === "y" ? [-1, 1] : [0.5, 1.5]).toContain(label);
  }
});

test("a source that fails late leaves the file from before", async () => {
  await predict("--out", "kept.csv");
  const before = readFileSync(join(folder, "kept.csv"));
  const source =
    "sql:SELECT * REPLACE (CASE WHEN rowid < 590 THEN a END AS a) FROM (SELECT *, row_number() OVER () AS rowid FROM 'rows.parquet')";
  const { code } = await napier(folder, "predict", "m.onnx", source, "--out", "kept.csv", "--force");
  expect(code).toBe(2);
  expect(readFileSync(join(folder, "kept.csv"))).toEqual(before);
  expect(readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
});

test("--keep brings columns along as they are, features too, and --logits the scores", async () => {
  writeFileSync(
    join(folder, "ids.csv"),
    'id,when,a,b,c,e1,note\n0017,2026-02-03,1.50,2,true,3,"x, ""y"""\n12345678901234567890,,2.25,7,false,4,\n',
  );
  const own = ["--target", "c", "--features", "a,b", "--out", "ids.onnx"];
  expect((await napier(folder, "train", "ids.csv", ...own)).code).toBe(0);
  const run = async (...options: string[]) => (await napier(folder, "predict", "ids.onnx", ...options)).stdout;
  const plain = (await run("ids.csv")).split("\n").slice(1, 3);
  const csv = await run("ids.csv", "--keep", "note,id", "--keep", "when,a", "--logits");
  const [header, first, second] = csv.split("\n");
  expect(header).toBe("note,id,when,a,prediction,probability,log_probability,logit_false,logit_true");
  expect(first).toMatch(/^"x, ""y""",0017,2026-02-03,1\.50,/);
  expect(second).toMatch(/^,12345678901234567890,,2\.25,/);
  const { data } = fromOnnx(readFileSync(join(folder, "ids.onnx"))).logits({ data: [1.5, 2, 2.25, 7], shape: [2, 2] });
  [first, second].forEach((line, i) => {
    const cells = line!.split(",");
    expect(cells.slice(-2).map((cell) => Math.fround(Number(cell)))).toEqual([data[i * 2], data[i * 2 + 1]]);
    // a column that comes along is read as it ever was
    expect(cells.slice(-5, -2).join()).toBe(plain[i]);
  });
  expect(await run("ids.csv", "--keep", "id", "--format", "jsonl")).toMatch(
    /^\{"id":"0017","prediction":"(true|false)",/,
  );
});

test("kept columns of Parquet have their types", async () => {
  await predict("--keep", "e,c,colour", "--out", "types.parquet");
  const path = join(folder, "types.parquet");
  const described = await sql(`DESCRIBE SELECT * FROM '${path}'`);
  expect(described.slice(0, 4).map(([name, type]) => [name, type])).toEqual([
    ["e", "FLOAT[]"],
    ["c", "BOOLEAN"],
    ["colour", "VARCHAR"],
    ["prediction", "VARCHAR"],
  ]);
  const [[same]] = (await sql(
    `SELECT count(*) FROM (SELECT e, c, colour FROM '${path}' POSITIONAL JOIN (SELECT e AS f, c AS d, colour AS k FROM '${join(folder, "rows.parquet")}') WHERE e = f AND c = d AND colour = k)`,
  )) as [[bigint]];
  expect(same).toBe(600n);
});

test("more rows than a batch holds stay in order, in every format", async () => {
  const rows = 300_000;
  const source = `sql:SELECT i AS id, (i % 13)::FLOAT AS a, i % 97 AS b, i % 2 = 0 AS c, [i % 31, i % 7, 1]::FLOAT[] AS e FROM range(${rows}) t(i)`;
  const run = (...options: string[]) => napier(folder, "predict", "m.onnx", source, "--keep", "id", ...options);
  const digest = async (from: string) =>
    sql(
      `SELECT count(*), bool_and(id = place - 1), sum(hash(prediction || probability::FLOAT) // 1024)::VARCHAR
       FROM (SELECT *, row_number() OVER () AS place FROM '${join(folder, from)}')`,
    );
  const [first] = await Promise.all(
    ["many.parquet", "many.csv", "many.jsonl"].map(async (name) => {
      expect((await run("--out", name)).code).toBe(0);
      return digest(name);
    }),
  );
  expect(first![0]!.slice(0, 2)).toEqual([BigInt(rows), true]);
  expect(await digest("many.csv")).toEqual(first);
  expect(await digest("many.jsonl")).toEqual(first);
});

test("a file that is there is written over with --force alone", async () => {
  await predict("--out", "there.csv");
  const before = readFileSync(join(folder, "there.csv"));
  const { code, stderr } = await napier(
    folder,
    "predict",
    "m.onnx",
    "rows.parquet",
    "--top",
    "2",
    "--out",
    "there.csv",
  );
  expect([code, stderr]).toEqual([2, "error: --out there.csv is there already\nhint: add --force to write over it\n"]);
  expect(readFileSync(join(folder, "there.csv"))).toEqual(before);
  await predict("--top", "2", "--out", "there.csv", "--force");
  expect(readFileSync(join(folder, "there.csv"))).not.toEqual(before);
});

test.each(["SIGINT", "SIGTERM"] as const)("%s leaves nothing behind", async (signal) => {
  const temporary = join(folder, `tmp-${signal}`);
  mkdirSync(temporary);
  const source =
    "sql:SELECT (i % 13)::FLOAT AS a, i % 97 AS b, true AS c, [1, 2, 3]::FLOAT[] AS e FROM range(20000000) t(i)";
  const child = spawn(process.execPath, [BIN, "predict", "m.onnx", source, "--out", "cut.csv"], {
    cwd: folder,
    env: { ...process.env, TMPDIR: temporary },
  });
  while (!readdirSync(folder).some((name) => name.startsWith(".cut.csv"))) await setTimeout(20);
  child.kill(signal);
  const [code] = await once(child, "close");
  expect(code).toBe(signal === "SIGINT" ? 130 : 143);
  expect(readdirSync(temporary)).toEqual([]);
  expect(readdirSync(folder).filter((name) => name.includes("cut.csv"))).toEqual([]);
});

test("a reader that has seen enough is no error", async () => {
  const source =
    "sql:SELECT (i % 13)::FLOAT AS a, i % 97 AS b, true AS c, [1, 2, 3]::FLOAT[] AS e FROM range(400000) t(i)";
  const child = spawn(process.execPath, [BIN, "predict", "m.onnx", source], { cwd: folder });
  let stderr = "";
  child.stderr.on("data", (part) => {
    stderr += part;
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const [code] = await once(child, "close");
  expect([code, stderr]).toEqual([0, ""]);
});

test.each([
  [["--keep", "ix"], 'error: rows.parquet: no column "ix"', 'hint: its columns are "a", "b", "c", "e", "colour"'],
  [
    ["--format", "xls"],
    "error: option '--format <format>' argument 'xls' is invalid. Allowed choices are parquet, csv, jsonl.",
  ],
])("refuses %j", async (options, ...lines) => {
  const { code, stderr } = await napier(folder, "predict", "m.onnx", "rows.parquet", ...options);
  expect([code, stderr]).toEqual([2, lines.map((line) => `${line}\n`).join("")]);
});

test("a kept column that has the name of a new one is refused", async () => {
  const source = "sql:SELECT *, 1 AS probability FROM 'rows.parquet'";
  const { code, stderr } = await napier(folder, "predict", "m.onnx", source, "--keep", "probability");
  expect([code, stderr]).toEqual([
    2,
    'error: --keep probability: the result would have two columns "probability"\nhint: give it another name with sql:SELECT … AS …\n',
  ]);
});

test("a column that --keep names twice leaked DuckDB's error about a struct", async () => {
  const csv = await predict("--keep", "b,b", "--keep", "b");
  expect(csv.split("\n")[0]).toBe("b,prediction,probability,log_probability");
});
