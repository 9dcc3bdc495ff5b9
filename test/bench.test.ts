import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const url = (path: string) => new URL(`../${path}`, import.meta.url);
const { lines, verdict, worse, committedRatios } = await import(url("bench/lines.js").href);

const times = (ours: number, pytorch: number) => ({
  Napier: { min: ours, median: ours },
  PyTorch: { min: pytorch, median: pytorch },
  "PyTorch, AVX512": { min: pytorch / 2, median: pytorch / 2 },
});
const race = { work: "logSumExp", rows: 4096, classes: 1000, deviation: 1 };
const results = (ours: number) => ({
  races: [{ ...race, times: times(ours, 1) }],
  epoch: times(1, 1),
  size: { napier: { gzipped: 60_001 } },
});

test("the bench counts what is missed, and PyTorch with AVX-512 beside it", () => {
  expect(verdict(results(1.3), lines(results(1.3)))).toEqual({
    judged: 3,
    met: 1,
    medianMet: 1,
    missed: ["logSumExp / PyTorch, N(0, 1), must ≤ 1.2: 4096 × 1000 1.30", "gzipped size, must ≤ 60000 bytes: 60001"],
    others: 2,
    othersMissed: 1,
    wouldMiss: ["logSumExp / PyTorch, AVX512, N(0, 1), must ≤ 1.2: 4096 × 1000 2.60"],
    missing: [],
  });
});

test("a must whose peer is not there is neither met nor missed", () => {
  const alone = { ...results(1), races: [{ ...race, times: { Napier: { min: 1, median: 1 } } }] };
  expect(verdict(alone, lines(alone))).toMatchObject({ judged: 2, met: 1, missing: ["logSumExp / PyTorch"] });
});

test("--check names the ratios that got worse by more than a quarter", () => {
  const page = `# Speed\n<!-- ratios of the minima\n${JSON.stringify({ "logSumExp 4096 × 1000 N(0, 1) / PyTorch": 1, gone: 1 }, null, 1)}\n-->\n`;
  const committed = committedRatios(page);
  expect(worse(lines(results(1.2)), committed)).toEqual({ compared: 1, slower: [] });
  expect(worse(lines(results(1.3)), committed)).toEqual({
    compared: 1,
    slower: ["logSumExp 4096 × 1000 N(0, 1) / PyTorch: 1.30, was 1.00"],
  });
});

test("the bench's lock file names no registry host", () => {
  expect(readFileSync(url("bench/package-lock.json"), "utf8")).not.toMatch(/"resolved": "http/);
});
