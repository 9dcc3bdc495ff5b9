import { statSync } from "node:fs";
import { type CommandError, inputError } from "./errors.ts";

/** Throws for a pipe, a device or a socket; what is missing or a folder is for others to say. */
export function checkRegular(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  throw notRegular(path);
}

function notRegular(path: string): CommandError {
  const hint = "files are read more than once: save what comes through a pipe to a file first";
  return inputError(`${path} is no regular file`, hint);
}
