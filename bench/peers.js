// Every peer that is here. A peer has a name, a version and a sampler (see clock.js) for each work that it does.
import { sampler } from "./clock.js";
import { jax } from "./peer_jax.js";
import { napier } from "./peer_napier.js";
import { onnxruntimeNode, onnxruntimeWeb } from "./peer_onnxruntime.js";
import { plain } from "./peer_plain.js";
import { sklearn, torch } from "./peer_python.js";
import { tfjs } from "./peer_tfjs.js";
import { transformers } from "./peer_transformers.js";

const LOADERS = {
  PyTorch: torch,
  "scikit-learn": sklearn,
  "onnxruntime-node": onnxruntimeNode,
  "onnxruntime-web": onnxruntimeWeb,
  "tfjs wasm": tfjs,
  "jax-js": jax,
  "transformers.js": transformers,
  "plain JS": async () => plain,
};

// One thread each. Node has no global Worker, but onnxruntime-web defines one, and jax-js would take threads by it.
Object.defineProperty(globalThis, "Worker", { get: () => undefined, set: () => {} });

/** @returns {Promise<{ peers: object[], missing: string[] }>} missing: those that do not load; why goes to stderr */
export async function loadPeers() {
  const peers = [];
  const missing = [];
  for (const [name, load] of Object.entries(LOADERS)) {
    try {
      peers.push(await load());
    } catch (error) {
      missing.push(name);
      console.error(`${name} is left out: ${error.message.split("\n")[0]}`);
    }
  }
  return { peers: peers.flat(), missing };
}

/** Whether two results agree to 1e-3 of their largest entry: who is measured must have done the work. */
function agree(theirs, ours) {
  const largest = ours.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  return theirs.length === ours.length && ours.every((v, k) => Math.abs(theirs[k] - v) <= 1e-3 * largest);
}

/**
 * The samplers of ours and of all peers that do this work, by name, ours first; wrong: those left out for their results.
 * @returns {Promise<{ samplers: object, wrong: string[], close: () => Promise<void> }>}
 */
export async function contenders(peers, work, problem) {
  const ours = napier.prepare(work, problem);
  const expected = ours().slice();
  const samplers = { [napier.name]: sampler(ours) };
  const wrong = [];
  const closers = [];
  for (const peer of peers) {
    if (peer.sampler) {
      const sample = peer.sampler(work, problem);
      if (sample) samplers[peer.name] = sample;
      continue;
    }
    const call = await peer.prepare(work, problem);
    if (!call) continue;
    problem.out.fill(0);
    if (call.close) closers.push(call.close);
    const result = await call();
    if (peer.unfilled || agree(result, expected)) samplers[peer.name] = sampler(call);
    else wrong.push(peer.name);
  }
  return {
    samplers,
    wrong,
    close: async () => {
      for (const close of closers) await close();
    },
  };
}
