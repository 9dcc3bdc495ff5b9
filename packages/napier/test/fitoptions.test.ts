import { createPool } from "napier/pool";
import { type Block, type FitSettings, fit, type Label, type Model, type Progress, type Source } from "napier/train";
import { describe, expect, test } from "vitest";
import { blobs, matrix } from "./blobs.ts";

const weightsOf = (model: Model<Label>): number[] => model.layers.flatMap(({ weight, bias }) => [...weight, ...bias]);

/** Rows as a source of blocks of `size`, with `block` where mini-batches need it. */
function sourceOf(
  x: { data: Float32Array; shape: readonly number[] },
  y: readonly string[],
  size: number,
): Source<string> {
  const [rows, columns] = x.shape;
  const part = (first: number, end: number): Block<string> => ({
    x: { data: x.data.slice(first * columns, end * columns), shape: [end - first, columns] },
    y: y.slice(first, end),
  });
  return {
    async *[Symbol.asyncIterator]() {
      for (let first = 0; first < rows; first += size) yield part(first, Math.min(rows, first + size));
    },
    block: async (index) => part(index * 4096, Math.min(rows, (index + 1) * 4096)),
  };
}

const data = blobs(9000, 5, 3, 7, 2);
const float = { data: Float32Array.from(data.x.data), shape: data.x.shape };
const KINDS: [string, FitSettings<string>][] = [
  ["lbfgs", { validation: 0.1, seed: 2 }],
  ["lbfgs, classes balanced", { classWeight: "balanced", C: 0.1 }],
  ["an MLP", { hidden: [7], epochs: 2, validation: 0.1, clipNorm: 0.5, schedule: "cosine", warmup: 5 }],
  ["sgd", { optimizer: "sgd", epochs: 2, nesterov: true, l2: 0.01 }],
];

describe.each(KINDS)("%s: the same bits", (_, settings) => {
  test("from memory and from a source, whatever its blocks", async () => {
    const inMemory = weightsOf(await fit({ ...data, ...settings }));
    for (const size of [9000, 4096, 777]) {
      expect(weightsOf(await fit({ source: sourceOf(float, data.y, size), ...settings }))).toEqual(inMemory);
    }
  });

  test("on 2 and 3 threads", async () => {
    const alone = weightsOf(await fit({ ...data, ...settings }));
    for (const threads of [2, 3]) {
      const pool = createPool({ threads });
      expect(weightsOf(await fit({ ...data, ...settings, pool }))).toEqual(alone);
      await pool.close();
    }
  });
});

describe("how much rows count", () => {
  const x = matrix([0, 1, 2, 3, 1, 2], 1);
  const y = ["a", "a", "b", "b", "b", "a"];

  test("a weight of 2 is a row that comes twice, 0 one that does not come", async () => {
    const weighted = await fit({ x, y, sampleWeight: [2, 1, 1, 1, 1, 0], scale: "none", tolerance: 1e-12 });
    const rows = matrix([0, 0, 1, 2, 3, 1], 1);
    const repeated = await fit({ x: rows, y: ["a", "a", "a", "b", "b", "b"], scale: "none", tolerance: 1e-12 });
    weightsOf(weighted).forEach((w, k) => {
      expect(w).toBeCloseTo(weightsOf(repeated)[k], 5);
    });
  });

  test("a class's weight is that of its rows", async () => {
    const settings = { x, y, scale: "none", tolerance: 1e-12 } as const;
    const byClass = await fit({ ...settings, classWeight: { b: 3 } });
    const byRow = await fit({ ...settings, sampleWeight: y.map((label) => (label === "b" ? 3 : 1)) });
    expect(weightsOf(byClass)).toEqual(weightsOf(byRow));
  });

  test("mini-batches too", async () => {
    const settings = { x, y, optimizer: "adamw", epochs: 5, scale: "none" } as const;
    const byClass = await fit({ ...settings, classWeight: { b: 3 } });
    expect(weightsOf(byClass)).toEqual(
      weightsOf(await fit({ ...settings, sampleWeight: y.map((label) => (label === "b" ? 3 : 1)) })),
    );
    expect(weightsOf(byClass)).not.toEqual(weightsOf(await fit(settings)));
  });
});

describe("L-BFGS", () => {
  test("reports iterations and an end, and begins at a given model", async () => {
    const seen: Progress[] = [];
    const model = await fit({ ...data, onProgress: (p) => seen.push(p) });
    const end = seen.at(-1) as Progress & { kind: "end" };
    expect(end).toMatchObject({ kind: "end", converged: true });
    expect(seen.slice(0, -1).map((p) => p.kind === "iteration" && p.iteration)).toEqual(
      Array.from({ length: end.iterations }, (_, n) => n + 1),
    );
    let again = 0;
    const onProgress = (p: Progress): void => {
      if (p.kind === "end") again = p.iterations;
    };
    // the weights were rounded to f32
    await fit({ ...data, warmStart: model, onProgress });
    expect(again).toBeLessThan(end.iterations / 2);
  });

  test("maxIterations ends it, and says so", async () => {
    let end: (Progress & { kind: "end" }) | undefined;
    const onProgress = (p: Progress): void => {
      if (p.kind === "end") end = p;
    };
    await fit({ ...data, maxIterations: 2, onProgress });
    expect(end).toMatchObject({ iterations: 2, converged: false });
  });

  test("separable classes without a penalty end at the limit, finite", async () => {
    const model = await fit({ x: matrix([0, 1, 2, 3], 1), y: ["a", "a", "b", "b"], C: Infinity, maxIterations: 200 });
    expect(weightsOf(model).every(Number.isFinite)).toBe(true);
    expect(model.evaluate(matrix([0, 3], 1), ["a", "b"]).accuracy).toBe(1);
  });
});

test("patience ends the training after so many epochs that are no better", async () => {
  const epochs: (Progress & { kind: "epoch" })[] = [];
  const onProgress = (p: Progress): void => {
    if (p.kind === "epoch") epochs.push(p);
  };
  const train = blobs(300, 4, 3, 1, 2.5);
  const validation = blobs(200, 4, 3, 2, 2.5);
  await fit({ ...train, hidden: [64], epochs: 60, learningRate: 0.05, validation, patience: 2, onProgress });
  expect(epochs.length).toBeLessThan(60);
  expect(epochs.slice(-3).map(({ best }) => best)).toEqual([true, false, false]);
});
