import { createPool } from "napier/pool";
import { afterAll, describe, expect, test } from "vitest";
import { type Crew, crewOf } from "../dist/crew.js";
import { Steps, type StepsOptions } from "../dist/train/steps.js";
import { rng } from "../src/rng.ts";
import { initialLayers, layerSizes, pack } from "../src/train/layers.ts";
import { learningRateAt } from "../src/train/schedule.ts";

const OPTIMIZERS: [string, StepsOptions][] = [
  ["adamw", { optimizer: "adamw", learningRate: 0.01, weightDecay: 0.1 }],
  ["adam", { optimizer: "adam", learningRate: 0.01, l2: 0.01 }],
  ["sgd", { optimizer: "sgd", learningRate: 0.05, l2: 0.01 }],
  ["sgd with momentum", { optimizer: "sgd", learningRate: 0.05, momentum: 0.9 }],
  ["sgd with nesterov", { optimizer: "sgd", learningRate: 0.05, momentum: 0.9, l2: 0.01, nesterov: true }],
];
const COUNT = 6;

const pools = [1, 2, 3].map((threads) => createPool({ threads }));
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
});

/** A network with the same start and the same rows every time. */
function begin(crew: Crew | undefined, widths: readonly number[], rows: number, options: StepsOptions): Steps {
  const sizes = layerSizes(widths[0], widths.slice(1, -1), widths[widths.length - 1]);
  const steps = new Steps(crew, sizes, rows, options);
  const { space, at } = steps.network;
  const features = widths[0];
  steps.setInputs(new Float32Array(features).fill(0.5));
  steps.network.load(pack(initialLayers(sizes, 1)), new Float32Array(features), new Float32Array(features).fill(1));
  const random = rng(7);
  for (let k = 0; k < rows * features; k++) space.f32[at.raw / 4 + k] = random.uniform() - 0.5;
  for (let i = 0; i < rows; i++) space.i32[at.targets / 4 + i] = random.below(widths[widths.length - 1]);
  return steps;
}

/** A step along the gradient of the rows' mean loss. */
function stepOn(steps: Steps, rows: number): Promise<void> | undefined {
  const { space, at } = steps.network;
  space.f64.fill(1 / rows, at.scales / 8, at.scales / 8 + rows);
  steps.network.setParts([rows >> 2, rows - (rows >> 2)]);
  return steps.step(rows);
}

/** Steps `from` to `end` on a schedule; every third has fewer rows. */
async function go(steps: Steps, rows: number, rate: number, from: number, end: number): Promise<void> {
  for (let n = from; n <= end; n++) {
    steps.learningRate = learningRateAt(n, COUNT, { schedule: "cosine", learningRate: rate, warmup: 2 });
    await stepOn(steps, n % 3 === 0 ? Math.ceil(rows / 2) : rows);
  }
}

const bytes = (steps: Steps): string =>
  JSON.stringify([
    steps.gradientNorm(),
    steps.save().numbers,
    ...Object.entries(steps.save().tensors).map(([name, { buffer }]) => [name, Buffer.from(buffer).toString("base64")]),
  ]);

async function trained(crew: Crew | undefined, shape: Shape, options: StepsOptions): Promise<string> {
  const steps = begin(crew, shape.widths, shape.rows, options);
  try {
    await go(steps, shape.rows, options.learningRate, 1, COUNT);
    return bytes(steps);
  } finally {
    steps.end();
  }
}

interface Shape {
  readonly widths: readonly number[];
  readonly rows: number;
}

describe("the same bits without a pool and on 1, 2 and 3 threads, with a schedule", () => {
  const WIDE: Shape = { widths: [1500, 203, 11], rows: 48 };
  const LINEAR: Shape = { widths: [901, 10], rows: 200 };
  const SMALL: Shape = { widths: [5, 7, 3], rows: 9 };
  // 0.05 is below every gradient's norm of these, 100 above
  test.each(
    [undefined, 0.05, 100].flatMap((clipNorm) =>
      OPTIMIZERS.map(([name, options]): [string, StepsOptions] => [
        `${name}, ${clipNorm === undefined ? "not clipped" : `clipped to ${clipNorm}`}`,
        { ...options, ...(clipNorm !== undefined && { clipNorm }) },
      ]),
    ),
  )("%s", async (_, options) => {
    for (const shape of [WIDE, LINEAR, SMALL]) {
      const alone = await trained(undefined, shape, options);
      for (const pool of pools) {
        expect((await trained(crewOf("test", pool), shape, options)) === alone, `${pool.threads} threads`).toBe(true);
      }
    }
  });
});

