import { createPool } from "napier/pool";
import {
  type CheckpointStore,
  type FitData,
  type FitSettings,
  fit,
  type Model,
  type Progress,
  type Source,
} from "napier/train";
import { afterAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../src/train/safetensors.ts";
import { SLOTS } from "../src/train/store.ts";
import { blobs } from "./blobs.ts";

const pool = createPool({ threads: 2 });
afterAll(() => pool.close());

type Files = ReadonlyMap<string, Uint8Array>;

/** Keeps what it held after each write; `onWrite` hears of each, from 1. */
class Memory implements CheckpointStore {
  readonly files: Map<string, Uint8Array>;
  readonly states: Files[] = [];
  readonly #onWrite: (writes: number) => void;

  constructor(files: Files = new Map(), onWrite: (writes: number) => void = () => {}) {
    this.files = new Map(files);
    this.#onWrite = onWrite;
  }
  async read(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name);
  }
  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.files.set(name, bytes);
    this.states.push(new Map(this.files));
    this.#onWrite(this.states.length);
  }
}

const { x, y } = blobs(610, 5, 3, 4, 3);
const sampleWeight = Float64Array.from(y, (_, i) => 1 + (i % 5) / 4);
const rows: FitData = { x, y };

/** The same rows in uneven blocks, and by blocks of 4,096 of which there is one. */
const source: Source = {
  async *[Symbol.asyncIterator]() {
    for (let first = 0; first < 610; first += 77) {
      const end = Math.min(610, first + 77);
      yield { x: { data: x.data.slice(first * 5, end * 5), shape: [end - first, 5] }, y: y.slice(first, end) };
    }
  },
  block: async () => ({ x, y }),
};

type Event = { name: string; text: string };

/** What a run gives, and all it says that time has no part in. */
async function run(
  data: FitData,
  settings: FitSettings,
  onEvent: (event: Event) => void = () => {},
): Promise<{ model: string; events: Event[] }> {
  const events: Event[] = [];
  const onProgress = (p: Progress): void => {
    if (p.kind === "step") return; // these are told by the clock
    const { seconds: _, model: __, ...told } = { seconds: 0, ...p };
    const event = {
      name: "epoch" in p ? `epoch ${p.epoch}` : "iteration" in p ? `iteration ${p.iteration}` : p.kind,
      text: "",
    };
    event.text = JSON.stringify([told, bytesOf(p.model() as Model)]);
    if (p.kind !== "resume") events.push(event);
    onEvent(event);
  };
  const model = await fit({ ...data, ...settings, onProgress } as Parameters<typeof fit>[0]);
  return { model: bytesOf(model), events };
}

const bytesOf = ({ layers }: Model): string =>
  layers.map((l) => [l.weight, l.bias].map((part) => Buffer.from(part.slice().buffer).toString("hex"))).join(",");

const MLP: FitSettings = { hidden: [7], epochs: 3, batchSize: 100, learningRate: 0.01, validation: 0.2, seed: 2 };
const LBFGS: FitSettings = { C: 10, validation: 0.1, tolerance: 1e-8 };

/** More than the 16 blocks that are mixed with each other at a time; batches lie across two windows. */
const many = blobs(70_000, 1, 2, 6, 3);

