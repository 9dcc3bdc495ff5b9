import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openSource } from "../src/index.ts";
import { sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const source = join(folder, "part-*.parquet");
/** Rows of each file; an empty one too. */
const FILES = [1, 4095, 0, 4097, 20_000];
const ROWS = FILES.reduce((sum, rows) => sum + rows, 0);

beforeAll(async () => {
  let before = 0;
  for (const [n, rows] of FILES.entries()) {
    const select = `SELECT i::UINTEGER AS n, [i % 251, i % 7]::UTINYINT[] AS l, 'c' || i % 3 AS y FROM range(${before}, ${before + rows}) t(i)`;
    const path = join(folder, `part-${n}.parquet`);
    await sql(`COPY (${select} ORDER BY i) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE ${[2048, 4096][n % 2]})`);
    before += rows;
  }
  const holes = `SELECT CASE WHEN i <> 15000 THEN i END AS n, i % 3 AS y FROM range(20000) t(i)`;
  await sql(`COPY (${holes}) TO '${join(folder, "holes.parquet")}' (FORMAT parquet)`);
});

test.each([
  [0, ROWS],
  [0, 4096],
  [4096, 8192],
  [8192, 24_576],
  [24_576, ROWS],
])("rows %i to before %i are those of the whole, in its blocks", async (first, end) => {
  const table = await openSource(source, { target: "y", choice: { keep: ["n"] } });
  const slices = await table.slices!();
  expect(slices.rows).toBe(ROWS);
  let i = first;
  for await (const { x, y, row } of slices.read(first, end)) {
    expect(row).toBe(i + 1);
    expect(x.shape).toEqual([Math.min(4096, end - i), 3]);
    for (let k = 0; k < x.shape[0]; k++, i++) {
      expect([...x.data.subarray(k * 3, k * 3 + 3), y[k]]).toEqual([i, i % 251, i % 7, `c${i % 3}`]);
    }
  }
  expect(i).toBe(end);
  table.close();
});

test("a NULL is told with its row of the whole", async () => {
  const table = await openSource(join(folder, "holes.parquet"), { target: "y", choice: { keep: ["n"] } });
  const slices = await table.slices!();
  const read = async (): Promise<void> => {
    for await (const _ of slices.read(12_288, 16_384));
  };
  await expect(read()).rejects.toThrow('row 15001, column "n": NULL');
  table.close();
});

test("only Parquet has slices", async () => {
  const table = await openSource("sql:SELECT 1 AS a, 2 AS y", { target: "y" });
  expect(table.slices).toBeUndefined();
  table.close();
});
