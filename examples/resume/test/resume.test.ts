import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("killed four times, the example ends with the bytes of the training that was not", () => {
  const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
  const stdout = execFileSync(process.execPath, [main], { encoding: "utf8" });
  expect(stdout).toMatch(/the same file, byte for byte\n$/);
  expect(new Set(stdout.match(/sha256 [\da-f]{64}/g)).size).toBe(1);
  expect(stdout).toMatch(/^ {2}begins; killed after epoch \d+/m);
  const done = [...stdout.matchAll(/^ {2}goes on after (\d+) epochs; /gm)].map(([, epochs]) => Number(epochs));
  expect(done).toHaveLength(4);
  // a checkpoint is 20 ms old at most, and none is of a later time than the kill
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(done[0]).toBeGreaterThan(0);
  expect(done[3]).toBeGreaterThan(done[0]!);
});