describe.each<[string, FitData, FitSettings, number]>([
  ["an MLP", rows, MLP, 15],
  ["an MLP from a source, without validation", { source }, { ...MLP, validation: undefined as never }, 21],
  ["an MLP with weights, on a pool of 2", { x, y, sampleWeight }, { ...MLP, pool, classWeight: "balanced" }, 15],
  [
    "a linear model by mini-batches, validation of its own",
    rows,
    { ...MLP, hidden: [], optimizer: "adamw", validation: blobs(90, 5, 3, 9, 3) },
    21,
  ],
  [
    "an MLP whose best epoch is not the last",
    rows,
    { ...MLP, seed: 1, learningRate: 0.3, batchSize: 20, epochs: 4 },
    100,
  ],
  [
    "SGD with a schedule and clipping, that stops early",
    rows,
    {
      ...{ ...MLP, seed: 1, epochs: 6, batchSize: 50, patience: 2, optimizer: "sgd", learningRate: 0.3 },
      ...{ momentum: 0.8, nesterov: true, l2: 0.001, schedule: "cosine", warmup: 5, clipNorm: 0.5 },
    },
    30,
  ],
  ["two windows of blocks", many, { ...MLP, hidden: [3], epochs: 2, batchSize: 9000 }, 12],
  ["L-BFGS", rows, LBFGS, 10],
  ["L-BFGS from a source", { source }, LBFGS, 10],
  ["L-BFGS with weights, on a pool of 2", { x, y, sampleWeight }, { ...LBFGS, pool, classWeight: "balanced" }, 10],
])("%s", (_, data, given, least) => {
  const settings = { ...given };
  if (settings.validation === undefined) delete settings.validation;

  test("killed at any boundary and resumed, gives the same bytes and says the same", async () => {
    const whole = await run(data, settings);
    const said: Event[] = [];
    const heard: number[] = [];
    const marked = new Memory(new Map(), () => heard.push(said.length));
    const watched = await run(data, { ...settings, checkpoint: { store: marked, every: 0 } }, (event) =>
      said.push(event),
    );
    expect(watched).toEqual(whole);
    expect(marked.states.length).toBeGreaterThanOrEqual(least);
    for (const [n, files] of marked.states.entries()) {
      const events: Event[] = [];
      const resumed = new Memory(files);
      const again = await run(data, { ...settings, checkpoint: { store: resumed }, resume: true }, (e) =>
        events.push(e),
      );
      expect(again.model === whole.model, `after save ${n + 1}`).toBe(true);
      expect(events[0]?.text).toContain('"found":true,"notes":[]');
      // what was told before the save, and what is told after it
      const before = whole.events.slice(0, heard[n]);
      if (before.at(-1)?.name === "end") before.pop();
      expect([...before, ...again.events], `after save ${n + 1}`).toEqual(whole.events);
    }
  });

  test("aborted at any boundary, and resumed again and again", async () => {
    const whole = await run(data, settings);
    let files: Files = new Map();
    let stops = 0;
    for (;;) {
      const stop = new AbortController();
      // the first save of a run is that of its first boundary
      const store: Memory = new Memory(files, (writes) => writes === 2 && stop.abort());
      const checkpoint = { store, every: 0 };
      const { signal } = stop;
      const result = await run(data, { ...settings, checkpoint, resume: true, signal }).catch((error) => {
        expect(error).toBe(signal.reason);
      });
      files = store.files;
      if (result === undefined) {
        stops++;
        continue;
      }
      expect(result.model === whole.model).toBe(true);
      break;
    }
    expect(stops).toBeGreaterThanOrEqual(Math.floor(least / 2) - 2);
  });
});

test("an abort before the first save that is due makes one", async () => {
  for (const settings of [MLP, LBFGS]) {
    const whole = await run(rows, settings);
    const stop = new AbortController();
    const store = new Memory();
    const first = run(rows, { ...settings, checkpoint: { store }, signal: stop.signal }, () =>
      stop.abort(new Error("no")),
    );
    await expect(first).rejects.toThrow(new Error("no"));
    expect(store.states).toHaveLength(1);
    expect(await run(rows, { ...settings, checkpoint: { store }, resume: true })).toMatchObject({ model: whole.model });
  }
});

test("a longer training goes on from a shorter one, and gives its own bytes", async () => {
  const store = new Memory();
  await run(rows, { ...MLP, epochs: 2, checkpoint: { store } });
  const longer = await run(rows, { ...MLP, checkpoint: { store }, resume: true });
  expect(longer.events.map(({ name }) => name)).toEqual(["epoch 3"]);
  expect(longer.model).toBe((await run(rows, MLP)).model);

  const search = new Memory();
  await run(rows, { ...LBFGS, maxIterations: 4, checkpoint: { store: search } });
  const further = await run(rows, { ...LBFGS, tolerance: 1e-9, checkpoint: { store: search }, resume: true });
  expect(further.events[0]?.name).toBe("iteration 5");
  expect(further.model).toBe((await run(rows, { ...LBFGS, tolerance: 1e-9 })).model);
});

test("resume says what is done, and the best epoch so far", async () => {
  const store = new Memory();
  let best: unknown;
  const onProgress = (p: Progress): void => {
    if (p.kind === "epoch" && p.best) best = { epoch: p.epoch, validation: p.validation };
  };
  await fit({ ...rows, ...MLP, onProgress, checkpoint: { store } } as Parameters<typeof fit>[0]);
  let told: Progress | undefined;
  const first = (p: Progress): void => {
    told ??= p;
  };
  await fit({ x, y, ...MLP, checkpoint: { store }, resume: true, onProgress: first });
  expect(told).toEqual({ kind: "resume", found: true, notes: [], done: 3, best, model: expect.any(Function) });
  told = undefined;
  const fresh = { store: new Memory() };
  await fit({ x, y, ...LBFGS, checkpoint: fresh, resume: true, onProgress: first });
  expect(told).toEqual({ kind: "resume", found: false, notes: [], done: 0, model: expect.any(Function) });
});

