// What it costs to begin: import and first result in a fresh process, and the bytes of the library.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { median, min } from "./clock.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DIST = new URL("../packages/napier/dist/", import.meta.url);

const NAPIER = `const { logSoftmax } = await import("napier"); logSoftmax(new Float32Array([1000, 1]));`;
const peer = (file, open) => `
  const opened = [await (await import("./${file}.js")).${open}()].flat()[0];
  const x = new Float32Array([1000, 1]);
  const problem = { x, out: new Float32Array(2), shape: [1, 2], rows: 1, classes: 2 };
  await (await opened.prepare("logSoftmax", problem))();`;
const FIRSTS = {
  Napier: NAPIER,
  "onnxruntime-node": peer("peer_onnxruntime", "onnxruntimeNode"),
  "onnxruntime-web": peer("peer_onnxruntime", "onnxruntimeWeb"),
  "tfjs wasm": peer("peer_tfjs", "tfjs"),
  "jax-js": peer("peer_jax", "jax"),
};

/** Milliseconds of the code inside a fresh process, and of the whole process. */
function run(code) {
  const timed = `const start = performance.now(); ${code}
    require("node:fs").writeSync(1, String(performance.now() - start)); process.exit(0);`;
  const script = `import { createRequire } from "node:module"; const require = createRequire("${import.meta.url}"); ${timed}`;
  const start = performance.now();
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: HERE });
  return status === 0 ? { inside: Number(stdout), whole: performance.now() - start } : null;
}

/** @returns by name { min, median, process }: import and first result in ms; process: the least whole over the least empty one */
export function firstResults(rounds) {
  const runs = { empty: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, code] of Object.entries({ empty: "", ...FIRSTS })) {
      const result = run(code);
      if (!result) continue;
      runs[name] ??= [];
      runs[name].push(result);
    }
  }
  const { empty, ...rest } = runs;
  const whole = (list) => min(list.map((result) => result.whole));
  return Object.fromEntries(
    Object.entries(rest).map(([name, list]) => {
      const inside = list.map((result) => result.inside);
      return [name, { min: min(inside), median: median(inside), process: whole(list) - whole(empty) }];
    }),
  );
}

/** The files that an entry point loads, itself included. */
function loaded(entry, seen = new Set()) {
  const { href } = new URL(entry, DIST);
  if (seen.has(href)) return seen;
  seen.add(href);
  const text = readFileSync(new URL(href), "utf8");
  for (const [, name] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) loaded(new URL(name, href), seen);
  return seen;
}

function size(entry) {
  const texts = [...loaded(entry)].map((href) => readFileSync(new URL(href)));
  const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length;
  return {
    files: texts.length,
    bytes: texts.reduce((sum, text) => sum + text.length, 0),
    gzipped: texts.reduce((sum, text) => sum + gzip(text), 0),
  };
}

/** Bytes of what `import "napier"` and `import "napier/train"` load, as they are, and of the packed package. */
export function sizes() {
  const folder = fileURLToPath(new URL("../packages/napier", import.meta.url));
  const { stdout } = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const packed = /"size":\s*(\d+)/.exec(stdout ?? "");
  return {
    napier: size("index.js"),
    "napier/train": size("train/index.js"),
    packed: packed ? Number(packed[1]) : null,
  };
}
