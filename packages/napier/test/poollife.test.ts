import { execFileSync } from "node:child_process";
import workerThreads, { type Worker } from "node:worker_threads";
import { createPool } from "napier/pool";
import { fit } from "napier/train";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "../../../test/examples.ts";

const CLOSED = "pool: state expected open, got closed; createPool makes another";
const DIED = "pool: state expected running threads, got one that has ended; createPool makes another";

/** Runs code in a Node of its own, as a module in the repository's root; what it prints. */
const run = (code: string): string =>
  execFileSync(process.execPath, ["--input-type=module", "-e", code], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 30_000,
    stdio: ["ignore", "pipe", "pipe"],
  });

describe("a process ends by itself, and not before its results", () => {
  const IMPORT = 'import { createPool } from "napier/pool"; import { fit } from "napier/train";';
  test.each([
    ["a pool that does nothing", "createPool({ threads: 3 });", ""],
    [
      "a pool that was never closed",
      "const pool = createPool({ threads: 3 }); const x = new Float32Array(4e6); console.log((await pool.logSoftmax(x, { shape: [4000, 1000] }))[7]);",
      "-6.907755374908447\n",
    ],
    [
      "one large row on each thread, nothing else to wait for",
      "const pool = createPool({ threads: 3 }); const x = new Float32Array(9e6); pool.logSumExp(x, { shape: [3, 3e6] }).then(([y]) => console.log(y));",
      "14.914122581481934\n",
    ],
    ["a closed pool", "const pool = createPool({ threads: 2 }); await pool.close(); console.log(1);", "1\n"],
    [
      "training",
      "const pool = createPool({ threads: 2 }); const x = { data: [0, 1, 2, 3], shape: [4, 1] }; const model = await fit({ x, y: [0, 0, 1, 1], pool }); console.log(model.predict(x).join());",
      "0,0,1,1\n",
    ],
  ])("%s", (_, code, printed) => {
    expect(run(`${IMPORT} ${code}`)).toBe(printed);
  });
});

describe("close", () => {
  test("ends the threads after what was asked for; later calls are errors, and closing again is none", async () => {
    const pool = createPool({ threads: 2 });
    const before = pool.logSoftmax(new Float32Array(400_000), { shape: [400, 1000] });
    const closing = pool.close();
    await expect(pool.softmax([1, 2])).rejects.toThrow(new Error(CLOSED));
    await expect(fit({ x: { data: [1, 2], shape: [2, 1] }, y: [0, 1], pool })).rejects.toThrow(new Error(CLOSED));
    expect((await before)[0]).toBe(Math.fround(-Math.log(1000)));
    await closing;
    await pool.close();
  });
  test("of one thread", async () => {
    const pool = createPool({ threads: 1 });
    await pool.close();
    await expect(pool.softmax([1, 2])).rejects.toThrow(new Error(CLOSED));
  });
});

describe("a worker that dies is an error", () => {
  const { Worker: Original } = workerThreads;
  let started: Worker[] = [];
  beforeEach(() => {
    started = [];
    workerThreads.Worker = class extends Original {
      constructor(...args: ConstructorParameters<typeof Original>) {
        super(...args);
        started.push(this);
      }
    };
  });
  afterEach(() => {
    workerThreads.Worker = Original;
  });

  test("while it computes", async () => {
    const pool = createPool({ threads: 3 });
    expect(started.length).toBe(2);
    const x = new Float32Array(40_000_000);
    const result = pool.logSoftmax(x, { shape: [40_000, 1000] });
    setTimeout(() => started[0].terminate(), 50);
    await expect(result).rejects.toThrow(new Error(DIED));
    await expect(pool.softmax([1, 2])).rejects.toThrow(new Error(DIED));
    await pool.close();
    await expect(pool.softmax([1, 2])).rejects.toThrow(new Error(CLOSED));
  });

  test("before it has started: the caller may have done it all alone; the next call is an error", async () => {
    const pool = createPool({ threads: 2 });
    const ended = started[0].terminate();
    const x = new Float32Array(4_000_000);
    const [{ status }] = await Promise.allSettled([pool.logSoftmax(x, { shape: [4, 1_000_000] })]);
    expect(status).toMatch(/fulfilled|rejected/);
    await ended;
    await expect(pool.logSoftmax([1, 2])).rejects.toThrow(new Error(DIED));
  });

  test("between two calls", async () => {
    const pool = createPool({ threads: 2 });
    await pool.logSoftmax(new Float32Array(400_000), { shape: [400, 1000] });
    await started[0].terminate();
    await expect(pool.logSoftmax([1, 2])).rejects.toThrow(new Error(DIED));
  });

  test("while it trains", async () => {
    const pool = createPool({ threads: 2 });
    const data = Float32Array.from({ length: 2000 * 64 }, (_, k) => Math.sin(k));
    const y = Array.from({ length: 2000 }, (_, i) => i % 10);
    const training = fit({ x: { data, shape: [2000, 64] }, y, hidden: [128], epochs: 10_000, pool });
    setTimeout(() => started[0].terminate(), 100);
    await expect(training).rejects.toThrow(new Error(DIED));
  });
});