test("a checkpoint holds no time", async () => {
  const [a, b] = [new Memory(), new Memory()];
  for (const store of [a, b]) await run(rows, { ...MLP, checkpoint: { store, every: 0 } });
  expect(a.states.length).toBe(b.states.length);
  a.states.forEach((files, n) => {
    for (const name of SLOTS) expect(files.get(name)).toEqual(b.states[n]?.get(name));
  });
});

const damage = ({ files }: Memory, name: string): void => {
  const bytes = (files.get(name) as Uint8Array).slice();
  bytes[bytes.length - 3] ^= 1;
  files.set(name, bytes);
};
const saveOf = ({ files }: Memory, name: string): number =>
  JSON.parse(decodeSafetensors(files.get(name) as Uint8Array).metadata.napier as string).save;

test("the newest is damaged: the older one is used, and a note says so", async () => {
  for (const settings of [MLP, LBFGS]) {
    const store = new Memory();
    const { model } = await run(rows, { ...settings, checkpoint: { store, every: 0 } });
    const newest = SLOTS[saveOf(store, SLOTS[0]) > saveOf(store, SLOTS[1]) ? 0 : 1];
    damage(store, newest);
    let told: Event | undefined;
    const again = await run(rows, { ...settings, checkpoint: { store }, resume: true }, (event) => {
      told ??= event;
    });
    expect(told?.text).toContain(`"notes":["${newest} is damaged: its checksum is not that of its bytes"]`);
    expect(again.model).toBe(model);
  }
});

