import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rng } from "../../napier/src/rng.ts";
import { cuts, expectLine, type Mutation, mutation, mutations, outcomes } from "../../napier/test/mutations.ts";
import { CommandError } from "../src/errors.ts";
import { parseHeader } from "../src/npyheader.ts";
import { openScoreArray } from "../src/scorearrayfile.ts";
import { temporaryFolder } from "./command.ts";
import { dictionary, npyHeader, writeNpy } from "./npyfile.ts";

const SEED = 20261124;
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const made = (data: Parameters<typeof writeNpy>[1], shape: readonly number[]): Uint8Array => {
  writeNpy(at("good.npy"), data, shape);
  return new Uint8Array(readFileSync(at("good.npy")));
};

const f4 = made(Float32Array.from({ length: 30 }, Math.sin), [6, 5]);
const f2 = made(
  Uint16Array.from({ length: 30 }, (_, k) => 900 * k),
  [10, 3],
);
const f8 = made(Float64Array.from({ length: 7 }, Math.cos), [7]);
const i8 = made(
  BigInt64Array.from({ length: 6 }, (_, k) => BigInt(k % 5)),
  [6],
);
const i4 = made(
  Int32Array.from({ length: 6 }, (_, k) => k % 5),
  [6],
);

/** Names the file, in one line, and so does what to do. */
const isPromised = (error: Error): boolean => {
  if (!(error instanceof CommandError) || error.exitCode !== 2) return false;
  expectLine(error.hint ?? "", error.message);
  return error.message.startsWith(at("logits.npy")) || error.message.startsWith(at("targets.npy"));
};

/** All rows, as check reads them. */
async function read(logits: Uint8Array, targets: Uint8Array | undefined): Promise<void> {
  writeFileSync(at("logits.npy"), logits);
  if (targets) writeFileSync(at("targets.npy"), targets);
  const scores = await openScoreArray(at("logits.npy"), targets ? { targets: at("targets.npy") } : {});
  try {
    let next = 1;
    for await (const { data, rows, classes, row, targets: given } of scores.tiles()) {
      expect([row, data.length, given === null]).toEqual([next, rows * classes, targets === undefined]);
      if (given) expect(given.length).toBe(rows);
      next += rows;
    }
    expect(next).toBeGreaterThan(1);
  } finally {
    await scores.close();
  }
}

/** Mutations of the dictionary alone, whose length is right. */
function* dictionaries(good: Uint8Array, count: number): Generator<Mutation> {
  const data = good.subarray(parseHeader("good", good).offset);
  const text = Buffer.from(dictionary("<f4", "(6, 5)"));
  for (let n = 0; n < count; n++) {
    const { name, bytes } = mutation(text, SEED, n);
    const header = npyHeader(Buffer.from(bytes).toString("latin1"), 2);
    yield { name: `dictionary, ${name}`, bytes: Uint8Array.from(Buffer.concat([header, data])) };
  }
}

const SIZES = [0, 0, 1, 2, 5, 6, 30, 2 ** 24, 2 ** 24 + 1, 2 ** 31, 2 ** 53 - 1];

/** Shapes of any sizes, with as many bytes as they ask for where that are none. */
function* shapes(count: number): Generator<Mutation> {
  for (let n = 0; n < count; n++) {
    const random = rng(SEED, n);
    const shape = Array.from({ length: random.below(4) }, () => SIZES[random.below(SIZES.length)]!);
    const text = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
    const data = f4.subarray(shape.includes(0) ? f4.length : f4.length - 120);
    const bytes = Uint8Array.from(Buffer.concat([npyHeader(dictionary("<f4", text), 1 + (n % 3)), data]));
    yield { name: `seed ${SEED}, number ${n}: shape ${text}`, bytes };
  }
}

test("cut at any byte, and of any shape: all rows or one line", async () => {
  for (const version of [1, 2]) {
    const good = Buffer.concat([npyHeader(dictionary("<f4", "(6, 5)"), version), f4.subarray(-120)]);
    expect((await outcomes(cuts(good), (bytes) => read(bytes, undefined), isPromised)).values).toBe(0);
  }
  const { values, refusals } = await outcomes(shapes(400), (bytes) => read(bytes, undefined), isPromised);
  expect(values).toBeGreaterThan(2);
  expect(refusals).toBeGreaterThan(300);
});

test("1,000 mutations of logits end in all rows or in one line", async () => {
  const found = { values: 0, refusals: 0 };
  for (const [n, [good, targets]] of (
    [
      [f4, i8],
      [f4, undefined],
      [f2, undefined],
      [f8, undefined],
    ] as const
  ).entries()) {
    const { values, refusals } = await outcomes(
      mutations(good, SEED + n, 250),
      (bytes) => read(bytes, targets),
      isPromised,
    );
    found.values += values;
    found.refusals += refusals;
  }
  expect(found.values).toBeGreaterThan(25);
  expect(found.refusals).toBeGreaterThan(600);
});

test("1,000 mutations of a header's dictionary end in all rows or in one line", async () => {
  const { values, refusals } = await outcomes(dictionaries(f4, 1000), (bytes) => read(bytes, undefined), isPromised);
  expect(values).toBeGreaterThan(0);
  expect(refusals).toBeGreaterThan(800);
});

test("1,000 mutations of targets end in all rows or in one line", async () => {
  const found = { values: 0, refusals: 0 };
  for (const [n, good] of [i8, i4].entries()) {
    const { values, refusals } = await outcomes(mutations(good, SEED + n, 500), (bytes) => read(f4, bytes), isPromised);
    found.values += values;
    found.refusals += refusals;
  }
  expect(found.values).toBeGreaterThan(25);
  expect(found.refusals).toBeGreaterThan(600);
});

test("a shape of 21,000 axes, and a type of 60,000 digits, are no array, and no message shows them", () => {
  const refused = "x.npy: its header does not describe one plain array";
  const shape = `(${"1, ".repeat(21_000)})`;
  expect(() => parseHeader("x.npy", npyHeader(dictionary("<f4", shape), 2))).toThrow(refused);
  expect(() => parseHeader("x.npy", npyHeader(dictionary(`<U${"9".repeat(60_000)}`, "(1,)"), 2))).toThrow(refused);
  const most = npyHeader(dictionary("<f4", `(${"1, ".repeat(64)})`));
  expect(parseHeader("x.npy", most).shape).toHaveLength(64); // as many as numpy has
});
