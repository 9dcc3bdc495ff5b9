import { stateError, typeError } from "./check.ts";
import { type Helper, startHelper } from "./helpers.ts";
import {
  CALL_WORDS,
  CALLER,
  CALLS,
  MAIL,
  type Mail,
  Patience,
  type Phase,
  type Plan,
  PUBLISHED,
  QUEUE_BYTES,
  RING,
  SLEEPERS,
  Thread,
  WAKE,
} from "./thread.ts";
import type { Space } from "./wasm.ts";

/** How long the caller looks before it waits for a message, which takes some 100 µs. */
const SPIN_MS = 0.5;
/** How long the caller works before timers and events have their turn. */
const TURN_MS = 20;

const later: (resume: () => void) => void =
  (globalThis as { setImmediate?: (resume: () => void) => void }).setImmediate ?? setTimeout;

/** A memory, and this thread's kernels on it. */
export interface Place {
  readonly id: number;
  /** @internal */
  readonly memory: WebAssembly.Memory;
  readonly space: Space;
}

export const closed = (): Error => stateError("pool", "state", "open", "closed", "createPool makes another");

const crews = new WeakMap<object, () => Crew | undefined>();

/** Tells `crewOf` of a pool; the function throws where the pool is closed. */
export function join(pool: object, crew: () => Crew | undefined): void {
  crews.set(pool, crew);
}

/** The threads of a pool; undefined without a pool and where it has one thread. */
export function crewOf(caller: string, pool: object | undefined): Crew | undefined {
  if (pool === undefined) return undefined;
  const crew = crews.get(pool);
  if (crew === undefined) throw typeError(caller, "pool", "what createPool returned", pool);
  return crew();
}

/** The threads of a pool as the calling thread, which is one of them, sees them. */
export class Crew {
  readonly threads: number;
  readonly thread: Thread;
  readonly #helpers: Helper[] = [];
  #failure: Error | undefined;
  /** Ends the caller's wait. */
  #wake: () => void = () => {};
  #last: Promise<unknown> = Promise.resolve();
  /** Tasks that were put, an i32 that wraps around. */
  published = 0;
  #places = 0;
  #room: Place | undefined;
  /** The plan that the workers have, "" if it holds arrays. */
  #plan = "";
  #turn = 0;
  readonly #patience = new Patience(SPIN_MS);

