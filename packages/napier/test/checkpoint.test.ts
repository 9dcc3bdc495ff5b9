import { describe, expect, test } from "vitest";
import { decodeCheckpoint, encodeCheckpoint, type Identity, type TrainingState } from "../src/train/checkpoint.ts";
import { Hash } from "../src/train/hash.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/train/safetensors.ts";
import { type CheckpointStore, Checkpoints, SLOTS } from "../src/train/store.ts";

const IDENTITY: Identity = { optimizer: "lbfgs", C: "1", x: "150 × 4, 00ff" };
const STATE: TrainingState = {
  numbers: {
    position: 3,
    zero: -0,
    tiny: 5e-324,
    third: 1 / 3,
    no: NaN,
    up: Infinity,
    down: -Infinity,
    big: 2 ** 53 - 1,
  },
  text: { phase: "line search", odd: 'a "quoted"\n\u0000 \ud800 text' },
  tensors: { weights: Float64Array.of(1 / 3, -0, NaN, -Infinity), history: new Float32Array(0), n: Int32Array.of(-7) },
};
const BYTES = encodeCheckpoint(IDENTITY, STATE, 12);

/** A checkpoint with a sound checksum of something that was never written. */
function forged(napier: string): Uint8Array {
  const bytes = encodeSafetensors({ tensors: {}, metadata: { checksum: "0".repeat(32), napier } });
  bytes.set(new TextEncoder().encode(new Hash().add(bytes).hex()), 8 + '{"__metadata__":{"checksum":"'.length);
  return bytes;
}

describe("a checkpoint", () => {
  test("comes back bit by bit", () => {
    expect(decodeCheckpoint(BYTES, IDENTITY)).toEqual({ save: 12, state: STATE });
  });
  test("is the same bytes whatever the order of names in it, tensors and metadata", () => {
    const tensors = Object.fromEntries(Object.entries(STATE.tensors).reverse());
    expect(encodeCheckpoint(IDENTITY, { ...STATE, tensors }, 12)).toEqual(BYTES);
  });
  test("is a safetensors file that others can read", () => {
    const { tensors, metadata } = decodeSafetensors(BYTES);
    expect(tensors.weights).toEqual({ data: STATE.tensors.weights, shape: [4] });
    expect(JSON.parse(metadata.napier)).toMatchObject({ version: 1, save: 12, identity: IDENTITY });
  });

  test("every truncation is damaged", () => {
    for (let length = 0; length < BYTES.length; length++) {
      expect(decodeCheckpoint(BYTES.slice(0, length), IDENTITY), `${length}`).toMatchObject({ damaged: true });
    }
  });
  test("every flipped bit is damaged", () => {
    const bytes = BYTES.slice();
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      expect(decodeCheckpoint(bytes, IDENTITY), `bit ${bit}`).toMatchObject({ damaged: true });
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
  });
  test.each([
    ["damaged: 0 bytes are too few", new Uint8Array(0)],
    ["damaged: it does not begin as a checkpoint does", new Uint8Array(100)],
    ["damaged: its checksum is not that of its bytes", Uint8Array.of(...BYTES, 0)],
    ["damaged: its checksum is not that of its bytes", Uint8Array.of(...BYTES.subarray(0, -1))],
  ])("%s", (refused, bytes) => {
    expect(decodeCheckpoint(bytes, IDENTITY)).toEqual({ refused, damaged: true });
  });
  test("a forged one throws nothing", () => {
    for (const napier of ["", "[", "null", '{"version":1}', '{"version":1,"identity":{},"numbers":null}']) {
      expect(decodeCheckpoint(forged(napier), {}), napier).toMatchObject({ damaged: true });
    }
  });

  test("another format version", () => {
    const refused = "of format 2, where format 1 is read";
    expect(decodeCheckpoint(forged('{"version":2}'), IDENTITY)).toEqual({ refused, damaged: false });
  });
  test.each<[string, Identity]>([
    ["C is 1 there and 10 here", { ...IDENTITY, C: "10" }],
    [
      "C is 1 there and 10 here; x is 150 × 4, 00ff there and 150 × 4, 00fe here",
      { ...IDENTITY, C: "10", x: "150 × 4, 00fe" },
    ],
    ["seed is nothing there and 1 here", { ...IDENTITY, seed: "1" }],
    ["C is 1 there and nothing here; x is 150 × 4, 00ff there and nothing here", { optimizer: "lbfgs" }],
  ])("another training: %s", (why, identity) => {
    expect(decodeCheckpoint(BYTES, identity)).toEqual({ refused: `of another training: ${why}`, damaged: false });
  });
  test("long texts are shown around where they differ", () => {
    const names = (last: string): Identity => ({
      features: `${"pixel, ".repeat(100)}${last}, ${"more, ".repeat(100)}`,
    });
    const bytes = encodeCheckpoint(names("left"), STATE, 1);
    const shown = (end: string): string => `…ixel, pixel, pixel, ${end}…`;
    expect(decodeCheckpoint(bytes, names("right"))).toMatchObject({
      refused: `of another training: features is ${shown("left, more, more, more, more, more, more")} there and ${shown("right, more, more, more, more, more, mor")} here`,
    });
  });
});

/** What a crash leaves of the content that was being replaced. */
type Crash = (before: Uint8Array | undefined, bytes: Uint8Array) => Uint8Array | undefined;
const CRASHES: Record<string, Crash> = {
  "before it began": (before) => before,
  "with an empty file": () => new Uint8Array(0),
  "in the middle": (_, bytes) => bytes.slice(0, bytes.length >> 1),
  "one byte too early": (_, bytes) => bytes.slice(0, -1),
  "with zeros at the end": (_, bytes) => bytes.map((byte, k) => (k < bytes.length - 9 ? byte : 0)),
  "with the old end": (before, bytes) => Uint8Array.of(...bytes.slice(0, 70), ...(before?.slice(70) ?? [])),
  "when all was there": (_, bytes) => bytes,
};

