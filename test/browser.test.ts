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
  };
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

  test("the corpus's digest is tools/digest.txt's, on a page whose policy allows 'wasm-unsafe-eval' and no other evaluation", async () => {
    const page = await browser.newPage();
    const said = new Promise<string>((resolve, reject) => {
      page.on("console", (message) => (message.type() === "log" ? resolve(message.text()) : reject(message.text())));
      page.on("pageerror", reject);
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
    expect(text(JSON.parse(await said))).toBe(COMMITTED);
  });
});
