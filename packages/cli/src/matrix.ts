import { readFile } from "node:fs/promises";
import type { Label } from "napier/train";
import { inputError } from "./errors.ts";
import { openNpy } from "./npy.ts";
import type { NpyFile, NpyHeader } from "./npyheader.ts";
import { checkRegular } from "./regular.ts";
import { BLOCK_ROWS, type Block, type Source, type SourceOptions } from "./rows.ts";
import { openSafetensors } from "./safetensors.ts";
import { f16Values, INTEGERS } from "./scorearray.ts";
import { count } from "./words.ts";

const F32_MAX = 3.4028234663852886e38;
const MATRIX = /\.(npy|safetensors)(\.gz)?$/i;
/** Bytes of a file of labels. */
const MOST_LABELS = 2 ** 30;

export const isMatrix = (source: string): boolean => MATRIX.test(source) && !source.startsWith("sql:");

/** `bytes` of an item, and a function from the bytes of many to their numbers. */
interface Numbers {
  bytes: number;
  read(buffer: ArrayBuffer, length: number): ArrayLike<number | bigint>;
}

let halves: Float32Array | undefined;

const NUMBERS: Record<string, Numbers> = {
  "<f2": {
    bytes: 2,
    read: (buffer, length) => {
      halves ??= f16Values();
      const values = halves;
      return Float32Array.from(new Uint16Array(buffer, 0, length), (bits) => values[bits]!);
    },
  },
  bf16: {
    bytes: 2,
    read: (buffer, length) =>
      new Float32Array(Uint32Array.from(new Uint16Array(buffer, 0, length), (bits) => bits * 65536).buffer),
  },
  "<f4": { bytes: 4, read: (buffer, length) => new Float32Array(buffer, 0, length) },
  "<f8": { bytes: 8, read: (buffer, length) => new Float64Array(buffer, 0, length) },
  "|b1": { bytes: 1, read: (buffer, length) => new Uint8Array(buffer, 0, length) },
  ...Object.fromEntries(
    Object.entries(INTEGERS).map(([descr, { bytes, array }]) => [
      descr,
      { bytes, read: (buffer: ArrayBuffer, length: number) => new array(buffer, 0, length) },
    ]),
  ),
};

const numbersOf = (descr: string): Numbers | undefined => (Object.hasOwn(NUMBERS, descr) ? NUMBERS[descr] : undefined);
/** Characters of a numpy text, and the bytes of each. */
const textOf = (descr: string): { length: number; bytes: number } | undefined => {
  const [, kind, length] = /^[<|]([US])([0-9]+)$/.exec(descr) ?? [];
  return kind === undefined ? undefined : { length: Number(length), bytes: kind === "U" ? 4 : 1 };
};

function itemBytes(name: string, isLabels: boolean): (header: NpyHeader) => number {
  return ({ descr, fortran, shape }) => {
    const text = isLabels ? textOf(descr) : undefined;
    const bytes = text ? text.length * text.bytes : numbersOf(descr)?.bytes;
    if (bytes === undefined) {
      const swapped = descr.startsWith(">") ? ", big endian" : "";
      const wanted = isLabels ? "integers or text" : "numbers";
      throw inputError(
        `${name}: expected ${wanted}, got ${descr}${swapped}`,
        `save a.astype("${isLabels ? "<i8" : "<f4"}")`,
      );
    }
    if (fortran && shape.length > 1) {
      throw inputError(`${name} is in Fortran order, and rows are read one by one`, "save numpy.ascontiguousarray(a)");
    }
    return bytes;
  };
}

const open = (name: string, rank: number, isLabels: boolean): Promise<NpyFile> =>
  /\.npy/i.test(name.slice(-8))
    ? openNpy(name, itemBytes(name, isLabels))
    : openSafetensors(name, rank, itemBytes(name, isLabels));

function labelOf(value: number | bigint, name: string, row: number): Label {
  const label = Number(value);
  if (Math.abs(label) <= Number.MAX_SAFE_INTEGER) return label + 0;
  throw inputError(`${name}: row ${row + 1}: ${value} cannot be a label`, "save labels as integers or text");
}

/** One label a line; they are numbers where all of them are. */
async function readLines(name: string): Promise<Label[]> {
  checkRegular(name);
  const text = await readFile(name, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw inputError(
      `${name}: ${error.code === "ENOENT" ? "no such file" : `cannot be read (${error.code})`}`,
      undefined,
      error,
    );
  });
  const lines = text
    .replace(/^\uFEFF/, "")
    .replace(/\r?\n$/, "")
    .split(/\r?\n/);
  const empty = lines.indexOf("");
  if (empty >= 0) throw inputError(`${name}: line ${empty + 1} is empty`, "each line is the label of a row");
  const areNumbers = lines.every((line) => /^[+-]?[0-9]+(\.[0-9]+)?$/.test(line.trim()));
  return areNumbers ? lines.map((line, i) => labelOf(Number(line), name, i)) : lines;
}

