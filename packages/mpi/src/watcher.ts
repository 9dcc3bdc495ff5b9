// The thread by which a rank is watched while its calling thread is inside MPI; watch.ts starts it.
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { beating, listen, type Watching } from "./wire.ts";

const { rank, isSpeaker, names, hosts, port, tokens, calls, milliseconds, advice } = workerData as Watching;
const EXIT_FAILURE = 1;
/** Milliseconds in which rank 0, where it lives, says what has happened. */
const SPEAK_AFTER = 500;
let watchman: Socket | undefined;
let heard = performance.now();
let hasLeft = false;

/** Ends the process at once: the calling thread may be inside MPI for ever, and exit handlers would wait for it. */
function end(): void {
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  koffi.load(null).func("void _exit(int status)")(EXIT_FAILURE);
}

/** The watchman is gone: alone, or with rank 0's host, or the way to it. One rank a host says so, and all end. */
function fail(what: string): void {
  if (hasLeft) return;
  hasLeft = true;
  const who = rank === 0 ? "the process beside rank 0 that watches over all" : `rank 0 (${names[0]})`;
  const say = (): void => {
    try {
      if (isSpeaker) writeSync(2, `error: ${what.replace("*", who)}; ${advice}\n`);
    } finally {
      end();
    }
  };
  setTimeout(say, rank === 0 ? 0 : SPEAK_AFTER);
}

// all addresses at once: some are those of networks that only rank 0's host has
for (const host of hosts) {
  const socket = connect({ host, port });
  const each = (line: string): void => {
    heard = performance.now();
    if (watchman === socket) {
      if (line === "over") end();
    } else if (line === tokens.server && watchman === undefined) {
      watchman = socket;
      socket.write(`${tokens.rank} ${rank}\n`);
      parentPort?.postMessage("connected");
    } else socket.destroy();
  };
  listen(socket, each, () => watchman === socket && fail("* has come to an end"));
}

beating(
  milliseconds,
  () => {
    watchman?.write(`${Atomics.load(calls, 0)} ${Atomics.load(calls, 1) === 1 ? "waits" : "works"}\n`);
    const isSilent = performance.now() - heard > milliseconds;
    if (watchman && isSilent) fail(`nothing was heard of * for ${milliseconds / 1000} s`);
  },
  () => {
    heard = performance.now();
  },
);

// the farewell is out before the calling thread goes on
parentPort?.on("message", () => {
  hasLeft = true;
  watchman?.write("left\n");
  Atomics.store(calls, 2, 1);
  Atomics.notify(calls, 2);
});
