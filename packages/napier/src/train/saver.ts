import { stateError } from "../check.ts";
import type { Identity, TrainingState } from "./checkpoint.ts";
import type { CheckpointOptions } from "./options.ts";
import { gather, type Reducer } from "./reducer.ts";
import { type CheckpointStore, Checkpoints } from "./store.ts";

/** Seconds between two saves. */
const EVERY = 30;

/** Rank 0's store: it alone reads and writes, and what it has read is told to all. */
function sharedStore(store: CheckpointStore, reducer: Reducer): CheckpointStore {
  const isFirst = reducer.rank === 0;
  return {
    read: async (name) => {
      const bytes = isFirst ? await store.read(name) : undefined;
      const told = Uint8Array.of(bytes ? 1 : 0);
      const [found] = await gather(told, reducer);
      const [content] = await gather(bytes ?? new Uint8Array(0), reducer);
      return found[0] === 1 ? content : undefined;
    },
    write: async (name, bytes) => {
      if (isFirst) await store.write(name, bytes);
    },
  };
}

/** A training's checkpoints: where it goes on, and when they are written. Time decides when, and nothing else. */
export class Saver {
  /** To go on from. */
  readonly state: TrainingState | undefined;
  /** Checkpoints that were refused, and why. */
  readonly notes: readonly string[];
  readonly #checkpoints: Checkpoints;
  readonly #wait: number;
  #last = performance.now();

  private constructor(
    checkpoints: Checkpoints,
    every: number,
    { state, notes }: Pick<Saver, "state" | "notes"> = { state: undefined, notes: [] },
  ) {
    this.#checkpoints = checkpoints;
    this.#wait = every * 1000;
    this.state = state;
    this.notes = notes;
  }

  /** @throws {Error} with `resume`, there are checkpoints and none is good; without, there are some */
  static async open(
    { store, every = EVERY }: CheckpointOptions,
    identity: Identity,
    resume: boolean,
    reducer: Reducer | undefined,
  ): Promise<Saver> {
    const checkpoints = new Checkpoints(reducer ? sharedStore(store, reducer) : store, identity);
    if (resume) return new Saver(checkpoints, every, await checkpoints.load());
    await checkpoints.checkEmpty();
    return new Saver(checkpoints, every);
  }

  /** Saves, if the last save is long enough ago. */
  async saveIfDue(state: () => TrainingState): Promise<void> {
    if (performance.now() - this.#last >= this.#wait) await this.save(state());
  }

  async save(state: TrainingState): Promise<void> {
    await this.#checkpoints.save(state);
    this.#last = performance.now();
  }
}

/** Runs a training. Where its signal ends it, that is told after a save. */
export async function savedOnAbort<T>(
  saver: Saver | undefined,
  signal: AbortSignal | undefined,
  state: () => TrainingState,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    // other errors may have come in the middle of a step
    if (saver && signal?.aborted && error === signal.reason) await saver.save(state());
    throw error;
  }
}

/** Throws where a checkpoint is past the end of this training: what it leads to is not what this training gives. */
export function checkGoal(isWithin: boolean, expected: string, got: string, todo: string): void {
  if (!isWithin) throw stateError("fit", "checkpoint", expected, got, todo);
}

/** Throws where a sound checkpoint holds what no training of this kind saves: somebody made it so. */
export function checkSaved(isGood: boolean, what: "counters" | "tensors"): asserts isGood {
  if (!isGood)
    throw stateError("fit", "checkpoint", `${what} of this training`, "others", "keep checkpoints elsewhere");
}

export const isCounter = (value: number | undefined): value is number => Number.isSafeInteger(value) && value! >= 0;

/** Tensors or numbers by names that begin with their owner's. */
export function prefixed<T>(owner: string, record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [`${owner}.${name}`, value]));
}

/** What `prefixed` has put together with others. */
export function unprefixed<T>(owner: string, record: Readonly<Record<string, T>>): Record<string, T> {
  const own = Object.entries(record).filter(([name]) => name.startsWith(`${owner}.`));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(owner.length + 1), value]));
}
