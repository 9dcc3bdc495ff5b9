// Peers in a process of $PYTHON, or python3: a job a line, answered by a line. What is not importable is not there.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const python = process.env.PYTHON ?? "python3";

export async function open(script, env) {
  const one = { OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" };
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, ...one, ...env },
  });
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${python} ${script} gives no answer`);
    return JSON.parse(value);
  };
  const about = await next();
  return {
    ...about,
    close: () => child.stdin.end(),
    ask: (job) => {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      return next();
    },
  };
}

function peer({ version, capability, ask, close }, name, works) {
  return {
    name,
    version,
    capability,
    ask,
    close,
    sampler: (work, { rows, classes, deviation, k }) =>
      works.includes(work) ? (samples, calls) => ask({ work, rows, classes, deviation, k, samples, calls }) : undefined,
  };
}

/** PyTorch held to AVX2, and as it comes where that is something else. */
export async function torch() {
  const works = ["logSoftmax", "softmax", "logSumExp", "crossEntropyWithGrad", "topLogProbs"];
  const own = await open("torch_peer.py", {});
  if (!/AVX512/.test(own.capability)) return [peer(own, "PyTorch", works)];
  const avx2 = await open("torch_peer.py", { ATEN_CPU_CAPABILITY: "avx2" });
  return [peer(avx2, "PyTorch", works), peer(own, `PyTorch, ${own.capability}`, works)];
}

export async function sklearn() {
  return peer(await open("sklearn_peer.py", {}), "scikit-learn", ["softmax"]);
}
