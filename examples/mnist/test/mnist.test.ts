import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gather, openSource } from "@napier/cli";
import { afterAll, expect, test } from "vitest";
import { checkBytes, idxItems, PIXELS, sha256, writeParquet } from "../src/mnist.ts";

const folder = mkdtempSync(join(tmpdir(), "napier-mnist-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ROWS = 2500; // more than one chunk of 2,048

function idx(shape: number[], item: (k: number) => number): Uint8Array {
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + shape.reduce((a, b) => a * b, 1));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x800 + shape.length);
  shape.forEach((size, d) => {
    view.setUint32(4 + 4 * d, size);
  });
  for (let k = header; k < bytes.length; k++) bytes[k] = item(k - header);
  return bytes;
}

const images = idx([ROWS, 28, 28], (k) => (k * 7 + (k >> 9)) % 256);
const labels = idx([ROWS], (k) => k % 10);

test("a row holds its label and its 784 pixels", async () => {
  const path = join(folder, "slice.parquet");
  await writeParquet(path, images, labels);
  const source = await openSource(path, { target: "label" });
  const { x, y } = await gather(source);
  source.close();
  expect(source.features).toEqual([{ name: "image", size: PIXELS }]);
  expect(x.shape).toEqual([ROWS, PIXELS]);
  expect(Buffer.from(Uint8Array.from(x.data))).toEqual(Buffer.from(images.subarray(16)));
  expect(y).toEqual([...labels.subarray(8)]);
});

test("bytes with another sha256 are refused", () => {
  const good = sha256(labels);
  checkBytes("labels", labels, good);
  const other = labels.slice();
  other[100]!++;
  expect(() => checkBytes("labels", other, good)).toThrow(
    `labels has sha256 ${sha256(other)} where ${good} is expected`,
  );
});

test("what is no whole IDX file is refused", async () => {
  expect(() => idxItems(labels, 3)).toThrow("not an IDX file of unsigned bytes in 3 dimensions");
  expect(() => idxItems(labels.subarray(0, 7), 1)).toThrow("not an IDX file of unsigned bytes in 1 dimensions");
  expect(() => idxItems(labels.subarray(0, 100), 1)).toThrow("an IDX file of 92 items where 2500 are expected");
  const fewer = idx([ROWS - 1], () => 0);
  await expect(writeParquet(join(folder, "no.parquet"), images, fewer)).rejects.toThrow(
    "images and labels do not belong together",
  );
});
