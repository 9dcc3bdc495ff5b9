import { stateError } from "../check.ts";
import { decodeCheckpoint, encodeCheckpoint, type Identity, type TrainingState } from "./checkpoint.ts";

/**
 * Where checkpoints are kept: bytes by name. `napier/node` has one on disk; a Map, a database or a browser's own file
 * system will do. A write that a crash cuts short may leave anything under its own name, and nothing under the others.
 */
export interface CheckpointStore {
  /** What was last written under this name; undefined where there is nothing. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Takes the place of what is there; done when the promise resolves. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** The two names that checkpoints have. */
export const SLOTS = ["checkpoint-a.safetensors", "checkpoint-b.safetensors"] as const;

export interface Loaded {
  /** The newest good checkpoint; undefined where there is none yet. */
  readonly state: TrainingState | undefined;
  /** What was refused, and why. */
  readonly notes: readonly string[];
}

/**
 * The last two checkpoints of a training. A save never touches the newest good one, so whenever the process ends, one
 * that was written whole is still there.
 */
export class Checkpoints {
  readonly #store: CheckpointStore;
  readonly #identity: Identity;
  #next: 0 | 1 = 0;
  #saves = 0;

  constructor(store: CheckpointStore, identity: Identity) {
    this.#store = store;
    this.#identity = identity;
  }

  /**
   * The newest good checkpoint. A damaged one that stands alone is a first save that was never finished, so the training
   * is at its beginning.
   *
   * @throws {Error} there are checkpoints, and none is good
   */
  async load(): Promise<Loaded> {
    const notes: string[] = [];
    let state: TrainingState | undefined;
    let found = 0;
    let sound = 0;
    for (const n of [0, 1] as const) {
      const bytes = await this.#store.read(SLOTS[n]);
      if (bytes === undefined) continue;
      found++;
      const decoded = decodeCheckpoint(bytes, this.#identity);
      if ("refused" in decoded) {
        notes.push(`${SLOTS[n]} is ${decoded.refused}`);
        if (!decoded.damaged) sound++;
      } else if (state === undefined || decoded.save > this.#saves) {
        state = decoded.state;
        this.#saves = decoded.save;
        this.#next = n === 0 ? 1 : 0;
      }
    }
    if (state === undefined && found > (sound === 0 ? 1 : 0)) {
      const todo = "go on with the options and data that it began with, or keep checkpoints elsewhere";
      throw stateError("fit", "checkpoint", "one to resume from", notes.join(", "), todo);
    }
    return { state, notes };
  }

  /** @throws {Error} there are checkpoints: a new training's would be taken for older than they are */
  async checkEmpty(): Promise<void> {
    for (const name of SLOTS) {
      if ((await this.#store.read(name)) === undefined) continue;
      const todo = "set resume to go on from it, or keep checkpoints elsewhere";
      throw stateError("fit", "checkpoint", "a store without checkpoints", name, todo);
    }
  }

  /** Writes over the older one. */
  async save(state: TrainingState): Promise<void> {
    const slot = this.#next;
    await this.#store.write(SLOTS[slot], encodeCheckpoint(this.#identity, state, this.#saves + 1));
    this.#saves++;
    this.#next = slot === 0 ? 1 : 0;
  }
}
