import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, type Page, chromium as playwright } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeChromium } from "../../../test/browser.ts";
import { shortNames } from "../src/shortnames.ts";
import { napier, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const html = (name: string): string => readFileSync(join(folder, `${name}.html`), "utf8");
const COLUMNS = Array.from({ length: 12 }, (_, k) => `a_rather_long_name_of_a_measurement_${k}`);

/** Writes rows of these classes, trains on them and leaves a report. */
async function report(name: string, classes: readonly string[], ...options: string[]): Promise<void> {
  const lines = Array.from({ length: classes.length * 12 }, (_, i) => {
    const k = i % classes.length;
    return `${COLUMNS.map((_, j) => ((k * (j + 3)) % 11) + ((i * 7) % 5)).join()},${classes[k]}`;
  });
  writeFileSync(join(folder, `${name}.csv`), `${COLUMNS.join()},kind\n${lines.join("\n")}\n`);
  const rest = ["--out", `${name}.onnx`, "--report", `${name}.html`, "--validation", "0.4", ...options];
  const { code, stderr } = await napier(folder, "train", `${name}.csv`, "--target", "kind", ...rest);
  expect(code, stderr).toBe(0);
}

const FORTY = Array.from({ length: 40 }, (_, k) => `species_${100 + k}_of_the_northern_meadow`);
const MANY = Array.from({ length: 61 }, (_, k) => `class ${k}`);

beforeAll(async () => {
  await report("three", ["Carex pensylva", "Poa annua long", "Festuca rubra2"], "--hidden", "4", "--epochs", "3");
  await report("forty", FORTY);
  await report("many", MANY, "--max-iterations", "5");
});

test("names that differ in their middles alone were all the same", () => {
  expect(shortNames(FORTY).slice(0, 2)).toEqual(["…00…", "…01…"]);
  expect(shortNames(["a", "a name of a class"])).toEqual(["a", "a name…a class"]);
  const hidden = ["x", "y"].flatMap((end) => ["b", "c"].map((k) => `beginning ${k} of the name ${end} with one end`));
  for (const names of [FORTY, hidden, MANY]) {
    expect(new Set(shortNames(names)).size).toBe(names.length);
    for (const name of shortNames(names)) expect(name.length).toBeLessThanOrEqual(14);
  }
});

test("with more than 60 classes there was no matrix, and no word about it", () => {
  expect(html("many")).toContain(
    "With more than 60 classes the matrix is not drawn; <code>napier evaluate --json</code>",
  );
  expect(html("many")).not.toContain("Confusion matrix");
  for (const name of ["three", "forty"]) expect(html(name)).not.toContain("the matrix is not drawn");
});

test("rows for validation chose no epoch of L-BFGS, and what it minimises is no mean NLL", () => {
  expect(html("three")).toContain("The rows chose the best epoch");
  expect(html("three")).toContain("mean NLL, nats");
  for (const name of ["forty", "many"]) {
    expect(html(name)).toContain("The model was not trained on these rows.");
    expect(html(name)).not.toContain("best epoch");
    expect(html(name)).toContain("objective, nats");
    expect(html(name)).not.toContain("mean NLL, nats");
  }
});

describeChromium("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  const open = async (name: string, width: number): Promise<Page> => {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    await page.goto(`file://${join(folder, `${name}.html`)}`);
    return page;
  };

  /** Texts of a drawing that lie over each other, and those that its edge cuts; turned ones by where they begin. */
  const trouble = (page: Page, label: string): Promise<string[]> =>
    page.evaluate((label) => {
      const svg = [...document.querySelectorAll("svg[aria-label]")].find((s) =>
        s.getAttribute("aria-label")!.startsWith(label),
      )!;
      const edge = svg.getBoundingClientRect();
      const found: string[] = [];
      const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent !== "");
      const boxes = texts.map((text) => text.getBoundingClientRect());
      const isTurned = texts.map((text) => /rotate/.test(text.getAttribute("transform") ?? ""));
      boxes.forEach((a, k) => {
        if (a.left < edge.left - 1 || a.right > edge.right + 1 || a.top < edge.top - 1)
          found.push(`cut: ${texts[k]!.textContent}`);
        for (let n = 0; n < k; n++) {
          const b = boxes[n]!;
          if (isTurned[k] || isTurned[n]) continue;
          const over =
            Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
          if (over) found.push(`${texts[k]!.textContent} over ${texts[n]!.textContent}`);
        }
      });
      return found;
    }, label);

  test.each([
    ["three", "Confusion matrix"],
    ["three", "Loss by epoch"],
    ["forty", "Confusion matrix"],
    ["many", "Share of rows"],
  ])("labels lay over each other, or were cut: %s, %s", async (name, label) => {
    const page = await open(name, 1280);
    expect(await trouble(page, label)).toEqual([]);
    await page.close();
  });

  test.each([1280, 390])(
    "at %i pixels: text of charts is legible, and what was understood is there whole",
    async (width) => {
      const page = await open("three", width);
      const sizes = await page.evaluate(() =>
        [...document.querySelectorAll(".chart svg")].map((svg) => {
          const drawn = Number(svg.getAttribute("width"));
          return (12 * svg.getBoundingClientRect().width) / drawn;
        }),
      );
      expect(sizes.length).toBeGreaterThan(2);
      for (const size of sizes) expect(size).toBeGreaterThan(11);
      const [inside, outside] = await page.evaluate(() => {
        const pre = document.querySelector("pre")!;
        return [pre.scrollWidth, pre.clientWidth];
      });
      expect(inside).toBe(outside);
      expect(
        await page
          .locator(".wide")
          .first()
          .evaluate((box) => getComputedStyle(box).backgroundImage),
      ).toContain("gradient");
      await page.close();
    },
  );
});
