import { type FileHandle, open } from "node:fs/promises";
import { inputError } from "./errors.ts";
import { checkHeld, LONGEST_START, type NpyFile, type NpyHeader, parseHeader } from "./npyheader.ts";

/** `itemBytes` says how many bytes an item of this type has, or throws for types that are not wanted. */
export async function openNpy(name: string, itemBytes: (header: NpyHeader) => number): Promise<NpyFile> {
  let file: FileHandle;
  try {
    file = await open(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw inputError(`${name}: ${code === "ENOENT" ? "no such file" : `cannot be read (${code})`}`, undefined, error);
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw inputError(`${name} is ${stat.isDirectory() ? "a folder" : "no regular file"}`);
    const start = new Uint8Array(Math.min(stat.size, LONGEST_START));
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    const header = parseHeader(name, start.subarray(0, bytesRead));
    checkHeld(name, header, itemBytes(header), stat.size);
    return {
      ...header,
      name,
      read: async (bytes, position) => {
        for (let done = 0; done < bytes.length; ) {
          const at = header.offset + position + done;
          const { bytesRead: got } = await file.read(bytes, done, bytes.length - done, at);
          if (got === 0) throw inputError(`${name} became shorter while it was read`);
          done += got;
        }
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
