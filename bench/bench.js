// Napier beside PyTorch on one thread, same shapes, interleaved rounds; ratios are time ours ÷ theirs.
// npm run bench            PyTorch is found through $PYTHON or python3 and left out where it is not there
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { crossEntropyWithGrad, logSoftmax, logSumExp, softmax } from "napier";
import { fit } from "napier/train";

const ROUNDS = 7;
const REPEATS = 3;
const SHAPES = [
  [4096, 1000],
  [64, 32000],
  [8, 128256],
  [65536, 10],
];
const WORKS = ["logSoftmax", "crossEntropyWithGrad", "softmax", "logSumExp"];

/** Normal numbers, seeded (mulberry32 and Box–Muller). */
function normals(seed) {
  let a = seed;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

async function torch() {
  const peer = spawn(process.env.PYTHON ?? "python3", [fileURLToPath(new URL("torch_peer.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  peer.on("error", () => {});
  peer.stdin.on("error", () => {});
  const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  if (done) return null;
  return {
    version: JSON.parse(value).version,
    run: async (job) => {
      peer.stdin.write(`${JSON.stringify(job)}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => peer.stdin.end(),
  };
}

const min = (times) => Math.min(...times);
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
let sink = 0;

function ours(work, x, out, y, shape) {
  const call = {
    logSoftmax: () => logSoftmax(x, { shape, out })[0],
    softmax: () => softmax(x, { shape, out })[0],
    logSumExp: () => logSumExp(x, { shape })[0],
    crossEntropyWithGrad: () => crossEntropyWithGrad(x, y, { shape, out }).loss,
  }[work];
  return Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    sink += call();
    return (performance.now() - start) / 1000;
  });
}

const peer = await torch();
console.log(`Node ${process.version}; PyTorch ${peer ? peer.version : "not found: ours alone"}; one thread each`);
console.log("work                  rows × classes   logits    ours ns/element   PyTorch   ratio min (median)");
for (const [rows, classes] of SHAPES) {
  for (const deviation of [1, 8]) {
    const normal = normals(1);
    const x = Float32Array.from({ length: rows * classes }, () => deviation * normal());
    const out = new Float32Array(x.length);
    const y = Int32Array.from({ length: rows }, (_, i) => i % classes);
    for (const work of WORKS) {
      ours(work, x, out, y, [rows, classes]); // warm up
      const mine = [];
      const theirs = [];
      for (let round = 0; round < ROUNDS; round++) {
        mine.push(...ours(work, x, out, y, [rows, classes]));
        if (peer) theirs.push(...(await peer.run({ work, rows, classes, deviation, repeats: REPEATS })));
      }
      const ns = (seconds) => ((seconds * 1e9) / x.length).toFixed(2);
      const ratio = peer
        ? `${(min(mine) / min(theirs)).toFixed(2)} (${(median(mine) / median(theirs)).toFixed(2)})`
        : "";
      console.log(
        `${work.padEnd(22)}${`${rows} × ${classes}`.padEnd(17)}N(0,${deviation})`.padEnd(52) +
          `${ns(min(mine)).padEnd(15)}${(peer ? ns(min(theirs)) : "").padEnd(10)}${ratio}`,
      );
    }
  }
}

const normal = normals(2);
const job = { work: "epoch", rows: 54000, features: 784, hidden: 128, classes: 10 };
const x = { data: Float32Array.from({ length: job.rows * job.features }, normal), shape: [job.rows, job.features] };
const y = Int32Array.from({ length: job.rows }, (_, i) => i % job.classes);
const mine = [];
const theirs = [];
for (let round = 0; round < 3; round++) {
  const options = { x, y, hidden: [job.hidden], epochs: 2, scale: "none", seed: 1 };
  let before = 0;
  await fit({
    ...options,
    onProgress: (progress) => {
      if (progress.kind !== "epoch") return;
      const now = performance.now();
      if (before > 0) mine.push((now - before) / 1000);
      before = now;
    },
  });
  if (peer) theirs.push(...(await peer.run(job)));
}
console.log(
  `epoch of an MLP 784-128-10, 54,000 rows, batch 128, AdamW: ours ${min(mine).toFixed(2)} s` +
    (peer ? `, PyTorch ${min(theirs).toFixed(2)} s, ratio ${(min(mine) / min(theirs)).toFixed(2)}` : ""),
);
peer?.close();
if (Number.isNaN(sink)) console.log(sink);
