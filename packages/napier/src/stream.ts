import { checkOptions, rangeError, typeError, words } from "./check.ts";
import type { HalfName } from "./half.ts";
import { logSoftmax, type MapOptions } from "./softmax.ts";
import {
  type AnyData,
  type Computed,
  type Data,
  type Elementwise,
  type Tensor,
  type View,
  view,
  type Writable,
  wrap,
} from "./tensor.ts";

/** Rows in a row: `shape` is [rows, classes]. */
export type Block<D extends AnyData = Data> = Tensor<D>;

/** Takes the blocks of a stream, and is awaited before the next one is read. */
export type BlockSink<D extends Data = Data> = ((block: Block<D>) => unknown) | { write(block: Block<D>): unknown };

export interface StreamOptions {
  /** from `createPool`: its threads compute the blocks */
  pool?: { readonly logSoftmax: Elementwise<MapOptions, true> };
  /** what Uint16Arrays hold, where no `type` says it */
  dtype?: HalfName;
}

const CALLER = "logSoftmaxStream";

/** Looks at a block; all blocks of a stream are like the first in dtype and classes. */
function checkBlock(block: unknown, name: string, dtype: HalfName | undefined, like: View | undefined): View {
  const x = view(CALLER, name, block as Block, { dtype });
  const shape = words(`[${x.shape.join(", ")}]`);
  if (x.kind === "flat") throw typeError(CALLER, name, "{ data, shape }", block);
  if (x.shape.length !== 2) throw rangeError(CALLER, `${name}.shape`, "[rows, classes]", shape);
  if (like === undefined) return x;
  if (x.dtype !== like.dtype) throw typeError(CALLER, name, `${like.dtype} as the first block`, words(x.dtype));
  if (x.classes !== like.classes) throw rangeError(CALLER, `${name}.shape`, `[rows, ${like.classes}]`, shape);
  return x;
}

/**
 * Log-probabilities of any number of rows, block by block: what is kept does not grow with them.
 *
 *   out[i, j] = x[i, j] − log Σ_k exp(x[i, k])
 *
 * @param source  an iterable or async iterable of blocks `{ data, shape }` of shape [rows, classes], of 16, 32 or 64
 * bits, all computed in one dtype and with as many classes; rows may differ
 * @param sink  a function, or an object with `write`: gets each block's log-probabilities, in the order and kind of the
 * source's blocks, and is awaited before the next block is read; what it gets is its own to keep
 * @param options.dtype  as in logSoftmax
 * @param options.pool  from `createPool`: its threads compute the blocks
 * @returns a promise of the number of rows
 * @throws {RangeError} a block's shape is not [rows, classes], its classes are not the first one's, or its data not of
 * that length
 * @throws {TypeError} the source is no iterable, the sink takes no blocks, a block is no tensor or of another dtype
 *
 * Edges, accuracy and bits are logSoftmax's. An error of the source or of the sink ends the stream, and is its own.
 *
 * @example
 * const blocks = [{ data: [1000, 0], shape: [1, 2] }, { data: [0, 0, 20, 0], shape: [2, 2] }];
 * const seen = [];
 * const rows = await logSoftmaxStream(blocks, ({ data }) => seen.push(data[0]));
 * seen; // [0, -0.6931471805599453]
 * rows; // 3
 */
export async function logSoftmaxStream<D extends AnyData>(
  source: Iterable<Block<D>> | AsyncIterable<Block<D>>,
  sink: BlockSink<Computed<D>>,
  options: StreamOptions = {},
): Promise<number> {
  checkOptions(CALLER, options, ["pool", "dtype"]);
  const { pool, dtype } = options;
  if (pool !== undefined && typeof pool?.logSoftmax !== "function") {
    throw typeError(CALLER, "options.pool", "what createPool returned", pool);
  }
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = Object(source);
  if (typeof (later ?? now) !== "function") throw typeError(CALLER, "source", "an iterable of blocks", source);
  const write = typeof sink === "function" ? sink : sink?.write?.bind(sink);
  if (typeof write !== "function") throw typeError(CALLER, "sink", "a function or an object with write", sink);
  let first: View | undefined;
  let blocks = 0;
  let rows = 0;
  for await (const block of source) {
    const x = checkBlock(block, `source[${blocks}]`, dtype, first);
    first ??= { ...x, data: [] };
    // as it was read: 16 bits are made 32 only once
    const read = wrap(x, x.data as Writable, x.shape) as Block;
    await write((pool ? await pool.logSoftmax(read) : logSoftmax(read)) as Block<Computed<D>>);
    blocks++;
    rows += x.rows;
  }
  return rows;
}