class Memory implements CheckpointStore {
  readonly files = new Map<string, Uint8Array>();
  crash: Crash | undefined;
  async read(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name);
  }
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const left = this.crash ? this.crash(this.files.get(name), bytes) : bytes;
    if (left) this.files.set(name, left);
    if (this.crash) throw new Error("crash");
  }
}

const at = (position: number): TrainingState => ({ numbers: { position }, text: {}, tensors: {} });
const open = (store: CheckpointStore, identity = IDENTITY): Checkpoints => new Checkpoints(store, identity);
async function positionIn(store: CheckpointStore): Promise<number> {
  return (await open(store).load()).state?.numbers.position ?? 0;
}

describe("the last two", () => {
  test("nothing yet", async () => {
    expect(await open(new Memory()).load()).toEqual({ state: undefined, notes: [] });
  });
  test("saves go to one name and the other, also after a load", async () => {
    const store = new Memory();
    for (let position = 1; position <= 6; position++) {
      const checkpoints = open(store);
      await checkpoints.load();
      await checkpoints.save(at(position));
      expect([...store.files.keys()].sort()).toEqual(SLOTS.slice(0, position));
      expect(await positionIn(store)).toBe(position);
    }
    const positions = SLOTS.map((name) => decodeCheckpoint(store.files.get(name) as Uint8Array, IDENTITY));
    expect(positions).toMatchObject([{ state: at(5) }, { state: at(6) }]);
  });

  const SAVES = 3;
  const cases = Object.keys(CRASHES).flatMap((a) => Object.keys(CRASHES).map((b) => [a, b] as const));
  test.each(cases)("a crash %s, and one %s: no save that was done is lost", async (...crashes) => {
    for (let first = 0; first < SAVES; first++) {
      for (let second = 0; second < SAVES; second++) {
        const store = new Memory();
        let position = 0;
        let done = 0;
        for (const [n, saves] of [first, second].entries()) {
          const checkpoints = open(store);
          position = (await checkpoints.load()).state?.numbers.position ?? 0;
          expect(position).toBeGreaterThanOrEqual(done);
          done = position;
          for (let k = 0; k < saves; k++) {
            await checkpoints.save(at(++position));
            done = position;
          }
          store.crash = CRASHES[crashes[n]];
          await expect(checkpoints.save(at(++position))).rejects.toThrow("crash");
          store.crash = undefined;
        }
        expect([done, position]).toContain(await positionIn(store));
      }
    }
  });
  test("a save that failed may be tried again, over the same one", async () => {
    const store = new Memory();
    const checkpoints = open(store);
    await checkpoints.save(at(1));
    store.crash = CRASHES["in the middle"];
    for (let k = 0; k < 3; k++) {
      await expect(checkpoints.save(at(2))).rejects.toThrow("crash");
      expect(await positionIn(store)).toBe(1);
    }
    store.crash = undefined;
    await checkpoints.save(at(2));
    expect(await positionIn(store)).toBe(2);
  });

  async function two(): Promise<Memory> {
    const store = new Memory();
    const checkpoints = open(store);
    await checkpoints.save(at(1));
    await checkpoints.save(at(2));
    return store;
  }
  const damage = (store: Memory, slot: 0 | 1): unknown => store.files.set(SLOTS[slot], new Uint8Array(100));
  const WHY = "is damaged: it does not begin as a checkpoint does";

  test("where the newest is damaged, the older one, with a note; the next save goes over the damaged one", async () => {
    const store = await two();
    damage(store, 1);
    const checkpoints = open(store);
    expect(await checkpoints.load()).toEqual({ state: at(1), notes: [`${SLOTS[1]} ${WHY}`] });
    await checkpoints.save(at(3));
    expect(await open(store).load()).toEqual({ state: at(3), notes: [] });
    damage(store, 1);
    expect(await positionIn(store)).toBe(1);
  });
  test("where the newest is of another training, the older one, with a note", async () => {
    const store = await two();
    const other = encodeCheckpoint({ ...IDENTITY, C: "2" }, at(9), 9);
    store.files.set(SLOTS[0], other);
    const notes = [`${SLOTS[0]} is of another training: C is 2 there and 1 here`];
    expect(await open(store).load()).toEqual({ state: at(2), notes });
  });
  test("the first save was never finished: the beginning, with a note", async () => {
    const store = new Memory();
    damage(store, 0);
    expect(await open(store).load()).toEqual({ state: undefined, notes: [`${SLOTS[0]} ${WHY}`] });
  });

  const TODO = "go on with the options and data that it began with, or keep checkpoints elsewhere";
  test("none is good: an error with every reason", async () => {
    const store = await two();
    const load = open(store, { ...IDENTITY, C: "2" }).load();
    const why = "is of another training: C is 1 there and 2 here";
    await expect(load).rejects.toThrow(
      new Error(`fit: checkpoint expected one to resume from, got ${SLOTS[0]} ${why}, ${SLOTS[1]} ${why}; ${TODO}`),
    );
    damage(store, 0);
    damage(store, 1);
    await expect(open(store).load()).rejects.toThrow(
      new Error(`fit: checkpoint expected one to resume from, got ${SLOTS[0]} ${WHY}, ${SLOTS[1]} ${WHY}; ${TODO}`),
    );
  });
  test("one alone, of another training: an error too", async () => {
    const store = new Memory();
    await open(store).save(at(1));
    await expect(open(store, {}).load()).rejects.toThrow("optimizer is lbfgs there and nothing here");
  });
});