/** The label of each row: a .npy or .safetensors array of one axis, or a .txt file with a line for each. */
export async function readLabels(name: string): Promise<Label[]> {
  if (/\.txt$/i.test(name)) return readLines(name);
  if (!MATRIX.test(name)) throw inputError(`--labels ${name}: expected a .npy, .safetensors or .txt file`);
  const file = await open(name, 1, true);
  try {
    const [rows = 1] = file.shape;
    if (file.shape.length !== 1) throw inputError(`${name}: expected shape (rows), got (${file.shape.join(", ")})`);
    const bytes = rows * itemBytes(name, true)(file);
    if (bytes > MOST_LABELS) throw inputError(`${name}: ${bytes} bytes of labels; at most ${MOST_LABELS} are read`);
    const buffer = new ArrayBuffer(bytes);
    await file.read(new Uint8Array(buffer), 0);
    const text = textOf(file.descr);
    if (text === undefined) {
      return Array.from(numbersOf(file.descr)!.read(buffer, rows), (value, i) => labelOf(value, name, i));
    }
    const codes = text.bytes === 4 ? new Uint32Array(buffer) : new Uint8Array(buffer);
    return Array.from({ length: rows }, (_, i) => {
      const own = codes.subarray(i * text.length, (i + 1) * text.length);
      const bad = own.find((code) => code > 0x10ffff);
      if (bad !== undefined) throw inputError(`${name}: row ${i + 1}: ${bad} is no character`);
      return String.fromCodePoint(...own).replace(/\0+$/, "");
    });
  } finally {
    await file.close();
  }
}

async function* blocks(file: NpyFile, labels: readonly Label[] | undefined): AsyncGenerator<Block> {
  const [rows, inputs] = file.shape as [number, number];
  const { bytes, read } = numbersOf(file.descr)!;
  for (let first = 0; first < rows; first += BLOCK_ROWS) {
    const taken = Math.min(BLOCK_ROWS, rows - first);
    const buffer = new ArrayBuffer(taken * inputs * bytes);
    await file.read(new Uint8Array(buffer), first * inputs * bytes);
    const numbers = read(buffer, taken * inputs);
    const data = new Float32Array(taken * inputs);
    for (let k = 0; k < data.length; k++) {
      const value = Math.fround(Number(numbers[k]!));
      if (!(Math.abs(value) <= F32_MAX)) {
        const at = `${file.name}: row ${first + Math.floor(k / inputs) + 1}, number ${(k % inputs) + 1}`;
        const finite = Number.isFinite(Number(numbers[k]));
        throw inputError(
          `${at}: ${numbers[k]} is ${finite ? "beyond float32's range" : "not a finite number"}`,
          finite ? "scale the matrix" : "leave such rows out, or fill them in",
        );
      }
      data[k] = value;
    }
    yield { x: { data, shape: [taken, inputs] }, y: labels?.slice(first, first + taken) ?? [], row: first + 1 };
  }
}

/** A matrix of shape [rows, features] and its labels. */
export async function openMatrix(name: string, options: SourceOptions): Promise<Source> {
  const { features: needs, target, labels: labelFile, weight, choice = {}, carry = [] } = options;
  if (target !== undefined) throw inputError(`--target: ${name} has no columns`, "give its labels by --labels <file>");
  const named = [
    ...(choice.features ?? []),
    ...(choice.exclude ?? []),
    ...(choice.keep ?? []),
    ...carry,
    weight ?? [],
  ].flat();
  if (named.length > 0) throw inputError(`${name} has no columns, and no ${JSON.stringify(named[0])}`);
  const file = await open(name, 2, false);
  try {
    const [rows, inputs] = file.shape;
    if (file.shape.length !== 2) {
      const hint = file.shape.length > 2 ? `save a.reshape(${rows}, -1)` : undefined;
      throw inputError(`${name}: expected shape (rows, features), got (${file.shape.join(", ")})`, hint);
    }
    if (rows === 0 || inputs === 0) throw inputError(`${name} has no ${rows === 0 ? "rows" : "features"}`);
    const size = needs?.reduce((sum, feature) => sum + feature.size, 0);
    if (size !== undefined && size !== inputs) {
      throw inputError(`${name}: rows of ${inputs} numbers where the model needs ${size}`);
    }
    const labels = labelFile === undefined ? undefined : await readLabels(labelFile);
    if (labels !== undefined && labels.length !== rows) {
      throw inputError(`${labelFile}: ${count(labels.length)} labels for the ${count(rows!)} rows of ${name}`);
    }
    return {
      name,
      files: [name],
      inputs: labelFile === undefined ? [name] : [name, labelFile],
      features: needs ? [...needs] : [{ name: "x", size: inputs! }],
      kinds: ["list"],
      left: [],
      notNamed: 0,
      labelled: labelFile ?? "labels",
      carried: [],
      [Symbol.asyncIterator]: () => blocks(file, labels),
      close: () => void file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
