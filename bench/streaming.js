// Passes of L-BFGS over a Parquet file that is not kept in memory, beside DuckDB's reading of it on as many threads. The file, 100 columns
// of seeded numbers and a label, is made for the time of the run; each contender is a process of its own, for its memory.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { min } from "./clock.js";

export const FEATURES = 100;
const CLASSES = 10;
const BYTES_A_ROW = 4 * FEATURES + 1;
const MOST_RESIDENT = 2 ** 30;

/** Uniform in [−1, 1) by DuckDB's hash; a tenth of the columns is shifted for each class. */
export async function makeTable(path, rows) {
  const columns = Array.from(
    { length: FEATURES },
    (_, j) =>
      `((hash(i * ${FEATURES} + ${j}) >> 40)::DOUBLE / 8388608 - 1 + (label = ${j % CLASSES})::INTEGER * 0.25)::FLOAT AS x${j}`,
  );
  const labels = `SELECT i, (i * 7919 % ${CLASSES})::UTINYINT AS label FROM range(${rows}) t(i)`;
  const db = await DuckDBInstance.create(":memory:");
  const connection = await db.connect();
  await connection.run(`COPY (SELECT ${columns.join(", ")}, label FROM (${labels})) TO '${path}' (FORMAT parquet)`);
  db.closeSync();
}

/** What a script prints, as an object. */
function run(script, ...args) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args.map(String)], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return JSON.parse(stdout);
}

const middle = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** @returns jobs, see lines.js; none where the disk has no room for the table */
export async function raceStreaming(rows, threads = Math.min(2, os.cpus().length)) {
  const folder = mkdtempSync(join(os.tmpdir(), "napier-bench-"));
  try {
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < 1.5 * rows * BYTES_A_ROW) {
      console.error(
        `streaming is left out: ${rows} rows need ${Math.ceil((1.5 * rows * BYTES_A_ROW) / 1e9)} GB on the disk`,
      );
      return [];
    }
    const path = join(folder, "table.parquet");
    await makeTable(path, rows);
    const duckdb = run("streaming_duckdb.js", path, rows, threads);
    const napier = run("streaming_napier.js", path, threads);
    const times = Object.entries({ Napier: napier.passes, DuckDB: duckdb.reads, "DuckDB, sums only": duckdb.sums }).map(
      ([name, seconds]) => {
        const note = `${(rows / min(seconds) / 1e6).toFixed(2)} million rows/s`;
        return [name, { min: min(seconds), median: middle(seconds), note }];
      },
    );
    const shape = `${(rows / 1e6).toLocaleString("en-US")} million × ${FEATURES}`;
    const bytes = (value) => ({ min: value, median: value });
    return [
      {
        name: "L-BFGS pass, streamed",
        note: `${shape}, ${threads} threads`,
        unit: "s",
        times: Object.fromEntries(times),
      },
      {
        name: "L-BFGS, streamed, resident memory",
        note: shape,
        unit: "bytes",
        times: { Napier: bytes(napier.resident), "1 GiB": bytes(MOST_RESIDENT) },
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
