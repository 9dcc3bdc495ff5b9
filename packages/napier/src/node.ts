/** What Node, Bun and Deno can do and browsers cannot: checkpoints on disk (napier/node). */
import { rangeError, stateError, typeError, words } from "./check.ts";
import type { CheckpointStore } from "./train/store.ts";

/** The part of node:fs that this needs: the library is compiled without Node's types. */
interface File {
  stat(): Promise<{ size: number }>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  writeFile(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}
interface FileSystem {
  rmSync(path: string, options: { force: boolean }): void;
  writeFileSync(path: string, text: string, options: { flag: string }): void;
  promises: {
    open(path: string, flags: string): Promise<File>;
    readdir(path: string): Promise<string[]>;
    rename(from: string, to: string): Promise<void>;
    rm(path: string, options: { force: boolean }): Promise<void>;
  };
}

function fileSystem(): FileSystem {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): FileSystem } };
  const found = process?.getBuiltinModule?.("node:fs");
  if (found) return found;
  const todo = "write a store { read, write } for what this runtime has";
  throw stateError("diskStore", "runtime", "node:fs", "none", todo);
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? error);

/** A read of more at once is refused by some systems. */
const PIECE = 1 << 30;

async function readAll(file: File): Promise<Uint8Array> {
  const bytes = new Uint8Array((await file.stat()).size);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, Math.min(PIECE, bytes.length - length), length);
    if (bytesRead === 0) break; // cut short meanwhile: the checksum will say so
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

const temporaryOf = (name: string): string => `.${name}.${crypto.randomUUID()}.tmp`;
const TEMPORARY = /^\..+\.[\da-f-]{36}\.tmp$/;
/** Where a folder cannot be opened or synced: on Windows, and on some file systems of networks. */
const NO_FOLDER_SYNC = ["EISDIR", "EPERM", "EACCES", "EINVAL", "ENOTSUP", "ENOSYS"];
const FULL = ["ENOSPC", "EDQUOT", "EFBIG"];

class DiskStore implements CheckpointStore {
  readonly #folder: string;
  readonly #files: FileSystem["promises"];
  #isClean = false;

  constructor(folder: string, files: FileSystem["promises"]) {
    this.#folder = folder;
    this.#files = files;
  }

  #path(name: string): string {
    if (/^\w[\w.-]*$/.test(name)) return `${this.#folder}/${name}`;
    throw rangeError("diskStore", "name", "letters, digits, - and . only", name);
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    let file: File | undefined;
    try {
      file = await this.#files.open(path, "r");
      return await readAll(file);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw stateError("diskStore", name, "a file that can be read", `${path} (${codeOf(error)})`);
    } finally {
      await file?.close();
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    const temporary = `${this.#folder}/${temporaryOf(name)}`;
    const { open, rename, rm } = this.#files;
    try {
      await this.#clean();
      const file = await open(temporary, "wx");
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await this.#sync();
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to tell
      const code = codeOf(error);
      const full = FULL.includes(code);
      const expected = full ? `room for ${bytes.length} bytes` : "a file that can be written";
      const todo = full ? "make room; what was saved before is still there" : undefined;
      throw stateError("diskStore", name, expected, `${path} (${code})`, todo);
    }
  }

  /** Before the first write: what others, killed in the middle of one, have left. */
  async #clean(): Promise<void> {
    if (this.#isClean) return;
    const { readdir, rm } = this.#files;
    const names = await readdir(this.#folder);
    for (const name of names) if (TEMPORARY.test(name)) await rm(`${this.#folder}/${name}`, { force: true });
    this.#isClean = true;
  }

  /** The folder itself, so that a rename survives a loss of power. */
  async #sync(): Promise<void> {
    let folder: File | undefined;
    try {
      folder = await this.#files.open(this.#folder, "r");
      await folder.sync();
    } catch (error) {
      if (!NO_FOLDER_SYNC.includes(codeOf(error))) throw error;
    } finally {
      await folder?.close();
    }
  }
}

/**
 * A place for checkpoints: files in a folder. A write makes a file beside the old one, waits until it is on the disk, and
 * renames it: a crash or a loss of power leaves the old content or the new one. What a crash left half done goes with the
 * next write. A folder is for one training at a time.
 *
 * @param folder  that is there and can be written to
 * @returns a store for `fit`'s checkpoints
 * @throws {TypeError} the folder is no string
 * @throws {RangeError} the folder is not there, or no file can be made in it
 * @throws {Error} this runtime has no node:fs
 *
 * Edges: `read` of a name that was never written gives undefined
 * Cost: what the disk takes
 *
 * @example
 * const store = diskStore(".");
 * await store.read("checkpoint-a.safetensors"); // undefined
 */
export function diskStore(folder: string): CheckpointStore {
  if (typeof folder !== "string") throw typeError("diskStore", "folder", "a path", folder);
  const { promises, rmSync, writeFileSync } = fileSystem();
  const probe = `${folder}/${temporaryOf("probe")}`;
  try {
    writeFileSync(probe, "", { flag: "wx" });
    rmSync(probe, { force: true });
  } catch (error) {
    const code = codeOf(error);
    const todo = code === "ENOENT" ? "make it first" : undefined;
    throw rangeError("diskStore", "folder", "a folder that can be written to", words(`${folder} (${code})`), todo);
  }
  return new DiskStore(folder, promises);
}
