// L-BFGS to the objective that scikit-learn's lbfgs reaches, two threads each.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gather, openSource } from "@napier/cli";
import { createPool } from "napier/pool";
import { fit } from "napier/train";
import { normals } from "../tools/dist/hostile.js";
import { median, min } from "./clock.js";
import { mnist } from "./data.js";
import { open } from "./peer_python.js";

const NEAR = 1e-4; // of the objective
const MOST_ITERATIONS = 100; // on MNIST scikit-learn has not converged by then; elsewhere its tolerance ends it
const DIGITS = new URL("../data/digits.parquet", import.meta.url).pathname;

/** Ten classes in turn, N(0, 1) around centres N(0, 0.1²) in 784 dimensions. */
function seeded() {
  const [rows, features, classes] = [60000, 784, 10];
  const normal = normals(1);
  const centres = Float64Array.from({ length: classes * features }, () => 0.1 * normal());
  const y = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % classes);
  const data = new Float32Array(rows * features);
  for (let k = 0; k < data.length; k++) {
    data[k] = centres[y[Math.floor(k / features)] * features + (k % features)] + normal();
  }
  return { x: { data, shape: [rows, features] }, y };
}

async function digits() {
  const source = await openSource(DIGITS, { target: "label" });
  const { x, y } = await gather(source);
  source.close();
  return { x: { ...x, data: x.data.map((v) => v / 16) }, y: Int32Array.from(y) };
}

/** threads: of scikit-learn; on digits its second one costs it a factor of 20 to 100, so it has one there. */
const PROBLEMS = [
  { name: "digits", load: digits, threads: 1, rounds: 9 },
  { name: "60000 × 784 × 10", load: seeded, threads: 2, rounds: 3 },
  { name: "MNIST", load: () => mnist("train"), threads: 2, rounds: 2 },
];

/** Seconds until the objective was at most `target`, and the iterations for that; Infinity where it never was. */
async function ours({ x, y }, target, pool) {
  const reached = new AbortController();
  const start = performance.now();
  let run = { seconds: Infinity, iterations: 0 };
  const onProgress = ({ kind, iteration, objective }) => {
    if (kind !== "iteration" || objective > target || reached.signal.aborted) return;
    run = { seconds: (performance.now() - start) / 1000, iterations: iteration };
    reached.abort();
  };
  try {
    await fit({ x, y, optimizer: "lbfgs", C: 1, scale: "none", pool, signal: reached.signal, onProgress });
  } catch (error) {
    if (!reached.signal.aborted) throw error;
  }
  return run;
}

/** The data as files, and scikit-learn on them. */
async function theirs({ x, y }, { name, threads }, folder) {
  const job = { x: join(folder, `${name}.x`), y: join(folder, `${name}.y`), maxIterations: MOST_ITERATIONS };
  writeFileSync(job.x, x.data);
  writeFileSync(job.y, y);
  const count = String(threads);
  const peer = await open("lbfgs_peer.py", { OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count });
  return {
    close: peer.close,
    objective: async () => (await peer.ask({ ...job, dtype: "float64" })).objectives.at(-1),
    run: async (dtype, target) => {
      const { seconds, objectives } = await peer.ask({ ...job, dtype, target });
      const last = objectives.at(-1) <= target;
      return { seconds: last ? seconds.at(-1) : Infinity, iterations: seconds.length };
    },
  };
}

async function raceProblem(problem, folder, pool, rounds) {
  const data = await problem.load();
  const peer = await theirs(data, problem, folder);
  try {
    const objective = await peer.objective();
    const target = objective * (1 + NEAR);
    const runners = {
      Napier: () => ours(data, target, pool),
      "scikit-learn": () => peer.run("float64", target),
      "scikit-learn, f32": () => peer.run("float32", target),
    };
    const runs = Object.fromEntries(Object.keys(runners).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [name, run] of Object.entries(runners)) runs[name].push(await run());
    }
    const times = Object.entries(runs).map(([name, list]) => {
      const seconds = list.map((run) => run.seconds);
      return [name, { min: min(seconds), median: median(seconds), note: `${list[0].iterations} iterations` }];
    });
    // in f32 scikit-learn may end before
    const never = times.filter(([name, { median }]) => name !== "Napier" && median === Infinity).map(([name]) => name);
    const note = [`objective ${objective.toFixed(6)}`, ...never.map((name) => `${name} does not get there`)].join("; ");
    return {
      name: `L-BFGS, ${problem.name}`,
      note,
      unit: "s",
      times: Object.fromEntries(times.filter(([name]) => !never.includes(name))),
    };
  } finally {
    peer.close();
  }
}

/** @returns jobs, see lines.js; none where scikit-learn is not there */
export async function raceTraining(peers, quick) {
  if (!peers.some(({ name }) => name === "scikit-learn")) return [];
  const folder = mkdtempSync(join(tmpdir(), "napier-bench-"));
  const pool = createPool({ threads: 2 });
  const jobs = [];
  try {
    for (const problem of quick ? PROBLEMS.slice(0, 1) : PROBLEMS) {
      jobs.push(await raceProblem(problem, folder, pool, quick ? 1 : problem.rounds));
    }
  } finally {
    await pool.close();
    rmSync(folder, { recursive: true });
  }
  return jobs;
}
