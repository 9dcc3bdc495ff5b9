import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "./examples.ts";
import { COMMITTED, text } from "./runtimes.ts";

// @sparticuz/chromium is a Chromium for this platform alone
describe.skipIf(process.platform !== "linux" || process.arch !== "x64")("in headless Chromium", () => {
  const TYPES: Record<string, string> = { js: "text/javascript", html: "text/html" };
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
  // a worker needs the header of the page that starts it
  const headersOf = (path: string): Record<string, string> => ({
    ...(/\.js$|isolated/.test(path) && { "cross-origin-embedder-policy": "require-corp" }),
    ...(path === "/isolated.html" && { "cross-origin-opener-policy": "same-origin" }),
  });
  const FOLDERS = ["/packages/napier/dist/", "/tools/dist/"];
  let folder: string;
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
      try {
        const ours = FOLDERS.some((folder) => path.startsWith(folder));
        const body = PAGES[path] ?? (ours ? readFileSync(join(ROOT, path)) : undefined);
        if (body === undefined) throw new Error(path);
        response.writeHead(200, {
          "content-type": TYPES[path.split(".").at(-1) ?? ""] ?? "text/plain",
          "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
          ...headersOf(path),
        });
        response.end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    folder = mkdtempSync(join(tmpdir(), "napier-chromium-"));
    process.env.TMPDIR = folder; // a run that was killed leaves half a Chromium where the next one would look for it
    browser = await playwright.launch({
      executablePath: await chromium.executablePath(),
      args: [
        "--no-sandbox",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  /** What the page logs. */
  async function said(path: string): Promise<string> {
    const page = await browser.newPage();
    const line = new Promise<string>((resolve, reject) => {
      page.on("console", (message) => (message.type() === "log" ? resolve(message.text()) : reject(message.text())));
      page.on("pageerror", reject);
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    return line;
  }

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
