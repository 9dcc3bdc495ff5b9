/** What may be wrong with a file: seeded mutations of a good one, and what every reader of files must do with them. */
import { expect } from "vitest";
import { type Rng, rng } from "../src/rng.ts";

export interface Mutation {
  /** Its seed and number, and what was done; the same seed makes the same bytes. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

type Change = (good: Uint8Array, random: Rng) => [what: string, bytes: Uint8Array];

const joined = (...parts: (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};
const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const pick = <T>(items: readonly T[], random: Rng): T => items[random.below(items.length)]!;
/** Where a file is changed: anywhere, or among its first bytes, which say what the others are. */
const place = ({ length }: Uint8Array, random: Rng): number =>
  random.below(Math.max(1, Math.min(length, pick([8, 16, 256, length, length], random))));
const spliced = (good: Uint8Array, at: number, removed: number, added: Uint8Array | readonly number[]): Uint8Array =>
  joined(good.subarray(0, at), added, good.subarray(at + removed));

const HUGE = [
  2n ** 15n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const NUMBERS = [...HUGE.map(String), "-1", "0", "-0", "1e308", "1e999", "0.5", "9".repeat(400), "00"];
const TEXTS = [
  '"',
  "'",
  "\n",
  "\r\n",
  "\u2028",
  "\0",
  "\\",
  "\\u000a",
  ",",
  "{}",
  "[]",
  "(",
  "null",
  "__proto__",
  "𝄞",
  "NaN",
];
const OPENED = ["[", '{"a":', "[[],", '{"":{},"b":', "(", '["', "{'a':"];

const littleEndian = (value: bigint, size: number): number[] =>
  Array.from({ length: size }, (_, k) => Number((value >> BigInt(8 * k)) & 255n));

/** As protobuf and Parquet write lengths. */
export function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) + 128);
  }
}

/** Protobuf messages in each other, as field `number` of one another. */
export function nested(number: number, depth: number, inner: Uint8Array | readonly number[] = []): Uint8Array {
  const heads: number[][] = [];
  let { length } = inner;
  for (let k = 0; k < depth; k++) {
    const head = [...varint(BigInt(number * 8 + 2)), ...varint(BigInt(length))];
    heads.push(head);
    length += head.length;
  }
  return joined(heads.reverse().flat(), inner);
}

const flip: Change = (good, random) => {
  const bytes = good.slice();
  const places = Array.from({ length: 1 + random.below(8) }, () => place(good, random));
  for (const at of places) if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
  return [`bits flipped in bytes ${places.join(", ")}`, bytes];
};

const CHANGES: readonly Change[] = [
  flip,
  (good, random) => {
    const length = random.below(good.length + 1);
    return [`cut to ${length} bytes`, good.slice(0, length)];
  },
  (good, random) => {
    const bytes = good.slice();
    const places = Array.from({ length: 1 + random.below(8) }, () => place(good, random));
    for (const at of places) if (at < bytes.length) bytes[at] = random.below(256);
    return [`other bytes at ${places.join(", ")}`, bytes];
  },
  (good, random) => {
    const [from, to] = [place(good, random), place(good, random)];
    const size = 1 + random.below(64);
    return [`${size} bytes from ${from} again at ${to}`, spliced(good, to, 0, good.subarray(from, from + size))];
  },
  (good, random) => {
    const at = place(good, random);
    const size = 1 + random.below(pick([4, 64, good.length + 1], random));
    return [`without ${size} bytes at ${at}`, spliced(good, at, size, [])];
  },
  (good, random) => {
    const at = place(good, random);
    const size = 1 + random.below(64);
    const byte = pick([0, 0xff, 0x20, 0x80], random);
    return [`${size} bytes at ${at} made ${byte}`, good.slice().fill(byte, at, at + size)];
  },
  (good, random) => {
    const size = 1 + random.below(16);
    const start = Array.from({ length: size }, () => random.below(256));
    return [`another beginning of ${size} bytes`, spliced(good, 0, size, start)];
  },
  (good, random) => {
    const at = place(good, random);
    const value = pick(HUGE, random);
    const size = pick([2, 4, 8], random);
    return [`${value} in ${size} bytes at ${at}`, spliced(good, at, size, littleEndian(value, size))];
  },
  (good, random) => {
    const at = place(good, random);
    const value = pick(HUGE, random);
    return [`${value} as a varint at ${at}`, spliced(good, at, 1, varint(value))];
  },
  (good, random) => {
    const runs = [...new TextDecoder("latin1").decode(good.subarray(0, 65536)).matchAll(/[0-9]+/g)];
    const number = pick(NUMBERS, random);
    if (runs.length === 0) return flip(good, random);
    const { 0: run, index } = pick(runs, random);
    return [
      `${number.slice(0, 30)} for ${run.slice(0, 30)} at ${index}`,
      spliced(good, index, run.length, textBytes(number)),
    ];
  },
  (good, random) => {
    const at = place(good, random);
    const text = pick(TEXTS, random);
    return [`${JSON.stringify(text)} at ${at}`, spliced(good, at, random.below(2), textBytes(text))];
  },
  (good, random) => {
    const at = place(good, random);
    const opened = pick(OPENED, random);
    const depth = pick([2, 100, 5000, 50_000], random);
    return [`${opened} ${depth} times at ${at}`, spliced(good, at, 0, textBytes(opened.repeat(depth)))];
  },
  (good, random) => {
    const at = place(good, random);
    const number = 1 + random.below(26);
    const depth = pick([2, 50, 200, 20_000], random);
    return [`field ${number} in itself ${depth} times at ${at}`, spliced(good, at, 0, nested(number, depth))];
  },
  (good, random) => {
    const size = 1 + random.below(Math.max(1, good.length));
    return [`its last ${size} bytes once more`, joined(good, good.subarray(good.length - size))];
  },
  (good, random) => {
    const at = place(good, random);
    const times = pick([2, 1000, 20_000], random);
    const size = 1 + random.below(24);
    const piece = good.subarray(at, at + size);
    return [`${size} bytes at ${at} ${times} times`, spliced(good, at, 0, joined(...new Array(times).fill(piece)))];
  },
  (good, random) => {
    const [a, b] = [place(good, random), place(good, random)];
    const size = 1 + random.below(32);
    const bytes = good.slice();
    bytes.set(good.subarray(a, Math.min(a + size, good.length - Math.max(0, b - a))), b);
    return [`${size} bytes from ${a} over those at ${b}`, bytes.slice(0, good.length)];
  },
];

