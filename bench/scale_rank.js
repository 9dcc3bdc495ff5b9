// What each process of bench/scale.js runs: node scale_rank.js <job as JSON>. Prints what it has measured as a line of JSON.
//   { kind: "train", path, options, batchSize, mode }   mode: "ranks" share the rows; "alone" each trains on all rows, without a reducer;
//                                                       "self": alone, by a reducer that has nobody to talk to
//   { kind: "reduce", lengths }                         all-reduces of so many int64
import { createHash } from "node:crypto";
import { hold, openSource } from "@napier/cli";
import { connect, launched } from "@napier/mpi";
import { fit } from "napier/train";
import { holdOwn } from "../packages/cli/dist/share.js";

const SAMPLES = 9;
const SAMPLE_SECONDS = 0.02; // about
const MOST_CALLS = 2000;
const ALONE = { rank: 0, size: 1, sum() {}, max() {} };

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const since = (start) => (performance.now() - start) / 1000;

/** A reducer whose calls are timed and counted: the seconds inside, and how many of each size in bytes. */
function watched(reducer) {
  const seen = { inside: 0, sizes: {} };
  const timed = (name) => (values) => {
    const start = performance.now();
    reducer[name](values);
    seen.inside += since(start);
    seen.sizes[values.byteLength] = (seen.sizes[values.byteLength] ?? 0) + 1;
  };
  return { reducer: { rank: reducer.rank, size: reducer.size, sum: timed("sum"), max: timed("max") }, seen };
}

/** Seconds, calls and sizes from one progress of training to the next. */
function lapCounter(kind, seen, traffic) {
  const laps = [];
  const now = () => ({ at: performance.now(), inside: seen.inside, sizes: { ...seen.sizes }, ...traffic });
  let last;
  const onProgress = (progress) => {
    if (progress.kind !== kind) return;
    const next = now();
    if (last) {
      const sizes = Object.entries(next.sizes).map(([bytes, count]) => [
        Number(bytes),
        count - (last.sizes[bytes] ?? 0),
      ]);
      laps.push({
        seconds: (next.at - last.at) / 1000,
        inside: next.inside - last.inside,
        calls: next.calls - last.calls,
        bytes: next.bytes - last.bytes,
        sizes: sizes.filter(([, count]) => count > 0),
      });
    }
    last = next;
  };
  return { laps, onProgress };
}

/** The bytes that a model file would hold. */
function digest({ layers, scaling }) {
  const hash = createHash("sha256");
  const parts = [scaling.center, scaling.factor, ...layers.flatMap(({ weight, bias }) => [weight, bias])];
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

async function train(communicator, { path, options, batchSize, mode }) {
  const traffic = communicator?.traffic ?? { calls: 0, bytes: 0 };
  const isShared = mode === "ranks" && communicator !== undefined;
  const start = performance.now();
  const source = await openSource(path, { target: "label" });
  const held = isShared
    ? await holdOwn(source, communicator, batchSize, {})
    : await hold(source, { random: batchSize !== undefined });
  const read = since(start);
  const { reducer, seen } = watched(isShared ? communicator : ALONE);
  const { laps, onProgress } = lapCounter(batchSize === undefined ? "iteration" : "epoch", seen, traffic);
  // the loss of a step is told once an hour: telling costs a norm of the gradient
  const given = { ...options, ...(batchSize && { batchSize, reportEvery: 3.6e6 }), onProgress };
  const { features } = held;
  const model = await fit({ ...given, source: held, features, ...((isShared || mode === "self") && { reducer }) });
  await held.close();
  return { read, train: since(start) - read, laps, sha256: digest(model) };
}

/** Seconds an all-reduce of `length` int64 takes; rank 0 says how often it is called, so that all ranks do the same. */
function timeReduce(communicator, length) {
  const values = new BigInt64Array(length).fill(1n);
  const repeat = (calls) => {
    const start = performance.now();
    for (let k = 0; k < calls; k++) communicator.sum(values);
    return since(start) / calls;
  };
  repeat(3);
  const once = repeat(5);
  const calls = BigInt64Array.of(0n);
  if (communicator.rank === 0) calls[0] = BigInt(Math.max(1, Math.min(MOST_CALLS, Math.round(SAMPLE_SECONDS / once))));
  communicator.sum(calls);
  return { bytes: values.byteLength, samples: Array.from({ length: SAMPLES }, () => repeat(Number(calls[0]))) };
}

const job = JSON.parse(process.argv[2]);
const communicator = launched() === undefined ? undefined : await connect();
const { rank = 0, size = 1, library = "none" } = communicator ?? {};
const measured =
  job.kind === "reduce"
    ? { reduces: job.lengths.map((length) => timeReduce(communicator, length)) }
    : await train(communicator, job);
say({ rank, size, library, ...measured });
communicator?.end();
