import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const LIBRARY: Partial<Record<NodeJS.Platform, string>> = { darwin: "libSystem.dylib", win32: "msvcrt.dll" };

/**
 * Ends this process at once, temporary files included. process.exit waits for the threads of libuv's pool, and the one
 * in which DuckDB makes a list of billions, or binds thousands of columns, hears of no interruption for minutes.
 */
export function endNow(exitCode: number, text = ""): never {
  process.exitCode = exitCode;
  process.emit("exit", exitCode);
  if (text !== "") writeSync(2, text);
  try {
    const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
    koffi.load(LIBRARY[process.platform] ?? "libc.so.6").func("void _exit(int)")(exitCode);
  } catch {
    // no such library here
  }
  process.kill(process.pid, "SIGKILL");
  return process.exit(exitCode);
}
