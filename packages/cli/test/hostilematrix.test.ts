import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { expectLine, mutations, outcomes } from "../../napier/test/mutations.ts";
import { CommandError } from "../src/errors.ts";
import { openSource } from "../src/source.ts";
import { temporaryFolder } from "./command.ts";
import { writeNpy } from "./npyfile.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const x = Float32Array.from({ length: 60 }, (_, k) => Math.sin(k));
const y = BigInt64Array.from({ length: 12 }, (_, i) => BigInt(i % 3));

/** Rows and labels in one file. */
function safetensors(): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      __metadata__: { format: "pt" },
      embeddings: { dtype: "F32", shape: [12, 5], data_offsets: [0, 240] },
      labels: { dtype: "I64", shape: [12], data_offsets: [240, 336] },
    }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.from(x.buffer), Buffer.from(y.buffer)]);
}

/** In one line that names the file. */
const isPromised = (error: Error): boolean => {
  if (!(error instanceof CommandError) || error.exitCode !== 2) return false;
  expectLine(error.hint ?? "", error.message);
  return error.message.includes(at("bad."));
};

const readAll =
  (file: string, labels: string) =>
  async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(file, bytes);
    const source = await openSource(file, { labels });
    try {
      let rows = 0;
      for await (const block of source) {
        expect(block.x.data.length).toBe(block.y.length * block.x.shape[1]);
        expect(block.x.data.every(Number.isFinite)).toBe(true);
        rows += block.y.length;
      }
      expect(rows).toBeGreaterThan(0);
    } finally {
      source.close();
    }
  };

test("1,000 mutations of .safetensors with rows and labels", async () => {
  const file = at("bad.safetensors");
  const { values, refusals } = await outcomes(mutations(safetensors(), 71, 1000), readAll(file, file), isPromised);
  expect(Math.min(values, refusals)).toBeGreaterThan(20);
});

test.each(["npy", "safetensors"])("500 mutations of .%s.gz, inside and outside", async (format) => {
  writeNpy(at("good.npy"), x, [12, 5]);
  writeNpy(at("labels.npy"), y, [12]);
  const good = format === "npy" ? new Uint8Array(readFileSync(at("good.npy"))) : new Uint8Array(safetensors());
  const read = readAll(at(`bad.${format}.gz`), at("labels.npy"));
  const packed = function* () {
    for (const { name, bytes } of mutations(good, 72, 250)) yield { name, bytes: new Uint8Array(gzipSync(bytes)) };
    yield* mutations(new Uint8Array(gzipSync(good)), 73, 250);
  };
  const { values, refusals } = await outcomes(packed(), read, isPromised);
  expect(Math.min(values, refusals)).toBeGreaterThan(20);
});

test("1,000 mutations of a file of labels", async () => {
  writeNpy(at("good.npy"), x, [12, 5]);
  writeNpy(at("labels.npy"), y, [12]);
  const labels = new Uint8Array(readFileSync(at("labels.npy")));
  const read = async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(at("bad.npy"), bytes);
    (await openSource(at("good.npy"), { labels: at("bad.npy") })).close();
  };
  const { values, refusals } = await outcomes(mutations(labels, 74, 1000), read, isPromised);
  expect(Math.min(values, refusals)).toBeGreaterThan(20);
});