  /** @internal */
  constructor(module: WebAssembly.Module, threads: number) {
    this.threads = threads;
    const queue = new SharedArrayBuffer(QUEUE_BYTES);
    this.thread = new Thread({ module, queue, thread: 0, threads });
    Atomics.store(this.thread.words, MAIL, 1);
    for (let thread = 1; thread < threads; thread++) {
      const told = (): void => this.#wake();
      this.#helpers.push(startHelper({ told, ended: (why) => this.#fail(why) }));
    }
    this.#helpers.forEach((helper, n) => {
      helper.post({ start: { module, queue, thread: n + 1, threads } } satisfies Mail);
    });
  }

  #fail(why: string): void {
    if (this.#failure) return;
    this.#failure = stateError("pool", "state", "running threads", why, "createPool makes another");
    void this.#end();
  }

  async #end(): Promise<void> {
    this.#wake();
    await Promise.all(this.#helpers.map((helper) => helper.end()));
  }

  /** Throws where the pool is closed or a thread has died. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  async close(): Promise<void> {
    await this.alone(async () => {
      this.#failure ??= closed();
      await this.#end();
    }).catch(() => {});
  }

  /** One call has the pool to itself; the others wait for it. */
  alone<R>(work: () => R | Promise<R>): Promise<R> {
    const run = this.#last.then(() => {
      this.check();
      return work();
    });
    this.#last = run.catch(() => {});
    return run;
  }

  /** A memory of its own, for this thread alone until it is shared. */
  addPlace(): Place {
    this.check();
    const id = ++this.#places;
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    return { id, memory, space: this.thread.addSpace(id, memory) };
  }

  /**
   * Makes instances on it in all threads. From now on it must not grow: an instance that another thread has just made may
   * not hear of it, and its bulk copies are then out of bounds (seen on Node 20). @internal
   */
  share({ id, memory }: Place): void {
    this.mail({ space: { id, memory } });
  }

  dropPlace(id: number): void {
    this.thread.dropSpace(id);
    this.mail({ drop: id });
  }

  /** Areas of these sizes in the memory that the pool's operations have in common; a larger one where it is too small. */
  room(sizes: number[]): { id: number; space: Space; addresses: number[] } {
    if (this.#room?.space.holds(sizes)) return { ...this.#room, addresses: this.#room.space.layout(...sizes) };
    if (this.#room) this.dropPlace(this.#room.id);
    this.#room = undefined;
    const place = this.addPlace();
    const addresses = place.space.layout(...sizes);
    this.share(place);
    this.#room = place;
    return { ...place, addresses };
  }

  /** What is sent before a task is published is read before the task is done. Counted first: nobody may read ahead of MAIL. */
  mail(mail: Mail): void {
    Atomics.add(this.thread.words, MAIL, 1);
    for (const helper of this.#helpers) helper.post(mail);
    this.rouse();
  }

  /** The plan of the tiles that come next; with `shared` it holds arrays, else workers may have it from the call before. */
  sendPlan(plan: Plan, shared: boolean): void {
    const text = shared ? "" : JSON.stringify(plan);
    // what a mail costs: 0.2 of 4 ms at 4096 × 1000
    if (shared || text !== this.#plan) this.mail({ plan });
    this.#plan = text;
  }

  /** Threads let go of shared arrays. */
  forgetPlan(): void {
    if (this.#plan === "") this.mail({ plan: null });
  }

  /** Wakes the threads that sleep. Each wake costs the caller some µs, and on a busy machine its core. */
  rouse(): void {
    const { words } = this.thread;
    Atomics.add(words, WAKE, 1);
    if (Atomics.load(words, SLEEPERS) > 0) Atomics.notify(words, WAKE);
  }

  /** Writes a task; returns its ticket. */
  put(kind: number, space: number, a: number, b: number): number {
    const ticket = this.published;
    this.thread.put(ticket, kind, space, a, b);
    this.published = (ticket + 1) | 0;
    return ticket;
  }

  /** Opens all tasks that were put, to threads that are awake. */
  publish(): void {
    Atomics.store(this.thread.words, PUBLISHED, this.published);
  }

  /** The calling thread does an open task; false where there is none. */
  help(): boolean {
    const ticket = this.thread.take();
    if (ticket === undefined) return false;
    this.thread.do(ticket);
    return true;
  }

  /** Looks for a short while whether it is so. */
  spin(isSo: () => boolean): boolean {
    return this.#patience.spin(isSo);
  }

  /** Waits until it is so, or a thread dies; the process lives as long. */
  async wait(isSo: () => boolean): Promise<void> {
    const { words } = this.thread;
    for (const helper of this.#helpers) helper.hold(true);
    try {
      while (!isSo()) {
        this.check();
        const told = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        Atomics.store(words, CALLER, 1);
        if (!isSo()) await told;
      }
    } finally {
      Atomics.store(words, CALLER, 0);
      for (const helper of this.#helpers) helper.hold(false);
    }
  }

  /** Lets timers and events have their turn, where it is time. */
  turn(): Promise<void> | undefined {
    const now = performance.now();
    if (now - this.#turn < TURN_MS) return undefined;
    return new Promise<void>((resolve) => later(resolve)).then(() => {
      this.#turn = performance.now();
      this.check();
    });
  }

  /** Does the phases one after another, the tasks of a phase on all threads. */
  run({ id, space }: Place, phases: readonly Phase[]): Promise<void> {
    return this.alone(async () => {
      for (const phase of phases) {
        if (phase.length > 1) {
          for (let first = 0; first < phase.length; first += RING)
            await this.#fork(id, phase.slice(first, first + RING));
        } else {
          for (const [kernel, args] of phase[0] ?? [])
            (space.kernels[kernel] as (...args: readonly number[]) => void)(...args);
        }
      }
    });
  }

  /** Does a phase of at most RING tasks on all threads, the calling one after its own work. */
  runBeside({ id }: Place, phase: Phase, work: () => Promise<void>): Promise<void> {
    return this.alone(() => this.#fork(id, phase, work));
  }

  async #fork(space: number, phase: Phase, work?: () => Promise<void>): Promise<void> {
    const { thread } = this;
    const calls = phase.reduce((sum, task) => sum + task.length, 0);
    if (calls * CALL_WORDS > thread.program.length) {
      const program = new SharedArrayBuffer(calls * CALL_WORDS * 2 * 8);
      thread.program = new Float64Array(program);
      this.mail({ program });
    }
    let call = 0;
    const first = this.published;
    for (const task of phase) {
      this.put(CALLS, space, call, task.length);
      for (const each of task) thread.putCall(call++, each);
    }
    this.publish();
    this.rouse();
    try {
      await work?.();
    } finally {
      await this.#finish(first);
    }
  }

  /** Helps with the tasks from this ticket on, and waits for the rest. */
  async #finish(first: number): Promise<void> {
    const { thread } = this;
    while (this.help());
    let ticket = first;
    const done = (): boolean => {
      while (ticket !== this.published && thread.isDone(ticket)) ticket = (ticket + 1) | 0;
      return ticket === this.published;
    };
    if (!this.spin(done)) await this.wait(done);
  }
}
