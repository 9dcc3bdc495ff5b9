// Napier beside every peer that is here; makes docs/speed.md. By hand, never in CI.
//   npm run bench                PyTorch and scikit-learn through $PYTHON or python3
//   npm run bench -- --check     compares with docs/speed.md instead of writing it; exit 1 where a ratio got worse by 25 %
//   npm run bench -- --quick     two shapes, fewer rounds; writes nothing
//   npm run bench -- --scale     ranks under mpirun instead, see scale.js; makes docs/scale.md
//   npm run bench -- --rows 1e6  of the table that training streams; 1e7 by default (4 GB on the disk, for the time of the run), 2e5 if quick
import { readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { race, sunk } from "./clock.js";
import { DEVIATIONS, problem, QUICK_SHAPES, SHAPES, worksOf } from "./data.js";
import { raceEpochs } from "./epoch.js";
import { measureLab } from "./lab.js";
import { better, limits } from "./limits.js";
import { raceLinear } from "./linear.js";
import { BYTES, committedRatios, lines, ratioText, worse } from "./lines.js";
import { napier } from "./peer_napier.js";
import { contenders, loadPeers } from "./peers.js";
import { page } from "./report.js";
import { firstResults, sizes } from "./start.js";
import { raceStreaming } from "./streaming.js";
import { raceThreads } from "./threads.js";
import { raceTraining } from "./training.js";

const PAGE = new URL("../docs/speed.md", import.meta.url);
const {
  quick,
  check,
  scale,
  rows: streamed,
} = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    scale: { type: "boolean", default: false },
    rows: { type: "string" },
  },
}).values;
if (scale) process.exit(await import("./scale.js").then(({ measureScale }) => measureScale({ quick })));
const options = quick ? { rounds: 5, seconds: 0.3 } : { rounds: 7, seconds: 0.5 };
const committed = check ? committedRatios(readFileSync(PAGE, "utf8")) : null;
const load = () => os.loadavg()[0].toFixed(1);

const { peers, missing } = await loadPeers();
const machine = {
  date: new Date().toISOString().slice(0, 10),
  cpu: os.cpus()[0].model.trim(),
  cores: os.cpus().length,
  memory: Math.round(os.totalmem() / 2 ** 30),
  os: `${os.type()} ${os.arch()}`,
  loadBefore: load(),
};
const versions = [
  `Napier ${napier.version}`,
  `Node ${process.versions.node}`,
  ...peers
    .filter(({ name, version }) => version && !name.endsWith("returned"))
    .map(({ name, version, capability }) => `${name.split(",")[0]} ${version}${capability ? ` (${capability})` : ""}`),
];
console.log(`${versions.join(", ")}; load ${machine.loadBefore} on ${machine.cores} cores`);

function show(title, times, elements, bytes) {
  console.log(`\n${title}`);
  for (const [name, { min, median, samples }] of Object.entries(times)) {
    const ns = (min * 1e9) / elements;
    const ratios = `${ratioText(times.Napier.min / min)} (${ratioText(times.Napier.median / median)})`;
    console.log(
      `  ${name.padEnd(34)}${(min * 1e3).toFixed(3).padStart(10)} ms  median ${(median * 1e3).toFixed(3).padStart(10)} ms  ` +
        `${ns.toFixed(2).padStart(7)} ns/element ${(bytes / ns).toFixed(1).padStart(6)} GB/s  ratio ${ratios}  [${samples}]`,
    );
  }
}

const limitsBefore = await limits();
const races = [];
for (const [rows, classes] of quick ? QUICK_SHAPES : SHAPES) {
  for (const deviation of DEVIATIONS) {
    const data = problem(rows, classes, deviation);
    for (const work of worksOf(rows, classes)) {
      const { samplers, wrong, close } = await contenders(peers, work, data);
      const times = await race(samplers, options);
      await close();
      races.push({ work, rows, classes, deviation, times, wrong });
      show(`${work} ${rows} × ${classes} N(0, ${deviation})`, times, data.x.length, BYTES[work]);
      for (const name of wrong) console.log(`  ${name} is left out: its results are wrong`);
    }
  }
}

const epoch = await raceEpochs(peers, quick ? 1 : 3);
for (const [name, { min, median, accuracy }] of Object.entries(epoch)) {
  console.log(
    `${name === "Napier" ? "\nepoch of an MLP 784-128-10 on MNIST\n" : ""}  ${name.padEnd(34)}${min.toFixed(2)} s  median ${median.toFixed(2)} s  ` +
      `ratio ${ratioText(epoch.Napier.min / min)}  test accuracy ${(100 * accuracy).toFixed(1)} %`,
  );
}
const jobs = [...(await raceTraining(peers, quick)), ...(await raceLinear(peers, quick))];
for (const peer of peers) peer.close?.();
jobs.push(...(await raceStreaming(Number(streamed ?? (quick ? 2e5 : 1e7)))));
for (const { name, note, unit, times } of jobs) {
  console.log(`\n${name}${note ? `, ${note}` : ""}`);
  for (const [contender, { min, median, note: how }] of Object.entries(times)) {
    const ratio = `ratio ${ratioText(times.Napier.min / min)} (${ratioText(times.Napier.median / median)})`;
    console.log(
      `  ${contender.padEnd(34)}${min.toPrecision(4)} ${unit}  median ${median.toPrecision(4)}  ${ratio}  ${how ?? ""}`,
    );
  }
}
const threads = await raceThreads(options, quick ? QUICK_SHAPES.slice(0, 1) : undefined);
const results = {
  quick,
  missing,
  versions,
  races,
  epoch,
  jobs,
  threads,
  first: firstResults(quick ? 3 : 10),
  size: await sizes(),
  lab: await measureLab(quick ? 3 : 10),
  limits: better(limitsBefore, await limits()),
  machine: { ...machine, loadAfter: load() },
};

const text = page(results);
if (committed) {
  const { compared, slower } = worse(lines(results), committed);
  console.log(`\n${compared} ratios compared with docs/speed.md, ${slower.length} worse by more than a quarter`);
  for (const line of slower) console.log(`  ${line}`);
  process.exitCode = slower.length > 0 || compared === 0 ? 1 : 0;
} else if (quick) {
  console.log(`\n${text}`);
} else {
  writeFileSync(PAGE, text);
  console.log(`\n${text.slice(text.indexOf("## Summary"), text.indexOf("## Ratios"))}written: docs/speed.md`);
}
if (Number.isNaN(sunk())) console.log("a result was not a number");
process.exit(); // PyTorch's and tfjs's handles would keep us here
