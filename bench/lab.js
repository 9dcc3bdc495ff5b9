// The lab as `napier lab` serves it, in headless Chromium: how soon it is to be seen, and how often it draws while it works.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";
import { median, min } from "./clock.js";

const BIN = fileURLToPath(new URL("../packages/cli/bin/napier.js", import.meta.url));
const VIEWPORT = { width: 1280, height: 800 };
const FRAMES_FOR = 2000; // ms

async function serve() {
  const child = spawn(process.execPath, [BIN, "lab", "--no-open"], { stdio: ["ignore", "pipe", "inherit"] });
  const address = await new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve(String(text).trim()));
    child.once("exit", (code) => reject(new Error(`napier lab ended with ${code}`)));
  });
  return { address, stop: () => child.kill("SIGINT") };
}

/** Opens the page in a context of its own, without anything in a cache, and hands it to `look`. */
async function visit(browser, address, look) {
  const context = await browser.newContext({ viewport: VIEWPORT, locale: "en-US" });
  const page = await context.newPage();
  await page.goto(address);
  await page.waitForSelector("#break-it[data-ready=true]");
  const result = await look(page);
  await context.close();
  return result;
}

/** Milliseconds from the request to the first paint, and until the logits of Break it are answered. */
const paints = (page) =>
  page.evaluate(() => {
    const ready = performance.now();
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return { paint: paint.startTime, ready };
  });

/** Frames a second, and the longest time between two of them in ms. */
const frames = (page) =>
  page.evaluate(
    (duration) =>
      new Promise((resolve) => {
        const times = [];
        const tick = () => {
          const time = performance.now(); // the argument is when the frame was due
          times.push(time);
          if (time - times[0] < duration) return requestAnimationFrame(tick);
          const gaps = times.slice(1).map((each, i) => each - times[i]);
          resolve({ rate: (1000 * gaps.length) / (time - times[0]), longest: Math.max(...gaps) });
        };
        requestAnimationFrame(tick);
      }),
    FRAMES_FOR,
  );

/** A bar is moved with the mouse, to and fro, for as long as frames are counted. */
async function drag(page) {
  await page.locator("#logits-text").scrollIntoViewIfNeeded();
  const box = await page.getByRole("slider").first().boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  let counted = false;
  const counting = frames(page).finally(() => {
    counted = true;
  });
  for (let step = 0; !counted; step++) {
    await page.mouse.move(box.x + box.width * (0.5 + 0.4 * Math.sin(step / 10)), box.y + box.height / 2);
  }
  await page.mouse.up();
  return counting;
}

async function train(page) {
  await page.click("#train-start");
  await page.waitForSelector("#train-it[data-ready=false]");
  await page.locator("#train-stop").scrollIntoViewIfNeeded();
  const result = await frames(page);
  await page.click("#train-stop", { timeout: 1000 }).catch(() => {}); // MNIST may have ended
  return result;
}

const WORK = {
  "nothing, for comparison": ["", frames],
  "Break it: one of two bars is dragged": ["", drag],
  "Break it: one of 50 bars is dragged": ["#preset=equal", drag],
  "Train it: spirals, with surface and curves": ["#data=spirals&epochs=100000", train],
  "Train it: MNIST": ["#data=mnist", train],
};

/** @returns { paint, ready: { min, median } in ms, frames: { [what]: { rate, longest } } }, or null where Chromium is not for this platform */
export async function measureLab(rounds) {
  if (process.platform !== "linux" || process.arch !== "x64") return null;
  const folder = mkdtempSync(join(tmpdir(), "napier-lab-"));
  process.env.TMPDIR = folder; // where Chromium is unpacked
  const site = await serve();
  const browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
  try {
    const opened = [];
    for (let round = 0; round < rounds; round++) opened.push(await visit(browser, site.address, paints));
    const of = (key) => opened.map((each) => each[key]);
    const rates = {};
    for (const [what, [hash, work]] of Object.entries(WORK)) {
      rates[what] = await visit(browser, site.address + hash, work);
    }
    return {
      paint: { min: min(of("paint")), median: median(of("paint")) },
      ready: { min: min(of("ready")), median: median(of("ready")) },
      frames: rates,
      version: browser.version(),
    };
  } finally {
    await browser.close();
    site.stop();
    rmSync(folder, { recursive: true });
  }
}
