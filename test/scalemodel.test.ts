import { batchParts } from "napier/train";
import { describe, expect, test } from "vitest";

const url = new URL("../bench/scale_model.js", import.meta.url);
const { allReduce, costs, crossing, fitLine, mostRanks, predict, rowsNeeded, rowsOfRanks, scaling } = await import(
  url.href
);

const RANKS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const network = { alpha: 2e-5, beta: 1e-9 };
const lbfgs = {
  rows: 2_000_000,
  batchSize: undefined as number | undefined,
  features: 100,
  costs: { serial: 1e-4, perRow: 1e-6, streamed: 1.5e-6, sharing: 0 },
  sizes: [
    [4, 1],
    [8, 1],
    [8080, 1],
  ],
};
const mlp = {
  rows: 60_000,
  features: 784,
  batchSize: 1024,
  costs: { serial: 2e-4, perRow: 1e-5, streamed: 1e-5, sharing: 3e-4 },
  sizes: [
    [552, 1],
    [814_520, 1],
  ],
};

test("a line through exact points is found", () => {
  const points = [8, 800, 80_000, 8_000_000].map((bytes) => [bytes, 3e-6 + 2e-10 * bytes]);
  const { alpha, beta } = fitLine(points);
  expect(alpha / 3e-6).toBeCloseTo(1, 9);
  expect(beta / 2e-10).toBeCloseTo(1, 9);
});

describe("an all-reduce", () => {
  test("costs nothing on one rank, and α + β·n on two", () => {
    expect(allReduce(network, 1e6, 1)).toBe(0);
    expect(allReduce(network, 1e6, 2)).toBe(2e-5 + 1e6 * 1e-9);
  });

  test("is log₂ p exchanges where it is short, and moves less than twice its bytes where it is long", () => {
    expect(allReduce(network, 8, 1024)).toBeCloseTo(10 * (2e-5 + 8e-9), 12);
    expect(allReduce(network, 1e9, 1024)).toBeLessThan(2 + 20 * 2e-5);
  });

  test("is what was measured where a number of ranks was measured", () => {
    expect(allReduce({ ...network, at: { 4: { alpha: 1, beta: 2 } } }, 3, 4)).toBe(7);
  });
});

describe.each([
  ["L-BFGS", lbfgs],
  ["mini-batches", mlp],
])("%s", (_, work) => {
  test("ranks have all rows together", () => {
    for (const p of [1, 2, 3, 7, 15, 16, 1024]) {
      const rows: number[] = rowsOfRanks(work, p);
      const all = work.batchSize ?? work.rows;
      expect(rows.reduce((sum, each) => sum + each, 0)).toBeCloseTo(all, 6);
      expect(rows.filter((each) => each > 0).length).toBe(Math.min(p, mostRanks(work)));
    }
  });

  test("on one rank there is no communication, and efficiency is 1", () => {
    expect(predict(work, network, 1)).toMatchObject({ communication: 0, share: 0 });
    expect(scaling(work, network, 1)).toMatchObject({ speedup: 1, efficiency: 1 });
  });

  test("the share of communication grows with the ranks and with the network's times", () => {
    const shares = RANKS.map((p) => predict(work, network, p).share);
    expect(shares.toSorted((a, b) => a - b)).toEqual(shares);
    const slower = { alpha: network.alpha * 2, beta: network.beta * 2 };
    for (const p of RANKS.slice(1))
      expect(predict(work, slower, p).share).toBeGreaterThan(predict(work, network, p).share);
  });

  test("more ranks than cores compute no faster than the cores", () => {
    const free = { alpha: 0, beta: 0 };
    expect(predict(work, free, 4, { cores: 2 }).seconds).toBeGreaterThan(
      0.99 * predict(work, free, 2, { cores: 2 }).seconds,
    );
  });

  test("where communication crosses a share, so do the rows that are needed", () => {
    const p: number = crossing(work, network, RANKS, 0.1);
    expect(predict(work, network, p).share).toBeGreaterThan(0.1);
    expect(predict(work, network, p / 2).share).toBeLessThanOrEqual(0.1);
    expect(rowsNeeded(work, network, p, 0.1)).toBeGreaterThan(Math.max(...rowsOfRanks(work, p)));
    expect(rowsNeeded(work, network, p / 2, 0.1)).toBeLessThanOrEqual(Math.max(...rowsOfRanks(work, p / 2)));
  });
});

test("what one rank takes is what its costs predict", () => {
  const seconds = (rows: number): number => 1e-3 + 2e-6 * rows;
  const of = (rows: number) => ({ rows, seconds: seconds(rows) });
  const shared = { rows: 30_000, seconds: seconds(30_000) + 5e-5 };
  const wide = { rows: 60_000, features: 784, sizes: [] };
  const found = costs(wide, { sliver: of(4096), half: of(30_000), full: of(60_000), shared });
  expect(predict({ ...wide, costs: found }, network, 1).seconds).toBeCloseTo(seconds(60_000), 12);
  // 800 MB of features do not stay in memory: their time is what was measured, whatever half of them takes
  const large = { rows: 2_000_000, features: 100, sizes: [] };
  const streamed = costs(large, { sliver: of(4096), half: of(1_000_000), full: { rows: 2e6, seconds: 7 }, shared });
  expect(predict({ ...large, costs: streamed }, network, 1).seconds).toBeCloseTo(7, 9);
});

test("a batch has no more ranks than parts", () => {
  expect(mostRanks({ rows: 1e9, batchSize: 1e6 })).toBe(batchParts(1e6, 1e9));
  expect(predict(mlp, network, 1024).compute).toBe(predict(mlp, network, 16).compute);
});
