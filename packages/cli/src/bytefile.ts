import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { CommandError, inputError } from "./errors.ts";

/** A file of bytes, or what a .gz file holds. */
export interface ByteFile {
  name: string;
  size: number;
  /** Fills `bytes` from `position` bytes after the beginning. */
  read(bytes: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** Bytes among which a header is. */
export const LONGEST_START = 2 ** 20;

function cannot(name: string, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException;
  return inputError(
    `${name}: ${code === "ENOENT" ? "no such file" : `cannot be read (${code ?? message})`}`,
    undefined,
    error,
  );
}

function byteFile(name: string, file: FileHandle, size: number): ByteFile {
  return {
    name,
    size,
    read: async (bytes, position) => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
        if (bytesRead === 0) throw inputError(`${name} became shorter while it was read`);
        done += bytesRead;
      }
    },
    close: () => file.close(),
  };
}

/** The beginning of the file, where its header is. */
export async function startOf(file: ByteFile): Promise<Uint8Array> {
  const start = new Uint8Array(Math.min(file.size, LONGEST_START));
  await file.read(start, 0);
  return start;
}

/** A temporary file without a name, which goes with the process. */
async function nameless(): Promise<{ file: FileHandle; remove: () => Promise<void> }> {
  const path = join(tmpdir(), `napier-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(path, "wx+", 0o600);
  if (process.platform !== "win32") await rm(path);
  return { file, remove: () => rm(path, { force: true }) };
}

/** What a .gz file holds goes to a temporary file, but no more of it than its header says and the disk has room for. */
async function inflate(name: string, declared: (start: Uint8Array) => number): Promise<ByteFile> {
  const { file, remove } = await nameless();
  const { bavail, bsize } = await statfs(tmpdir());
  let start: Uint8Array = new Uint8Array(0);
  let most: number | undefined;
  let size = 0;
  // pipeline may throw an AbortError in the place of ours
  let refusal: unknown;
  const measure = (): number => {
    const needed = declared(start);
    if (needed <= bavail * bsize) return needed;
    const hint = "set TMPDIR to a folder with more room, or unpack it";
    throw inputError(`${name}: it holds ${needed} bytes and the temporary folder has ${bavail * bsize}`, hint);
  };
  const take = async (part: Buffer): Promise<void> => {
    if (start.length < LONGEST_START) start = Buffer.concat([start, part]).subarray(0, LONGEST_START);
    if (start.length === LONGEST_START) most ??= measure();
    if (most !== undefined && size + part.length > most) {
      throw inputError(`${name} holds more than the ${most} bytes that its header says`);
    }
    let done = 0;
    while (done < part.length) done += (await file.write(part, done, part.length - done, size + done)).bytesWritten;
    size += part.length;
  };
  try {
    await pipeline(createReadStream(name), createGunzip(), async (parts: AsyncIterable<Buffer>) => {
      for await (const part of parts) {
        await take(part).catch((error: unknown) => {
          refusal = error;
          throw error;
        });
      }
    });
    most ??= measure();
    const held = byteFile(name, file, size);
    return {
      ...held,
      close: async () => {
        await file.close();
        await remove();
      },
    };
  } catch (error) {
    await file.close();
    await remove();
    if (refusal !== undefined || error instanceof CommandError) throw refusal ?? error;
    const { code = "" } = error as NodeJS.ErrnoException;
    if (/^Z_/.test(code)) throw inputError(`${name}: its gzip data are damaged or truncated`, undefined, error);
    throw cannot(name, error);
  }
}

/** Opens a file; `declared` says of the first bytes of what a .gz holds how many bytes it is, or throws. */
export async function openBytes(name: string, declared: (start: Uint8Array) => number): Promise<ByteFile> {
  try {
    const found = await stat(name);
    if (!found.isFile()) throw inputError(`${name} is ${found.isDirectory() ? "a folder" : "no regular file"}`);
    if (/\.gz$/i.test(name)) return await inflate(name, declared);
    return byteFile(name, await open(name), found.size);
  } catch (error) {
    throw error instanceof CommandError ? error : cannot(name, error);
  }
}
