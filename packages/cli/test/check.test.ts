import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import type { CheckReport } from "../src/checkreport.ts";
import { napier, sql, temporaryFolder } from "./command.ts";
import { dictionary, npyHeader, writeNpy } from "./npyfile.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

async function check(exitCode: number, ...args: string[]): Promise<CheckReport> {
  const { code, stdout, stderr } = await napier(folder, "check", ...args, "--json");
  expect({ code, stderr }).toEqual({ code: exitCode, stderr: "" });
  expect(stdout.split("\n")).toHaveLength(2);
  return JSON.parse(stdout);
}

const BROKEN = [
  [1, 2, 3],
  [nan, 1, inf],
  [inf, 1, -inf],
  [-inf, -inf, -inf],
  [-inf, 2, 3],
  [2, 3, nan],
];
const FINE = [
  [1, 2, 3],
  [0.5, -0.25, 2],
];
const PEAKED = [
  [20, 0],
  [1, 2],
];

beforeAll(async () => {
  for (const [name, rows] of Object.entries({ broken: BROKEN, fine: FINE, peaked: PEAKED })) {
    const shape = [rows.length, rows[0]!.length];
    writeNpy(at(`${name}4.npy`), Float32Array.from(rows.flat()), shape);
    writeNpy(at(`${name}8.npy`), Float64Array.from(rows.flat()), shape);
  }
  const values = BROKEN.map((row, i) => `(${row.map((v) => `'${v}'::FLOAT`).join(", ")}, 'text', ${i % 3})`);
  await sql(
    `CREATE TABLE t AS SELECT * FROM (VALUES ${values.join(", ")}) AS v(b, a, c, name, y)`,
    `COPY (SELECT b, a, name, c, y FROM t) TO '${at("broken.csv")}'`,
    `COPY (SELECT b, a, name, c, y FROM t) TO '${at("broken.parquet")}'`,
    `COPY (SELECT name, [b, a, c] AS logits, y FROM t) TO '${at("list.parquet")}'`,
    `COPY (SELECT [b, a, c]::DOUBLE[3] AS logits, y FROM t) TO '${at("array.parquet")}'`,
  );
});

const HOLDS = { overflow: 0, underflow: 0, lost: 0, zero: 0, rows: 0 };
const UNJUDGED = { ...HOLDS, lost: null, zero: null };
const OVERFLOWS = { ...HOLDS, overflow: 1, lost: 1, rows: 1 };
/** In f32 [2, 3] loses its winner; f64 is followed in files of f64 alone, as for the usual formula. */
const lostInBroken = (dtype: string) => ({
  f16: HOLDS,
  bf16: HOLDS,
  f32: { ...HOLDS, lost: 1, rows: 1 },
  f64: dtype === "f64" ? HOLDS : UNJUDGED,
});

describe("broken rows", () => {
  test.each(["broken4.npy", "broken8.npy"])("%s: each kind, by its first rows", async (file) => {
    const report = await check(3, file);
    expect(report.dtype).toBe(file === "broken4.npy" ? "f32" : "f64");
    expect([report.rows, report.classes, report.min, report.max]).toEqual([6, 3, 1, 3]);
    expect(report.broken).toEqual({
      rows: 4,
      nan: { rows: 2, first: [2, 6] },
      infinite: { rows: 1, first: [3] },
      allMinusInfinity: { rows: 1, first: [4] },
      aboveZero: null,
    });
    expect(report.masked).toBe(1);
    expect(report.textbook).toEqual(lostInBroken(report.dtype));
  });

  test("--list says how many are listed", async () => {
    expect((await check(3, "broken4.npy", "--list", "1")).broken.nan).toEqual({ rows: 2, first: [2] });
    expect((await check(3, "broken4.npy", "--list", "0")).broken.nan).toEqual({ rows: 2, first: [] });
  });

  test("row numbers go on from tile to tile", async () => {
    const rows = 70_000;
    const data = new Float32Array(rows * 3).map((_, k) => k % 7);
    data[(rows - 2) * 3 + 1] = nan;
    data[(rows - 1) * 3 + 2] = inf;
    writeNpy(at("long.npy"), data, [rows, 3]);
    const { broken, rows: counted } = await check(3, "long.npy");
    expect([counted, broken.nan.first, broken.infinite.first]).toEqual([rows, [rows - 1], [rows]]);
  });

  test("one axis is one row", async () => {
    writeNpy(at("row.npy"), Float64Array.of(1, nan, 2), [3]);
    const { rows, classes, broken } = await check(3, "row.npy");
    expect([rows, classes, broken.nan.first]).toEqual([1, 3, [1]]);
  });
});

