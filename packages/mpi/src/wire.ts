import type { Socket } from "node:net";

/** What rank 0 shares with all, so that a stranger at the port is none of them. */
export interface Tokens {
  /** The watchman's first line. */
  readonly server: string;
  /** A rank's first line begins with it. */
  readonly rank: string;
}

/** What the watchman is given, as JSON on its stdin. */
export interface Watched {
  /** Each rank's process and host, for messages. */
  readonly names: readonly string[];
  readonly milliseconds: number;
  /** What a message ends with: how to go on. */
  readonly advice: string;
  readonly tokens: Tokens;
  /** Whether all ranks are on this host. */
  readonly isLocal: boolean;
}

/** What a rank's thread is given. */
export interface Watching extends Omit<Watched, "isLocal"> {
  readonly rank: number;
  /** The first rank of its host, which speaks for it where the watchman is lost. */
  readonly isSpeaker: boolean;
  readonly hosts: readonly string[];
  readonly port: number;
  /** Calls that were begun, whether one is not over, and whether the farewell was said. */
  readonly calls: Int32Array;
}

/** Milliseconds between two signs of life. */
const beat = (milliseconds: number): number => Math.min(1000, milliseconds / 8);

/** Calls `each` at every beat. `woken` comes instead where this process did not run for a while, and so has heard nobody. */
export function beating(milliseconds: number, each: () => void, woken: () => void): void {
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (now - last > milliseconds / 2) woken();
    else each();
    last = now;
  }, beat(milliseconds));
}

/** Characters of a line at most; a stranger may write anything. */
const LONGEST = 200;

/** Calls `each` with the lines that come, and `closed` once when no more can. */
export function listen(socket: Socket, each: (line: string) => void, closed: () => void): void {
  let rest = "";
  socket.setNoDelay(true).setEncoding("utf8");
  socket.on("data", (text) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() as string;
    if (rest.length > LONGEST) socket.destroy();
    for (const line of lines) each(line);
  });
  socket.on("error", () => {}); // "close" follows
  socket.on("close", closed);
}
