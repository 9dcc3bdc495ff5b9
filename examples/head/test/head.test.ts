import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromOnnx } from "@napier/onnx";
import { afterAll, expect, test } from "vitest";
import { embed, readWords, SIZE } from "../src/words.ts";

const folder = mkdtempSync(join(tmpdir(), "napier-head-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the parts share no word, and rows have length 1", () => {
  const { training, validation, test } = readWords();
  const seen = new Set([...training.words, ...validation.words]);
  expect(test.words.filter((word) => seen.has(word))).toEqual([]);
  expect(training.words.filter((word) => new Set(validation.words).has(word))).toEqual([]);
  const { data, shape } = embed(test.words);
  expect(shape).toEqual([test.languages.length, SIZE]);
  for (let i = 0; i < test.words.length; i++) {
    const squares = data.subarray(i * SIZE, (i + 1) * SIZE).reduce((sum, v) => sum + v * v, 0);
    expect(squares, test.words[i]).toBeCloseTo(1, 5);
  }
});

test("the example runs, guesses languages and calibrates", () => {
  const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
  const stdout = execFileSync(process.execPath, [main], { cwd: folder, encoding: "utf8" });
  const score = /^ {2}the (last|best) head, .* NLL ([\d.]+), accuracy ([\d.]+) %, calibration error ([\d.]+) %$/gm;
  const [last, best] = [...stdout.matchAll(score)].map((match) => match.slice(2).map(Number));
  expect(best![0]).toBeLessThan(last![0]!);
  expect(best![1]).toBeGreaterThan(60);
  expect(best![2]).toBeLessThan(7);
  expect(best![2]).toBeLessThan(last![2]!);
  expect(stdout).toContain("it gives the same bits");
  const model = fromOnnx(readFileSync(join(folder, "language.onnx")));
  expect(model.classes).toEqual(["de", "en", "es", "fi", "fr", "it", "pl"]);
  expect(model.features).toEqual([{ name: "embedding", size: SIZE }]);
});