describe("tables", () => {
  const comparable = ({ source, dtype, seconds, ...rest }: CheckReport) => rest;

  test.each([
    ["broken.csv", "f64", "broken8.npy", ["--exclude", "y"]],
    ["broken.parquet", "f32", "broken4.npy", ["--exclude", "y"]],
    ["list.parquet", "f32", "broken4.npy", ["--exclude", "y"]],
    ["array.parquet", "f64", "broken8.npy", ["--exclude", "y"]],
  ])("%s says what the .npy says", async (table, dtype, npy, options) => {
    const { code, stdout, stderr } = await napier(folder, "check", table, ...options, "--json");
    expect(code).toBe(3);
    expect(stderr).toBe(table === "array.parquet" ? "" : `${table}: column "name" is not numbers and left out\n`);
    const report = JSON.parse(stdout);
    expect(report.dtype).toBe(dtype);
    expect(comparable(report)).toEqual(comparable(await check(3, npy)));
  });

  test("a SELECT, with the true classes in a column", async () => {
    const report = await check(0, "sql:SELECT 0.0 AS a, 1.0 AS b, i % 2 AS y FROM range(5000) t(i)", "--targets", "y");
    expect([report.rows, report.classes, report.targets?.rows, report.targets?.accuracy]).toEqual([5000, 2, 5000, 0.5]);
  });
});

