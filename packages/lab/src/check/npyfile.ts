import { checkHeld, LONGEST_START, type NpyFile, parseHeader } from "../../../cli/src/npyheader.ts";
import { logitBytes } from "../../../cli/src/scorearray.ts";

/** A dropped .npy file of logits, its size checked; it is read piece by piece. */
export async function npyOf(file: File): Promise<NpyFile> {
  const { name } = file;
  const start = new Uint8Array(await file.slice(0, LONGEST_START).arrayBuffer());
  const header = parseHeader(name, start);
  checkHeld(name, header, logitBytes(name, header), file.size);
  return {
    ...header,
    name,
    read: async (bytes, position) => {
      const at = header.offset + position;
      bytes.set(new Uint8Array(await file.slice(at, at + bytes.length).arrayBuffer()));
    },
    close: async () => {},
  };
}
