/** Files that were damaged, or made to do damage: safetensors, and checkpoints by their decoder and by fit. */
import { describe, expect, test } from "vitest";
import { rng } from "../src/rng.ts";
import { decodeCheckpoint } from "../src/train/checkpoint.ts";
import { Hash } from "../src/train/hash.ts";
import { type CheckpointStore, fit, type Progress } from "../src/train/index.ts";
import { decodeSafetensors, encodeSafetensors, type TensorData } from "../src/train/safetensors.ts";
import { SLOTS } from "../src/train/store.ts";
import { blobs } from "./blobs.ts";
import { expectLine, type Mutation, mutation, mutations, outcomes } from "./mutations.ts";

const SEED = 20261124;

const tensors = {
  ids: { data: Int32Array.of(7, -7), shape: [2, 1] },
  mean: { data: Float64Array.of(5e-324, 0.1), shape: [2] },
  none: { data: new Float32Array(0), shape: [0, 4] },
  steps: { data: BigInt64Array.of(-(2n ** 63n)), shape: [] },
  weights: { data: Float32Array.of(1, -2.5, Infinity, -Infinity, -0, 3), shape: [2, 3] },
};
const file = encodeSafetensors({ tensors, metadata: { made: "here", at: "no time" } });
const isRefusal = (error: Error): boolean =>
  error instanceof RangeError && error.message.startsWith("decodeSafetensors: bytes expected a safetensors file, got ");

/** What was read can be written, and read again. */
function use(bytes: Uint8Array): void {
  const content = decodeSafetensors(bytes);
  expect(decodeSafetensors(encodeSafetensors(content))).toEqual(content);
}

/** A safetensors file with this header. */
function made(header: string, data = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

/** Mutations of the header alone, whose length is right. */
function* headers(count: number): Generator<Mutation> {
  const end = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
  for (let n = 0; n < count; n++) {
    const { name, bytes } = mutation(file.subarray(8, end), SEED, n);
    const all = new Uint8Array(8 + bytes.length + file.length - end);
    new DataView(all.buffer).setBigUint64(0, BigInt(bytes.length), true);
    all.set(bytes, 8);
    all.set(file.subarray(end), 8 + bytes.length);
    yield { name: `header, ${name}`, bytes: all };
  }
}

describe("safetensors", () => {
  test("1,000 mutations end in tensors or in one line", async () => {
    const found = await outcomes(mutations(file, SEED, 1000), use, isRefusal);
    expect(found.values).toBeGreaterThan(8);
    expect(found.refusals).toBeGreaterThan(700);
  });

  test("1,000 mutations of the header end in tensors or in one line", async () => {
    const found = await outcomes(headers(1000), use, isRefusal);
    expect(found.values).toBeGreaterThan(8);
    expect(found.refusals).toBeGreaterThan(700);
  });

  test("what a refusal shows of the file is short, and on its line", () => {
    const refusal = (header: string): string => {
      try {
        decodeSafetensors(made(header));
      } catch (error) {
        return (error as Error).message.replace("decodeSafetensors: bytes expected a safetensors file, got ", "");
      }
      return "";
    };
    const name = "n".repeat(1000);
    expect(refusal(`{"${name}":1}`)).toBe(`a tensor "${name.slice(0, 190)}…`);
    const shape = JSON.stringify(new Array(100_000).fill(-1));
    expect(refusal(`{"a":{"dtype":"F32","shape":${shape},"data_offsets":[0,0]}}`)).toMatch(
      /^a tensor "a" of shape \[(-1,){59}…$/,
    );
    expect(refusal('{"a\u2028":1}')).toBe('a tensor "a\ufffd" that is no object');
  });

  test("empty objects of 3 bytes do not take 20 times that", () => {
    const before = process.memoryUsage().heapUsed;
    for (const item of ["{}", "[]"]) {
      const bytes = made(`{"a":[${item}${`,${item}`.repeat(2_000_000)}]}`);
      expect(() => decodeSafetensors(bytes)).toThrow("a header that is no object of objects");
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60e6);
  });

  test("a size of -0 is 0", () => {
    const { tensors } = decodeSafetensors(made('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[-0,-0]}}'));
    expect(tensors.a!.shape).toEqual([0]);
  });

  test("many small tensors are what a file may hold", () => {
    const small = Object.fromEntries(
      Array.from({ length: 5000 }, (_, n) => [n.toString(36), { data: new Uint8Array(0), shape: [0] }]),
    );
    expect(Object.keys(decodeSafetensors(encodeSafetensors({ tensors: small, metadata: {} })).tensors)).toHaveLength(
      5000,
    );
  });
});

const BEGIN = 8 + '{"__metadata__":{"checksum":"'.length;

/** With a right checksum. */
function sealed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length < BEGIN + 32) return bytes;
  const text = new TextEncoder();
  bytes.set(text.encode("0".repeat(32)), BEGIN);
  bytes.set(text.encode(new Hash().add(bytes).hex()), BEGIN);
  return bytes;
}

