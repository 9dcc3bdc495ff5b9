import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";

const BIN = fileURLToPath(new URL("../../cli/bin/napier.js", import.meta.url));

/** @sparticuz/chromium is a Chromium for this platform alone. */
export const describeChromium = describe.skipIf(process.platform !== "linux" || process.arch !== "x64");

export interface Lab {
  /** Where `napier lab` serves it. */
  address: string;
  /** A page of it, in a browser of its own; `hash` is the state in the address. */
  open(hash?: string, options?: BrowserContextOptions): Promise<Page>;
}

/**
 * `napier lab` and headless Chromium for the tests that follow. A console message, a script's error, a report of the
 * content security policy or a request to another host fails the test that is running.
 */
export function useLab(): Lab {
  const lab: Lab = { address: "", open };
  const faults: string[] = [];
  let folder: string;
  let browser: Browser;
  let stop: () => void;
  let before: string | undefined;

  beforeAll(async () => {
    const child = spawn(process.execPath, [BIN, "lab", "--no-open"], { stdio: ["ignore", "pipe", "inherit"] });
    stop = () => void child.kill("SIGINT");
    lab.address = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (text) => resolve(String(text).trim()));
      child.once("exit", (code) => reject(new Error(`napier lab ended with ${code}`)));
    });
    folder = mkdtempSync(join(tmpdir(), "napier-lab-"));
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
    stop?.();
    await browser?.close();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    if (folder) rmSync(folder, { recursive: true, force: true });
    expect(faults).toEqual([]);
  });

  async function open(hash = "", options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on("console", (message) => faults.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(lab.address) && !/^(data|blob):/.test(url)) faults.push(`a request to ${url}`);
    });
    await page.goto(`${lab.address}${hash === "" ? "" : `#${hash}`}`);
    return page;
  }

  return lab;
}
