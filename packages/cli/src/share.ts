import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { basename } from "node:path";
import { type Communicator, type ConnectOptions, connect, launched, notConnected } from "@napier/mpi";
import { batchParts, gatherJson, type Label, ownBlocks, type Reducer } from "napier/train";
import { inputError, visible } from "./errors.ts";
import { type Held, type HoldOptions, hold, type Seen } from "./hold.ts";
import { BLOCK_ROWS, type Block, type Source } from "./rows.ts";

/** The other processes of an MPI job; undefined where no launcher has started this one, or it alone. */
export async function joinRanks(options: ConnectOptions): Promise<Communicator | undefined> {
  const reason = notConnected();
  if (reason !== undefined) {
    const [message, hint] = reason.split(/; (.*)/) as [string, string];
    throw inputError(message, hint);
  }
  const place = launched();
  return place === undefined || place.size === 1 ? undefined : connect(options);
}

/** The cores that this process may run on, as Linux says it. */
function allowed(): string {
  try {
    return /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** Threads of a rank: the cores that it is bound to, shared with the ranks that are bound to the same. */
export async function threadsOfRank(reducer: Reducer): Promise<number> {
  const cores = `${hostname()} ${allowed()}`;
  const all = await gatherJson(cores, reducer);
  return Math.max(1, Math.floor(availableParallelism() / all.filter((each) => each === cores).length));
}

/** Throws on every rank, with the same message, where the first rank that differs from rank 0 does so. */
export async function agree(own: Readonly<Record<string, unknown>>, reducer: Reducer): Promise<void> {
  const all = await gatherJson(own, reducer);
  all.forEach((there, rank) => {
    for (const name of new Set([...Object.keys(all[0]!), ...Object.keys(there)])) {
      const [a, b] = [there, all[0]!].map((facts) => JSON.stringify(facts[name] ?? null));
      if (a === b) continue;
      const text = `rank ${rank} is not at the same work as rank 0: ${name} is ${visible(a!)} there and ${visible(b!)} here`;
      throw inputError(text, "start all ranks with the same options, on the same files");
    }
  });
}

/** Bytes at the end of a Parquet file that say what is where in it, and between which values. */
const END = 65_536;

/** Name, size and a digest of the end: folders may be others on other machines. */
function factOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    const end = Buffer.alloc(Math.min(END, size));
    readSync(descriptor, end, 0, end.length, size - end.length);
    const digest = createHash("sha256").update(end).digest("hex").slice(0, 8);
    return `${basename(file)}, ${size} bytes, ${digest}`;
  } finally {
    closeSync(descriptor);
  }
}

const factsOf = ({ files }: Source): Record<string, unknown> =>
  Object.fromEntries(files.map((file, n) => [`file ${n + 1}`, factOf(file)]));

/** What a rank has found in its rows. */
interface Told {
  readonly labels: readonly (readonly [label: Label, first: number, rows: number])[];
  readonly features: Held["features"];
}

/** Labels of all ranks, in the order in which they come first. */
function mergedLabels(all: readonly Told[]): Map<Label, Seen> {
  const labels = new Map<Label, Seen>();
  // ranks have their rows in their order
  for (const [label, first, rows] of all.flatMap((told) => told.labels)) {
    const seen = labels.get(label);
    if (seen === undefined) labels.set(label, { first, rows });
    else seen.rows += rows;
  }
  return labels;
}

/** The features' sizes, which lists have from their first row. */
function mergedFeatures(name: string, all: readonly Told[]): Held["features"] {
  const known = all.filter(({ features }) => features.every(({ size }) => size > 0)).map(({ features }) => features);
  const [first] = known;
  if (first === undefined) throw inputError(`${name} has no rows`);
  for (const features of known) {
    const k = features.findIndex(({ size }, n) => size !== first[n]!.size);
    if (k < 0) continue;
    const { name: column, size } = features[k]!;
    throw inputError(`${name}: column ${JSON.stringify(column)} has lists of ${first[k]!.size} and of ${size} numbers`);
  }
  return [...first];
}

/**
 * Reads a rank's own blocks once, straight from the Parquet files; rows and labels of the result are those of all ranks, its
 * blocks the rank's own.
 *
 * @param batchSize  of mini-batches, whose parts are shared; undefined where every block is for itself
 */
export async function holdOwn(
  source: Source,
  reducer: Reducer,
  batchSize: number | undefined,
  options: Omit<HoldOptions, "random">,
): Promise<Held> {
  if (source.slices === undefined) {
    source.close();
    const hint = "write it as Parquet once: duckdb -c \"COPY (FROM 'rows.csv') TO 'rows.parquet'\"";
    throw inputError(`${source.name}: several ranks read Parquet files only`, hint);
  }
  await agree(factsOf(source), reducer);
  const { rows, read } = await source.slices();
  const { first, end } = ownBlocks(reducer, rows, batchSize === undefined ? undefined : batchParts(batchSize, rows));
  async function* own(): AsyncGenerator<Block> {
    if (first < end) yield* read(first * BLOCK_ROWS, Math.min(rows, end * BLOCK_ROWS));
  }
  const part: Source = {
    ...source,
    get features() {
      return source.features;
    },
    [Symbol.asyncIterator]: own,
  };
  const held = await hold(part, { ...options, random: true });
  const before = first * BLOCK_ROWS;
  const labels = [...held.labels].map(([label, seen]) => [label, seen.first + before, seen.rows] as const);
  const all = await gatherJson<Told>({ labels, features: held.features }, reducer);
  return {
    source,
    features: mergedFeatures(source.name, all),
    rows,
    labels: mergedLabels(all),
    [Symbol.asyncIterator]: () => held[Symbol.asyncIterator](),
    block: (index) => held.block!(index - first),
    close: () => held.close(),
  };
}

/** The numbers of all ranks' blocks, in order. */
export async function ofAllBlocks(own: readonly number[], reducer: Reducer | undefined): Promise<number[]> {
  if (reducer === undefined) return [...own];
  // as text: JSON has no ∞ and NaN
  return (await gatherJson(own.map(String), reducer)).flat().map(Number);
}
