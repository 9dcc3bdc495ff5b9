import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";

/** @sparticuz/chromium is a Chromium for this platform alone. */
export const describeChromium = describe.skipIf(process.platform !== "linux" || process.arch !== "x64");

const TYPES: Record<string, string> = { js: "text/javascript", html: "text/html" };
/** No evaluation but of WebAssembly, nothing but scripts of this host. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";

/** What makes a page cross-origin isolated; its workers need the first one too. */
export const EMBEDDER = { "cross-origin-embedder-policy": "require-corp" };
export const ISOLATED = { ...EMBEDDER, "cross-origin-opener-policy": "same-origin" };

interface Reply {
  readonly body: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

/** A server on this machine for the tests that follow; `answer` throws or gives nothing where there is no such path. */
function useServer(answer: (path: string) => Reply | undefined): { origin: string } {
  const site = { origin: "" };
  let server: Server;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
      try {
        const reply = answer(path);
        if (reply === undefined) throw new Error(path);
        response.writeHead(200, {
          "content-type": TYPES[path.split(".").at(-1) ?? ""] ?? "text/plain",
          "content-security-policy": POLICY,
          ...reply.headers,
        });
        response.end(reply.body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    site.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server?.close());
  return site;
}

/** Headless Chromium and a server for the tests that follow: what a page of it logs first; anything else it logs is an error. */
export function usePages(answer: (path: string) => Reply | undefined): (path: string) => Promise<string> {
  const site = useServer(answer);
  let folder: string;
  let before: string | undefined;
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "napier-chromium-"));
    before = process.env.TMPDIR;
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
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true });
  });

  return async (path) => {
    const page = await browser.newPage();
    try {
      return await new Promise<string>((resolve, reject) => {
        page.on("console", (message) =>
          message.type() === "log" ? resolve(message.text()) : reject(new Error(message.text())),
        );
        page.on("pageerror", reject);
        page.on("request", (request) => {
          if (!request.url().startsWith(site.origin)) reject(new Error(`a request to ${request.url()}`));
        });
        page.goto(`${site.origin}${path}`).catch(reject);
      });
    } finally {
      await page.close();
    }
  };
}
