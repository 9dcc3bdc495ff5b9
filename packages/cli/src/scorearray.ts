import { inputError } from "./errors.ts";
import type { NpyFile, NpyHeader } from "./npyheader.ts";
import { checkClasses, type Dtype, type Scores, tileRows } from "./scores.ts";

const FLOATS: Record<string, { dtype: Dtype; bytes: number }> = {
  "<f2": { dtype: "f16", bytes: 2 },
  "<f4": { dtype: "f32", bytes: 4 },
  "<f8": { dtype: "f64", bytes: 8 },
};

type Integers = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayLike<number | bigint>;
export const INTEGERS: Record<string, { bytes: number; array: Integers }> = {
  "|i1": { bytes: 1, array: Int8Array },
  "|u1": { bytes: 1, array: Uint8Array },
  "<i2": { bytes: 2, array: Int16Array },
  "<u2": { bytes: 2, array: Uint16Array },
  "<i4": { bytes: 4, array: Int32Array },
  "<u4": { bytes: 4, array: Uint32Array },
  "<i8": { bytes: 8, array: BigInt64Array },
  "<u8": { bytes: 8, array: BigUint64Array },
};

/** The entry of a table of types, or an error that says how to get there. */
function typed<T>(name: string, { descr, fortran, shape }: NpyHeader, types: Record<string, T>, wanted: string): T {
  const type = Object.hasOwn(types, descr) ? types[descr] : undefined;
  if (type === undefined) {
    const swapped = descr.startsWith(">") && Object.hasOwn(types, `<${descr.slice(1)}`);
    const save = swapped ? `<${descr.slice(1)}` : "<f4" in types ? "<f4" : "<i8";
    throw inputError(
      `${name}: expected ${wanted}, got ${descr}${swapped ? ", big endian" : ""}`,
      `save a.astype("${save}")`,
    );
  }
  if (fortran && shape.length > 1) {
    throw inputError(`${name} is in Fortran order, and rows are read one by one`, "save numpy.ascontiguousarray(a)");
  }
  return type;
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Every f16 by its bits, as f32. */
export function f16Values(): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >>> 10) & 31;
    const fraction = bits & 1023;
    const sign = bits >= 32768 ? -1 : 1;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    u32[0] = ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
    return sign * f32[0]!;
  });
}

/** How many bytes a logit of this file has. */
export const logitBytes = (name: string, header: NpyHeader): number =>
  typed(name, header, FLOATS, "f2, f4 or f8, little endian").bytes;

/** How many bytes a class index of this file has. */
export const indexBytes = (name: string, header: NpyHeader): number =>
  typed(name, header, INTEGERS, "class indices as integers").bytes;

/** Class indices of `count` rows from row `first`, counted from 0. */
async function readTargets(file: NpyFile, first: number, count: number): Promise<Float64Array> {
  const { bytes, array } = INTEGERS[file.descr]!;
  const buffer = new ArrayBuffer(count * bytes);
  await file.read(new Uint8Array(buffer), first * bytes);
  const indices = new array(buffer, 0, count);
  return Float64Array.from({ length: count }, (_, i) => Number(indices[i]));
}

/** Logits of a .npy file that is open; `openTargets` opens the class indices of so many rows, where they are asked for. */
export async function scoresOf(
  file: NpyFile,
  openTargets: (rows: number) => Promise<NpyFile | undefined> = async () => undefined,
): Promise<Scores> {
  const { name } = file;
  const { dtype, bytes } = FLOATS[file.descr]!;
  if (file.shape.length !== 1 && file.shape.length !== 2) {
    const hint = file.shape.length > 2 ? `save a.reshape(-1, ${file.shape.at(-1)})` : undefined;
    throw inputError(`${name}: expected shape [classes] or [rows, classes], got (${file.shape.join(", ")})`, hint);
  }
  const [rows, classes] = (file.shape.length === 1 ? [1, ...file.shape] : file.shape) as [number, number];
  if (classes === 0) throw inputError(`${name} has no classes`);
  if (rows === 0) throw inputError(`${name} has no rows`);
  checkClasses(name, classes);
  const open = await openTargets(rows);
  if (open && (open.shape.length !== 1 || open.shape[0] !== rows)) {
    await open.close();
    const got = open.shape.join(", ");
    throw inputError(`${open.name}: expected shape (${rows}), a class for each row of ${name}, got shape (${got})`);
  }
  return {
    name,
    dtype,
    close: async () => {
      await open?.close();
      await file.close();
    },
    async *tiles() {
      const most = Math.min(rows, tileRows(classes));
      const buffer = new ArrayBuffer(most * classes * bytes);
      const values = dtype === "f16" ? f16Values() : undefined;
      const decoded = new Float32Array(values ? most * classes : 0);
      for (let first = 0; first < rows; first += most) {
        const count = Math.min(most, rows - first);
        const length = count * classes;
        await file.read(new Uint8Array(buffer, 0, length * bytes), first * classes * bytes);
        let data: Float32Array | Float64Array;
        if (values) {
          const bits = new Uint16Array(buffer, 0, length);
          for (let k = 0; k < length; k++) decoded[k] = values[bits[k]!]!;
          data = decoded.subarray(0, length);
        } else data = dtype === "f32" ? new Float32Array(buffer, 0, length) : new Float64Array(buffer, 0, length);
        yield {
          data,
          rows: count,
          classes,
          row: first + 1,
          targets: open ? await readTargets(open, first, count) : null,
        };
      }
    },
  };
}
