// What the ratios (time ours ÷ theirs) must be at most, and what we aim at. null: measured, but nothing is promised.

const EITHER = (must) => ({ 1: must, 8: must });
const SCRIPT = { must: EITHER(0.3), aim: 0.15 };

/** By work and peer; must by the deviation of the logits. */
const TARGETS = {
  logSoftmax: {
    PyTorch: { must: { 1: 1.7, 8: 2.3 }, aim: 0.95 },
    "onnxruntime-web": { must: { 1: 0.8, 8: 1.1 }, aim: 0.4 },
    "tfjs wasm": SCRIPT,
    "jax-js": SCRIPT,
    "transformers.js": SCRIPT,
    "plain JS": SCRIPT,
  },
  crossEntropyWithGrad: { PyTorch: { must: { 1: 0.9, 8: 1.2 }, aim: 0.4 } },
  softmax: { PyTorch: { must: { 1: 2.2 }, aim: 1.0 } },
  logSumExp: { PyTorch: { must: { 1: 1.2 }, aim: 0.6 } },
  topLogProbs: { PyTorch: { must: EITHER(1.2), aim: 0.8 } },
};

export const EPOCH = { must: 2.0, aim: 1.2 };

/** What a job's ratio to one peer must be; a streamed pass runs at 0.7 of DuckDB's rate, better at 0.9. */
export const JOBS = {
  "L-BFGS, digits": { peer: "scikit-learn", must: 2.0, aim: 1.0 },
  "L-BFGS, 60000 × 784 × 10": { peer: "scikit-learn", must: 1.0, aim: 0.5 },
  "L-BFGS, MNIST": { peer: "scikit-learn", must: 1.0, aim: 0.5 },
  "linearCrossEntropyWithGrad 1024 × 512 × 32000": { peer: "PyTorch", must: 3.0, aim: 2.0 },
  "linearCrossEntropyWithGrad 1024 × 512 × 32000, extra memory": { peer: "PyTorch", must: 1 / 30, aim: 1 / 30 },
  "L-BFGS pass, streamed": { peer: "DuckDB", must: 1 / 0.7, aim: 1 / 0.9 },
  "L-BFGS, streamed, resident memory": { peer: "1 GiB", must: 1, aim: 1 },
};
export const TWO_THREADS_AIM = 1.8; // times as fast as one
export const MOST_GZIPPED = 60_000; // bytes

/** The peers that a must is judged against, for a work. */
export const judged = (work) => Object.keys(TARGETS[work]);

/**
 * PyTorch with AVX-512 is shown beside the same numbers, but the musts are about AVX2.
 * @returns {{ must: number | null, aim: number | null, counts: boolean }}
 */
export function target(work, peer, deviation) {
  const { must, aim } = TARGETS[work][peer.replace(/^PyTorch, .*/, "PyTorch")] ?? {};
  const least = must?.[deviation] ?? null;
  return { must: least, aim: least === null ? null : aim, counts: least !== null && peer in TARGETS[work] };
}