describe("what formulas lose", () => {
  // −log1p(e^-20)
  const exact20 = -2.061153620314381e-9;

  test("the whole report of a small f4 file", async () => {
    const { seconds, ...report } = await check(0, "peaked4.npy");
    expect(seconds).toBeGreaterThan(0);
    const worst = { row: 1, class: 0, value: 0, exact: exact20 };
    expect(report).toEqual({
      source: "peaked4.npy",
      dtype: "f32",
      rows: 2,
      classes: 2,
      min: 0,
      max: 20,
      broken: {
        rows: 0,
        nan: { rows: 0, first: [] },
        infinite: { rows: 0, first: [] },
        allMinusInfinity: { rows: 0, first: [] },
        aboveZero: null,
      },
      masked: 0,
      textbook: {
        f16: OVERFLOWS,
        bf16: { ...HOLDS, lost: 2, zero: 1, rows: 2 },
        f32: { ...HOLDS, lost: 1, zero: 1, rows: 1 },
        f64: UNJUDGED,
      },
      usual: {
        f32: { lost: 1, zero: 1, worst: { ...worst, ulps: -exact20 * 2 ** 52 } },
        // the answer rounds to 0 in f16
        f16: { lost: 0, zero: 0, worst: null },
        bf16: { lost: 1, zero: 1, worst: { ...worst, ulps: -exact20 * 2 ** 36 } },
      },
      logProbs: null,
      targets: null,
      strict: false,
      exitCode: 0,
    });
  });

  test("in f8 the winner at [40, 0] is 0, the one at [20, 0] many ulp off", async () => {
    writeNpy(at("forty.npy"), Float64Array.of(20, 0, 40, 0), [2, 2]);
    const { dtype, usual } = await check(0, "forty.npy");
    expect(dtype).toBe("f64");
    expect(Object.keys(usual!)).toEqual(["f64", "f32", "f16", "bf16"]);
    expect(usual!.f64).toMatchObject({ lost: 2, zero: 1, worst: { row: 2, value: 0, exact: -4.248354255291589e-18 } });
    expect(usual!.f64!.worst!.ulps).toBe(4.248354255291589e-18 * 2 ** 110);
  });

  test("--strict fails where the dtype of the file loses a row, and only there", async () => {
    expect((await check(3, "peaked4.npy", "--strict")).strict).toBe(true);
    expect((await check(3, "peaked8.npy", "--strict")).usual!.f64!.lost).toBe(1);
    writeNpy(at("even.npy"), Float32Array.of(0, 0, 5, 5), [2, 2]);
    expect((await check(0, "even.npy", "--strict")).usual!.f32!.lost).toBe(0);
    // log(softmax(x)) is more than 2 ulp off for the 3, the usual formula is not
    writeNpy(at("steps.npy"), Float32Array.of(2, 3), [1, 2]);
    const steps = await check(3, "steps.npy", "--strict");
    expect([steps.textbook!.f32, steps.usual!.f32!.lost]).toEqual([{ ...HOLDS, lost: 1, rows: 1 }, 0]);
    // f16 overflows, f32 does not; the usual formula loses nothing in f32
    writeNpy(at("twelve.npy"), Float32Array.of(12, 12), [1, 2]);
    expect((await check(0, "twelve.npy", "--strict")).textbook!.f16).toEqual(OVERFLOWS);
    // the textbook formula alone breaks: ties at 1000 are log 2 for the usual one
    writeNpy(at("ties.npy"), Float32Array.of(1000, 1000), [1, 2]);
    const { textbook, usual } = await check(3, "ties.npy", "--strict");
    expect([textbook!.f32, textbook!.f64, usual!.f32!.lost]).toEqual([
      OVERFLOWS,
      { ...UNJUDGED, overflow: 1, rows: 1 },
      0,
    ]);
    expect((await check(0, "ties.npy")).exitCode).toBe(0);
  });

  test("overflow and underflow, format by format", async () => {
    const rows = [12, 0, 89, 0, 710, 0, 0, -18, 0, -93, 0, -104, 0, -746, -800, -801];
    writeNpy(at("ranges.npy"), Float64Array.from(rows), [8, 2]);
    const { textbook } = await check(0, "ranges.npy");
    expect(textbook).toMatchObject({
      f16: { overflow: 3, underflow: 5 },
      bf16: { overflow: 2, underflow: 4 },
      f32: { overflow: 2, underflow: 3 },
      f64: { overflow: 1, underflow: 2 },
    });
  });

  test("a logit beyond f16 leaves no number there, and the report says so in strings", async () => {
    writeNpy(at("beyond.npy"), Float32Array.of(70000, 0), [1, 2]);
    const { usual } = await check(0, "beyond.npy");
    expect(usual!.f16!.worst).toEqual({ row: 1, class: 0, value: "NaN", exact: 0, ulps: "Infinity" });
  });

  test("f2 is read, and is the file's own format", async () => {
    // 20, 0; 6e-8 (the least), NaN; −∞, 65504
    writeNpy(at("half.npy"), Uint16Array.of(0x4d00, 0, 1, 0x7e00, 0xfc00, 0x7bff), [3, 2]);
    const report = await check(3, "half.npy");
    expect([report.dtype, report.min, report.max, report.masked]).toEqual(["f16", 0, 65504, 1]);
    expect(report.broken.nan).toEqual({ rows: 1, first: [2] });
    expect(Object.keys(report.usual!)).toEqual(["f16", "bf16", "f32"]);
    expect(report.textbook!.f16!.overflow).toBe(2);
  });
});

