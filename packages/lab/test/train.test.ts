import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { napier, temporaryFolder } from "../../cli/test/command.ts";
import { COMMAND, DEATH, NAMES } from "../src/train/form.ts";
import { describeChromium, useLab } from "./lab.ts";

const folder = temporaryFolder();
const PARQUET = fileURLToPath(new URL("../site/mnist-10000.parquet", import.meta.url));

describeChromium("Train it", () => {
  const lab = useLab();

  const trained = (page: Page) => page.waitForSelector("#train-it[data-ready=true]", { timeout: 20_000 });
  const runs = (page: Page) => page.locator("#train-runs tbody tr").allInnerTexts();
  /** Pixels of the charts that are not empty. */
  const ink = (page: Page) =>
    page.locator(".charts canvas").evaluateAll((all) =>
      (all as HTMLCanvasElement[]).map((canvas) => {
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, k) => k % 4 === 3 && value > 0).length;
      }),
    );

  test.each(["spirals", "moons", "blobs"])("%s to the end: it is learned, and the surface is drawn", async (data) => {
    const page = await lab.open(`data=${data}`);
    await trained(page);
    const before = await page.locator("#surface canvas").screenshot();
    await page.click("#train-start");
    await page.waitForSelector("#train-it[data-ready=false]");
    await trained(page);
    const [run] = await runs(page);
    expect(run).toContain(NAMES[data]);
    expect(Number(/accuracy ([\d.]+) %/.exec(run)?.[1])).toBeGreaterThan(95);
    expect((await page.locator("#surface canvas").screenshot()).equals(before)).toBe(false);
    for (const pixels of await ink(page)) expect(pixels).toBeGreaterThan(500);
    await page.context().close();
  });

  test("a real death: with one seed the textbook dies at a step that is named, Napier lives", async () => {
    const page = await lab.open();
    await page.click("#train-death");
    await page.waitForSelector("#train-runs tr:nth-child(2)");
    await trained(page);
    const [lives, died] = await runs(page);
    const setting = `seed ${DEATH.seed}, rate ${DEATH.rate}, scale ${DEATH.scale}`;
    expect(died).toContain(`softmax, then log, in f32\t${setting}\tdied in epoch 1, step `);
    expect(lives).toContain(`Napier\t${setting}\tlives: NLL `);
    expect(Number(/accuracy ([\d.]+) %/.exec(lives)?.[1])).toBeGreaterThan(99);
    await page.context().close();
  });

  test("in f16 the textbook dies on plain points, where Napier with the same seed lives", async () => {
    const page = await lab.open("data=blobs&loss=naive-f16");
    await page.click("#train-start");
    await page.waitForSelector("#train-runs td.bad");
    expect((await runs(page))[0]).toMatch(/^three blobs\tsoftmax, then log, in f16\t.*\tdied in epoch \d+, step \d+: /);
    await page.selectOption("#train-loss", "cross-entropy");
    await page.click("#train-start");
    await page.waitForSelector("#train-runs td.good");
    await page.context().close();
  });

  test("MNIST by lab.json: byte for byte the model of the command line; then a digit is drawn", async () => {
    const page = await lab.open("data=mnist");
    await page.click("#train-start");
    await page.waitForSelector("#train-runs .sha256", { timeout: 20_000 });
    const shown = await page.locator("#train-runs .sha256").innerText();

    expect(await page.innerText("#train-command")).toBe(COMMAND);
    const [, , command, file, ...options] = COMMAND.split(" ");
    expect([command, file]).toEqual(["train", "mnist-10000.parquet"]);
    const { code, stderr } = await napier(folder, "train", PARQUET, ...options, "--out", "m.onnx");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const bytes = readFileSync(join(folder, "m.onnx"));
    expect(shown).toBe(createHash("sha256").update(bytes).digest("hex"));
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#train-runs a")]);
    expect(readFileSync(await download.path()).equals(bytes)).toBe(true);

    // a one: a stroke from top to bottom
    await page.locator("#digit").scrollIntoViewIfNeeded();
    const box = await page.locator("#digit").boundingBox();
    if (!box) throw new Error("the field is not to be seen");
    await page.mouse.move(box.x + 140, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 135, box.y + 240, { steps: 12 });
    await page.mouse.up();
    await page.waitForSelector("#digit-answer table");
    expect(await page.innerText("#digit-answer caption")).toBe("It is a 1");
    expect(await page.locator("#digit-answer tbody tr").first().innerText()).toMatch(/^1\t−[\d.e−]+$/);
    await page.context().close();
  });

  test("points are added by mouse and by keys, and a link has them again", async () => {
    const page = await lab.open("data=none&epochs=30");
    const canvas = page.locator("#surface canvas");
    const box = await canvas.boundingBox();
    if (!box) throw new Error("the canvas is not to be seen");
    for (const [u, v] of [
      [0.2, 0.2],
      [0.25, 0.3],
      [0.3, 0.2],
    ])
      await canvas.click({ position: { x: u * box.width, y: v * box.height } });
    await page.selectOption("#train-class", "B");
    await canvas.focus();
    for (const key of ["ArrowRight", "ArrowDown", "Enter", "ArrowRight", "Enter", "ArrowDown", "Enter"])
      await page.keyboard.press(key);
    await page.click("#train-start");
    await page.waitForSelector("#train-runs td");
    const [run] = await runs(page);
    expect(run).toMatch(/^your own points\tNapier\t.*accuracy 100.00 %/);
    const hash = new URL(page.url()).hash.slice(1);
    const again = await lab.open(hash);
    await again.click("#train-start");
    await again.waitForSelector("#train-runs td");
    const sha256 = (of: Page) => of.locator("#train-runs .sha256").innerText();
    expect(await sha256(again)).toBe(await sha256(page));
    await page.context().close();
    await again.context().close();
  });

  test("no points is an error in words; a run is stopped and keeps what it has", async () => {
    const page = await lab.open("data=none");
    await page.click("#train-start");
    await page.waitForSelector("#train-runs td.bad");
    expect((await runs(page))[0]).toMatch(/fit: x/);
    await page.selectOption("#train-data", "spirals");
    await page.fill("#train-epochs", "100000");
    await page.click("#train-start");
    await page.waitForTimeout(1000);
    await page.click("#train-stop");
    await trained(page);
    expect((await runs(page))[0]).toContain("stopped: NLL ");
    await page.context().close();
  });
});
