// What each rank of the tests runs: node ranks.mjs sums | fit <options as JSON> | alone <them> | watched <what happens as JSON>
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { connect } from "@napier/mpi";
import { fit } from "napier/train";

const ROWS = 21_000;
const COLUMNS = 6;

/** Rows as a source that every rank has, and reads its own blocks of. */
function problem() {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  const data = Float32Array.from({ length: ROWS * COLUMNS }, (_, k) => (next() - 0.3) * 10 ** (k % COLUMNS));
  const y = Array.from({ length: ROWS }, (_, i) => {
    const score = data[i * COLUMNS] + data[i * COLUMNS + 1] / 10 + next() / 4;
    return score < 0.2 ? "low" : score < 0.9 ? "middle" : "high";
  });
  const asked = new Set();
  const block = async (index) => {
    asked.add(index);
    const [first, end] = [index * 4096, Math.min(ROWS, index * 4096 + 4096)];
    const x = { data: data.subarray(first * COLUMNS, end * COLUMNS), shape: [end - first, COLUMNS] };
    return { x, y: y.slice(first, end) };
  };
  const source = {
    rows: ROWS,
    block,
    async *[Symbol.asyncIterator]() {
      for (let index = 0; index * 4096 < ROWS; index++) yield await block(index);
    },
  };
  return { source, asked };
}

const processes = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))[1]);
        return [{ pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, "utf8") }];
      } catch {
        return []; // it has ended since
      }
    });
/** The watchman that a rank has started. */
const family = (rank) =>
  processes()
    .filter(({ parent, command }) => parent === rank && command.includes("watchman"))
    .map(({ pid }) => pid);
/** The other ranks of this job. */
function others(rank) {
  const all = processes();
  const { parent, command } = all.find(({ pid }) => pid === rank);
  return all
    .filter((one) => one.parent === parent && one.command === command && one.pid !== rank)
    .map(({ pid }) => pid);
}

const [, , what, text] = process.argv;
const job = text === undefined ? {} : JSON.parse(text);
const reducer = what === "alone" ? undefined : await connect(what === "watched" ? job : {});
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
if (what === "sums") {
  const sums = BigInt64Array.of(BigInt(reducer.rank + 1), -5n, 2n ** 62n);
  reducer.sum(sums);
  const largest = Int32Array.of(reducer.rank, -reducer.rank - 3);
  reducer.max(largest);
  const many = new BigInt64Array(300_000).fill(3n);
  reducer.sum(many);
  const { rank, size, library, traffic } = reducer;
  const isRight = many.every((value) => value === BigInt(3 * size));
  say({ rank, size, library, traffic, sums: Array.from(sums, String), largest: [...largest], isRight });
} else if (what === "watched") {
  const begun = performance.now();
  const ones = new BigInt64Array(1000);
  let happens = job.who === reducer.rank;
  const time = new Int32Array(1);
  // the largest time of all: they end in the same round
  while (time[0] < 2000) {
    reducer.sum(ones);
    time[0] = performance.now() - begun;
    reducer.max(time);
    await setTimeout(1);
    if (!happens || time[0] < 500) continue;
    happens = false;
    if (job.what === "kill") process.kill(process.pid, "SIGKILL");
    else if (job.what === "stop") process.kill(process.pid, "SIGSTOP");
    else if (job.what === "throw") throw new Error("a rank's own");
    else if (job.what === "work") await setTimeout(6000);
    else if (job.what === "kill the watchman") process.kill(family(process.pid)[0], "SIGKILL");
    else if (job.what === "suspend") {
      // by somebody else, who wakes them three seconds later
      const pids = [...family(process.pid), ...others(process.pid), process.pid].join(" ");
      spawn("sh", ["-c", `kill -STOP ${pids}; sleep 3; kill -CONT ${pids}`], { detached: true, stdio: "ignore" });
    } else if (job.what === "leave") {
      reducer.release();
      await setTimeout(60_000);
    }
  }
  say({ rank: reducer.rank, done: true });
} else {
  const { source, asked } = problem();
  const { layers, scaling } = await fit({ source, ...job, ...(reducer && { reducer }) });
  const hash = createHash("sha256");
  for (const part of [scaling.center, scaling.factor, ...layers.flatMap(({ weight, bias }) => [weight, bias])]) {
    hash.update(part);
  }
  say({ rank: reducer?.rank, sha256: hash.digest("hex"), asked: [...asked] });
}
reducer?.end();
