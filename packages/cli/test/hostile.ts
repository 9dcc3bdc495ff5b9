/** Files that are damaged or made to do harm, through the real command: each ends in a result or in one clean error. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { mutation } from "../../napier/test/mutations.ts";
import { BIN, napier, sql } from "./command.ts";

/** Of the whole process: Node, DuckDB and its buffers. */
const MOST_MEGABYTES = 700;
const MOST_SECONDS = 20;

/** Extensions of a good table, as they are written and as the mutation sees them. */
export const FORMATS = ["csv", "tsv", "csv.gz", "parquet", "jsonl", "json"] as const;
/** Ones that differ from those by their name or packing alone: fewer of their mutations are in `npm test`. */
export const ALIKE = ["ndjson", "tsv.gz", "jsonl.gz", "json.gz"] as const;
const ALL: readonly string[] = [...FORMATS, ...ALIKE];

const ROWS = `SELECT i AS a, (i * 37 % 101) / 8 AS b, i % 3 = 0 AS c, 'n' || (i % 5) AS name, ['red', 'green'][i % 2 + 1] AS y
  FROM range(40) t(i) ORDER BY i`;

const PROBE = `process.on("exit", () => {
  require("node:fs").writeFileSync(process.env.NAPIER_PROBE, String(process.resourceUsage().maxRSS));
});`;

/** A model and good tables. */
export async function prepare(folder: string): Promise<void> {
  const OPTIONS: Record<string, string> = {
    csv: "FORMAT csv",
    tsv: "FORMAT csv, DELIMITER '\t'",
    parquet: "FORMAT parquet",
    jsonl: "FORMAT json",
    ndjson: "FORMAT json",
    json: "FORMAT json, ARRAY true",
  };
  for (const format of ALL) {
    const packed = format.endsWith(".gz") ? ", COMPRESSION gzip" : "";
    await sql(`COPY (${ROWS}) TO '${join(folder, `good.${format}`)}' (${OPTIONS[format.replace(".gz", "")]}${packed})`);
  }
  writeFileSync(join(folder, "probe.cjs"), PROBE);
  const { code } = await napier(folder, "train", "good.csv", "--target", "y", "--keep", "a", "--out", "model.onnx");
  expect(code).toBe(0);
}

/** Runs the command on a hostile file; whatever is in it, there is one clean end. */
export async function survives(folder: string, what: string, file: string, args: readonly string[]): Promise<number> {
  const out = `${file}.out.csv`;
  const probe = join(folder, `${file}.memory`);
  const env = { ...process.env, NODE_OPTIONS: `--require ${join(folder, "probe.cjs")}`, NAPIER_PROBE: probe };
  const start = performance.now();
  const { code, signal, stdout, stderr } = await new Promise<{
    code: number;
    signal: unknown;
    stdout: string;
    stderr: string;
  }>((resolve) => {
    const options = { cwd: folder, env, timeout: 60_000, maxBuffer: 2 ** 26 };
    execFile(process.execPath, [BIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), signal: error?.signal ?? null, stdout, stderr });
    });
  });
  const seconds = (performance.now() - start) / 1000;
  expect(signal, `${what}: ${stderr}`).toBeNull();
  expect([0, 2], `${what}: ${stderr}`).toContain(code);
  if (code !== 0) {
    // one error, a hint at most, nothing half-done
    expect(stderr, what).toMatch(/^error: [^\n]+\n(hint: [^\n]+\n)?$/);
    expect(stderr, what).not.toMatch(/Cannot read propert|is not a function|INTERNAL|Invalid array length|at file:/);
    expect(stdout, what).toBe("");
    expect(existsSync(join(folder, out)), what).toBe(false);
  }
  expect(
    readdirSync(folder).filter((name) => name.startsWith(`.${file}`)),
    what,
  ).toEqual([]);
  expect(Number(readFileSync(probe, "utf8")) / 1024, `${what}: megabytes`).toBeLessThan(MOST_MEGABYTES);
  expect(seconds, `${what}: seconds`).toBeLessThan(MOST_SECONDS);
  for (const name of [out, file, `${file}.memory`]) rmSync(join(folder, name), { force: true });
  return code;
}

/** Training's reading and prediction take turns, and so do the file and a statement about it. */
export const commandFor = (file: string, n: number): string[] => {
  const source = n % 4 < 2 ? file : `sql:SELECT * FROM '${file}'`;
  return n % 2 === 0
    ? ["predict", "model.onnx", source, "--keep", "name", "--out", `${file}.out.csv`]
    : ["train", source, "--target", "y", "--dry-run"];
};

/** Mutations `from` to before `end` of the good table; how many were read after all, and how many refused. */
export async function fuzz(
  folder: string,
  format: string,
  from: number,
  end: number,
): Promise<[read: number, refused: number]> {
  const good = readFileSync(join(folder, `good.${format}`));
  const seed = 8000 + ALL.indexOf(format);
  let read = 0;
  for (let n = from; n < end; n++) {
    const { name, bytes } = mutation(good, seed, n);
    const file = `bad-${n}.${format}`;
    writeFileSync(join(folder, file), bytes);
    if ((await survives(folder, `${format}, ${name}`, file, commandFor(file, n))) === 0) read++;
  }
  return [read, end - from - read];
}
