import { type Block, logSoftmax, logSoftmaxStream } from "napier";
import { createPool } from "napier/pool";
import { expect, test } from "vitest";

async function* blocksOf(count: number, rows: number, classes: number): AsyncGenerator<Block<Float32Array>> {
  for (let n = 0; n < count; n++) {
    yield {
      data: Float32Array.from({ length: rows * classes }, (_, k) => ((k * 7 + n) % 41) - 20),
      shape: [rows, classes],
    };
  }
}

test.each([1, 2])("blocks come in order and in their kind, on %i threads", async (threads) => {
  const pool = createPool({ threads });
  const seen: Block<Float32Array>[] = [];
  expect(await logSoftmaxStream(blocksOf(5, 300, 100), { write: (block) => seen.push(block) }, { pool })).toBe(1500);
  let n = 0;
  for await (const block of blocksOf(5, 300, 100)) expect(seen[n++]).toEqual(logSoftmax(block));
  expect(n).toBe(5);
  await pool.close();
});

test("number[] from a plain iterable; blocks without rows; no blocks", async () => {
  const seen: unknown[] = [];
  const blocks = [
    { data: [0, 0], shape: [1, 2] },
    { data: [], shape: [0, 2] },
  ];
  expect(await logSoftmaxStream(blocks, (block) => seen.push(block))).toBe(1);
  expect(seen).toEqual(blocks.map((block) => logSoftmax(block)));
  expect(await logSoftmaxStream([], () => {})).toBe(0);
});

test("the sink is awaited: one block is on its way at a time", async () => {
  let read = 0;
  let written = 0;
  async function* source(): AsyncGenerator<Block<Float32Array>> {
    for await (const block of blocksOf(6, 2, 3)) {
      expect(read++).toBe(written);
      yield block;
    }
  }
  await logSoftmaxStream(source(), async () => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    written++;
  });
  expect([read, written]).toEqual([6, 6]);
});

test("row counts go beyond 2^31 without arrays of that size", async () => {
  const block = { data: new Float32Array(0), shape: [2 ** 30, 0] };
  expect(await logSoftmaxStream([block, block, block], () => {})).toBe(3 * 2 ** 30);
});

test("an error of the source, of the sink, ends the stream", async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Block<Float32Array>> {
    try {
      yield* blocksOf(3, 1, 2);
    } finally {
      closed = true;
    }
  }
  const full = new Error("disk full");
  await expect(logSoftmaxStream(source(), () => Promise.reject(full))).rejects.toBe(full);
  expect(closed).toBe(true);
});

const GOOD = { data: [1, 2], shape: [1, 2] };
test.each<[unknown, unknown, unknown, string]>([
  [7, () => {}, {}, "source expected an iterable of blocks, got 7"],
  [null, () => {}, {}, "source expected an iterable of blocks, got null"],
  [[GOOD], {}, {}, "sink expected a function or an object with write, got an object with no keys"],
  [[GOOD], () => {}, { pool: 2 }, "options.pool expected what createPool returned, got 2"],
  [[GOOD], () => {}, { threads: 2 }, "options expected only pool, dtype, got threads"],
  [[[1, 2]], () => {}, {}, "source[0] expected { data, shape }, got an array"],
  [[{ data: [1, 2], shape: [2] }], () => {}, {}, "source[0].shape expected [rows, classes], got [2]"],
  [[GOOD, { data: [1], shape: [1, 1] }], () => {}, {}, "source[1].shape expected [rows, 2], got [1, 1]"],
  [[GOOD, { ...GOOD, data: new Float32Array(2) }], () => {}, {}, "source[1] expected f64 as the first block, got f32"],
  [[{ data: [1], shape: [1, 2] }], () => {}, {}, "source[0] expected 2 elements for shape [1, 2], got 1"],
])("rejects %j, %j, %j", async (source, sink, options, message) => {
  const call = logSoftmaxStream as (...args: unknown[]) => Promise<unknown>;
  await expect(call(source, sink, options)).rejects.toThrow(`logSoftmaxStream: ${message}`);
});
