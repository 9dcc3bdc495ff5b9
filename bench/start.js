// What it costs to begin: import and first result in a fresh process, and the bytes of the library.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { median, min } from "./clock.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));

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

const IMPORTS = {
  'import * as napier from "napier"': 'import * as napier from "napier"; globalThis.all = napier;',
  'import { logSoftmax } from "napier"': 'import { logSoftmax } from "napier"; globalThis.one = logSoftmax;',
  'import { crossEntropyWithGrad } from "napier"':
    'import { crossEntropyWithGrad } from "napier"; globalThis.one = crossEntropyWithGrad;',
  'import { linearCrossEntropy } from "napier/linear"':
    'import { linearCrossEntropy } from "napier/linear"; globalThis.one = linearCrossEntropy;',
  'import { fit } from "napier/train"': 'import { fit } from "napier/train"; globalThis.one = fit;',
};

/** What a bundler makes of an import: minified, one file. */
async function bundled(text) {
  const entry = "virtual:entry";
  const plugin = {
    name: "entry",
    resolveId: (id) => (id === entry ? id : null),
    load: (id) => (id === entry ? text : null),
  };
  const { output } = await build({
    root: HERE,
    configFile: false,
    logLevel: "silent",
    plugins: [plugin],
    build: { write: false, minify: true, target: "es2022", rollupOptions: { input: entry } },
  });
  const [{ code }] = output;
  return { bytes: Buffer.byteLength(code), gzipped: gzipSync(code, { level: 9 }).length };
}

/** Bytes of what imports cost in a bundle, and of the packed package. */
export async function sizes() {
  const folder = fileURLToPath(new URL("../packages/napier", import.meta.url));
  const { stdout } = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const packed = /"size":\s*(\d+)/.exec(stdout ?? "");
  const imports = {};
  for (const [name, text] of Object.entries(IMPORTS)) imports[name] = await bundled(text);
  const [napier] = Object.values(imports);
  return { napier, imports, packed: packed ? Number(packed[1]) : null };
}
