import { LONGEST_START, openBytes, startOf } from "./bytefile.ts";
import { inputError, listOf, visible } from "./errors.ts";
import { type NpyFile, type NpyHeader, numbersIn } from "./npyheader.ts";

/** numpy's names of the types; bfloat16 has none. */
const DESCR: Record<string, string> = {
  F16: "<f2",
  BF16: "bf16",
  F32: "<f4",
  F64: "<f8",
  BOOL: "|b1",
  I8: "|i1",
  U8: "|u1",
  I16: "<i2",
  U16: "<u2",
  I32: "<i4",
  U32: "<u4",
  I64: "<i8",
  U64: "<u8",
};

interface Entry extends NpyHeader {
  tensor: string;
  end: number;
}

const MOST_AXES = 16;

const areSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MOST_AXES && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/** The tensors that a file's first bytes name. Whatever they hold, the answer is a list or an error of one line. */
export function parseTensors(name: string, start: Uint8Array): Entry[] {
  const refuse = (why: string) => inputError(`${name} is not a whole .safetensors file: ${why}`);
  if (start.length < 8) throw refuse(`it has ${start.length} bytes`);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > LONGEST_START - 8) throw refuse(`a header of ${length} bytes; at most ${LONGEST_START - 8} are read`);
  const offset = 8 + Number(length);
  if (start.length < offset) throw refuse("it is truncated inside its header");
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(start.subarray(8, offset)));
  } catch {
    throw refuse("its header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw refuse("its header is no object");
  return Object.entries(header).flatMap(([key, value]) => {
    if (key === "__metadata__") return [];
    const tensor = visible(key);
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    if (typeof dtype !== "string" || !areSizes(shape) || !areSizes(offsets) || offsets.length !== 2) {
      throw refuse(`tensor ${JSON.stringify(tensor)} has no dtype, shape and data_offsets`);
    }
    const [begin, end] = offsets as [number, number];
    if (begin > end) throw refuse(`tensor ${JSON.stringify(tensor)} ends before it begins`);
    const descr = Object.hasOwn(DESCR, dtype) ? DESCR[dtype]! : visible(dtype, 20);
    return [{ tensor, descr, fortran: false, shape, offset: offset + begin, end: offset + end }];
  });
}

/** The only tensor of this rank. */
export async function openSafetensors(
  name: string,
  rank: number,
  itemBytes: (header: NpyHeader) => number,
): Promise<NpyFile> {
  const file = await openBytes(name, (start) => Math.max(0, ...parseTensors(name, start).map(({ end }) => end)));
  try {
    const tensors = parseTensors(name, await startOf(file));
    const [found, ...others] = tensors.filter(({ shape }) => shape.length === rank);
    const shapes = tensors.map(({ tensor, shape }) => `${tensor} (${shape.join(", ")})`);
    const wanted = `${name}: expected one tensor of ${rank} ${rank === 1 ? "axis" : "axes"}`;
    if (found === undefined) throw inputError(`${wanted}, got ${tensors.length === 0 ? "none" : listOf(shapes)}`);
    if (others.length > 0)
      throw inputError(`${wanted}, got ${listOf(shapes)}`, "save the one that is meant to a file of its own");
    const bytes = numbersIn(found.shape) * itemBytes(found);
    if (bytes !== found.end - found.offset) {
      throw inputError(
        `${name}: tensor ${JSON.stringify(found.tensor)} of ${found.descr} (${found.shape.join(", ")}) needs ${bytes} bytes, its data_offsets are ${found.end - found.offset} apart`,
      );
    }
    if (found.end > file.size) {
      throw inputError(`${name}: its tensors need ${found.end} bytes, the file has ${file.size}`, "it is truncated");
    }
    return {
      ...found,
      name,
      read: (into, position) => file.read(into, found.offset + position),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
