import { rmSync } from "node:fs";
import { totalmem } from "node:os";
import process from "node:process";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { endNow } from "./endnow.ts";
import { type CommandError, INTERRUPTED, Interruption, inputError, TERMINATED } from "./errors.ts";
import { short } from "./words.ts";

const UNITS: Readonly<Record<string, number>> = { KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };
const LEAST = 64 * 2 ** 20;

/** Bytes that queries may hold: NAPIER_MEMORY, or half of what this machine or container has. */
export function memoryLimit(): number {
  const { NAPIER_MEMORY: asked } = process.env;
  if (asked === undefined || asked === "") {
    // 0 and 2^64 stand for no limit
    const allowed = process.constrainedMemory() || Infinity;
    return Math.floor(Math.min(totalmem(), allowed) / 2);
  }
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([KMG]B)$/i.exec(asked) ?? [];
  const bytes = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (!(bytes >= LEAST)) throw inputError(`NAPIER_MEMORY: expected 64MB at least, as in 4GB, got ${asked}`);
  return Math.floor(bytes);
}

export function outOfMemory(source: string, cause?: unknown): CommandError {
  const limit = `${short(memoryLimit() / 2 ** 30, 2)} GB`;
  const hint = "select fewer rows or columns, or allow it more: NAPIER_MEMORY=16GB napier …";
  return inputError(
    `cannot read ${source}: it needs more than the ${limit} of memory that a query may hold`,
    hint,
    cause,
  );
}

const connections = new Set<DuckDBConnection>();
let instances = 0;
let stopped: number | undefined;

/** Throws after a signal that stopped what was read. */
export function throwIfStopped(): void {
  if (stopped !== undefined) throw new Interruption(stopped, "interrupted; nothing is saved");
}

const PATIENCE = 2000;

/** Ends all queries that read, by throwIfStopped; where DuckDB does not hear of it in two seconds, the process. */
export function stopQueries(signal: NodeJS.Signals): void {
  stopped = signal === "SIGTERM" ? TERMINATED : INTERRUPTED;
  const exitCode = stopped;
  for (const connection of connections) connection.interrupt();
  setTimeout(() => endNow(exitCode, "interrupted; nothing is saved\n"), PATIENCE).unref();
}

function onSignal(signal: NodeJS.Signals): void {
  // a command with a way of its own has a listener of its own
  if (process.listenerCount(signal) === 1) stopQueries(signal);
}

/** Makes the queries of an instance such that signals end them, and its temporary files go with the process. */
export function attend(db: DuckDBInstance, folder: string): void {
  const own = new Set<DuckDBConnection>();
  const connect = db.connect.bind(db);
  const close = db.closeSync.bind(db);
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", onExit);
  if (instances++ === 0) process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  db.connect = async () => {
    const connection = await connect();
    const closeConnection = connection.closeSync.bind(connection);
    connection.closeSync = () => {
      for (const set of [own, connections]) set.delete(connection);
      closeConnection();
    };
    for (const set of [own, connections]) set.add(connection);
    return connection;
  };
  db.closeSync = () => {
    for (const connection of own) connections.delete(connection);
    process.off("exit", onExit);
    if (--instances === 0) process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    close();
  };
}

let watched = false;

/** DuckDB's own limit leaves out the lists that a query makes: the process is held to half as much again. */
export function watchMemory(source: string): void {
  if (watched) return;
  watched = true;
  const most = memoryLimit() * 1.5;
  const watch = (): void => {
    if (process.memoryUsage.rss() < most) return;
    const { message, hint } = outOfMemory(source);
    endNow(2, `error: ${message}\nhint: ${hint}\n`);
  };
  setInterval(watch, 100).unref();
}
