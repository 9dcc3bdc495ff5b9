import { describe, expect, test } from "vitest";
import { normals } from "../../../tools/hostile.ts";
import { initialLayers, layerSizes, pack, unpack } from "../src/train/layers.ts";
import type { Matrix } from "../src/train/matrix.ts";
import { Rows } from "../src/train/rows.ts";
import { type Scaling, scalingOf } from "../src/train/scale.ts";
import { allRows, epochWindows, heldRows } from "../src/train/shuffle.ts";
import { tableOf } from "../src/train/source.ts";
import { Steps } from "../src/train/steps.ts";
import { matrix } from "./blobs.ts";

const pace = async (): Promise<void> => {};

/** The scaling of a matrix, by all its rows but those that are held. */
const scaling = async (
  x: Matrix,
  kind: Scaling["kind"],
  held?: (block: number, count: number) => Uint8Array,
): Promise<Scaling> => {
  const table = tableOf(x, new Array<number>(x.shape[0]).fill(0), undefined);
  const training = new Rows(table, { classes: [0], held }, "fit", "y");
  let rows = 0;
  for await (const block of training.blocks()) rows += block.count - (block.held?.reduce((sum, v) => sum + v, 0) ?? 0);
  const shape = { columns: x.shape[1], rows, blocks: Math.ceil(x.shape[0] / 4096) };
  return scalingOf(training, shape, kind, undefined, pace);
};

describe("the gradient of a whole network", () => {
  test.each([[[]], [[7]], [[11, 6]]])("hidden %j: against central differences in f64", (hidden) => {
    const [features, classes, rows] = [5, 4, 9];
    const sizes = layerSizes(features, hidden, classes);
    const normal = normals(hidden.length + 1);
    const layers = initialLayers(sizes, 2).map((layer) => ({
      ...layer,
      weight: layer.weight.map(() => 0.7 * normal()),
      bias: layer.bias.map(() => 0.7 * normal()),
    }));
    const x = Float32Array.from({ length: rows * features }, normal);
    const y = Int32Array.from({ length: rows }, (_, i) => (i * 7) % classes);

    /** Mean NLL in f64; `shift` is added to parameter k of a layer's weights, then biases. */
    const loss = (layer: number, k: number, shift: number): number => {
      let total = 0;
      for (let i = 0; i < rows; i++) {
        let h = Array.from(x.subarray(i * features, (i + 1) * features));
        layers.forEach(({ weight, bias, inputs }, l) => {
          h = Array.from(bias, (b, j) => {
            const at = (n: number): number => (l === layer && n === k ? shift : 0);
            const sum = h.reduce(
              (s, v, n) => s + v * (weight[j * inputs + n] + at(j * inputs + n)),
              b + at(weight.length + j),
            );
            return l < layers.length - 1 ? Math.max(sum, 0) : sum;
          });
        });
        total += Math.log(h.reduce((s, v) => s + Math.exp(v), 0)) - h[y[i]];
      }
      return total / rows;
    };

    // a step of length 0
    const steps = new Steps(undefined, sizes, 16, { optimizer: "sgd", learningRate: 0 });
    const { network } = steps;
    const { space, at } = network;
    network.load(pack(layers), new Float32Array(features), new Float32Array(features).fill(1));
    space.f32.set(x, at.raw / 4);
    space.i32.set(y, at.targets / 4);
    space.f64.fill(1 / rows, at.scales / 8, at.scales / 8 + rows);
    steps.setInputs(new Float32Array(features).fill(Math.max(...x.map(Math.abs))));
    network.setParts([1, 0, rows - 1]);
    steps.step(rows);
    const gradients = unpack(space.f32.slice(at.gradient / 4, at.gradient / 4 + network.plan.length), sizes);

    const h = 2 ** -16; // the cut-off term is h²·f'''/6, the rounding 2^-53/h: both near 2^-35
    gradients.forEach(({ weight, bias }, l) => {
      const computed = [...weight, ...bias];
      // 30 f32 roundings on the way to an entry, of terms no larger than 4 times the layer's largest entry
      const bound = 120 * 2 ** -24 * Math.max(...computed.map(Math.abs)) + 2 ** -33;
      computed.forEach((g, k) => {
        const truth = (loss(l, k, h) - loss(l, k, -h)) / (2 * h);
        expect(Math.abs(g - truth), `layer ${l}, parameter ${k}`).toBeLessThan(bound);
      });
    });
  });
});