describe("--log-probs", () => {
  test("values above 0, sums that are not 1, lost winners", async () => {
    const half = Math.log(0.5);
    const rows = [half, half, 1e-9, -30, -0.5, -0.6, 0, -20, 0, -800];
    writeNpy(at("logp.npy"), Float64Array.from(rows), [5, 2]);
    const report = await check(3, "logp.npy", "--log-probs");
    expect(report.broken).toMatchObject({ rows: 1, aboveZero: { rows: 1, first: [2] } });
    expect(report.logProbs).toEqual({
      tolerance: 1e-12,
      unnormalized: { rows: 3, worst: { row: 3, logSumExp: expect.closeTo(0.1443966600735709, 15) } },
      winnerLost: 1,
    });
    expect([report.textbook, report.usual]).toEqual([null, null]);
  });

  test("in f4 the winner's 0 beside -20 passes unless --strict", async () => {
    writeNpy(at("zero.npy"), Float32Array.of(0, -20, Math.log(0.25), Math.log(0.75)), [2, 2]);
    const { logProbs } = await check(0, "zero.npy", "--log-probs");
    expect(logProbs).toEqual({ tolerance: 1e-5, unnormalized: { rows: 0, worst: null }, winnerLost: 1 });
    await check(3, "zero.npy", "--log-probs", "--strict");
    writeNpy(at("onehot.npy"), Float32Array.of(0, -inf, -inf), [1, 3]);
    expect((await check(0, "onehot.npy", "--log-probs", "--strict")).logProbs!.winnerLost).toBe(0);
  });

  test("NLL with targets is the log-probability's negative", async () => {
    writeNpy(at("y.npy"), Int32Array.of(1, 1), [2]);
    const { targets } = await check(0, "zero.npy", "--log-probs", "--targets", "y.npy");
    expect(targets!.nll).toBeCloseTo((20 - Math.log(0.75)) / 2, 6);
  });
});

describe("--targets", () => {
  test.each([
    ["i4", Int32Array.of(2, 0, 1, 1)],
    ["i8", BigInt64Array.of(2n, 0n, 1n, 1n)],
    ["u1", Uint8Array.of(2, 0, 1, 1)],
  ])("mean NLL, its standard error, perplexity, accuracy; %s", async (name, y) => {
    writeNpy(at("logits.npy"), Float64Array.of(0, 0, 0, 1, 0, -inf, nan, 1, 2, 0, 5, 0), [4, 3]);
    writeNpy(at(`${name}.npy`), y, [4]);
    const { targets, broken } = await check(3, "logits.npy", "--targets", `${name}.npy`);
    expect(broken.rows).toBe(1);
    const losses = [Math.log(3), Math.log1p(Math.exp(-1)), Math.log1p(2 * Math.exp(-5))];
    const nll = losses.reduce((sum, v) => sum + v, 0) / 3;
    const variance = losses.reduce((sum, v) => sum + (v - nll) ** 2, 0) / 2;
    expect(targets).toEqual({
      rows: 3,
      nll: expect.closeTo(nll, 14),
      standardError: expect.closeTo(Math.sqrt(variance / 3), 14),
      perplexity: expect.closeTo(Math.exp(nll), 14),
      accuracy: 2 / 3,
    });
  });

  test("a column of a table", async () => {
    writeFileSync(at("scores.csv"), "no,yes,truth\n1,0,0\n2,5,1\n3,1,1\n");
    const { targets, classes } = await check(0, "scores.csv", "--targets", "truth");
    expect([classes, targets!.rows, targets!.accuracy]).toEqual([2, 3, 2 / 3]);
  });

  test("a target at −∞ is infinitely wrong; one row has no standard error", async () => {
    writeNpy(at("masked.npy"), Float32Array.of(0, -inf), [1, 2]);
    writeNpy(at("one.npy"), Uint8Array.of(1), [1]);
    const { targets } = await check(0, "masked.npy", "--targets", "one.npy");
    const expected = { rows: 1, nll: "Infinity", standardError: null, perplexity: "Infinity", accuracy: 0 };
    expect(targets).toEqual(expected);
  });
});

