import { accessSync, constants, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { inputError } from "./errors.ts";
import type { Source } from "./source.ts";

/** Throws where `out` cannot become a file, before anything long begins. */
export function checkOutput(out: string, source?: Source): void {
  const folder = dirname(out);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw inputError(`--out ${out}: there is no folder ${folder}`, `make it first: mkdir -p ${folder}`);
  }
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory()) throw inputError(`--out ${out} is a folder`);
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw inputError(`--out ${out}: the folder ${folder} cannot be written to`, undefined, error);
  }
  if (source?.files.some((file) => resolve(file) === resolve(out))) {
    throw inputError(`--out ${out} is the source itself`, "give the result another name");
  }
}

/**
 * Makes `out` whole or not at all: `write` fills a file beside it, which reaches the disk and is then renamed.
 * Whatever fails, no other file stays behind.
 */
export async function replaceFile(out: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
  try {
    await write(temporary);
    const file = await open(temporary, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, out);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
