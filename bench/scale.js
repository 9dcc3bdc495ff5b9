// Ranks under mpirun: strong and weak scaling here, and a model of more of them; makes docs/scale.md. By hand, never in CI.
//   npm run bench -- --scale          nine minutes on a quiet machine; needs Open MPI, and root and iproute2 for the part over TCP
//   npm run bench -- --scale --quick  small tables, one round; writes nothing
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, min } from "./clock.js";
import { command, launch, MPIRUN, whyNoHosts, withHosts } from "./scale_launch.js";
import { costs, fitLine } from "./scale_model.js";
import { page } from "./scale_report.js";
import { fileOf, makeTables, measureHosts, measureWork, workloads } from "./scale_runs.js";

const PAGE = new URL("../docs/scale.md", import.meta.url);
const NAPIER = fileURLToPath(new URL("../packages/cli/bin/napier.js", import.meta.url));
const LENGTHS = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]; // of int64
/** What the whole command is timed on: names of workloads, and how long they train. */
const COMMANDS = { a: ["--max-iterations", "10"], b: ["--max-iterations", "20"] };
const OVER_TCP = ["b", "c"];

const load = () => os.loadavg()[0].toFixed(1);
const log = (text) => console.log(`${text}; load ${load()}`);

/** Least and median seconds of all-reduces among `ranks`, by bytes, and the line through the least ones. */
async function reduces(ranks, hosts) {
  const { said } = await launch(ranks, { kind: "reduce", lengths: LENGTHS }, hosts);
  const points = said[0].reduces.map(({ bytes, samples }) => ({ bytes, min: min(samples), median: median(samples) }));
  const line = fitLine(points.map((point) => [point.bytes, point.min]));
  log(
    `all-reduce, ${ranks} ranks${hosts ? " over TCP" : ""}: ${(line.alpha * 1e6).toFixed(1)} µs, ${(line.beta * 1e9).toFixed(3)} ns/byte`,
  );
  return { ranks, points, line, library: said[0].library };
}

/** `napier train` as it is typed, by name: seconds, and the hash of the file that it writes. */
async function commands(work, folder) {
  const out = join(folder, "model.onnx");
  const line = [NAPIER, "train", fileOf(folder, work.table, work.rows), "--target", "label", "--out", out];
  const results = [];
  for (const [name, ranks, threads] of [
    ["one process, one thread", 0, 1],
    ["one process, two threads", 0, 2],
    ["mpirun -n 2, one thread each", 2, 1],
  ]) {
    const { seconds } = await command(ranks, [...line, ...COMMANDS[work.name], "--threads", `${threads}`]);
    const sha256 = createHash("sha256").update(readFileSync(out)).digest("hex");
    results.push({ name, seconds, sha256 });
    log(`napier train, ${work.name}, ${name}: ${seconds.toFixed(1)} s`);
  }
  return { work, results };
}

/** The same between two network namespaces, or why not. */
async function overTcp(works, folder) {
  const missing = whyNoHosts();
  if (missing) return { missing };
  try {
    return await withHosts(folder, async (hosts) => {
      const line = await reduces(2, hosts);
      const runs = {};
      for (const work of works.filter(({ name }) => OVER_TCP.includes(name))) {
        runs[work.name] = await measureHosts(work, folder, hosts);
        log(`${work.name} over TCP: ${(runs[work.name].min * 1e3).toPrecision(3)} ms a ${work.unit}`);
      }
      return { ...line, runs };
    });
  } catch (error) {
    // a container may let nobody make namespaces, root either
    return { missing: error.message.split("\n")[0] };
  }
}

/** What the model needs of a workload, from its runs. */
function modelled(work, runs) {
  const point = ({ rows, min: seconds }) => ({ rows, seconds });
  const { one, half, sliver, shared, two } = runs;
  const found = costs(work, { full: point(one), half: point(half), sliver: point(sliver), shared: point(shared) });
  return { ...work, costs: found, sizes: two.sizes, contention: Math.max(1, runs.both.min / half.min) };
}

export async function measureScale({ quick = false } = {}) {
  if (MPIRUN === undefined)
    throw new Error("scale: there is no mpirun of Open MPI here; install openmpi-bin and libopenmpi3");
  const began = performance.now();
  const loadBefore = load();
  const folder = mkdtempSync(join(os.tmpdir(), "napier-bench-"));
  try {
    const works = workloads(quick);
    await makeTables(folder, works);
    log("tables are made");
    const local = [];
    for (const ranks of [2, 3, 4]) local.push(await reduces(ranks));
    const measured = [];
    for (const work of works) {
      const runs = await measureWork(work, folder, log);
      measured.push({ work: modelled(work, runs), runs });
    }
    const tcp = await overTcp(works, folder);
    const typed = [];
    for (const work of works) if (COMMANDS[work.name]) typed.push(await commands(work, folder));
    const machine = {
      date: new Date().toISOString().slice(0, 10),
      cpu: os.cpus()[0].model.trim(),
      cores: os.availableParallelism(),
      memory: Math.round(os.totalmem() / 2 ** 30),
      os: `${os.type()} ${os.arch()}`,
      node: process.versions.node,
      minutes: (performance.now() - began) / 60000,
      loadBefore,
      loadAfter: load(),
    };
    const text = page({ machine, local, measured, tcp, typed });
    if (quick) return console.log(`\n${text}`);
    writeFileSync(PAGE, text);
    console.log(`written: docs/scale.md, after ${machine.minutes.toFixed(1)} minutes`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
