import type { Area, Job } from "./job.ts";
import type { Kernels } from "./kernels.ts";
import { callKernels, copyIn, copyOut } from "./runner.ts";
import { isShared } from "./tensor.ts";
import { Space } from "./wasm.ts";

/** A kernel's name and its arguments. */
export type Call = readonly [kernel: keyof Kernels, args: readonly number[]];

/** Calls that one thread makes one after another. */
export type Task = readonly Call[];
/** Tasks that do not depend on each other. */
export type Phase = readonly Task[];

/** A job in tiles. */
export interface Plan {
  /** The space of the areas. */
  readonly id: number;
  /** For workers, arrays that are not shared are replaced by empty ones. */
  readonly job: Job;
  /** Rows of a tile. */
  readonly size: number;
  /** Where each area is in slot or for thread 0, and the bytes from one to the next. */
  readonly addresses: readonly number[];
  readonly strides: readonly number[];
}

/** What a worker is sent. The caller counts it in MAIL; a worker that is behind goes to its event loop to read. */
export interface Mail {
  readonly start?: Start;
  readonly space?: {
    readonly id: number;
    /** @internal */
    readonly memory: WebAssembly.Memory;
  };
  /** A space that is no longer used. */
  readonly drop?: number;
  /** Calls, CALL_WORDS numbers each. */
  readonly program?: SharedArrayBuffer;
  readonly plan?: Plan | null;
}

export interface Start {
  /** @internal */
  readonly module: WebAssembly.Module;
  readonly queue: SharedArrayBuffer;
  readonly thread: number;
  readonly threads: number;
}

// Words of the queue, each on a cache line of its own.
/** Counts what sleepers must wake for. */
export const WAKE = 0;
/** Tasks published, and tasks taken: i32 that wrap around. */
export const PUBLISHED = 16;
const TAKEN = 32;
export const SLEEPERS = 48;
/** 1 while the caller waits for a message that some task is done. */
export const CALLER = 64;
export const MAIL = 80;
const DONE = 96;
/** Tasks that can be open at once, a power of two. */
export const RING = 256;
const TASKS = DONE + RING;
const TASK_WORDS = 4;
export const QUEUE_BYTES = 4 * (TASKS + RING * TASK_WORDS);

/** Kinds of tasks: a tile of the plan (its number, its slot); calls of the program (the first, how many). */
export const TILE = 0;
export const CALLS = 1;

/** A call in the program: the kernel's number, how many arguments, the arguments. */
export const CALL_WORDS = 16;

/** Bytes that each thread's instance scribbles on at the start of a space: the kernels' scratch_bytes. */
export const SCRATCH = 1664;

/**
 * Whether each thread copies this area itself, to and from an area of its own: it can where the arrays are shared. Others
 * go through slots, which the caller fills and empties.
 */
export function isOwn({ from, to }: Area): boolean {
  const isFilled = typeof from !== "object" || "eachRow" in from;
  return (isFilled || isShared(from)) && (to === undefined || isShared(to));
}

/** How long a worker looks for work before it sleeps: waking takes as long, and training has work again by then. */
const SPIN_MS = 0.1;

/**
 * Looks for what another thread does. It takes half as long after each time that it looked in vain: where threads share a
 * core, the one that looks keeps the other from doing it. Each 16th time it tries the whole time again.
 */
export class Patience {
  readonly #most: number;
  #now: number;
  #vain = 0;

  constructor(most: number) {
    this.#most = most;
    this.#now = most;
  }

  spin(isSo: () => boolean): boolean {
    if (isSo()) return true;
    const end = performance.now() + (this.#vain % 16 === 15 ? this.#most : this.#now);
    for (let looks = 1; !isSo(); looks++) {
      if (looks % 32 !== 0 || performance.now() < end) continue;
      this.#now /= 2;
      this.#vain++;
      return false;
    }
    this.#now = Math.min(this.#most, this.#now * 2);
    return true;
  }
}

/** One of a pool's threads; number 0 is the caller's. */
export class Thread {
  readonly words: Int32Array;
  program: Float64Array = new Float64Array(0);
  plan: Plan | null = null;
  readonly #start: Start;
  readonly #kernels: readonly (keyof Kernels)[];
  readonly #spaces = new Map<number, Space>();
  /** Mails that were read. */
  #read = 0;
  /** A task that was taken before its mail was read. */
  #pending: number | undefined;

  constructor(start: Start) {
    this.words = new Int32Array(start.queue);
    this.#start = start;
    this.#kernels = WebAssembly.Module.exports(start.module).map(({ name }) => name as keyof Kernels);
  }

  read({ space, drop, program, plan }: Mail): void {
    this.#read++;
    if (space) this.addSpace(space.id, space.memory);
    if (drop !== undefined) this.#spaces.delete(drop);
    if (program) this.program = new Float64Array(program);
    if (plan !== undefined) this.plan = plan;
  }

