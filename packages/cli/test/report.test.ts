import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import chromium from "@sparticuz/chromium";
import { type Format, logOfSoftmax } from "napier/naive";
import { type Browser, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeChromium } from "../../../test/browser.ts";
import { napier, sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const DIGITS = fileURLToPath(new URL("../../../data/digits.parquet", import.meta.url));
const at = (name: string): string => join(folder, name);
let summary = "";
let report: Record<string, never> & {
  [key: string]: unknown;
  perClass: { label: number; rows: number; predicted: number; precision: number; recall: number; f1: number }[];
  confusion: number[][];
  topK: number[];
  bins: { from: number; to: number; count: number; confidence: number; accuracy: number }[];
  survival: { format: string; textbook: Record<string, number>; usual: { lost: number; zero: number } }[];
  recalibrated: { temperatures: number[]; rows: number; before: { ece: number }; after: { nll: number; ece: number } };
};

const split = (from: string): string => `sql:SELECT * FROM '${DIGITS}' ${from}`;

beforeAll(async () => {
  const options = [
    "--target",
    "label",
    "--C",
    "1000",
    "--validation",
    "0.2",
    "--out",
    "m.onnx",
    "--report",
    "train.html",
  ];
  const trained = await napier(folder, "train", split("LIMIT 900"), ...options);
  expect(trained.code).toBe(0);
  const rows = split("OFFSET 900");
  const run = (...more: string[]) => napier(folder, "evaluate", "m.onnx", rows, "--target", "label", ...more);
  summary = (await run("--report", "new.html")).stdout;
  report = JSON.parse((await run("--json")).stdout);
});

/** Logits and labels of the rows, read back from predictions. */
async function scores(): Promise<{ logits: number[][]; labels: number[] }> {
  const { code } = await napier(
    folder,
    "predict",
    "m.onnx",
    split("OFFSET 900"),
    "--keep",
    "label",
    "--logits",
    "--out",
    "p.parquet",
    "--force",
  );
  expect(code).toBe(0);
  const rows = await sql(`SELECT label, COLUMNS('logit_.*') FROM '${at("p.parquet")}'`);
  return { labels: rows.map(([label]) => Number(label)), logits: rows.map((row) => row.slice(1).map(Number)) };
}

test("--json has the numbers that the logits have", async () => {
  const { logits, labels } = await scores();
  const n = labels.length;
  const probs = logits.map((row) => {
    const e = row.map((x) => Math.exp(x - Math.max(...row)));
    const sum = e.reduce((a, b) => a + b);
    return e.map((v) => v / sum);
  });
  const losses = probs.map((p, i) => -Math.log(p[labels[i]!]!));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / n;
  const nll = mean(losses);
  expect(report.nll).toBeCloseTo(nll, 8);
  expect(report.standardError).toBeCloseTo(Math.sqrt(mean(losses.map((l) => (l - nll) ** 2)) / (n - 1)), 8);
  expect(report.brier).toBeCloseTo(
    mean(probs.map((p, i) => p.reduce((s, v, j) => s + (v - (j === labels[i] ? 1 : 0)) ** 2, 0))),
    8,
  );
  const ranks = logits.map((row, i) => row.filter((x) => x > row[labels[i]!]!).length);
  expect(report.topK).toEqual(report.topK.map((_, k) => ranks.filter((rank) => rank <= k).length / n));
  expect([report.rows, report.accuracy, report.topK.length]).toEqual([n, report.topK[0], 5]);

  const winners = logits.map((row) => row.indexOf(Math.max(...row)));
  const count = (y: number, j: number) => labels.filter((label, i) => label === y && winners[i] === j).length;
  expect(report.confusion).toEqual(
    Array.from({ length: 10 }, (_, y) => Array.from({ length: 10 }, (_, j) => count(y, j))),
  );
  for (const { label, rows, predicted, precision, recall, f1 } of report.perClass) {
    const found = count(label, label);
    expect([rows, predicted]).toEqual([
      labels.filter((y) => y === label).length,
      winners.filter((j) => j === label).length,
    ]);
    expect([precision, recall]).toEqual([found / predicted, found / rows]);
    expect(f1).toBeCloseTo((2 * precision * recall) / (precision + recall), 12);
  }

  const gap = report.bins.map(({ from, to }) => {
    const inside = probs.map((p, i) => ({ sure: Math.max(...p), right: winners[i] === labels[i] ? 1 : 0 }));
    return inside
      .filter(({ sure }) => sure > from && sure <= to)
      .reduce((sum, { sure, right }) => sum + right - sure, 0);
  });
  expect(report.ece).toBeCloseTo(gap.reduce((sum, g) => sum + Math.abs(g), 0) / n, 8);
  expect(report.bins.reduce((sum, { count }) => sum + count, 0)).toBe(n);
});

test("what the usual formulas would lose is what check finds in the logits", async () => {
  await scores();
  const logits = `sql:SELECT COLUMNS('logit_.*') FROM '${at("p.parquet")}'`;
  const found = JSON.parse((await napier(folder, "check", logits, "--json")).stdout);
  expect(found.dtype).toBe("f32");
  for (const { format, textbook, usual } of report.survival) {
    expect(textbook).toEqual(found.textbook[format]);
    expect([usual.lost, usual.zero]).toEqual([found.usual[format].lost, found.usual[format].zero]);
  }
  expect(report.survival.map(({ format }) => format)).toEqual(["f16", "bf16", "f32"]);
  expect(report.survival[0]!.textbook.overflow).toBeGreaterThan(0);
});

test("the winners to which log(softmax(x)) gives 0 were not counted", async () => {
  const { logits } = await scores();
  for (const { format, textbook } of report.survival) {
    const winners = logits.map((row) => logOfSoftmax(row, format as Format).log[row.indexOf(Math.max(...row))]!);
    expect(textbook.zero).toBe(winners.filter((value) => value === 0).length);
    expect(textbook.lost).toBeGreaterThanOrEqual(textbook.zero!);
    expect(textbook.rows).toBeGreaterThanOrEqual(textbook.lost!);
  }
  const [f16, bf16, f32] = report.survival.map(({ textbook }) => textbook);
  for (const own of [bf16, f32]) expect(own!.zero).toBeGreaterThan(100);
  const html = readFileSync(at("new.html"), "utf8").replaceAll("</td><td>", " ");
  for (const [format, own] of Object.entries({ f16, bf16, f32 })) {
    const { overflow, underflow, lost, zero } = own!;
    expect(html).toContain(`<td>${format} log(softmax(x)) ${overflow} ${underflow} ${lost} ${zero}</td>`);
  }
  const sentence = `loses the winner of ${f16!.lost} in f16, ${bf16!.lost} in bf16, ${f32!.lost} in f32; log-sum-exp`;
  expect(html).toContain(sentence);
  expect(summary).toContain(sentence);
});

test("a temperature is judged by rows that it was not fitted on", () => {
  const { temperatures, rows, before, after } = report.recalibrated;
  expect(rows).toBe(report.rows);
  expect(before.ece).toBeCloseTo(report.ece as number, 10);
  for (const temperature of temperatures) expect(temperature).toBeGreaterThan(1);
  expect(after.nll).toBeLessThan(report.nll as number);
  expect(after.ece).toBeLessThan(before.ece);
});

test("the summary for a terminal has a line for each bin, and the numbers", () => {
  const [first, ...lines] = summary.trimEnd().split("\n");
  expect(first).toMatch(/^sql:.*: NLL 0\.\d+, accuracy \d\d\.\d\d % \(897 rows\)$/);
  expect(lines.filter((line) => /^ +\d+–\d+ % [█░┃]{24} +\d+\.\d\d % {2}[\d,]+ rows?$/.test(line))).toHaveLength(
    report.bins.length,
  );
  expect(summary).toContain("  softmax   of 897 rows log(softmax(x)) breaks ");
});

test("train --report --json had none of the report's numbers", async () => {
  const train = ["train", split("LIMIT 300"), "--target", "label", "--out", "j.onnx", "--json"];
  const { code, stdout } = await napier(folder, ...train, "--validation", split("OFFSET 900"), "--report", "j.html");
  expect(code).toBe(0);
  const { report: own, validation } = JSON.parse(stdout);
  const run = await napier(folder, "evaluate", "j.onnx", split("OFFSET 900"), "--target", "label", "--json");
  const { model, source, seconds, ...card } = JSON.parse(run.stdout);
  expect([model, typeof source, seconds > 0]).toEqual(["j.onnx", "string", true]);
  expect(own).toEqual({ seen: "held", ...card });
  expect(own.accuracy).toBe(validation.accuracy);
  expect(JSON.parse((await napier(folder, ...train)).stdout).report).toBeNull();
});

test("text from the data stays text", async () => {
  writeFileSync(
    at("x.csv"),
    `a,y\n${Array.from({ length: 30 }, (_, i) => `${i % 7},${i % 2 ? "<script>alert(1)</script>" : "R&D"}\n`).join("")}`,
  );
  const { code } = await napier(folder, "train", "x.csv", "--target", "y", "--out", "x.onnx", "--report", "x.html");
  expect(code).toBe(0);
  const html = readFileSync(at("x.html"), "utf8");
  expect(html).not.toContain("<script");
  expect(html).toContain("&lt;script&gt;alert(1)");
  expect(html).toContain("trained on these very rows");
});

test("--report is checked before anything is read", async () => {
  const { code, stderr } = await napier(
    folder,
    "evaluate",
    "m.onnx",
    DIGITS,
    "--target",
    "label",
    "--report",
    "no/r.html",
  );
  expect([code, stderr]).toEqual([
    2,
    "error: --report no/r.html: there is no folder no\nhint: make it first: mkdir -p no\n",
  ]);
});

describeChromium("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  describe.each(["new.html", "train.html"])("%s", (name) => {
    test.each([1280, 390])("at %i pixels: no error, nothing loaded, nothing sticks out", async (width) => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, locale: "en-US" });
      const trouble: string[] = [];
      page.on("console", (message) => trouble.push(message.text()));
      page.on("pageerror", (error) => trouble.push(error.message));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) trouble.push(request.url());
      });
      await page.goto(`file://${at(name)}`);
      expect(trouble).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      const headings = await page.locator("h2").allTextContents();
      expect(headings).toEqual([
        ...(name === "train.html" ? ["What it was trained on", "How training went"] : []),
        "Is it as sure as it is right?",
        "What it takes for what",
        "Class by class",
        "Would a textbook softmax have survived?",
      ]);
      // every drawing has a name and something in it
      const drawings = page.locator("svg[role=img][aria-label]");
      const isCalibrated = (await page.getByText("Not shown after calibration").count()) === 0;
      expect(isCalibrated).toBe(name === "new.html");
      expect(await drawings.count()).toBe(4);
      for (const drawing of await drawings.all())
        expect(await drawing.locator("path, rect, circle").count()).toBeGreaterThan(2);
      await page.close();
    });
  });

  test("the report of a training is about the rows that were held", async () => {
    const page = await browser.newPage();
    await page.goto(`file://${at("train.html")}`);
    expect(await page.locator("header p").textContent()).toMatch(
      /^180 rows, 10 classes\. The model was not trained on these rows\.$/,
    );
    await page.close();
  });
});
