import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));

describe("package.json files", () => {
  test("the library has no dependencies of any kind", () => {
    const { dependencies, peerDependencies, optionalDependencies } = json("packages/napier/package.json");
    expect([dependencies, peerDependencies, optionalDependencies]).toEqual([undefined, undefined, undefined]);
  });
  test("the root has these scripts and no others", () => {
    const scripts = ["build", "check", "test", "test:slow", "bench", "gen", "start"];
    expect(Object.keys(json("package.json").scripts).sort()).toEqual(scripts.sort());
  });
  test("dev versions are exact", () => {
    for (const path of ["", "packages/napier/", "packages/onnx/", "packages/cli/", "examples/mnist/"]) {
      for (const [name, version] of Object.entries(json(`${path}package.json`).devDependencies ?? {})) {
        expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
      }
    }
  });
  test("every package is ESM, MIT, and asks for Node 20.19", () => {
    for (const name of ["napier", "onnx", "cli"]) {
      const { type, license, engines } = json(`packages/${name}/package.json`);
      expect({ type, license, engines }).toEqual({ type: "module", license: "MIT", engines: { node: ">=20.19" } });
    }
  });
  test("the lock file names no registry host", () => {
    expect(readFileSync(join(ROOT, "package-lock.json"), "utf8")).not.toMatch(/"resolved": "http/);
  });
});

describe("the packed library in an empty folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "napier-pack-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

  beforeAll(() => {
    const packed = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
        cwd: join(ROOT, "packages/napier"),
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
    const [{ filename }] = Array.isArray(packed)
      ? packed
      : Object.values(packed as Record<string, { filename: string }>);
    writeFileSync(join(folder, "package.json"), '{ "name": "empty", "private": true }');
    run("npm", "install", "--offline", "--no-audit", "--no-fund", `./${filename}`);
  });

  test("holds no tests, no references, no sources", () => {
    const files = run("find", "node_modules/napier", "-type", "f").split("\n");
    expect(files.filter((file) => /\.ref\.|\/test\/|\/src\/|tsbuildinfo/.test(file))).toEqual([]);
    expect(files).toContain("node_modules/napier/LICENSE");
    expect(files).toContain("node_modules/napier/README.md");
  });

  const CODE = "console.log(logSoftmax([40, 0])[0], logOfSoftmax([1000, 0], 'f32').exp[0], typeof fit)";
  const EXPECTED = "-4.248354255291589e-18 Infinity function\n";
  test("import", () => {
    writeFileSync(
      join(folder, "a.mjs"),
      `import { logSoftmax } from "napier"; import { logOfSoftmax } from "napier/naive"; import { fit } from "napier/train"; ${CODE}`,
    );
    expect(run(process.execPath, "a.mjs")).toBe(EXPECTED);
  });
  test("require", () => {
    writeFileSync(
      join(folder, "a.cjs"),
      `const { logSoftmax } = require("napier"); const { logOfSoftmax } = require("napier/naive"); const { fit } = require("napier/train"); ${CODE}`,
    );
    expect(run(process.execPath, "a.cjs")).toBe(EXPECTED);
  });
  test("types: what comes in comes out, without node or DOM types of the caller's", () => {
    writeFileSync(
      join(folder, "a.ts"),
      `import { crossEntropy, crossEntropyWithGrad, entropy, klDiv, logSoftmax, logSumExp, sample, topLogProbs } from "napier";
import { createPool } from "napier/pool";
const a: number[] = logSoftmax([1, 2]);
const b: Float32Array = logSoftmax(new Float32Array(2));
const c: { data: Float32Array; shape: readonly number[] } = logSoftmax({ data: new Float32Array(2), shape: [1, 2] });
const d: { data: Float32Array; dims: readonly number[]; type: string } = logSoftmax({ data: new Float32Array(2), dims: [2], type: "float32" });
const e: number = logSumExp([1, 2]);
const f: Float64Array = logSumExp(new Float64Array(4), { shape: [2, 2] });
const g: number = crossEntropy(new Float32Array(4), [0, 1], { shape: [2, 2] });
const h: Float32Array = crossEntropy(new Float32Array(4), [0, 1], { shape: [2, 2], reduction: "none" });
const { loss, dlogits }: { loss: number; dlogits: number[] } = crossEntropyWithGrad([1, 2], 0);
const n: { indices: Int32Array; logProbs: Float32Array } = topLogProbs(new Float32Array(2), 1);
const o: Int32Array = sample(new Float32Array(4), { shape: [2, 2], seed: 1 });
const p: number[] = klDiv([-1], [1], { reduction: "none" });
const q: "int32" = topLogProbs({ data: new Float32Array(2), dims: [2], type: "float32" }, 1).indices.type;
const r: number = crossEntropy([1, 2], sample([1, 2], { seed: 1 })) + klDiv([-1], [1]) + entropy([1, 2]);
// @ts-expect-error a draw needs a seed
sample([1, 2], { topK: 1 });
// @ts-expect-error a misspelt option
logSoftmax([1, 2], { axs: 0 });
// @ts-expect-error text is no target
crossEntropy([1, 2], "0");
const pool = createPool({ threads: 1 });
const i: Promise<Float32Array> = pool.logSoftmax(new Float32Array(2));
const j: Promise<{ data: number[]; shape: readonly number[] }> = pool.softmax({ data: [1, 2], shape: [1, 2] });
const k: Promise<number> = pool.crossEntropy([1, 2], 0);
const l: Promise<{ loss: number; dlogits: number[] }> = pool.crossEntropyWithGrad([1, 2], 0);
// @ts-expect-error a promise is no array
const m: number[] = pool.logSoftmax([1, 2]);
export { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, loss, dlogits };
`,
    );
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    run(
      tsc,
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--types",
      "",
      "--lib",
      "es2023",
      "a.ts",
    );
  });
});
