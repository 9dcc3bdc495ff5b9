import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { gather, openSource } from "../src/index.ts";
import { sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const path = join(folder, "rows.parquet");
const ROWS = 10_000;

beforeAll(async () => {
  const select = `SELECT i::UINTEGER AS n, [i % 251, i % 7]::UTINYINT[] AS l, i % 3 AS y FROM range(${ROWS}) t(i)`;
  await sql(`COPY (${select} ORDER BY i) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`);
});

test("blocks have 4,096 rows, the last one the rest, and a source can be read again", async () => {
  const source = await openSource(path, { target: "y", choice: { keep: ["n"] } });
  for (let time = 0; time < 2; time++) {
    const shapes: number[][] = [];
    const starts: number[] = [];
    let i = 0;
    for await (const { x, y, row } of source) {
      shapes.push(x.shape);
      starts.push(row);
      for (let k = 0; k < x.shape[0]; k++, i++) {
        expect([...x.data.subarray(k * 3, k * 3 + 3), y[k]]).toEqual([i, i % 251, i % 7, i % 3]);
      }
    }
    expect(shapes).toEqual([
      [4096, 3],
      [4096, 3],
      [1808, 3],
    ]);
    expect(starts).toEqual([1, 4097, 8193]);
  }
  expect(source.features).toEqual([
    { name: "n", size: 1 },
    { name: "l", size: 2 },
  ]);
  source.close();
});

test("a model's features come in its order, and without a target there are no labels", async () => {
  const features = [
    { name: "l", size: 2 },
    { name: "n", size: 1 },
  ];
  const source = await openSource(path, { features });
  const { x, y } = await gather(source);
  source.close();
  expect(x.shape).toEqual([ROWS, 3]);
  expect([...x.data.subarray(9000 * 3, 9000 * 3 + 3)]).toEqual([9000 % 251, 9000 % 7, 9000]);
  expect(y).toEqual([]);
});

test("NULLs are found on both sides of a word of the validity mask", async () => {
  for (const hole of [0, 63, 64, 2047, 2048, 4096, 9999]) {
    for (const column of [`CASE WHEN i <> ${hole} THEN i END`, `[1, CASE WHEN i <> ${hole} THEN i END]`]) {
      const source = await openSource(`sql:SELECT ${column} AS a FROM range(${ROWS}) t(i)`);
      await expect(gather(source)).rejects.toThrow(`row ${hole + 1}, column "a": NULL`);
      source.close();
    }
  }
});
