import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * The layers, lowest first: a file imports from its own layer and those above it in this list, never from one below.
 * A new file must be listed; a pattern may end in *.
 */
const LAYERS = [
  ["packages/napier/src/check.ts", "packages/napier/src/exact.ts", "packages/napier/src/bounds.ts"],
  [
    "packages/napier/src/half.ts",
    "packages/napier/src/tensor.ts",
    "packages/napier/src/axes.ts",
    "packages/napier/src/ulp.ts",
    "packages/napier/src/rng.ts",
    "packages/napier/src/targets.ts",
    "packages/napier/src/broadcast.ts",
    "packages/napier/src/linearplan.ts",
  ],
  ["packages/napier/src/kernels/*"],
  ["packages/napier/src/kernels.ts"],
  ["packages/napier/src/wasm.ts"],
  ["packages/napier/src/wide.ts", "packages/napier/src/linear.ts", "packages/napier/src/fused.ts"],
  ["packages/napier/src/job.ts", "packages/napier/src/runner.ts"],
  ["packages/napier/src/reduction.ts", "packages/napier/src/elements.ts"],
  ["packages/napier/src/widened.ts", "packages/napier/src/operands.ts"],
  ["packages/napier/src/weighted.ts"],
  ["packages/napier/src/lossoptions.ts", "packages/napier/src/counting.ts", "packages/napier/src/steps.ts"],
  ["packages/napier/src/generalloss.ts", "packages/napier/src/rowlosses.ts"],
  ["packages/napier/src/linearmatrix.ts"],
  ["packages/napier/src/lineartiles.ts"],
  ["packages/napier/src/linearlayer.ts", "packages/napier/src/linearlosses.ts"],
  ["packages/napier/src/linearpasses.ts"],
  [
    "packages/napier/src/logsumexp.ts",
    "packages/napier/src/logaddexp.ts",
    "packages/napier/src/logmeanexp.ts",
    "packages/napier/src/cumulative.ts",
    "packages/napier/src/softmax.ts",
    "packages/napier/src/nll.ts",
    "packages/napier/src/crossentropy.ts",
    "packages/napier/src/softcrossentropy.ts",
    "packages/napier/src/linearcrossentropy.ts",
    "packages/napier/src/binary.ts",
    "packages/napier/src/divergence.ts",
    "packages/napier/src/entropy.ts",
    "packages/napier/src/pick.ts",
    "packages/napier/src/naive.ts",
  ],
  ["packages/napier/src/stream.ts"],
  ["packages/napier/src/helpers.ts", "packages/napier/src/thread.ts"],
  ["packages/napier/src/poolworker.ts", "packages/napier/src/crew.ts", "packages/napier/src/tiling.ts"],
  ["packages/napier/src/pool.ts"],
  ["packages/napier/src/index.ts", "packages/napier/src/linearloss.ts"],
  ["packages/napier/src/train/*"],
  ["packages/napier/src/node.ts"],
  ["packages/onnx/src/*", "packages/mpi/src/*"],
  ["packages/cli/src/*"],
  ["packages/lab/*"],
  ["tools/*", "examples/*"],
];

/** A package's name in an import, and the file that it stands for. */
const PACKAGES: Record<string, string> = {
  napier: "packages/napier/src/index.ts",
  "napier/naive": "packages/napier/src/naive.ts",
  "napier/linear": "packages/napier/src/linearloss.ts",
  "napier/pool": "packages/napier/src/pool.ts",
  "napier/train": "packages/napier/src/train/index.ts",
  "napier/node": "packages/napier/src/node.ts",
  "@napier/onnx": "packages/onnx/src/index.ts",
  "@napier/mpi": "packages/mpi/src/index.ts",
  "@napier/cli": "packages/cli/src/index.ts",
};

const matches = (pattern: string, file: string): boolean =>
  pattern.endsWith("*") ? file.startsWith(pattern.slice(0, -1)) : file === pattern;

const layerOf = (file: string): number => LAYERS.findIndex((layer) => layer.some((pattern) => matches(pattern, file)));

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => !/(^|\/)(node_modules|dist|test)\//.test(file));
}

const FILES = ["packages", "tools", "examples"].flatMap(sources).sort();

/** The project's files that a file imports; a kernel imports without an ending. */
function imports(file: string): string[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  const names = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]);
  return names.flatMap((name) => {
    if (name in PACKAGES) return [PACKAGES[name]];
    if (name.startsWith("#napier/")) return [`packages/napier/src/${name.slice("#napier/".length)}.ts`];
    if (!name.startsWith(".") || name.endsWith(".json")) return [];
    return [normalize(join(dirname(file), name)).replace(/\.as$/, ".as.ts")];
  });
}

const GRAPH = new Map(FILES.map((file) => [file, imports(file)]));

describe("layers", () => {
  test("every source file is in one layer", () => {
    expect(FILES.filter((file) => layerOf(file) === -1)).toEqual([]);
  });

  test("no import goes up", () => {
    const upward = [...GRAPH].flatMap(([file, targets]) =>
      targets.filter((target) => layerOf(target) > layerOf(file)).map((target) => `${file} → ${target}`),
    );
    expect(upward).toEqual([]);
  });

  test("every import is a file that is there", () => {
    const missing = [...GRAPH].flatMap(([file, targets]) =>
      targets.filter((target) => !GRAPH.has(target)).map((target) => `${file} → ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("no cycle", () => {
    const done = new Set<string>();
    const walk = (file: string, path: readonly string[]): void => {
      expect(path, `a cycle through ${file}`).not.toContain(file);
      if (done.has(file)) return;
      for (const target of GRAPH.get(file) ?? []) walk(target, [...path, file]);
      done.add(file);
    };
    for (const file of FILES) walk(file, []);
  });

  test("no file is over 400 lines unless a program made it", () => {
    const long = FILES.filter((file) => {
      const text = readFileSync(join(ROOT, file), "utf8");
      return !text.startsWith("// Made by") && text.split("\n").length > 400;
    });
    expect(long).toEqual([]);
  });
});

describe("the same bits everywhere", () => {
  const ALLOWED = new Set([
    "sqrt",
    "abs",
    "floor",
    "ceil",
    "round",
    "trunc",
    "fround",
    "min",
    "max",
    "imul",
    "clz32",
    "sign",
  ]);

  test("packages/napier computes with + − × ÷ and the exact Math functions only", () => {
    const found = FILES.filter((file) => file.startsWith("packages/napier/src/")).flatMap((file) => {
      const code = readFileSync(join(ROOT, file), "utf8")
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/\/\/.*$/gm, "");
      const functions = [...code.matchAll(/\bMath\.(\w+)/g)].map((m) => m[1]).filter((name) => !ALLOWED.has(name));
      const powers = /[\w)\]]\s*\*\*\s*[\w(]/.test(code) ? ["**"] : [];
      return [...functions, ...powers].map((name) => `${file}: ${name}`);
    });
    expect(found).toEqual([]);
  });
});
