// A page as a user writes it; bundles.test.ts bundles it.
import { crossEntropyWithGrad, logSoftmax } from "napier";
import { createPool } from "napier/pool";
import { fit as train } from "napier/train";

let messages = 0;
const { Worker } = globalThis;
globalThis.Worker = class extends Worker {
  constructor(url, options) {
    super(url, options);
    this.addEventListener("message", () => messages++);
  }
};

const pool = createPool({ threads: 2 });
const options = { shape: [2000, 501] };
const x = Float32Array.from({ length: 2000 * 501 }, (_, k) => ((k * 7919) % 1009) / 50);
const plain = logSoftmax(x, options);
const threaded = await pool.logSoftmax(x, options);
const rows = { data: [0, 1, 2, 3], shape: [4, 1] };
const model = await train({ x: rows, y: ["low", "low", "high", "high"], pool });
// a thread tells the caller, who waits, that it has done something
const long = new Float32Array(4 * 2 ** 20);
const end = performance.now() + 20_000;
while (pool.threads > 1 && messages === 0 && performance.now() < end)
  await pool.logSumExp(long, { shape: [4, 2 ** 20] });
const { threads, reason } = pool;
await pool.close();

const results = {
  logSoftmax: logSoftmax([40, 0]),
  grad: crossEntropyWithGrad([40, 0], 0),
  isolated: crossOriginIsolated,
  threads,
  helped: messages > 0,
  reason,
  same: threaded.every((value, k) => Object.is(value, plain[k])),
  labels: model.predict(rows),
};
console.log(JSON.stringify(results));
