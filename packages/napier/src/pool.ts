import { checkOptions, rangeError } from "./check.ts";
import { Crew, closed, join } from "./crew.ts";
import { prepareCrossEntropy, prepareCrossEntropyWithGrad } from "./crossentropy.ts";
import { cores, whyNone } from "./helpers.ts";
import type { Prepared } from "./job.ts";
import { SHARED_KERNELS } from "./kernels/sharedbytes.ts";
import { type LogSumExp, type LogSumExpBackward, prepareLogSumExp, prepareLogSumExpBackward } from "./logsumexp.ts";
import type { CrossEntropyOptions, SoftCrossEntropyOptions } from "./lossoptions.ts";
import type { Loss, LossWithGrad } from "./reduction.ts";
import { runNow } from "./runner.ts";
import { prepareSoftCrossEntropy, prepareSoftCrossEntropyWithGrad } from "./softcrossentropy.ts";
import {
  type MapOptions,
  prepareLogSoftmax,
  prepareLogSoftmaxBackward,
  prepareSoftmax,
  prepareSoftmaxBackward,
} from "./softmax.ts";
import type { Elementwise, Elementwise2, Logits } from "./tensor.ts";
import { runTiles } from "./tiling.ts";
import { decode } from "./wasm.ts";

export interface PoolOptions {
  /** The caller's thread included; as many as the machine runs at once by default. */
  threads?: number;
}

const MOST = 256;

let module: WebAssembly.Module | undefined;

/**
 * Threads on shared memory. Every operation takes the arguments of the plain one of its name and gives the same bits, or
 * the same error; it returns a promise, and until that is settled its arrays must be left alone. Calls wait for each other.
 */
class Pool {
  /** Threads that compute, the caller's included. */
  readonly threads: number;
  /** Why there is one thread only, where there cannot be more. */
  readonly reason: string | undefined;
  readonly #crew: Crew | undefined;
  #isClosed = false;

  constructor(threads: number, reason: string | undefined) {
    this.threads = reason === undefined ? threads : 1;
    this.reason = reason;
    if (this.threads > 1) {
      module ??= new WebAssembly.Module(decode(SHARED_KERNELS));
      this.#crew = new Crew(module, this.threads);
    }
    join(this, () => {
      if (this.#isClosed) throw closed();
      return this.#crew;
    });
  }

  async #run(prepare: () => Prepared<unknown>): Promise<unknown> {
    if (this.#isClosed) throw closed();
    const prepared = prepare();
    const crew = this.#crew;
    if (crew === undefined) return runNow(prepared);
    return crew.alone(() => runTiles(crew, prepared));
  }

  readonly logSoftmax = ((...args: Parameters<typeof prepareLogSoftmax>) =>
    this.#run(() => prepareLogSoftmax(...args))) as Elementwise<MapOptions, true>;

  readonly softmax = ((...args: Parameters<typeof prepareSoftmax>) =>
    this.#run(() => prepareSoftmax(...args))) as Elementwise<MapOptions, true>;

  readonly logSumExp = ((...args: Parameters<typeof prepareLogSumExp>) =>
    this.#run(() => prepareLogSumExp(...args))) as LogSumExp<true>;

  readonly crossEntropy = ((...args: Parameters<typeof prepareCrossEntropy>) =>
    this.#run(() => prepareCrossEntropy(...args))) as Loss<CrossEntropyOptions, true>;

  readonly crossEntropyWithGrad = ((...args: Parameters<typeof prepareCrossEntropyWithGrad>) =>
    this.#run(() => prepareCrossEntropyWithGrad(...args))) as LossWithGrad<CrossEntropyOptions, true>;

  readonly softCrossEntropy = ((...args: Parameters<typeof prepareSoftCrossEntropy>) =>
    this.#run(() => prepareSoftCrossEntropy(...args))) as Loss<SoftCrossEntropyOptions, true, Logits>;

  readonly softCrossEntropyWithGrad = ((...args: Parameters<typeof prepareSoftCrossEntropyWithGrad>) =>
    this.#run(() => prepareSoftCrossEntropyWithGrad(...args))) as LossWithGrad<SoftCrossEntropyOptions, true, Logits>;

  readonly logSoftmaxBackward = ((...args: Parameters<typeof prepareLogSoftmaxBackward>) =>
    this.#run(() => prepareLogSoftmaxBackward(...args))) as Elementwise2<MapOptions, true>;

  readonly softmaxBackward = ((...args: Parameters<typeof prepareSoftmaxBackward>) =>
    this.#run(() => prepareSoftmaxBackward(...args))) as Elementwise2<MapOptions, true>;

  readonly logSumExpBackward = ((...args: Parameters<typeof prepareLogSumExpBackward>) =>
    this.#run(() => prepareLogSumExpBackward(...args))) as LogSumExpBackward<true>;

  /** Ends the threads after the calls that were made before; later ones are errors. A process ends without it too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#crew?.close();
  }
}

export type { Pool };

/**
 * A pool of threads for operations on large arrays, and for `fit({ pool })`.
 *
 * @param options.threads  how many threads compute, the caller's included; by default as many as the machine runs at once
 * @returns the pool, at once; its threads start meanwhile
 * @throws {RangeError} threads is not an integer from 1 to 256
 *
 * In a browser threads need a page that is cross-origin isolated; elsewhere `pool.threads` is 1 and `pool.reason` says why.
 * Their file is poolworker.js beside the code: Vite puts it there; for esbuild make `napier/poolworker` an entry point named
 * `poolworker`.
 * Cost: rows are computed by all threads, plain arrays copied by the caller's alone. Arrays on a SharedArrayBuffer are
 * copied by all threads too, and give arrays on one.
 *
 * @example
 * const pool = createPool({ threads: 2 });
 * await pool.logSoftmax([1000, 0, -1000]); // [0, -1000, -2000]
 * await pool.close();
 */
export function createPool(options: PoolOptions = {}): Pool {
  checkOptions("createPool", options, ["threads"]);
  const { threads = Math.min(MOST, cores()) } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST) {
    throw rangeError("createPool", "options.threads", `an integer from 1 to ${MOST}`, threads);
  }
  return new Pool(threads, threads > 1 ? whyNone() : undefined);
}
