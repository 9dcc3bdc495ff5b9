import { describe, expect, test } from "vitest";
import { normals } from "../../../tools/hostile.ts";
import { linear } from "../src/linear.ts";
import { rng } from "../src/rng.ts";
import { initialLayers, layerSizes, pack, unpack } from "../src/train/layers.ts";
import { Network } from "../src/train/mlp.ts";
import { scalingOf } from "../src/train/scale.ts";
import { allRows, epochOrder, split } from "../src/train/shuffle.ts";
import { blobs, matrix } from "./blobs.ts";

const pace = async (): Promise<void> => {};

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

    const network = new Network(linear.create(), sizes, 16, true);
    const { space, at } = network;
    network.load(pack(layers), new Float32Array(features), new Float32Array(features).fill(1));
    space.f32.set(x, at.raw / 4);
    space.i32.set(y, at.targets / 4);
    space.f64.fill(1 / rows, at.scales / 8, at.scales / 8 + rows);
    network.forward(rows);
    const { losses, rounded, dlogits, logits, targets, scales } = at;
    space.kernels.cross_entropy_with_grad_f32(losses, rounded, dlogits, logits, targets, scales, rows, classes);
    network.backward(rows);
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
    const { center, factor } = await scalingOf(x, allRows(4), "standard", pace);
    expect(center).toEqual(Float32Array.of(3, 5, 1.5));
    expect(factor).toEqual(Float32Array.of(1 / Math.sqrt(3.5), 1, 1 / Math.sqrt(6.75)));
  });

  test("minmax: 0 to 1; a constant column becomes 0", async () => {
    const { center, factor } = await scalingOf(x, allRows(4), "minmax", pace);
    expect(center).toEqual(Float32Array.of(1, 5, -2));
    expect(factor).toEqual(Float32Array.of(1 / 5, 1, 1 / 6));
  });

  test("none: as they are", async () => {
    const scaling = await scalingOf(x, allRows(4), "none", pace);
    expect(scaling).toEqual({ kind: "none", center: new Float32Array(3), factor: Float32Array.of(1, 1, 1) });
  });

  test("looks at the given rows only", async () => {
    const { center } = await scalingOf(x, Uint32Array.of(1, 2), "minmax", pace);
    expect(center).toEqual(Float32Array.of(2, 5, 0));
  });

  test("a constant that is no short fraction, and a spread whose inverse leaves f32", async () => {
    const columns = matrix([0.1, 0, 0.1, 2 ** -140, 0.1, 0], 2);
    for (const kind of ["standard", "minmax"] as const) {
      const { center, factor } = await scalingOf(columns, allRows(3), kind, pace);
      expect(factor).toEqual(Float32Array.of(1, 1));
      expect(center[0]).toBe(Math.fround(0.1));
    }
  });

  test("sums go block by block, as a stream's would", async () => {
    // ±2^60 at the ends of two blocks of ones: a running sum over all rows would lose the second block's ones
    const values = new Float32Array(8192).fill(1);
    values[4095] = 2 ** 60;
    values[8191] = -(2 ** 60);
    const { center } = await scalingOf(matrix(values, 1), allRows(8192), "standard", pace);
    expect(center[0]).toBe(1);
  });

  test("a large offset does not swallow the deviation", async () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => 2 ** 23 + (i % 2));
    const { center, factor } = await scalingOf(matrix(values, 1), allRows(1000), "standard", pace);
    expect([center[0], factor[0]]).toEqual([2 ** 23, 2]); // the mean, 2^23 + 1/2, to even
  });
});

describe("the split", () => {
  test.each([
    [10, 0.1],
    [4096, 0.5],
    [4097, 0.01],
    [60000, 0.1],
    [9000, 0.999],
  ])("%i rows, %f", (rows, fraction) => {
    const { training, validation } = split(rows, fraction, 3);
    expect(validation).toHaveLength(Math.round(rows * fraction));
    expect([...training, ...validation].sort((a, b) => a - b)).toEqual([...allRows(rows)]);
    expect(training).toEqual(training.slice().sort());
    expect(validation).toEqual(validation.slice().sort());
  });

  test("a block's share depends on the seed and the rows up to its end, not on what follows: a stream gives the same", () => {
    const firstBlocks = (rows: number, seed: number): number[] =>
      [...split(rows, 0.1, seed).validation].filter((row) => row < 8192);
    expect(firstBlocks(8192, 1)).toEqual(firstBlocks(50000, 1));
    expect(firstBlocks(8192, 1)).not.toEqual(firstBlocks(8192, 2));
  });

  test("every row is as likely", () => {
    const counts = new Int32Array(100);
    for (let seed = 0; seed < 2000; seed++) for (const row of split(100, 0.3, seed).validation) counts[row]++;
    // binomial: mean 600, deviation √(2000 · 0.3 · 0.7) = 20.5; five of them
    for (const count of counts) expect(Math.abs(count - 600)).toBeLessThan(103);
  });
});

describe("the order of an epoch", () => {
  test.each([1, 2, 4095, 4096, 4097, 20000])(
    "is a permutation of %i rows, another in every epoch and for every seed",
    (rows) => {
      const order = epochOrder(allRows(rows), 1, 1);
      expect(order.slice().sort()).toEqual(allRows(rows));
      expect(epochOrder(allRows(rows), 1, 1)).toEqual(order);
      if (rows < 100) return;
      expect(epochOrder(allRows(rows), 1, 2)).not.toEqual(order);
      expect(epochOrder(allRows(rows), 2, 1)).not.toEqual(order);
    },
  );

  test("mixes inside windows of 16 blocks, so that 16 blocks in memory are enough", () => {
    const rows = allRows(40 * 4096).filter((row) => row % 10 > 0);
    const order = epochOrder(rows, 4, 1);
    expect(order.slice().sort()).toEqual(rows);
    const blocks = [...order].map((row) => Math.floor(row / 4096));
    const windows: Set<number>[] = [];
    for (const block of blocks) {
      const current = windows.at(-1);
      if (current && (current.has(block) || current.size < 16)) current.add(block);
      else windows.push(new Set([block]));
    }
    expect(windows.map((window) => window.size)).toEqual([16, 16, 8]);
    // half of a window has rows of all its blocks
    expect(new Set(blocks.slice(0, 8 * 3686))).toHaveLength(16);
    expect([...windows[0]].sort((a, b) => a - b)).not.toEqual(Array.from({ length: 16 }, (_, block) => block));
  });
});

describe("initial weights", () => {
  test("zeros for a linear model", () => {
    expect(initialLayers(layerSizes(3, [], 2), 1)).toEqual([
      { weight: new Float32Array(6), bias: new Float32Array(2), inputs: 3, outputs: 2 },
    ]);
  });

  test("uniform within 1/√inputs for an MLP", () => {
    const [first, second] = initialLayers(layerSizes(25, [400], 2), 1);
    for (const [{ weight, bias }, bound] of [
      [first, 1 / 5],
      [second, 1 / 20],
    ] as const) {
      const all = [...weight, ...bias];
      expect(Math.max(...all.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.max(...all)).toBeGreaterThan(0.98 * bound);
      expect(Math.min(...all)).toBeLessThan(-0.98 * bound);
    }
  });

  test("streams of one seed share no word of state", () => {
    const words = (stream: number): number[] => {
      const random = rng(1, stream);
      return Array.from({ length: 8 }, () => random.next());
    };
    expect(new Set([...words(0), ...words(4), ...words(8), ...words(12)])).toHaveLength(32);
  });
});

test("blobs are the same on every call", () => {
  expect(blobs(10, 3, 2, 1)).toEqual(blobs(10, 3, 2, 1));
});