  /** @internal */
  addSpace(id: number, memory: WebAssembly.Memory): Space {
    const { module, thread, threads } = this.#start;
    const space = new Space(module, memory, (threads + 1) * SCRATCH);
    const first = Math.ceil(space.kernels.heap.value / SCRATCH) * SCRATCH;
    space.kernels.use_scratch(first + thread * SCRATCH);
    this.#spaces.set(id, space);
    return space;
  }

  dropSpace(id: number): void {
    this.#spaces.delete(id);
  }

  /** Writes a task to the ring; the others see it when PUBLISHED is past its ticket. */
  put(ticket: number, kind: number, space: number, a: number, b: number): void {
    const at = TASKS + (ticket & (RING - 1)) * TASK_WORDS;
    this.words[at] = kind;
    this.words[at + 1] = space;
    this.words[at + 2] = a;
    this.words[at + 3] = b;
  }

  /** Writes a call to the program. */
  putCall(index: number, [kernel, args]: Call): void {
    this.program[index * CALL_WORDS] = this.#kernels.indexOf(kernel);
    this.program[index * CALL_WORDS + 1] = args.length;
    this.program.set(args, index * CALL_WORDS + 2);
  }

  isDone(ticket: number): boolean {
    return Atomics.load(this.words, DONE + (ticket & (RING - 1))) === ((ticket + 1) | 0);
  }

  /** The number of a task that from now on is this thread's, if one is open. */
  take(): number | undefined {
    const { words } = this;
    while (true) {
      const ticket = Atomics.load(words, TAKEN);
      if (((Atomics.load(words, PUBLISHED) - ticket) | 0) <= 0) return undefined;
      if (Atomics.compareExchange(words, TAKEN, ticket, (ticket + 1) | 0) === ticket) return ticket;
    }
  }

  /** Tasks that nobody has taken yet. */
  open(): number {
    return (Atomics.load(this.words, PUBLISHED) - Atomics.load(this.words, TAKEN)) | 0;
  }

  do(ticket: number): void {
    const { words } = this;
    const at = TASKS + (ticket & (RING - 1)) * TASK_WORDS;
    const space = this.#spaces.get(words[at + 1]) as Space;
    if (words[at] === TILE) this.tile(space, words[at + 2], words[at + 3]);
    else this.#calls(space, words[at + 2], words[at + 3]);
    Atomics.store(words, DONE + (ticket & (RING - 1)), (ticket + 1) | 0);
  }

  #calls({ kernels }: Space, first: number, count: number): void {
    const { program } = this;
    for (let at = first * CALL_WORDS; at < (first + count) * CALL_WORDS; at += CALL_WORDS) {
      const kernel = kernels[this.#kernels[program[at]]] as (...args: number[]) => void;
      kernel(...program.subarray(at + 2, at + 2 + program[at + 1]));
    }
  }

  /** A tile of the plan: copies what is shared, and calls the kernel. */
  tile(space: Space, tile: number, slot: number): void {
    const { job, size, addresses, strides } = this.plan as Plan;
    const { areas, rows } = job;
    const first = tile * size;
    const count = Math.min(size, rows - first);
    const own = areas.map(isOwn);
    const at = areas.map((_, n) => addresses[n] + strides[n] * (own[n] ? this.#start.thread : slot));
    for (let n = 0; n < areas.length; n++) if (own[n]) copyIn(space, at[n], areas[n], first, count);
    callKernels(space, job, at, count);
    for (let n = 0; n < areas.length; n++) if (own[n]) copyOut(space, at[n], areas[n], first, count);
  }

  /** A worker's life between two mails: it does tasks, spins a little, sleeps; `tell` wakes the caller where that waits. */
  work(tell: () => void): void {
    const { words } = this;
    const busy = (): boolean => this.open() > 0 || Atomics.load(words, MAIL) !== this.#read;
    const patience = new Patience(SPIN_MS);
    while (true) {
      const ticket = this.#pending ?? this.take();
      if (ticket !== undefined) {
        this.#pending = ticket;
        // what a task needs was sent before the task was published
        if (Atomics.load(words, MAIL) !== this.#read) return;
        this.#pending = undefined;
        this.do(ticket);
        if (Atomics.compareExchange(words, CALLER, 1, 0) === 1) tell();
        continue;
      }
      if (Atomics.load(words, MAIL) !== this.#read) return;
      if (patience.spin(busy)) continue;
      Atomics.add(words, SLEEPERS, 1);
      const wake = Atomics.load(words, WAKE);
      if (!busy()) Atomics.wait(words, WAKE, wake);
      Atomics.sub(words, SLEEPERS, 1);
    }
  }
}
