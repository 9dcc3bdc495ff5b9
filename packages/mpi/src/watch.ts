import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { gatherJson, type Reducer } from "napier/train";
import type { Tokens, Watched, Watching } from "./wire.ts";

/** Milliseconds in which the thread says that this rank ends. */
const FAREWELL = 1000;

/** What timers can count. */
const LONGEST = 2 ** 31 - 1;

/** Over this rank while it is inside MPI, which never notices that another one is gone. */
export interface Watch {
  /** Around each call. */
  enter(): void;
  leave(): void;
  /** Says that this rank ends: from here on no closed connection is an accident. */
  end(): void;
}

/** A rank, as the others see it. */
interface Card {
  readonly name: string;
  /** Ranks with the same one reach each other on loopback. */
  readonly place: string;
}

function card(): Card {
  const host = hostname();
  let network = "";
  try {
    network = readlinkSync("/proc/self/ns/net"); // a container's may be one of its own
  } catch {
    // no Linux
  }
  return { name: `process ${process.pid} on ${host}`, place: `${host} ${network}` };
}

/** All addresses that another host may reach this one by. */
const addresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address),
  );

/** What `ask` calls back with, unless it takes too long. */
function within<T>(
  milliseconds: number,
  late: string,
  ask: (done: (value: T) => void, failed: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const todo = "let TCP pass between the hosts, or set the timeout to 0: then no rank is watched";
    const timer = setTimeout(() => reject(new Error(`mpi: watch expected ${late}; ${todo}`)), milliseconds);
    ask(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => reject(new Error(`mpi: watch expected ${late} (${error.message})`)),
    );
  });
}

/** Starts the watchman. Its words go where this process's go. */
async function startWatchman(watched: Watched): Promise<number> {
  const file = fileURLToPath(new URL("./watchman.js", import.meta.url));
  const child = spawn(process.execPath, [file], { detached: true, stdio: ["pipe", "pipe", "inherit"] });
  child.unref();
  child.stdin.on("error", () => {}).end(JSON.stringify(watched));
  const port = await within<number>(watched.milliseconds, "a process beside rank 0, got none", (done, failed) => {
    child.once("error", failed);
    child.stdout.once("data", (line) => done(Number(line)));
  });
  child.stdout.destroy();
  return port;
}

/**
 * Starts a thread that is connected by TCP to a process beside rank 0, the watchman. Where a rank comes to an end without a
 * farewell, is not heard of, or all wait in a call, it says so in one line, and all ranks end.
 *
 * @param seconds  without a word from a rank, or with all waiting
 * @param advice  what the line ends with
 */
export async function startWatch(reducer: Reducer, seconds: number, advice: string): Promise<Watch> {
  const { rank } = reducer;
  const milliseconds = Math.min(seconds * 1000, LONGEST);
  const cards = await gatherJson(card(), reducer);
  const names = cards.map(({ name }) => name);
  const isLocal = cards.every(({ place }) => place === cards[0]!.place);
  let told: { tokens: Tokens; port: number; hosts: string[] } | null = null;
  if (rank === 0) {
    const tokens = { server: randomUUID(), rank: randomUUID() };
    const port = await startWatchman({ names, milliseconds, advice, tokens, isLocal });
    told = { tokens, port, hosts: isLocal ? [] : addresses() };
  }
  const [{ tokens, port, hosts }] = (await gatherJson(told, reducer)) as [NonNullable<typeof told>];
  const calls = new Int32Array(new SharedArrayBuffer(12));
  const at = rank === 0 || isLocal ? ["127.0.0.1"] : hosts;
  const isSpeaker = cards.findIndex(({ place }) => place === cards[rank]!.place) === rank;
  const workerData: Watching = { rank, isSpeaker, names, milliseconds, advice, tokens, port, hosts: at, calls };
  const worker = new Worker(new URL("./watcher.js", import.meta.url), { workerData });
  worker.unref();
  const where = `rank ${rank} to reach rank 0 at ${at.join(", ")}, port ${port}, got no answer in ${seconds} s`;
  await within<unknown>(milliseconds, where, (done, failed) => {
    worker.once("message", done).once("error", failed);
  });
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    process.removeListener("exit", end);
    worker.postMessage("end");
    Atomics.wait(calls, 2, 0, FAREWELL);
  };
  process.once("exit", end);
  return {
    enter: () => {
      Atomics.add(calls, 0, 1);
      Atomics.store(calls, 1, 1);
    },
    leave: () => void Atomics.store(calls, 1, 0),
    end,
  };
}
