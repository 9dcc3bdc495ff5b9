import { createPool } from "napier/pool";
import { type FitOptions, fit, type Label, type Matrix, type Model, type Reducer, type Source } from "napier/train";
import { describe, expect, test } from "vitest";
import { rng } from "../src/rng.ts";
import { BlockSums } from "../src/train/blocksums.ts";
import { ownBlocks } from "../src/train/reducer.ts";
import { ranks } from "./ranks.ts";

const COLUMNS = 7;

function problem(rows: number): { x: Matrix & { data: Float32Array }; y: Label[]; sampleWeight: Float64Array } {
  const random = rng(5, rows);
  const data = Float32Array.from({ length: rows * COLUMNS }, (_, k) => (random.uniform() - 0.3) * 10 ** (k % COLUMNS));
  const names = ["low", "middle", "high"];
  const y = Array.from({ length: rows }, (_, i) => {
    const score = data[i * COLUMNS] + data[i * COLUMNS + 1] / 10 + random.uniform() / 4;
    return names[score < 0.2 ? 0 : score < 0.9 ? 1 : 2];
  });
  return { x: { data, shape: [rows, COLUMNS] }, y, sampleWeight: Float64Array.from(y, () => random.uniform() * 3) };
}

/** The same rows as a source that tells which blocks were asked for. */
function sourceOf({ x, y, sampleWeight }: ReturnType<typeof problem>, asked: Set<number>): Source {
  const [rows, columns] = x.shape;
  const block = async (index: number) => {
    asked.add(index);
    const [first, end] = [index * 4096, Math.min(rows, index * 4096 + 4096)];
    return {
      x: { data: x.data.subarray(first * columns, end * columns), shape: [end - first, columns] as [number, number] },
      y: y.slice(first, end),
      weight: sampleWeight.subarray(first, end),
    };
  };
  return {
    rows,
    block,
    async *[Symbol.asyncIterator]() {
      for (let index = 0; index * 4096 < rows; index++) yield await block(index);
    },
  };
}

const bytesOf = ({ layers, scaling }: Model): string =>
  [scaling.center, scaling.factor, ...layers.flatMap(({ weight, bias }) => [weight, bias])]
    .map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("hex"))
    .join(" ");

/** All that training says and returns, to the bit. */
async function trained(options: FitOptions): Promise<string> {
  const said: unknown[] = [];
  const model = await fit({
    ...options,
    onProgress: (p) => {
      if (p.kind === "epoch") said.push([p.epoch, p.best, p.train, p.validation]);
      if (p.kind === "iteration") said.push([p.iteration, p.objective, p.gradientNorm]);
      if (p.kind === "end") said.push([p.converged, p.validation]);
    },
  });
  return JSON.stringify([said, bytesOf(model)]);
}

const onRanks = (size: number, train: (reducer: Reducer) => Promise<string>): Promise<string[]> =>
  Promise.all(ranks(size).map(train));

describe("1 to 5 ranks give the bytes of one process", () => {
  const data = problem(13_000);
  const own = problem(5000);
  test.each<[string, Partial<FitOptions>]>([
    ["L-BFGS", { maxIterations: 12 }],
    ["L-BFGS, a fraction held", { maxIterations: 5, validation: 0.1, scale: "minmax" }],
    ["L-BFGS, rows of their own", { maxIterations: 5, validation: { x: own.x, y: own.y }, classWeight: "balanced" }],
    ["AdamW, linear", { optimizer: "adamw", epochs: 2, batchSize: 1024 }],
    ["SGD, an MLP, a fraction held", { optimizer: "sgd", hidden: [20, 9], epochs: 2, batchSize: 256, validation: 0.2 }],
    [
      "Adam, clipped, rows of their own",
      { optimizer: "adam", epochs: 1, clipNorm: 0.5, validation: { x: own.x, y: own.y } },
    ],
    ["the textbook loss", { optimizer: "adamw", hidden: [8], epochs: 1, loss: "naive-f32" }],
  ])("%s", async (_, options) => {
    const all = { ...data, ...options } as FitOptions;
    const alone = await trained(all);
    for (const size of [1, 2, 3, 5]) {
      const found = await onRanks(size, (reducer) => trained({ ...all, reducer }));
      expect(new Set(found), `${size} ranks`).toEqual(new Set([alone]));
    }
  });

  test("rows sorted by class, and weights that are 0 on whole ranks", async () => {
    const order = Array.from(data.y, (_, i) => i).sort((i, j) => String(data.y[i]).localeCompare(String(data.y[j])));
    const x = { data: new Float32Array(data.x.data.length), shape: data.x.shape };
    for (const [to, i] of order.entries()) {
      x.data.set(data.x.data.subarray(i * COLUMNS, (i + 1) * COLUMNS), to * COLUMNS);
    }
    const y = order.map((i) => data.y[i]);
    // the third of four blocks counts nothing
    const sampleWeight = Float64Array.from(y, (_, i) => (i >> 12 === 2 ? 0 : 1));
    for (const more of [
      { maxIterations: 5 },
      { optimizer: "adamw", hidden: [6], epochs: 1, batchSize: 1024 },
    ] as const) {
      const all = { x, y, sampleWeight, ...more };
      const alone = await trained(all);
      for (const size of [2, 4]) {
        expect(new Set(await onRanks(size, (reducer) => trained({ ...all, reducer })))).toEqual(new Set([alone]));
      }
    }
  });

  test("mini-batches on threads of each rank", async () => {
    const all = { ...data, optimizer: "adamw", hidden: [256], epochs: 1, batchSize: 1024 } as const;
    const alone = await trained(all);
    const pools = [0, 1].map(() => createPool({ threads: 2 }));
    const found = await onRanks(2, (reducer) => trained({ ...all, reducer, pool: pools[reducer.rank] }));
    await Promise.all(pools.map((pool) => pool.close()));
    expect(new Set(found)).toEqual(new Set([alone]));
  });

  test("an input that makes training diverge is named by every rank, whoever has it", async () => {
    const x = { data: data.x.data.slice(), shape: data.x.shape };
    x.data[9000 * COLUMNS + 2] = 3e38;
    const all = { x, y: data.y, optimizer: "sgd", scale: "none", epochs: 3, batchSize: 1024 } as const;
    const message = (error: unknown): string => (error as Error).message;
    const alone = await trained(all).catch(message);
    expect(alone).toMatch(
      /^fit: (loss|weights) expected finite numbers, got .*; .*\[2\] is 3e\+38 after scaling, in row \d+ of/,
    );
    const found = await onRanks(3, (reducer) => trained({ ...all, reducer }).catch(message));
    expect(new Set(found)).toEqual(new Set([alone]));
  });

  test("each rank asks for its own blocks only, on threads too", async () => {
    const alone = await trained({ ...data, maxIterations: 4 });
    const pool = createPool({ threads: 2 });
    const asked = [0, 1, 2].map(() => new Set<number>());
    const found = await onRanks(3, (reducer) =>
      trained({
        source: sourceOf(data, asked[reducer.rank]),
        maxIterations: 4,
        reducer,
        ...(reducer.rank > 0 && { pool }),
      }),
    );
    await pool.close();
    expect(new Set(found)).toEqual(new Set([alone]));
    expect(asked.map((blocks) => [...blocks])).toEqual([[0], [1], [2, 3]]);
  });
});

