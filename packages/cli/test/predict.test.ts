import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromOnnx } from "@napier/onnx";
import type { Model } from "napier/train";
import { beforeAll, expect, test } from "vitest";
import { gather, openSource } from "../src/index.ts";
import { napier, sql, temporaryFolder, writeTable } from "./command.ts";

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
    expect((await napier(folder, "predict", "n.onnx", source, "--out", "n.parquet")).code).toBe(0);
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
  const { code } = await napier(folder, "predict", "m.onnx", source, "--out", "kept.csv");
  expect(code).toBe(2);
  expect(readFileSync(join(folder, "kept.csv"))).toEqual(before);
  expect(readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
});