const { x, y } = blobs(60, 3, 3, 4, 3);
const SETTINGS = {
  "L-BFGS": { C: 10, validation: 0.2, tolerance: 1e-4 },
  "an MLP": { hidden: [4], epochs: 3, batchSize: 20, learningRate: 0.01, validation: 0.2, seed: 2 },
  SGD: { hidden: [4], optimizer: "sgd", momentum: 0.9, epochs: 3, batchSize: 20, learningRate: 0.01, seed: 2 },
} as const;

class Memory implements CheckpointStore {
  readonly files = new Map<string, Uint8Array>();
  async read(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name);
  }
  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.files.set(name, bytes);
  }
}

async function checkpointOf(settings: object): Promise<Uint8Array<ArrayBuffer>> {
  const store = new Memory();
  const stop = new AbortController();
  let events = 0;
  const onProgress = ({ kind }: Progress): void => {
    if (kind !== "step" && ++events === 2) stop.abort(new Error("stop"));
  };
  const run = fit({ x, y, ...settings, checkpoint: { store }, signal: stop.signal, onProgress });
  await expect(run).rejects.toThrow("stop");
  return store.files.get(SLOTS[0])!.slice() as Uint8Array<ArrayBuffer>;
}

const NUMBERS = [0, -1, 0.5, 1e9, 2 ** 53, "NaN", "Infinity", "-0", null, [], "x"];

/** Mutations of what a checkpoint holds, in a file that is right. */
function* inner(bytes: Uint8Array, count: number): Generator<Mutation> {
  for (let n = 0; n < count; n++) {
    const random = rng(SEED, n);
    const { tensors, metadata } = decodeSafetensors(bytes);
    const all: Record<string, { data: TensorData; shape: readonly number[] }> = { ...tensors };
    const state = JSON.parse(metadata.napier!);
    const names = Object.keys(all);
    const name = names[random.below(names.length)]!;
    let what = "";
    if (n % 4 === 0) {
      const numbers = Object.keys(state.numbers);
      const key = numbers[random.below(numbers.length)]!;
      const value = NUMBERS[random.below(NUMBERS.length)];
      state.numbers[key] = value;
      what = `${key} is ${JSON.stringify(value)}`;
    } else if (n % 4 === 1) {
      const { data } = all[name]!;
      const { name: changed, bytes } = mutation(new Uint8Array(data.buffer), SEED, n);
      const own = new (data.constructor as Float32ArrayConstructor)(bytes.buffer.slice(0, bytes.length & ~7));
      all[name] = { data: own, shape: [own.length] };
      what = `${name}: ${changed}`;
    } else if (n % 4 === 2) {
      const other = ["s.0", "y.7", "optimizer.w", "__proto__", "w", "a\nb".repeat(500)][random.below(6)]!;
      const data = [new Uint8Array(3), all[name]!.data, new Float64Array(2), new Float32Array(0)][random.below(4)]!;
      if (random.below(2) === 0) delete all[name];
      Object.defineProperty(all, other, {
        value: { data, shape: [data.length] },
        enumerable: true,
        configurable: true,
      });
      what = `${other} beside or for ${name}`;
    }
    let napier = JSON.stringify(state);
    if (n % 4 === 3) {
      const changed = mutation(new TextEncoder().encode(napier), SEED, n);
      napier = new TextDecoder().decode(changed.bytes);
      what = `napier: ${changed.name}`;
    }
    const content = { tensors: all, metadata: { checksum: "0".repeat(32), napier } };
    yield { name: `seed ${SEED}, number ${n}: ${what}`, bytes: sealed(encodeSafetensors(content)) };
  }
}

