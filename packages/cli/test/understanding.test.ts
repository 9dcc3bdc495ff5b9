import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromOnnx } from "@napier/onnx";
import { beforeAll, expect, test } from "vitest";
import { napier, temporaryFolder, writeTable } from "./command.ts";

const folder = temporaryFolder();
const SELECT =
  "SELECT row_number() OVER ()::INTEGER AS id, 'note ' || a AS note, DATE '2026-01-01' AS day, * FROM rows";

beforeAll(() =>
  writeTable(
    ["rows.csv", "rows.parquet"].map((name) => join(folder, name)),
    SELECT,
  ),
);

const dryRun = (source: string, ...options: string[]) =>
  napier(folder, "train", source, "--target", "colour", "--dry-run", ...options);

test("--dry-run says what is understood, and writes nothing", async () => {
  const before = readdirSync(folder);
  const { code, stdout, stderr } = await dryRun("rows.parquet", "--exclude", "b", "--checkpoint", "saves");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(`rows.parquet: 600 rows
  features    1 number: a
              1 boolean (0 and 1): c
              a list of 3 numbers: e
  classes     3 in column "colour": green 335 (55.83 %), red 133 (22.17 %), blue 132 (22.00 %)
  left out    "b": --exclude
              "note": text
              "day": DATE, not numbers
              "id": counts the rows
`);
  expect(readdirSync(folder)).toEqual(before);
});

test("text formats are understood alike; a list is text there", async () => {
  const { stdout } = await dryRun("rows.csv", "--json");
  const { features, leftOut, rows, classes } = JSON.parse(stdout);
  expect(features.map(({ name, kind }: { name: string; kind: string }) => [name, kind])).toEqual([
    ["a", "number"],
    ["b", "number"],
    ["c", "boolean"],
  ]);
  expect(leftOut).toEqual([
    { name: "note", why: "text" },
    { name: "day", why: "DATE, not numbers" },
    { name: "e", why: "text" },
    { name: "id", why: "counts the rows" },
  ]);
  expect([rows, classes[0]]).toEqual([600, { label: "green", rows: 335 }]);
});

test("--features names them all, --keep brings one back", async () => {
  const features = async (...options: string[]) => {
    const { stdout } = await dryRun("rows.parquet", "--json", ...options);
    const found = JSON.parse(stdout);
    return [found.features.map((f: { name: string }) => f.name).join(), found.notNamed];
  };
  expect(await features("--features", "e,a")).toEqual(["a,e", 5]);
  expect(await features("--keep", "id")).toEqual(["id,a,b,c,e", 0]);
  expect(await features("--features", "a,b", "--exclude", "b")).toEqual(["a", 5]);
});

test("training prints it on stderr, and does it", async () => {
  const options = ["--target", "colour", "--validation", "0.25", "--out", "m.onnx"];
  const { code, stdout, stderr } = await napier(folder, "train", "rows.parquet", ...options, "--json");
  expect(code).toBe(0);
  expect(stderr).toContain("  validation  150 rows of these, held out\n");
  expect(JSON.parse(stdout).leftOut).toHaveLength(3);
  expect(fromOnnx(readFileSync(join(folder, "m.onnx"))).features.map(({ name }) => name)).toEqual(["a", "b", "c", "e"]);
});

test("an id of a few rows, or alone, is a feature", async () => {
  writeFileSync(join(folder, "few.csv"), `n,a,y\n${[1, 2, 3, 4].map((n) => `${n},${n % 3},${n % 2}\n`).join("")}`);
  const few = JSON.parse((await napier(folder, "train", "few.csv", "--target", "y", "--dry-run", "--json")).stdout);
  expect(few.features).toHaveLength(2);
  const alone = "sql:SELECT i AS n, i % 2 AS y FROM range(100) t(i)";
  const one = JSON.parse((await napier(folder, "train", alone, "--target", "y", "--dry-run", "--json")).stdout);
  expect([one.features.length, one.leftOut]).toEqual([1, []]);
});

test("labels and names cannot write to the terminal", async () => {
  writeFileSync(
    join(folder, "escape.csv"),
    `"a\x1b[31m",y\n${Array.from({ length: 40 }, (_, i) => `${i % 7},\x1b[2J${i % 2}\n`).join("")}`,
  );
  const { stdout } = await napier(folder, "train", "escape.csv", "--target", "y", "--dry-run");
  expect(stdout).toContain("1 number: a\uFFFD[31m\n");
  expect(stdout).toContain("\uFFFD[2J0 20 (50.00 %)");
  expect(stdout).not.toContain("\x1b");
});