describe("scaling", () => {
  const x = matrix([1, 5, -2, 2, 5, 4, 3, 5, 0, 6, 5, 4], 3);

  test("standard: mean 0, standard deviation 1; a constant column keeps its unit", async () => {
    const { center, factor } = await scaling(x, "standard");
    expect(center).toEqual(Float32Array.of(3, 5, 1.5));
    expect(factor).toEqual(Float32Array.of(1 / Math.sqrt(3.5), 1, 1 / Math.sqrt(6.75)));
  });

  test("minmax: 0 to 1; a constant column becomes 0", async () => {
    const { center, factor } = await scaling(x, "minmax");
    expect(center).toEqual(Float32Array.of(1, 5, -2));
    expect(factor).toEqual(Float32Array.of(1 / 5, 1, 1 / 6));
  });

  test("none: as they are", async () => {
    const none = await scaling(x, "none");
    expect(none).toEqual({ kind: "none", center: new Float32Array(3), factor: Float32Array.of(1, 1, 1) });
  });

  test("looks at the given rows only", async () => {
    const { center } = await scaling(x, "minmax", () => Uint8Array.of(1, 0, 0, 1));
    expect(center).toEqual(Float32Array.of(2, 5, 0));
  });

  test("a constant that is no short fraction, and a spread whose inverse leaves f32", async () => {
    const columns = matrix([0.1, 0, 0.1, 2 ** -140, 0.1, 0], 2);
    for (const kind of ["standard", "minmax"] as const) {
      const { center, factor } = await scaling(columns, kind);
      expect(factor).toEqual(Float32Array.of(1, 1));
      expect(center[0]).toBe(Math.fround(0.1));
    }
  });

  test("sums go block by block, as a stream's would", async () => {
    // ±2^60 at the ends of two blocks of ones: a running sum over all rows would lose the second block's ones
    const values = new Float32Array(8192).fill(1);
    values[4095] = 2 ** 60;
    values[8191] = -(2 ** 60);
    const { center } = await scaling(matrix(values, 1), "standard");
    expect(center[0]).toBe(1);
  });

  test("a large offset does not swallow the deviation", async () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => 2 ** 23 + (i % 2));
    const { center, factor } = await scaling(matrix(values, 1), "standard");
    expect([center[0], factor[0]]).toEqual([2 ** 23, 2]); // the mean, 2^23 + 1/2, to even
  });
});

/** Rows that a fraction holds, of all blocks. */
function heldOf(rows: number, fraction: number, seed: number): number[] {
  const held: number[] = [];
  for (let first = 0; first < rows; first += 4096) {
    const block = heldRows(first / 4096, Math.min(4096, rows - first), fraction, seed);
    block.forEach((is, i) => {
      if (is === 1) held.push(first + i);
    });
  }
  return held;
}

describe("the split", () => {
  test.each([
    [10, 0.1],
    [4096, 0.5],
    [4097, 0.01],
    [60000, 0.1],
    [9000, 0.999],
  ])("%i rows, %f", (rows, fraction) => {
    expect(heldOf(rows, fraction, 3)).toHaveLength(Math.round(rows * fraction));
  });

  test("a block's share depends on the seed and the rows up to its end, not on what follows: a stream gives the same", () => {
    const firstBlocks = (rows: number, seed: number): number[] => heldOf(rows, 0.1, seed).filter((row) => row < 8192);
    expect(firstBlocks(8192, 1)).toEqual(firstBlocks(50000, 1));
    expect(firstBlocks(8192, 1)).not.toEqual(firstBlocks(8192, 2));
  });

  test("every row is as likely", () => {
    const counts = new Int32Array(100);
    for (let seed = 0; seed < 2000; seed++) for (const row of heldOf(100, 0.3, seed)) counts[row]++;
    // binomial: mean 600, deviation √(2000 · 0.3 · 0.7) = 20.5; five of them
    for (const count of counts) expect(Math.abs(count - 600)).toBeLessThan(103);
  });
});

/** The rows in the order of an epoch, by windows; a block's k-th row is 4096·block + k. */
function orderOf(counts: readonly number[], seed: number, epoch: number): number[][] {
  return [...epochWindows(counts, seed, epoch)].map(({ blocks, order }) => {
    const rows = [...blocks].flatMap((block) => [...allRows(counts[block])].map((k) => 4096 * block + k));
    return [...order].map((k) => rows[k]);
  });
}

describe("the order of an epoch", () => {
  test.each([1, 2, 4095, 4096, 4097, 20000])(
    "is a permutation of %i rows, another in every epoch and for every seed",
    (rows) => {
      const counts = Array.from({ length: Math.ceil(rows / 4096) }, (_, b) => Math.min(4096, rows - 4096 * b));
      const order = orderOf(counts, 1, 1).flat();
      expect(Uint32Array.from(order).sort()).toEqual(allRows(rows));
      expect(orderOf(counts, 1, 1).flat()).toEqual(order);
      if (rows < 100) return;
      expect(orderOf(counts, 1, 2).flat()).not.toEqual(order);
      expect(orderOf(counts, 2, 1).flat()).not.toEqual(order);
    },
  );

  test("mixes inside windows of 16 blocks, so that 16 blocks in memory are enough", () => {
    const windows = orderOf(new Array<number>(40).fill(3686), 4, 1);
    const blocks = windows.map((rows) => rows.map((row) => Math.floor(row / 4096)));
    expect(blocks.map((window) => new Set(window).size)).toEqual([16, 16, 8]);
    expect(new Set(blocks.flat()).size).toBe(40);
    // half of a window has rows of all its blocks
    expect(new Set(blocks[0].slice(0, 8 * 3686)).size).toBe(16);
    expect([...new Set(blocks[0])].sort((a, b) => a - b)).not.toEqual(Array.from({ length: 16 }, (_, block) => block));
  });
});