/** The mutation of this number. */
export function mutation(good: Uint8Array, seed: number, n: number): Mutation {
  const own = Uint8Array.from(good); // a Buffer's slices would be the good file itself
  const [what, bytes] = CHANGES[n % CHANGES.length]!(own, rng(seed, n));
  return { name: `seed ${seed}, mutation ${n}: ${what}`, bytes: joined(bytes) };
}

/** `count` mutations of a good file, each kind as often; the good file itself is not touched. */
export function* mutations(good: Uint8Array, seed: number, count: number): Generator<Mutation> {
  for (let n = 0; n < count; n++) yield mutation(good, seed, n);
}

/** The file cut at every byte. */
export function* cuts(good: Uint8Array): Generator<Mutation> {
  for (let length = 0; length < good.length; length++) {
    yield { name: `cut to ${length} bytes`, bytes: Uint8Array.from(good.subarray(0, length)) };
  }
}

/** No reader may take more than so many times a file's bytes, besides what it has anyway. */
const MOST_TIMES = 32;
const BESIDES = 16 * 2 ** 20;
/** Far above what a reader takes: the machine has other work too. */
const MOST_SECONDS = 5;
/** An error is for a few lines of a terminal, not as long as the file. */
const LONGEST_MESSAGE = 2500;

function held(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** One line, and not as long as what it is about. */
export function expectLine(text: string, name: string): void {
  expect(text, name).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
  expect(text.length, `${name}: ${text.slice(0, LONGEST_MESSAGE)}`).toBeLessThanOrEqual(LONGEST_MESSAGE);
}

export interface Outcomes {
  /** Files that were read after all. */
  values: number;
  refusals: number;
}

/**
 * Reads each file: in seconds and in memory of a small multiple of its bytes it must end in a value, or in one error that
 * `isPromised` knows by its class and text and that has one short line.
 */
export async function outcomes(
  files: Iterable<Mutation>,
  read: (bytes: Uint8Array<ArrayBuffer>) => unknown,
  isPromised: (error: Error) => boolean,
): Promise<Outcomes> {
  const found = { values: 0, refusals: 0 };
  for (const { name, bytes } of files) {
    const before = held();
    const start = performance.now();
    let error: unknown;
    try {
      await read(bytes);
      found.values++;
    } catch (thrown) {
      error = thrown;
      found.refusals++;
    }
    const seconds = (performance.now() - start) / 1000;
    const taken = held() - before;
    if (error !== undefined) {
      expect(error instanceof Error && isPromised(error), `${name}: ${(error as Error).stack}`).toBe(true);
      expectLine((error as Error).message, name);
    }
    expect(seconds, `${name}: seconds`).toBeLessThan(MOST_SECONDS);
    expect(taken, `${name}: bytes for a file of ${bytes.length}`).toBeLessThan(MOST_TIMES * bytes.length + BESIDES);
  }
  return found;
}
