import { accessSync, constants, existsSync, realpathSync, rmSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CommandError, inputError } from "./errors.ts";

/** The file behind a name, whatever leads to it; of one that is not there, where it would be. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    const folder = dirname(resolve(path));
    return existsSync(folder) ? join(realpathSync.native(folder), basename(path)) : resolve(path);
  }
}

/** Throws where `out` cannot become a file, or is one and is not to be written over, before anything long begins. */
export function checkOutput(out: string, option = "--out", force = true): void {
  const folder = dirname(out);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw inputError(`${option} ${out}: there is no folder ${folder}`, `make it first: mkdir -p ${folder}`);
  }
  const there = statSync(out, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw inputError(`${option} ${out} is a folder`);
  if (there && !there.isFile()) throw inputError(`${option} ${out} is no regular file`, "give the result another name");
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw inputError(`${option} ${out}: the folder ${folder} cannot be written to`, undefined, error);
  }
  if (!force && existsSync(out)) throw inputError(`${option} ${out} is there already`, "add --force to write over it");
}

/** Files by what they are: of outputs their option, of inputs as "the model"; what is undefined is none. */
export type Files = Readonly<Record<string, string | readonly string[] | undefined>>;

const listed = (files: Files): [name: string, path: string][] =>
  Object.entries(files).flatMap(([name, paths]) =>
    paths === undefined ? [] : [paths].flat().map((path): [string, string] => [name, path]),
  );

/** Throws where a result would take the place of what is read, or of another result. */
export function checkApart(outputs: Files, inputs: Files): void {
  const taken = new Map(listed(inputs).map(([name, path]) => [realPath(path), name]));
  for (const [option, path] of listed(outputs)) {
    const real = realPath(path);
    const name = taken.get(real);
    if (name !== undefined) throw inputError(`${option} ${path} is ${name} itself`, "give the result another name");
    taken.set(real, `the file of ${option}`);
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on its disk",
  EDQUOT: "your share of its disk is full",
  EFBIG: "it is larger than a file may be here",
  EROFS: "its disk is read-only",
};

/** What the system says about a write, with the file's name; other errors stay as they are. */
export function writingError(out: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof CommandError || code === undefined || syscall === undefined) return error;
  return new CommandError(1, `cannot write ${out}: ${WHY[code] ?? code}`, undefined, error);
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
    throw writingError(out, error);
  } finally {
    process.off("exit", onExit);
  }
}
