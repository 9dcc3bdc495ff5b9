import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeChromium, EMBEDDER, ISOLATED, usePages } from "./browser.ts";
import { ROOT } from "./examples.ts";
import { COMMITTED, text } from "./runtimes.ts";

describeChromium("in headless Chromium", () => {
  const PAGES: Record<string, string> = {
    "/index.html": '<!doctype html><title>digest</title><script type="module" src="/page.js"></script>',
    "/page.js": `import { digest } from "/tools/dist/corpus.js";
digest(new URL("/packages/napier/dist/", location.href).href).then((found) => console.log(JSON.stringify(found)));`,
    "/alone.html": '<!doctype html><title>pool</title><script type="module" src="/pool.js"></script>',
    "/isolated.html": '<!doctype html><title>pool</title><script type="module" src="/pool.js"></script>',
    "/pool.js": `import * as plain from "/packages/napier/dist/index.js";
import { createPool } from "/packages/napier/dist/pool.js";
import { fit } from "/packages/napier/dist/train/index.js";
const same = (a, b) => a.length === b.length && new Uint8Array(a.buffer).every((v, k) => v === new Uint8Array(b.buffer)[k]);
const pool = createPool({ threads: 2 });
const [rows, classes] = [2000, 501];
const x = Float32Array.from({ length: rows * classes }, (_, k) => (k % classes === k % 97 ? 60 : ((k * 7919) % 1009) / 50));
const y = Int32Array.from({ length: rows }, (_, i) => i % classes);
const options = { shape: [rows, classes] };
const gradient = (await pool.crossEntropyWithGrad(x, y, options)).dlogits;
const data = x.slice(0, 1000 * 200);
const training = { x: { data, shape: [1000, 200] }, y: Array.from(y.slice(0, 1000), (v) => v % 7), hidden: [64], epochs: 2 };
const models = [await fit(training), await fit({ ...training, pool })];
console.log(JSON.stringify({
  isolated: crossOriginIsolated,
  threads: pool.threads,
  reason: pool.reason,
  logSoftmax: same(await pool.logSoftmax(x, options), plain.logSoftmax(x, options)),
  gradient: same(gradient, plain.crossEntropyWithGrad(x, y, options).dlogits),
  fit: same(models[0].layers[1].weight, models[1].layers[1].weight),
}));
await pool.close();`,
  };
  const FOLDERS = ["/packages/napier/dist/", "/tools/dist/"];
  const said = usePages((path) => {
    const ours = FOLDERS.some((folder) => path.startsWith(folder));
    const body = PAGES[path] ?? (ours ? readFileSync(join(ROOT, path)) : undefined);
    if (body === undefined) return undefined;
    return { body, headers: path === "/isolated.html" ? ISOLATED : path.endsWith(".js") ? EMBEDDER : {} };
  });

  test("the corpus's digest is tools/digest.txt's, on a page whose policy allows 'wasm-unsafe-eval' and no other evaluation", async () => {
    expect(text(JSON.parse(await said("/index.html")))).toBe(COMMITTED);
  });

  const SAME = { logSoftmax: true, gradient: true, fit: true };
  test("a pool on a page that is cross-origin isolated has its threads, and the plain operations' bits", async () => {
    expect(JSON.parse(await said("/isolated.html"))).toEqual({ isolated: true, threads: 2, ...SAME });
  });

  test("elsewhere a pool has one thread, says why, and computes the same", async () => {
    expect(JSON.parse(await said("/alone.html"))).toEqual({
      ...{ isolated: false, threads: 1, ...SAME },
      reason:
        "the page is not cross-origin isolated, which the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp make it",
    });
  });
});
