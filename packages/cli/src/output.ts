import { accessSync, constants, existsSync, rmSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { inputError } from "./errors.ts";
import type { Source } from "./rows.ts";

/** Throws where `out` cannot become a file, or is one and is not to be written over, before anything long begins. */
export function checkOutput(out: string, source?: Source, option = "--out", force = true): void {
  const folder = dirname(out);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw inputError(`${option} ${out}: there is no folder ${folder}`, `make it first: mkdir -p ${folder}`);
  }
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory()) throw inputError(`${option} ${out} is a folder`);
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw inputError(`${option} ${out}: the folder ${folder} cannot be written to`, undefined, error);
  }
  if (source?.files.some((file) => resolve(file) === resolve(out))) {
    throw inputError(`${option} ${out} is the source itself`, "give the result another name");
  }
  if (!force && existsSync(out)) throw inputError(`${option} ${out} is there already`, "add --force to write over it");
}

/**
 * Makes `out` whole or not at all: `write` fills a file beside it, which reaches the disk and is then renamed.
 * Whatever fails, no other file stays behind.
 */
export async function replaceFile(out: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
  const onExit = (): void => rmSync(temporary, { force: true });
  process.once("exit", onExit);
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
  } finally {
    process.off("exit", onExit);
  }
}
