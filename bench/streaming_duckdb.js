// How long DuckDB takes to read a table: path, rows, threads. `reads`: every column into arrays of ours, each thread with a database of its
// own and its share of the rows, which was the fastest of what we tried; `sums`: inside DuckDB, where nothing comes out but 100 sums.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { DuckDBInstance } from "@duckdb/node-api";
import { FEATURES } from "./streaming.js";

const TIMES = 3;
const columns = Array.from({ length: FEATURES }, (_, j) => `x${j}`);

async function open(threads) {
  const db = await DuckDBInstance.create(":memory:", { threads: String(threads) });
  return db.connect();
}

/** Answers each message by a read of this thread's rows, and the count of them. */
async function reader({ path, first, last }) {
  const connection = await open(1);
  const table = `read_parquet('${path}', file_row_number = true)`;
  const query = `SELECT ${columns.join(", ")}, label FROM ${table} WHERE file_row_number BETWEEN ${first} AND ${last}`;
  parentPort.on("message", async () => {
    const result = await connection.stream(query);
    let rows = 0;
    for (let chunk = await result.fetchChunk(); chunk?.rowCount > 0; chunk = await result.fetchChunk()) {
      rows += chunk.rowCount;
      for (let j = 0; j <= FEATURES; j++) chunk.getColumnVector(j).items;
    }
    parentPort.postMessage(rows);
  });
}

const answer = (worker) =>
  new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.postMessage("read");
  });

async function seconds(work) {
  const list = [];
  for (let k = 0; k < TIMES; k++) {
    const start = performance.now();
    await work();
    list.push((performance.now() - start) / 1000);
  }
  return list;
}

async function main(path, rows, threads) {
  const share = Math.ceil(rows / threads);
  const workers = Array.from({ length: threads }, (_, t) => {
    const [first, last] = [t * share, Math.min(rows, (t + 1) * share) - 1];
    return new Worker(new URL(import.meta.url), { workerData: { path, first, last } });
  });
  const reads = await seconds(async () => {
    const counts = await Promise.all(workers.map(answer));
    const sum = counts.reduce((a, b) => a + b, 0);
    if (sum !== rows) throw new Error(`${sum} rows were read of ${rows}`);
  });
  await Promise.all(workers.map((worker) => worker.terminate()));
  const connection = await open(threads);
  const sums = columns.map((column) => `sum(${column})`).join(", ");
  console.log(JSON.stringify({ reads, sums: await seconds(() => connection.run(`SELECT ${sums} FROM '${path}'`)) }));
}

if (isMainThread) await main(process.argv[2], Number(process.argv[3]), Number(process.argv[4]));
else await reader(workerData);
