import { mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Held, type HoldOptions, hold } from "../src/hold.ts";
import type { Block } from "../src/rows.ts";
import { openSource } from "../src/source.ts";
import { sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const ROWS = 50_000; // 13 blocks: more than are read ahead

beforeAll(async () => {
  const select = `SELECT i::FLOAT AS a, [(i % 7)::FLOAT, -i::FLOAT] AS e, i / 8 AS w, 'c' || (i % 3) AS y FROM range(${ROWS}) t(i)`;
  await sql(...["rows.parquet", "rows.csv"].map((name) => `COPY (${select}) TO '${join(folder, name)}'`));
});

async function held(name: string, options: Partial<HoldOptions> = {}): Promise<Held> {
  const exclude = name.endsWith("csv") ? ["e"] : [];
  const source = await openSource(join(folder, name), {
    target: "y",
    weight: "w",
    choice: { exclude, keep: ["a"] },
  });
  return hold(source, { random: false, memory: 1000, ...options });
}

function checkBlock({ x, y, weight, row }: Block, inputs: number): void {
  for (let i = 0; i < y.length; i++) {
    const k = row - 1 + i;
    const expected = [k, k % 7, -k].slice(0, inputs);
    const got = [...x.data.subarray(i * inputs, (i + 1) * inputs), y[i], weight?.[i]];
    if (JSON.stringify(got) !== JSON.stringify([...expected, `c${k % 3}`, k / 8])) expect(got).toEqual(k);
  }
}

async function checkAll(data: Held, inputs: number): Promise<void> {
  expect([data.rows, [...data.labels].map(([label, { first, rows }]) => [label, first, rows])]).toEqual([
    ROWS,
    [
      ["c0", 1, 16667],
      ["c1", 2, 16667],
      ["c2", 3, 16666],
    ],
  ]);
  for (let time = 0; time < 2; time++) {
    const rows: number[] = [];
    for await (const block of data) {
      checkBlock(block, inputs);
      rows.push(block.row, block.y.length);
    }
    expect(rows).toEqual(Array.from({ length: 13 }, (_, n) => [1 + 4096 * n, n < 12 ? 4096 : ROWS - 12 * 4096]).flat());
  }
}

describe.each([
  ["in memory", { memory: 2 ** 30 }],
  ["in a file", { random: true }],
  ["in a file, in order", {}],
])("%s", (_, options) => {
  test.each([
    ["rows.parquet", 3],
    ["rows.csv", 1],
  ])("%s: the rows, as often as asked for, and any block", async (name, inputs) => {
    const own = mkdtempSync(join(folder, "own-"));
    const data = await held(name, { ...options, folder: own });
    await checkAll(data, inputs);
    for (const index of [12, 0, 7, 7]) {
      const block = await data.block?.(index);
      expect(block?.row).toBe(1 + 4096 * index);
      checkBlock(block as Block, inputs);
    }
    // a reader that stops early
    for await (const block of data) if (block.row > 1) break;
    await data.close();
    expect(readdirSync(own)).toEqual([]);
  });
});

describe("where no file can be written", () => {
  const missing = join(folder, "missing");
  test("Parquet in order is read again", async () => {
    const data = await held("rows.parquet", { folder: missing });
    expect(data.block).toBeUndefined();
    await checkAll(data, 3);
    await data.close();
  });
  test.each([
    ["rows.csv", false],
    ["rows.parquet", true],
  ])("%s, at random %s: one line says what to do", async (name, random) => {
    await expect(held(name, { folder: missing, random })).rejects.toMatchObject({
      exitCode: 1,
      message: `cannot write the temporary file in ${missing}: ENOENT`,
      hint: "it holds the rows of a source that is larger than memory; set TMPDIR to a folder with more room",
    });
  });
});