const TOLD =
  /^(damaged: ([0-9]+ bytes are too few|it does not begin as a|its checksum is not|decodeSafetensors: bytes expected|what it holds was not)|of format [-.e+0-9]+, where format 1|of another training: )/;

describe.each(Object.entries(SETTINGS))("checkpoints of %s", (_, settings) => {
  /** Goes on from the file, which stands alone or twice. */
  async function resume(bytes: Uint8Array, slots: 1 | 2): Promise<void> {
    const store = new Memory();
    for (const name of SLOTS.slice(0, slots)) store.files.set(name, bytes);
    let notes: readonly string[] = [];
    const onProgress = (p: Progress): void => {
      if (p.kind === "resume") notes = p.notes;
    };
    const model = await fit({ x, y, ...settings, checkpoint: { store }, resume: true, onProgress });
    for (const note of notes) expectLine(note, "a note");
    expect(model.predict(x)).toHaveLength(60);
  }
  const isOfFit = (error: Error): boolean => error.message.startsWith("fit: ");

  test("340 mutations end in a model or in one line", async () => {
    const bytes = await checkpointOf(settings);
    const alone = await outcomes(mutations(bytes, SEED, 170), (file) => resume(file, 1), isOfFit);
    expect(alone).toEqual({ values: 170, refusals: 0 }); // a first save that was not finished
    const twice = await outcomes(mutations(bytes, SEED + 1, 170), (file) => resume(file, 2), isOfFit);
    expect(twice.values).toBeLessThan(20);
    expect(twice.refusals).toBeGreaterThan(150);
  });

  test("with a right checksum, too", async () => {
    const bytes = await checkpointOf(settings);
    const found = { values: 0, refusals: 0 };
    for (const files of [
      [...mutations(bytes, SEED, 170)].map(({ name, bytes }) => ({ name, bytes: sealed(bytes) })),
      inner(bytes, 400),
    ]) {
      const { values, refusals } = await outcomes(files, (file) => resume(file, 2), isOfFit);
      found.values += values;
      found.refusals += refusals;
    }
    expect(found.values).toBeGreaterThan(40);
    expect(found.refusals).toBeGreaterThan(250);
  });

  test("the decoder throws nothing, and says why in one line", async () => {
    const bytes = await checkpointOf(settings);
    const changed = [...mutations(bytes, SEED, 340)];
    const right = changed.map(({ name, bytes }) => ({ name, bytes: sealed(bytes.slice()) }));
    const { identity } = JSON.parse(decodeSafetensors(bytes).metadata.napier!);
    const decode = (file: Uint8Array): void => {
      const decoded = decodeCheckpoint(file, identity);
      if ("refused" in decoded) throw new Error(decoded.refused);
    };
    const isTold = ({ message }: Error): boolean => TOLD.test(message);
    const { values, refusals } = await outcomes([...changed, ...right, ...inner(bytes, 200)], decode, isTold);
    expect(values).toBeGreaterThan(50);
    expect(refusals).toBeGreaterThan(500);
  });
});