test("the report for people", async () => {
  const { code, stdout, stderr } = await napier(folder, "check", "broken4.npy");
  expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
  expect(stdout).toBe(`broken4.npy: 6 rows, 3 classes, f32, finite values from 1 to 3
  broken    NaN in 2 rows: 2, 6; +∞ in 1 row: 3; nothing but −∞ in 1 row: 4
  masked    −∞ beside finite values in 1 row, which is fine
log(softmax(x)) as it is written
  f16       no row breaks; no winner lost
  bf16      no row breaks; no winner lost
  f32       no row breaks; 1 winner lost (16.67 %)
  f64       no row breaks
the usual x − max − log Σ exp(x − max)
  f32       no winner lost
  f16       no winner lost
  bf16      no winner lost
`);
  writeNpy(at("two.npy"), Uint8Array.of(0, 0), [2]);
  const peaked = await napier(folder, "check", "peaked4.npy", "--targets", "two.npy");
  expect(peaked.stdout).toBe(`peaked4.npy: 2 rows, 2 classes, f32, finite values from 0 to 20
  broken    no row
log(softmax(x)) as it is written
  f16       breaks in 1 row: 1 overflow, 0 underflow; 1 winner lost (50.00 %)
  bf16      no row breaks; 2 winners lost (100.00 %), 1 of them 0
  f32       no row breaks; 1 winner lost (50.00 %), 1 of them 0
  f64       no row breaks
the usual x − max − log Σ exp(x − max)
  f32       1 winner lost (50.00 %), 1 of them 0; worst in row 1: 0, exact -2.06115362e-9, 9.28e+6 ulp off
  f16       no winner lost
  bf16      1 winner lost (50.00 %), 1 of them 0; worst in row 1: 0, exact -2.06115362e-9, 141.64 ulp off
  targets   NLL 0.65663 ± 0.65663, perplexity 1.9283, accuracy 50.00 %
`);
  const logp = await napier(folder, "check", "fine4.npy", "--log-probs", "--list", "1");
  expect(logp.code).toBe(3);
  expect(logp.stdout).toBe(`fine4.npy: 2 rows, 3 classes, f32, finite values from -0.25 to 3
  broken    a log-probability above 0 in 2 rows: 1 …
  log Σ exp beyond ±0.00001 in 2 rows; worst in row 1: 3.4076
  winner    none is 0 that should not be
`);
});

test("the README's example prints what stands there", async () => {
  const page = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const table = /^printf '(.*)' > logits\.csv$/m.exec(page)?.[1] ?? "";
  writeFileSync(at("logits.csv"), table.replaceAll("\\n", "\n"));
  const command = /^npx napier (check logits\.csv.*)$/m.exec(page)?.[1] ?? "";
  const { code, stdout } = await napier(folder, ...command.split(" "));
  expect(code).toBe(0);
  expect(page).toContain(`\`\`\`\n${stdout}\`\`\``);
});

test("a file larger than what the command may hold", async () => {
  const bytes = 192 * 2 ** 20;
  writeFileSync(at("sparse.npy"), npyHeader(dictionary("<f4", `(${bytes / 4096}, 1024)`)));
  truncateSync(at("sparse.npy"), statSync(at("sparse.npy")).size + bytes);
  const main = new URL("../dist/main.js", import.meta.url).href;
  const program = `const { run } = await import(${JSON.stringify(main)});
    await run(["node", "napier", "check", "sparse.npy", "--json"]);
    process.stderr.write(String(process.resourceUsage().maxRSS));`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    cwd: folder,
  });
  expect(JSON.parse(stdout)).toMatchObject({ rows: bytes / 4096, min: 0, max: 0, exitCode: 0 });
  expect(Number(stderr) * 1024).toBeLessThan(bytes);
});

test("nothing is written beside the files", () => {
  expect(readdirSync(folder).filter((name) => !/\.(npy|csv|parquet)$/.test(name))).toEqual([]);
});
