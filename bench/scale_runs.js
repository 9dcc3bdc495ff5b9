// The workloads of bench/scale.js, their tables, and the rounds in which they are timed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { writeParquet } from "../examples/mnist/dist/mnist.js";
import { median, min } from "./clock.js";
import { mnistFiles } from "./data.js";
import { launch } from "./scale_launch.js";
import { makeTable } from "./streaming.js";

const SLIVER = 4096; // rows: a block
const LEAST_BATCH = 64; // rows: a part of a batch
const WIDE = { table: "mnist", rows: 60000, features: 784, classes: 10 };
const MLP = { hidden: [128], optimizer: "adamw", seed: 1 };

/** laps: iterations or epochs of a run, the first one or two of which are not counted; rounds: of one rank and two in turn. */
const WORKLOADS = [
  {
    ...{ name: "a", title: "L-BFGS, 2,000,000 × 100 × 10", table: "seeded", rows: 2e6, features: 100, classes: 10 },
    ...{ unit: "pass", laps: 8, rounds: 2, options: { optimizer: "lbfgs", tolerance: 1e-12 } },
  },
  {
    ...{ name: "b", title: "L-BFGS, MNIST, 60,000 × 784 × 10", ...WIDE },
    ...{ unit: "pass", laps: 16, rounds: 3, options: { optimizer: "lbfgs", tolerance: 1e-12 } },
  },
  {
    ...{ name: "c", title: "AdamW, MLP 784-128-10, batch 1,024", ...WIDE },
    ...{ unit: "step", laps: 4, rounds: 3, batchSize: 1024, options: MLP },
  },
  {
    ...{ name: "c, batch 128", title: "AdamW, MLP 784-128-10, batch 128", ...WIDE },
    ...{ unit: "step", laps: 3, rounds: 2, batchSize: 128, options: MLP },
  },
];

const QUICK = { seeded: 98_304, mnist: 16_384 }; // whole blocks, as many on each of two ranks

export const workloads = (quick) =>
  quick ? WORKLOADS.map((work) => ({ ...work, rows: QUICK[work.table], laps: 5, rounds: 1 })) : WORKLOADS;

/** The file of so many of a table's rows. */
export const fileOf = (folder, table, rows) => join(folder, `${table}-${rows}.parquet`);

/** The Parquet files of all workloads: whole, half of the rows, and a block of them. */
export async function makeTables(folder, works) {
  const db = await DuckDBInstance.create(":memory:");
  const connection = await db.connect();
  for (const table of new Set(works.map((work) => work.table))) {
    const { rows } = works.find((work) => work.table === table);
    const whole = fileOf(folder, table, rows);
    if (table === "seeded") await makeTable(whole, rows);
    else {
      const { images, labels } = mnistFiles().train;
      const all = join(folder, `${table}.parquet`);
      await writeParquet(all, readFileSync(images), readFileSync(labels));
      await connection.run(`COPY (FROM '${all}' LIMIT ${rows}) TO '${whole}' (FORMAT parquet)`);
    }
    for (const part of [rows / 2, SLIVER]) {
      await connection.run(`COPY (FROM '${whole}' LIMIT ${part}) TO '${fileOf(folder, table, part)}' (FORMAT parquet)`);
    }
  }
  db.closeSync();
}

/** A run's job, and how many rows and steps a lap of it has. */
function jobOf(work, folder, part, mode) {
  const rows = { full: work.rows, half: work.rows / 2, sliver: SLIVER }[part];
  const batch = work.batchSize && { full: work.batchSize, half: work.batchSize / 2, sliver: LEAST_BATCH }[part];
  // a sliver's laps are short: many of them
  const laps = part === "sliver" ? 20 : work.laps;
  const length = batch === undefined ? { maxIterations: laps } : { epochs: laps };
  const job = { kind: "train", path: fileOf(folder, work.table, rows), mode, batchSize: batch };
  return {
    ...job,
    options: { ...work.options, ...length },
    rows,
    steps: batch === undefined ? 1 : Math.ceil(rows / batch),
  };
}

/** How each contender runs: ranks (0 is a process without a launcher), which rows, how. */
const CONTENDERS = {
  one: [0, "full", "alone"],
  two: [2, "full", "ranks"],
  half: [0, "half", "alone"],
  both: [2, "half", "alone"], // two processes that know nothing of each other: what the machine can do
  shared: [0, "half", "self"],
  sliver: [0, "sliver", "alone"],
};
const MORE = { three: [3, "full", "ranks"], four: [4, "full", "ranks"] };

/** One run: seconds of each of its passes or steps, those of the slowest rank, without the first laps. */
async function timed(work, folder, [ranks, part, mode], hosts) {
  const { rows, steps, ...job } = jobOf(work, folder, part, mode);
  const { seconds, said } = await launch(ranks, job, hosts);
  if (said.length !== Math.max(1, ranks))
    throw new Error(`${work.name}: ${said.length} of ${ranks} ranks have answered`);
  // a pass is timed from the third iteration on: the search tries more than one length before
  const skip = work.unit === "pass" ? 2 : 0;
  const laps = said.map((each) => each.laps.slice(skip));
  const inside = laps.map((list) => median(list.map((lap) => lap.inside)) / steps);
  const least = laps[0].toSorted((a, b) => a.calls - b.calls)[0]; // of an iteration with one evaluation
  return {
    job: seconds,
    read: Math.max(...said.map((each) => each.read)),
    times: laps[0].map((_, k) => Math.max(...laps.map((list) => list[k].seconds)) / steps),
    rows: job.batchSize ?? rows,
    inside: { least: Math.min(...inside), most: Math.max(...inside) },
    calls: least.calls / steps,
    bytes: least.bytes / steps,
    sizes: least.sizes.map(([bytes, count]) => [bytes, count / steps]),
    sha256: [...new Set(said.map((each) => each.sha256))],
    library: said[0].library,
  };
}

/** Runs of one contender as one: least and median of all their passes or steps. */
function merged(runs) {
  const times = runs.flatMap((run) => run.times);
  const job = runs.map((run) => run.job);
  const last = runs.at(-1);
  return { ...last, min: min(times), median: median(times), job: { min: min(job), median: median(job) } };
}

/** By contender; one rank and two, and what else the model needs, in turn; three and four once. */
export async function measureWork(work, folder, log) {
  const runs = {};
  const once = async (name, how) => {
    const run = await timed(work, folder, how);
    runs[name] ??= [];
    runs[name].push(run);
    log(
      `${work.name}: ${name} ${(min(run.times) * 1e3).toPrecision(3)} ms a ${work.unit}, ${run.job.toFixed(1)} s in all`,
    );
  };
  for (let round = 0; round < work.rounds; round++) {
    for (const [name, how] of Object.entries(CONTENDERS)) await once(name, how);
  }
  for (const [name, how] of Object.entries(MORE)) await once(name, how);
  return Object.fromEntries(Object.entries(runs).map(([name, list]) => [name, merged(list)]));
}

/** Two ranks on two hosts. */
export const measureHosts = async (work, folder, hosts) =>
  merged([await timed(work, folder, [2, "full", "ranks"], hosts)]);