describe("clipping", () => {
  const widths = [6, 9, 4];
  const rows = 8;
  const parametersOf = (steps: Steps): Float32Array => steps.network.save();

  test.each(OPTIMIZERS)("%s: a norm above the gradient's changes no bit", async (_, options) => {
    const [plain, clipped] = [options, { ...options, clipNorm: 1e6 }].map((each) =>
      begin(undefined, widths, rows, each),
    );
    await go(plain, rows, options.learningRate, 1, COUNT);
    await go(clipped, rows, options.learningRate, 1, COUNT);
    expect(bytes(clipped)).toBe(bytes(plain));
  });

  test("the gradient is shortened to the norm, and gradientNorm is that before", () => {
    // with a rate of 1 and no momentum the weights move by the gradient
    const sgd = { optimizer: "sgd", learningRate: 1 } as const;
    const [plain, clipped] = [sgd, { ...sgd, clipNorm: 0.125 }].map((each) => begin(undefined, widths, rows, each));
    const before = parametersOf(plain);
    stepOn(plain, rows);
    stepOn(clipped, rows);
    const moved = (steps: Steps): number => {
      const after = parametersOf(steps);
      return Math.sqrt(before.reduce((sum, w, k) => sum + (w - after[k]) ** 2, 0));
    };
    const norm = plain.gradientNorm();
    expect(norm).toBeGreaterThan(0.2);
    expect(clipped.gradientNorm()).toBe(norm);
    expect(moved(plain) / norm).toBeCloseTo(1, 5);
    expect(moved(clipped)).toBeCloseTo(0.125 * (norm / (norm + 1e-6)), 6);
  });
});

describe("a training that was saved goes on with the same bits", () => {
  const shape: Shape = { widths: [20, 13, 3], rows: 12 };
  test.each(
    OPTIMIZERS.flatMap(([name, options]): [string, StepsOptions][] => [
      [name, options],
      [`${name}, clipped`, { ...options, clipNorm: 0.1 }],
    ]),
  )("%s", async (_, options) => {
    const { widths, rows } = shape;
    const expected = await trained(undefined, shape, options);
    for (const saved of [0, 1, 4]) {
      const first = begin(undefined, widths, rows, options);
      await go(first, rows, options.learningRate, 1, saved);
      const state = first.save();
      await go(first, rows, options.learningRate, saved + 1, COUNT); // what was saved is a copy
      const again = begin(undefined, widths, rows, options);
      again.restore({
        tensors: { ...state.tensors, best: new Float32Array(1) },
        numbers: JSON.parse(JSON.stringify(state.numbers)),
      });
      await go(again, rows, options.learningRate, saved + 1, COUNT);
      expect(bytes(again)).toBe(expected);
    }
  });

  test("names of what is saved", () => {
    const names = OPTIMIZERS.map(([, options]) => {
      const { tensors, numbers } = begin(undefined, [2, 2], 1, options).save();
      return [Object.keys(tensors), numbers];
    });
    const adam = [["w", "mean", "square"], { step: 0 }];
    const sgd = [["w", "buffer"], { step: 0 }];
    expect(names).toEqual([adam, adam, sgd, sgd, sgd]);
  });

  test.each<[string, (of: ReturnType<Steps["save"]>) => unknown]>([
    [
      "w of 24, buffer of 24, step 0",
      ({ tensors: { w, mean } }) => ({ tensors: { w, buffer: mean }, numbers: { step: 0 } }),
    ],
    [
      "w of 23, mean of 24, square of 24, step 0",
      ({ tensors, numbers }) => ({ tensors: { ...tensors, w: new Float32Array(23) }, numbers }),
    ],
    ["w of 24, mean of 24, square of 24, step undefined", ({ tensors }) => ({ tensors, numbers: {} })],
    ["w of 24, mean of 24, square of 24, step -1", ({ tensors }) => ({ tensors, numbers: { step: -1 } })],
    [
      "w of 24, mean of 24, square of 24, step 0",
      ({ tensors, numbers }) => ({ tensors: { ...tensors, square: new Float64Array(24) }, numbers }),
    ],
  ])("a state of another training is refused: %s", (got, change) => {
    const steps = begin(undefined, [2, 2], 1, { optimizer: "adamw", learningRate: 1 });
    const before = bytes(steps);
    expect(() => steps.restore(change(steps.save()) as never)).toThrow(
      new RangeError(
        `fit: checkpoint expected w, mean, square of 24 f32 numbers and a step, got ${got}; it is of another network or of another optimizer`,
      ),
    );
    expect(bytes(steps)).toBe(before);
  });
});
