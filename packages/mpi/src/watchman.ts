// The process that watches over all ranks; rank 0 starts it, in a group of its own: MPICH's launcher kills the groups of all ranks
// 0.1 ms after one has died, and somebody must be left to say which.
import { writeSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { text } from "node:stream/consumers";
import { beating, listen, type Watched } from "./wire.ts";

/** A rank, as it was last heard of. */
interface Heard {
  readonly rank: number;
  socket?: Socket;
  /** When it last said anything, and when it was last at something else. */
  at: number;
  moved: number;
  state: string;
  /** It has said that it ends. */
  hasLeft: boolean;
  isClosed: boolean;
}

const { names, milliseconds, advice, tokens, isLocal }: Watched = JSON.parse(await text(process.stdin));
const seconds = `${milliseconds / 1000} s`;
const began = performance.now();
const ranks = names.map((_, rank): Heard => {
  return { rank, at: began, moved: began, state: "", hasLeft: false, isClosed: false };
});

/** Says what happened and ends all ranks that hear of it. */
function fail(what: string): never {
  try {
    writeSync(process.stderr.fd, `error: ${what}; ${advice}\n`);
  } catch {
    // nobody reads
  }
  for (const { socket } of ranks) socket?.write("over\n");
  process.exit();
}

const listed = (lost: readonly Heard[]): string =>
  `rank ${lost.map(({ rank }) => `${rank} (${names[rank]})`).join(" and rank ")}`;

function hear(from: Heard, line: string): void {
  from.at = performance.now();
  if (line === "left") from.hasLeft = true;
  else if (line !== from.state) {
    from.state = line;
    from.moved = from.at;
  }
}

function close(from: Heard): void {
  from.isClosed = true;
  // a launcher ends the others where one has failed, and that one has said why
  if (!ranks.some(({ hasLeft }) => hasLeft)) fail(`${listed([from])} has come to an end`);
  if (ranks.every(({ isClosed }) => isClosed)) process.exit();
}

function look(): void {
  for (const { socket } of ranks) socket?.write("here\n");
  const now = performance.now();
  // one that has not come yet says itself what keeps it
  const there = ranks.filter(({ socket, hasLeft, isClosed }) => socket && !hasLeft && !isClosed);
  const silent = there.filter(({ at }) => now - at > milliseconds);
  if (silent.length > 0) fail(`nothing was heard of ${listed(silent)} for ${seconds}`);
  // a rank that works is waited for, however long
  const isStuck = ({ state, moved }: Heard): boolean => state.endsWith(" waits") && now - moved > milliseconds;
  if (there.length > 0 && there.every(isStuck)) fail(`the ranks have waited for each other for ${seconds}`);
}

const server = createServer((socket) => {
  let from: Heard | undefined;
  socket.write(`${tokens.server}\n`);
  const each = (line: string): void => {
    const [token, rank] = line.split(" ");
    const known = token === tokens.rank ? ranks[Number(rank)] : undefined;
    if (from) hear(from, line);
    else if (known && known.socket === undefined) {
      from = known;
      from.socket = socket;
      hear(from, "");
    } else socket.destroy();
  };
  listen(socket, each, () => from && close(from));
});
server.listen(0, isLocal ? "127.0.0.1" : undefined, () => {
  const address = server.address();
  writeSync(process.stdout.fd, `${typeof address === "object" ? address?.port : ""}\n`);
});
beating(milliseconds, look, () => {
  const now = performance.now();
  for (const each of ranks) Object.assign(each, { at: now, moved: now });
});
// Slurm ends all processes of a job by it: the ranks' ends are this one's
process.on("SIGTERM", () => {});