describe("refused", () => {
  const begin = async (settings: FitSettings, data: FitData = rows): Promise<Memory> => {
    const store = new Memory();
    await run(data, { ...settings, checkpoint: { store } });
    return store;
  };
  const resume = (store: Memory, settings: FitSettings, data: FitData = rows) =>
    run(data, { ...settings, checkpoint: { store }, resume: true });

  test("a new training over checkpoints", async () => {
    const store = await begin(LBFGS);
    const files = new Map(store.files);
    await expect(run(rows, { ...LBFGS, checkpoint: { store } })).rejects.toThrow(
      new Error(
        `fit: checkpoint expected a store without checkpoints, got ${SLOTS[0]}; set resume to go on from it, or keep checkpoints elsewhere`,
      ),
    );
    expect(store.files).toEqual(files);
  });

  const other = blobs(610, 5, 3, 4, 3);
  other.x.data[17] += 1;
  const relabelled = y.with(3, "b");
  test.each<[string, FitSettings, FitData, FitSettings, FitData, RegExp]>([
    ["an option", LBFGS, rows, { ...LBFGS, C: Infinity }, rows, /: C is 10 there and Infinity here; go on with/],
    [
      "the optimizer",
      LBFGS,
      rows,
      { optimizer: "adamw", validation: 0.1 },
      rows,
      /: optimizer is "lbfgs" there and "adamw" here/,
    ],
    ["the layers", MLP, rows, { ...MLP, hidden: [8] }, rows, /: hidden is \[7\] there and \[8\] here;/],
    [
      "the fraction that is held",
      LBFGS,
      rows,
      { ...LBFGS, validation: 0.2 },
      rows,
      /: validation is 0.1 there and 0.2 here;/,
    ],
    [
      "a number of x",
      LBFGS,
      rows,
      LBFGS,
      { x: other.x, y },
      /: x is 610 rows of 5, \w{32} there and 610 rows of 5, \w{32} here;/,
    ],
    ["a label", LBFGS, rows, LBFGS, { x, y: relabelled }, /: y is \w{32} there and \w{32} here;/],
    [
      "labels that change places",
      LBFGS,
      rows,
      LBFGS,
      { x, y: y.map((l) => (l === "a" ? "b" : l === "b" ? "a" : l)) },
      /: y is/,
    ],
    [
      "names of classes",
      LBFGS,
      rows,
      LBFGS,
      { x, y: y.map((l) => (l === "c" ? "d" : l)) },
      /: classes is \["a","b","c"\] there and \["a","b","d"\] here; y is/,
    ],
    ["weights", LBFGS, rows, LBFGS, { x, y, sampleWeight }, /: weight is nothing there and \w{32} here;/],
    [
      "a weight",
      LBFGS,
      { x, y, sampleWeight },
      LBFGS,
      { x, y, sampleWeight: sampleWeight.with(1, 3) },
      /: weight is \w{32} there/,
    ],
    ["names of features", LBFGS, rows, { ...LBFGS, features: [{ name: "e", size: 5 }] }, rows, /: features is/],
    [
      "rows of the validation",
      { ...MLP, validation: blobs(90, 5, 3, 9) },
      rows,
      { ...MLP, validation: blobs(90, 5, 3, 8) },
      rows,
      /: validation\.x is 90 rows of 5, \w+ there/,
    ],
  ])("%s", async (_, settings, data, changed, given, message) => {
    const store = await begin(settings, data);
    const files = new Map(store.files);
    await expect(resume(store, changed, given)).rejects.toThrow(message);
    expect(store.files).toEqual(files);
  });

  test("a start from another model", async () => {
    const start = await fit({ x, y, ...LBFGS, maxIterations: 2 });
    const other = await fit({ x, y, ...LBFGS, maxIterations: 3 });
    const store = await begin({ ...LBFGS, warmStart: start as Model });
    await expect(resume(store, { ...LBFGS, warmStart: other as Model })).rejects.toThrow(
      /: warmStart is \w+ there and/,
    );
    await resume(store, { ...LBFGS, warmStart: start as Model });
  });

  test("a goal that the checkpoint is past", async () => {
    const mlp = await begin(MLP);
    await expect(resume(mlp, { ...MLP, epochs: 2 })).rejects.toThrow(
      new Error("fit: checkpoint expected at most 2 epochs, got 3; let epochs be 3 at least"),
    );
    const patient = await begin({ ...MLP, patience: 2 });
    await resume(patient, { ...MLP, patience: 3 });
    await expect(resume(patient, { ...MLP, patience: 2 })).rejects.toThrow(
      new Error("fit: checkpoint expected patience of 2 at most, got 3; let patience be 3 at least"),
    );
    const search = await begin({ ...LBFGS, maxIterations: 4 });
    await expect(resume(search, { ...LBFGS, maxIterations: 3 })).rejects.toThrow(
      new Error("fit: checkpoint expected at most 3 iterations, got 4; let maxIterations be 4 at least"),
    );
    await expect(resume(search, { ...LBFGS, tolerance: 1e-3 })).rejects.toThrow(
      new Error(
        "fit: checkpoint expected one with a tolerance of 0.001 at least, got 1e-8; let tolerance be 1e-8 at most",
      ),
    );
  });

  test("options that are none", async () => {
    const store = new Memory();
    const options = { x, y } as const;
    const bad = (more: object) => fit({ ...options, ...more } as Parameters<typeof fit>[0]);
    await expect(bad({ resume: true })).rejects.toThrow(
      new RangeError("fit: resume expected a checkpoint to go on from, got none; set checkpoint"),
    );
    await expect(bad({ checkpoint: { store }, resume: "yes" })).rejects.toThrow(
      new TypeError('fit: resume expected true or false, got "yes"'),
    );
    await expect(bad({ checkpoint: store })).rejects.toThrow(
      new TypeError(
        "fit: checkpoint expected { store, every } with a store { read, write }, got a Memory; napier/node has diskStore(folder)",
      ),
    );
    await expect(bad({ checkpoint: { store, every: -1 } })).rejects.toThrow(
      new RangeError("fit: checkpoint.every expected seconds, a number from 0, got -1"),
    );
    await expect(bad({ checkpoint: { store, evry: 1 } })).rejects.toThrow(
      new TypeError("fit: options expected only store, every, got evry"),
    );
    expect(store.states).toEqual([]);
  });

  test("a store that cannot write ends training with its error, on an abort too", async () => {
    const full = { read: async () => undefined, write: () => Promise.reject(new Error("full")) };
    await expect(run(rows, { ...MLP, checkpoint: { store: full, every: 0 } })).rejects.toThrow("full");
    const stop = new AbortController();
    const aborted = run(rows, { ...MLP, checkpoint: { store: full }, signal: stop.signal }, () => stop.abort());
    await expect(aborted).rejects.toThrow("full");
  });
});