test("blocks are shared without a gap, whole parts to each rank", () => {
  for (const [rows, parts] of [
    [0, undefined],
    [1, undefined],
    [100_000, undefined],
    [100_000, 16],
    [100_000, 4],
    [4097, 2],
  ] as const) {
    for (let size = 1; size <= 20; size++) {
      const ranges = Array.from({ length: size }, (_, rank) => ownBlocks({ rank, size }, rows, parts));
      expect(ranges[0].first).toBe(0);
      expect(ranges[size - 1].end).toBe(Math.ceil(rows / 4096));
      for (let rank = 1; rank < size; rank++) expect(ranges[rank].first).toBe(ranges[rank - 1].end);
    }
  }
});

test.each<[string, Partial<FitOptions>, string]>([
  ["an option", { seed: 1 }, "seed 1 on rank 1 and 0 on rank 0"],
  ["how far it goes", { maxIterations: 3 }, "maxIterations 3 on rank 1 and 9 on rank 0"],
  ["the rows", problem(9000), "rows 9000 on rank 1 and 5000 on rank 0"],
])("ranks that disagree on %s stop with the same message", async (_, other, got) => {
  const all = { ...problem(5000), maxIterations: 9 };
  const found = await onRanks(2, (reducer) =>
    trained({ ...all, ...(reducer.rank === 1 && other), reducer } as FitOptions).catch((error) => error.message),
  );
  const text = `fit: reducer expected the same training on all ranks, got ${got}; start all ranks with the same options`;
  expect(found).toEqual([text, text]);
});

test("a source without rows or block cannot be shared", async () => {
  const [reducer] = ranks(1);
  const { rows: _, ...source } = sourceOf(problem(100), new Set());
  await expect(fit({ source, reducer })).rejects.toThrow(
    "fit: source expected a source with rows and block(index) beside a reducer, got another",
  );
});

test("sums of blocks: the same bits in any order, close to the exact sum", async () => {
  const random = rng(1, 1);
  const vectors = Array.from({ length: 300 }, () =>
    Float64Array.of((random.uniform() - 0.5) * 10 ** (random.below(20) - 10), random.uniform(), 0, 3),
  );
  const totalOf = async (list: readonly Float64Array[]): Promise<Float64Array> => {
    const sums = new BlockSums(4);
    for (const vector of list) sums.add(vector);
    return sums.total(300, undefined);
  };
  const total = await totalOf(vectors);
  expect(await totalOf([...vectors].reverse())).toEqual(total);
  expect(total[2]).toBe(0);
  expect(total[3]).toBe(900);
  const largest = vectors.reduce((most, [v]) => Math.max(most, Math.abs(v)), 0);
  const sum = vectors.reduce((exact, [v]) => exact + BigInt(Math.round(v * 2 ** 40)), 0n);
  expect(Math.abs(total[0] - Number(sum) / 2 ** 40)).toBeLessThan(300 * 2 ** -40 + 300 ** 2 * 2 ** -62 * largest);
});

test.each([
  [[1, Infinity], Infinity],
  [[Infinity, NaN], NaN],
  [[NaN, 1], NaN],
])("sums of %j are %d", async (values, expected) => {
  const sums = new BlockSums(1);
  for (const value of values) sums.add(Float64Array.of(value));
  expect(await sums.total(2, undefined)).toEqual(Float64Array.of(expected));
});
