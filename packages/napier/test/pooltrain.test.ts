import { createPool } from "napier/pool";
import { type FitOptions, type FitSettings, fit, type Matrix, type Progress } from "napier/train";
import { afterAll, describe, expect, test } from "vitest";
import { rng } from "../src/rng.ts";

const pools = [1, 2, 3].map((threads) => createPool({ threads }));
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
});

function problem(rows: number, columns: number, classes: number): { x: Matrix; y: number[] } {
  const random = rng(3, rows);
  const data = Float32Array.from({ length: rows * columns }, () => random.uniform() - 0.5);
  const y = Array.from({ length: rows }, (_, i) => {
    const sums = Array.from(
      { length: classes },
      (__, j) => data[i * columns + ((j * 5) % columns)] + data[i * columns],
    );
    return sums.indexOf(Math.max(...sums));
  });
  return { x: { data, shape: [rows, columns] }, y };
}

/** All that training says and returns, to the bit. */
async function trained(options: FitOptions): Promise<string> {
  const epochs: unknown[] = [];
  const onProgress = (p: Progress): void => {
    if (p.kind === "epoch") epochs.push([p.train, p.validation, p.best]);
  };
  const { layers } = await fit({ ...options, onProgress });
  const bytes = layers.map(({ weight, bias }) =>
    [weight, bias].map((part) => Buffer.from(part.buffer).toString("hex")),
  );
  return JSON.stringify([epochs, bytes]);
}

describe("fit gives the same bytes without a pool and on 1, 2 and 3 threads", () => {
  test.each<[string, FitSettings, [number, number, number]]>([
    ["a linear model, many inputs", { optimizer: "adamw", batchSize: 256 }, [1500, 701, 10]],
    ["a linear model, many classes", { optimizer: "adamw", batchSize: 300 }, [1100, 96, 130]],
    ["an MLP", { hidden: [128], batchSize: 128, validation: 0.2 }, [1300, 257, 10]],
    ["a deep MLP of odd widths", { hidden: [203, 77, 65], batchSize: 201 }, [900, 131, 11]],
    ["steps too small for threads", { hidden: [5], batchSize: 3 }, [100, 4, 3]],
    ["one large batch", { hidden: [64], batchSize: 5000 }, [2050, 200, 3]],
    ["the textbook loss", { hidden: [96], batchSize: 128, loss: "naive-f32" }, [600, 400, 10]],
  ])("%s", async (_, options, size) => {
    const all = { ...problem(...size), epochs: 2, seed: 4, learningRate: 0.01, ...options };
    const alone = await trained(all);
    for (const pool of pools) expect((await trained({ ...all, pool })) === alone, `${pool.threads} threads`).toBe(true);
  });
});

test("two trainings and an operation share a pool", async () => {
  const [, pool] = pools;
  const all = { ...problem(1000, 200, 10), epochs: 2, batchSize: 200, hidden: [64] };
  const expected = await trained(all);
  const x = new Float32Array(400_000);
  const [first, second, logProbs] = await Promise.all([
    trained({ ...all, pool }),
    trained({ ...all, pool }),
    pool.logSoftmax(x, { shape: [400, 1000] }),
  ]);
  expect([first === expected, second === expected, logProbs[0]]).toEqual([true, true, Math.fround(-Math.log(1000))]);
});

test("pool must be one", async () => {
  const pool = { threads: 2 } as never;
  await expect(fit({ ...problem(10, 2, 2), pool })).rejects.toThrow(
    new TypeError("fit: pool expected what createPool returned, got an object with threads"),
  );
});

test("an aborted training leaves the pool to others", async () => {
  const [, pool] = pools;
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 60);
  const endless = fit({ ...problem(1000, 200, 10), hidden: [64], epochs: 100_000, pool, signal: stop.signal });
  await expect(endless).rejects.toThrow("aborted");
  expect(await pool.logSumExp([0])).toBe(0);
});

// A memory that grew while a worker made its instance: that did not hear of it, and move_rows_f32 was out of bounds.
test("many trainings one after another, each on a memory of its own", async () => {
  const [, , pool] = pools;
  const all = { ...problem(128, 512, 10), hidden: [512, 128], epochs: 1, batchSize: 128 };
  const expected = await trained(all);
  for (let n = 0; n < 30; n++) expect((await trained({ ...all, pool })) === expected).toBe(true);
});
