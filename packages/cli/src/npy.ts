import { openBytes, startOf } from "./bytefile.ts";
import { checkHeld, type NpyFile, type NpyHeader, numbersIn, parseHeader } from "./npyheader.ts";

/** `itemBytes` says how many bytes an item of this type has, or throws for types that are not wanted. */
export async function openNpy(name: string, itemBytes: (header: NpyHeader) => number): Promise<NpyFile> {
  const file = await openBytes(name, (start) => {
    const header = parseHeader(name, start);
    return header.offset + numbersIn(header.shape) * itemBytes(header);
  });
  try {
    const header = parseHeader(name, await startOf(file));
    checkHeld(name, header, itemBytes(header), file.size);
    return {
      ...header,
      name,
      read: (bytes, position) => file.read(bytes, header.offset + position),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