test("metadata of JSON with a right checksum that no training wrote: not the engine's words, which may have line breaks", async () => {
  const bytes = await checkpointOf(SETTINGS["L-BFGS"]);
  const { metadata } = decodeSafetensors(bytes);
  const state = JSON.parse(metadata.napier!);
  const refusal = (napier: string): string => {
    const decoded = decodeCheckpoint(
      sealed(encodeSafetensors({ tensors: {}, metadata: { checksum: "0".repeat(32), napier } })),
      state.identity,
    );
    return "refused" in decoded ? decoded.refused : "";
  };
  const others = [{ numbers: null }, { numbers: { a: "1" } }, { save: "9" }, { text: [] }, { identity: { C: 1 } }];
  for (const napier of ["null", "[]", "{\n", "{}", ...others.map((other) => JSON.stringify({ ...state, ...other }))]) {
    expect(refusal(napier), napier).toBe("damaged: what it holds was not written by a training");
  }
  const there = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}\n${"n".repeat(100)}`, "1"]));
  const different = refusal(JSON.stringify({ ...state, identity: { ...there, ...state.identity } }));
  expect(different).toMatch(/^of another training: 0\ufffdn{58}… is 1 there and nothing here; 1\ufffd.*; and 12 more$/);
});

test("a state of another shape is refused before anything is computed with it", async () => {
  const changed = async (settings: object, numbers: object, tensors: object): Promise<string> => {
    const content = decodeSafetensors(await checkpointOf(settings));
    const state = JSON.parse(content.metadata.napier!);
    const napier = JSON.stringify({ ...state, numbers: { ...state.numbers, ...numbers } });
    const metadata = { checksum: "0".repeat(32), napier };
    const store = new Memory();
    store.files.set(SLOTS[0], sealed(encodeSafetensors({ tensors: { ...content.tensors, ...tensors }, metadata })));
    const run = fit({ x, y, ...settings, checkpoint: { store }, resume: true } as Parameters<typeof fit>[0]);
    return run.then(
      () => "",
      (error) => error.message,
    );
  };
  const counters = "fit: checkpoint expected counters of this training, got others; keep checkpoints elsewhere";
  const shapes = "fit: checkpoint expected tensors of this training, got others; keep checkpoints elsewhere";
  const of = (length: number) => ({ data: new Float64Array(length), shape: [length] });
  const { "L-BFGS": linear, "an MLP": mlp } = SETTINGS;
  expect(await changed(linear, {}, {})).toBe("");
  expect(await changed(linear, { iteration: 0.5 }, {})).toBe(counters);
  expect(await changed(linear, { vain: -1 }, {})).toBe(counters);
  expect(await changed(linear, {}, { w: of(3) })).toBe(shapes);
  expect(await changed(linear, {}, { gradient: of(0) })).toBe(shapes);
  expect(await changed(linear, {}, { "s.3": of(16) })).toBe(shapes);
  expect(await changed(linear, {}, { "y.x": of(16) })).toBe(shapes);
  expect(await changed(mlp, {}, {})).toBe("");
  // a training of a billion epochs that begins before the first one
  for (const numbers of [
    { epoch: -1e9 },
    { epoch: "NaN" },
    { row: 7 },
    { row: 1e6 },
    { bestEpoch: 9 },
    { patience: 0 },
  ]) {
    expect(await changed(mlp, numbers, {}), JSON.stringify(numbers)).toBe(counters);
  }
  expect(await changed(mlp, { "optimizer.step": 2 ** 53 - 1 }, {})).toBe(counters);
  expect(await changed(mlp, {}, { best: of(3) })).toBe(shapes);
  expect(await changed(mlp, {}, { "optimizer.w": of(3), "optimizer.a\nb": of(1) })).toMatch(
    /^fit: checkpoint expected w, mean, square of 72 f32 numbers and a step, got w of 3, mean of 72, square of 72, step 7; it is of another network or of another optimizer$/,
  );
});
