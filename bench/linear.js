// linearCrossEntropyWithGrad beside PyTorch's matmul, cross_entropy and backward: time on one thread, and the memory that
// each takes above what goes in and comes out, in a fresh process.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as linear from "napier/linear";
import { normals } from "../tools/dist/hostile.js";
import { race, sampler } from "./clock.js";
import { python } from "./peer_python.js";

export const SHAPE = { rows: 1024, features: 512, classes: 32000 };
const NAME = "linearCrossEntropyWithGrad 1024 × 512 × 32000";

/** x N(0, 1), weight N(0, 1/features), so that logits are N(0, 1). */
export function linearProblem({ rows, features, classes }) {
  const normal = normals(1);
  const scale = 1 / Math.sqrt(features);
  return {
    x: { data: Float32Array.from({ length: rows * features }, normal), shape: [rows, features] },
    weight: {
      data: Float32Array.from({ length: classes * features }, () => scale * normal()),
      shape: [classes, features],
    },
    y: Int32Array.from({ length: rows }, (_, i) => (i * 7919) % classes),
  };
}

export const linearCall = ({ x, weight, y }) => linear.linearCrossEntropyWithGrad(x, weight, y);

/** Bytes that a fresh process grows by, less the gradients that it returns; null where it cannot tell. */
function extraMemory(command, script, env) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { status, stdout } = spawnSync(command, [...(script.endsWith(".js") ? ["--expose-gc"] : []), path], {
    encoding: "utf8",
    input: JSON.stringify(SHAPE),
    env: { ...process.env, ...env },
  });
  if (status !== 0) return null;
  const { rows, features, classes } = SHAPE;
  return Number(stdout) - 4 * features * (rows + classes);
}

/** @returns jobs, see lines.js; none where this version of Napier has no linearCrossEntropyWithGrad */
export async function raceLinear(peers, quick) {
  if (!("linearCrossEntropyWithGrad" in linear)) return [];
  const problem = linearProblem(SHAPE);
  const job = { work: "linear", ...SHAPE };
  const torch = peers.filter(({ name }) => name.startsWith("PyTorch"));
  const call = () => linearCall(problem).loss;
  const samplers = {
    Napier: sampler(call),
    ...Object.fromEntries(torch.map(({ name, ask }) => [name, (samples, calls) => ask({ ...job, samples, calls })])),
  };
  const times = await race(samplers, { rounds: quick ? 1 : 4, seconds: 1 });
  const one = { OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };
  const memory = { Napier: extraMemory(process.execPath, "linear_memory.js", {}) };
  if (torch.length > 0) memory.PyTorch = extraMemory(python, "linear_memory.py", one);
  const bytes = Object.entries(memory).filter(([, size]) => size !== null);
  const sizes = Object.fromEntries(bytes.map(([name, size]) => [name, { min: size, median: size }]));
  return [
    { name: NAME, note: "f32, one thread", unit: "s", times },
    ...(memory.Napier === null ? [] : [{ name: `${NAME}, extra memory`, note: "", unit: "bytes", times: sizes }]),
  ];
}
