import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const url = (path: string) => new URL(`../${path}`, import.meta.url);
const { lines, verdict, worse, committedRatios } = await import(url("bench/lines.js").href);
const { JOBS }: { JOBS: Record<string, { peer: string; must: number }> } = await import(url("bench/musts.js").href);

const times = (ours: number, pytorch: number) => ({
  Napier: { min: ours, median: ours },
  PyTorch: { min: pytorch, median: pytorch },
  "PyTorch, AVX512": { min: pytorch / 2, median: pytorch / 2 },
});
const race = { work: "logSumExp", rows: 4096, classes: 1000, deviation: 1 };
/** Every job at half of its must beside its peer, and slower than another one. */
const jobs = Object.entries(JOBS).map(([name, { peer, must }]) => {
  const [least, other] = [must / 2, must / 4];
  const beside = { [peer]: { min: 1, median: 1 }, other: { min: other, median: other } };
  return { name, note: "", unit: "s", times: { Napier: { min: least, median: least }, ...beside } };
});
const results = (ours: number) => ({
  races: [{ ...race, times: times(ours, 1) }],
  epoch: times(1, 1),
  jobs,
  size: { napier: { gzipped: 60_001 } },
});

test("the bench counts what is missed, and PyTorch with AVX-512 beside it", () => {
  expect(verdict(results(1.3), lines(results(1.3)))).toEqual({
    judged: 3 + jobs.length,
    met: 1 + jobs.length,
    medianMet: 1 + jobs.length,
    missed: ["logSumExp / PyTorch, N(0, 1), must ≤ 1.2: 4096 × 1000 1.30", "gzipped size, must ≤ 60000 bytes: 60001"],
    others: 2,
    othersMissed: 1,
    wouldMiss: ["logSumExp / PyTorch, AVX512, N(0, 1), must ≤ 1.2: 4096 × 1000 2.60"],
    missing: [],
  });
});

test("a must whose peer is not there is neither met nor missed", () => {
  const alone = { ...results(1), races: [{ ...race, times: { Napier: { min: 1, median: 1 } } }] };
  expect(verdict(alone, lines(alone))).toMatchObject({
    judged: 2 + jobs.length,
    met: 1 + jobs.length,
    missing: ["logSumExp / PyTorch"],
  });
});

test("jobs have musts of their own, by the peer that is named for them", () => {
  const [first, absent, ...rest] = jobs;
  const slow = { ...first, times: { ...first.times, Napier: { min: 3, median: 1 } } };
  const run = { ...results(1), jobs: [slow, ...rest] };
  const judgement = verdict(run, lines(run));
  expect(judgement).toMatchObject({ judged: 2 + jobs.length, met: jobs.length, medianMet: 1 + jobs.length });
  expect(judgement.missed[0]).toBe("L-BFGS, digits / scikit-learn, must ≤ 2: 3.00");
  expect(judgement.missing).toEqual([`${absent.name} / ${JOBS[absent.name].peer}`]);
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
