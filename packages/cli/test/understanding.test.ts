import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
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

test("the column of weights was not among what was understood", async () => {
  const { stdout } = await dryRun("rows.parquet", "--features", "a,b", "--weight", "id");
  expect(stdout).toContain('\n  weights     column "id"\n');
  expect(JSON.parse((await dryRun("rows.parquet", "--weight", "id", "--json")).stdout).weight).toBe("id");
  expect(JSON.parse((await dryRun("rows.parquet", "--json")).stdout).weight).toBeNull();
});

test.each([
  ["colour", "target", []],
  ["id", "weight", ["--weight", "id"]],
])("--exclude of %s, the %s itself, was taken", async (name, role, options) => {
  const { code, stderr } = await dryRun("rows.parquet", "--exclude", `b,${name}`, ...options);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `error: rows.parquet: column "${name}" is the ${role}, and --exclude names it\nhint: the target and the weight are never features\n`,
  });
});

test.skipIf(process.platform === "win32")("a file's name could write to the terminal", async () => {
  const name = "red\x1b[31m.csv";
  writeFileSync(join(folder, name), `a,y\n${Array.from({ length: 40 }, (_, i) => `${i % 7},${i % 2}\n`).join("")}`);
  for (const args of [
    ["train", name, "--target", "y", "--out", `${name}.onnx`],
    ["train", name, "--target", "y", "--dry-run"],
    ["train", `no${name}`, "--target", "y"],
    ["evaluate", `${name}.onnx`, name, "--target", "y", "--report", `${name}.html`],
    ["predict", `${name}.onnx`, name, "--out", `${name}.out.csv`],
    ["check", name],
  ]) {
    const { stdout, stderr } = await napier(folder, ...args);
    expect(stdout + stderr).toContain("red\uFFFD[31m.csv");
    expect(stdout + stderr).not.toContain("\x1b");
  }
});

test("of gzip only CSV was tried: the same rows from each text format, and the same model", async () => {
  const models: string[] = [];
  for (const name of ["a.csv", "a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "a.ndjson.gz", "a.json.gz"]) {
    const plain = join(folder, name.replace(".gz", ""));
    await writeTable([plain], "SELECT a, b, colour FROM rows");
    if (name.endsWith(".gz")) writeFileSync(join(folder, name), gzipSync(readFileSync(plain)));
    const { code, stdout, stderr } = await napier(
      folder,
      "train",
      name,
      "--target",
      "colour",
      "--out",
      "gz.onnx",
      "--json",
    );
    expect(code, stderr).toBe(0);
    models.push(JSON.parse(stdout).sha256);
  }
  expect(new Set(models).size).toBe(1);
});
