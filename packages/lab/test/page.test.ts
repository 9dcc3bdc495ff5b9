import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { describeChromium, useLab } from "./lab.ts";

const SITE = fileURLToPath(new URL("../site/", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const VIEWS = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;
const SCHEMES = ["light", "dark"] as const;
const LOOKS = VIEWS.flatMap((viewport) => SCHEMES.map((colorScheme) => ({ viewport, colorScheme })));

/** What axe finds, one line each: how bad, which rule, where. */
async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(AXE); // not by a script element, which the page's policy refuses
  const { violations } = await page.evaluate<AxeResults>(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (options: RunOptions) => Promise<AxeResults> } };
    return axe.run({ resultTypes: ["violations"] });
  });
  return violations.flatMap(({ impact, id, nodes }) =>
    nodes.map(({ target }) => `${impact} ${id}: ${target.join(" ")}`),
  );
}

describe("the built site", () => {
  test("is below 200 kB gzipped without the images", () => {
    const files = readdirSync(SITE, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const own = files.filter(({ name }) => !name.includes("mnist"));
    const bytes = own.map(
      ({ parentPath, name }) => gzipSync(readFileSync(join(parentPath, name)), { level: 9 }).length,
    );
    expect(own.length).toBeGreaterThan(2);
    expect(bytes.reduce((a, b) => a + b, 0)).toBeLessThan(200_000);
  });

  test("has no path from the root and no other host in it, so that any folder of any server will do", () => {
    const html = readFileSync(join(SITE, "index.html"), "utf8");
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) expect(link).toMatch(/^(\.\/|#)/);
  });
});

describeChromium("the page", () => {
  const lab = useLab();

  test.each(LOOKS)("axe finds nothing serious, and nothing is wider than the page: %j", async (look) => {
    const page = await lab.open("", look);
    await page.waitForSelector("#break-it[data-ready=true]");
    const found = await complaints(page);
    expect(found.filter((line) => /^(serious|critical)/.test(line))).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(look.viewport.width);
    await page.context().close();
  });

  test("axe would find something: a button without a name", async () => {
    const page = await lab.open();
    await page.evaluate(() => document.body.append(document.createElement("button")));
    expect((await complaints(page)).join("\n")).toContain("critical button-name");
    await page.context().close();
  });

  test("links inside it move the focus, and leave the state in the address alone", async () => {
    const page = await lab.open("preset=1000");
    await page.waitForSelector("#break-it[data-ready=true]");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("skip");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("break-it");
    expect(new URL(page.url()).hash).toBe("#preset=1000");
    await page.context().close();
  });
});

describeChromium("napier lab", () => {
  const lab = useLab();

  test("serves the files of the site, and nothing else, to this machine alone", async () => {
    const page = await fetch(lab.address);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(page.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(await page.text()).toBe(readFileSync(join(SITE, "index.html"), "utf8"));
    for (const { parentPath, name } of readdirSync(join(SITE, "assets"), { withFileTypes: true })) {
      const file = await fetch(`${lab.address}assets/${name}`);
      expect([name, file.status]).toEqual([name, 200]);
      expect(file.headers.get("content-type")).toMatch(extname(name) === ".js" ? /javascript/ : /./);
      expect(Buffer.from(await file.arrayBuffer()).equals(readFileSync(join(parentPath, name)))).toBe(true);
    }
    for (const path of [
      "nothing.html",
      "../package.json",
      "..%2fpackage.json",
      "assets",
      "%00",
      "assets/../../package.json",
    ]) {
      expect([path, (await fetch(lab.address + path)).status]).toEqual([path, 404]);
    }
    expect((await fetch(lab.address, { method: "POST" })).status).toBe(405);
  });
});
