import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fromOnnx } from "@napier/onnx";
import { calibrate, type Model } from "napier/train";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { sourceError } from "../src/calibrate.ts";
import { type CalibrateReport, gather, openSource } from "../src/index.ts";
import { napier, sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
let model: Model;
let held: Awaited<ReturnType<typeof gather>>;
let files: string[];

/** Three clouds that overlap; the rows of `seed` 2 are not those of 1. */
const clouds = (rows: number, seed: number): string => `SELECT
    (i % 3 + ((i * 7919 * ${seed}) % 1009) / 300 + ((i * 104729 * ${seed}) % 997) / 300)::FLOAT AS a,
    (i % 3 * -0.5 + ((i * 15485863 * ${seed}) % 991) / 250)::DOUBLE AS b,
    ['red', 'green', 'blue'][i % 3 + 1] AS colour FROM range(${rows}) t(i) ORDER BY i`;

const modelOf = (name: string): Model => fromOnnx(readFileSync(join(folder, name)));

beforeAll(async () => {
  const to = (name: string): string => `TO '${join(folder, name)}'`;
  await sql(
    `COPY (${clouds(150, 1)}) ${to("train.parquet")}`,
    `COPY (${clouds(9000, 2)}) ${to("held.parquet")}`,
    `COPY (${clouds(9000, 2)}) ${to("held.csv")}`,
    `COPY (SELECT i::FLOAT AS a, i < 10 AS y FROM range(20) t(i)) ${to("line.parquet")}`,
  );
  const options = ["--hidden", "64", "--epochs", "400", "--learning-rate", "0.03", "--weight-decay", "0"];
  const trained = [
    await napier(folder, "train", "train.parquet", "--target", "colour", ...options, "--out", "m.onnx"),
    await napier(folder, "train", "line.parquet", "--target", "y", "--out", "line.onnx"),
  ];
  expect(trained.map(({ code }) => code)).toEqual([0, 0]);
  model = modelOf("m.onnx");
  const source = await openSource(join(folder, "held.parquet"), { target: "colour", features: model.features });
  held = await gather(source);
  source.close();
  files = readdirSync(folder).sort();
});

const run = (...args: string[]) => napier(folder, "calibrate", ...args);

describe("napier calibrate", () => {
  test("writes the model that the library finds beside the one it has, and says what changed", async () => {
    const { code, stdout, stderr } = await run("m.onnx", "held.parquet", "--target", "colour");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { model: ours, before, after } = await calibrate(model, held);
    const theirs = modelOf("m.calibrated.onnx");
    expect(theirs.temperature).toBe(ours.temperature);
    expect(theirs.temperature).toBeGreaterThan(1.2);
    expect(theirs.logProbs(held.x)).toEqual(ours.logProbs(held.x));
    expect(theirs.logits(held.x)).toEqual(model.logits(held.x));
    expect(modelOf("m.onnx").temperature).toBe(1);

    const lines = stdout.split("\n");
    const number = (value: number): string => String(Number(value.toPrecision(5)));
    expect(lines[0]).toMatch(
      new RegExp(`^m\\.calibrated\\.onnx: temperature ${number(ours.temperature)}, sha256 [0-9a-f]{64}$`),
    );
    const row = (label: string): string[] =>
      lines
        .find((line) => line.startsWith(`  ${label} `))!
        .trim()
        .split(/ {2,}/);
    expect(row("NLL")).toEqual(["NLL", number(before.nll), number(after.nll)]);
    expect(row("Brier score")).toEqual(["Brier score", number(before.brier), number(after.brier)]);
    expect(row("ECE")).toEqual(["ECE", number(before.ece), number(after.ece)]);
    expect(after.nll).toBeLessThan(before.nll);
    expect(after.ece).toBeLessThan(before.ece);
    const accuracy = `${(after.accuracy * 100).toFixed(2)} %`;
    expect(row("accuracy")).toEqual(["accuracy", accuracy, accuracy]);
    expect(stdout).toContain("how often it was right (9,000 rows)\n");
    const last = before.bins.at(-1)!;
    expect(row("0.933–1.000").slice(1, 3)).toEqual([
      last.count.toLocaleString("en-US"),
      `${(last.confidence * 100).toFixed(2)} %`,
    ]);
    const bins = new Set([...before.bins, ...after.bins].map((bin) => bin.from));
    expect(lines.filter((line) => /^ {2}\d\.\d{3}–/.test(line))).toHaveLength(bins.size);
  });

  test("--json says it for programs; CSV, Parquet and calibrating again give the same bytes", async () => {
    const options = ["--target", "colour", "--bins", "5", "--json", "--out", "again.onnx"];
    const { stdout } = await run("m.onnx", "held.csv", ...options);
    const report = JSON.parse(stdout) as CalibrateReport;
    const expected = await calibrate(model, { ...held, bins: 5 });
    expect(report).toEqual({
      ...{ model: "again.onnx", sha256: expect.stringMatching(/^[0-9a-f]{64}$/), seconds: expect.any(Number) },
      ...{ temperature: expected.model.temperature, before: expected.before, after: expected.after },
    });
    const bytes = readFileSync(join(folder, "again.onnx"));
    expect(bytes).toEqual(readFileSync(join(folder, "m.calibrated.onnx")));
    const second = await run("again.onnx", "held.parquet", ...options.slice(0, -1), "third.onnx");
    expect((JSON.parse(second.stdout) as CalibrateReport).before).toEqual(expected.after);
    expect(readFileSync(join(folder, "third.onnx"))).toEqual(bytes);
    rmSync(join(folder, "third.onnx"));
  });

  test("--weight counts rows as the library does, and is no feature", async () => {
    const source = "sql:SELECT *, a / 10 AS weight FROM 'held.parquet'";
    const { stdout } = await run(
      "m.onnx",
      source,
      "--target",
      "colour",
      "--weight",
      "weight",
      "--json",
      "--out",
      "w.onnx",
    );
    const sampleWeight = Float64Array.from({ length: 9000 }, (_, i) =>
      Math.fround(held.x.data[2 * i]! / Math.fround(10)),
    );
    const expected = await calibrate(model, { ...held, sampleWeight });
    expect(modelOf("w.onnx").temperature).not.toBe(modelOf("m.calibrated.onnx").temperature);
    expect(JSON.parse(stdout)).toMatchObject({ temperature: expected.model.temperature, after: expected.after });
  });

  test("evaluate and predict have the new probabilities and the old labels", async () => {
    const evaluate = async (name: string) =>
      JSON.parse((await napier(folder, "evaluate", name, "held.parquet", "--target", "colour", "--json")).stdout);
    const [old, now] = [await evaluate("m.onnx"), await evaluate("m.calibrated.onnx")];
    const { before, after } = await calibrate(model, held);
    expect(old.nll).toBeCloseTo(before.nll, 9);
    expect(now.nll).toBeCloseTo(after.nll, 9);
    expect(now.accuracy).toBe(old.accuracy);
    const predict = async (name: string) => (await napier(folder, "predict", name, "held.csv")).stdout.split("\n");
    const [rows, calibrated] = [await predict("m.onnx"), await predict("m.calibrated.onnx")];
    expect(calibrated.map((line) => line.split(",")[0])).toEqual(rows.map((line) => line.split(",")[0]));
    expect(calibrated).not.toEqual(rows);
  });
});

describe("napier calibrate refuses", () => {
  // no file, whole or in part, whatever went wrong
  afterEach(() =>
    expect(
      readdirSync(folder)
        .filter((name) => !/^(m\.calibrated|again|w)\./.test(name))
        .sort(),
    ).toEqual(files),
  );

  const cases: [args: string[], ...lines: string[]][] = [
    [["m.onnx", "held.parquet"], "error: required option '--target <column>' not specified"],
    [
      ["none.onnx", "held.parquet", "--target", "colour"],
      "error: none.onnx: no such file",
      "hint: train a model first: napier train <source> --target <column>",
    ],
    [
      ["m.onnx", "held.parquet", "--target", "color"],
      'error: held.parquet: no column "color"',
      'hint: did you mean "colour"?',
    ],
    [
      ["m.onnx", "sql:SELECT 1 AS a, 2 AS b, 'pink' AS colour", "--target", "colour"],
      'error: sql:SELECT 1 AS a, 2 AS b, \'pink\' AS colour: row 1, column "colour": "pink" is no class of the model',
      'hint: its classes are "blue", "green", "red"',
    ],
    [["m.onnx", "held.parquet", "--target", "colour", "--bins", "1001"], "error: --bins 1001: at most 1000"],
    [
      ["m.onnx", "held.parquet", "--target", "colour", "--bins", "0"],
      "error: option '--bins <n>' argument '0' is invalid. Expected a whole number of at least 1.",
    ],
    [
      ["m.onnx", "held.parquet", "--target", "colour", "--out", "held.parquet"],
      "error: --out held.parquet is the source itself",
      "hint: give the result another name",
    ],
    [
      ["m.onnx", "held.parquet", "--target", "colour", "--out", "sub/m.onnx"],
      "error: --out sub/m.onnx: there is no folder sub",
      "hint: make it first: mkdir -p sub",
    ],
    [
      ["line.onnx", "line.parquet", "--target", "y"],
      "error: line.parquet: no temperature is the best, the loss falls all the way to 1/32768: the model is right in every row, and the surer it says so the better",
      "hint: calibrate on more rows, and on none that the model was trained on",
    ],
    [
      ["line.onnx", "sql:SELECT a, NOT y AS y FROM 'line.parquet'", "--target", "y"],
      "error: sql:SELECT a, NOT y AS y FROM 'line.parquet': no temperature is the best, the loss falls all the way to 32768: the model's scores say nothing about these classes",
      "hint: check that --target is the column that the model was trained to predict",
    ],
    [
      ["m.onnx", "sql:FROM 'held.parquet' UNION ALL SELECT 3e38, 0, 'red'", "--target", "colour"],
      "error: sql:FROM 'held.parquet' UNION ALL SELECT 3e38, 0, 'red': row 9001: the model's loss is NaN",
    ],
  ];
  test.each(cases)("%j", async (args, ...lines) => {
    const { code, stdout, stderr } = await run(...args);
    const text = lines.map((line) => `${line}\n`).join("");
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: text });
  });

  test("a source that changes between two passes; the library's test has the message", () => {
    const message = "calibrate: source expected 10 rows as in the first pass, got 9; a generator is read only once";
    expect(sourceError("sql:SELECT 1", new Error(message))).toMatchObject({
      ...{ exitCode: 2, message: "sql:SELECT 1: expected 10 rows as in the first pass, got 9" },
      hint: "rows are read more than once: give sql:SELECT … an ORDER BY, or save its result to a file",
    });
    const other = new Error("another");
    expect(sourceError("rows.csv", other)).toBe(other);
  });
});
