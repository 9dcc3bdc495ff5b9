import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { PRESETS } from "../src/break/logits.ts";
import { describeChromium, useLab } from "./lab.ts";

describeChromium("Break it", () => {
  const lab = useLab();

  const settled = (page: Page) => page.waitForSelector("#break-it[data-ready=true]");
  const cells = (page: Page, id: string, row: number) =>
    page.locator(`#${id} tbody tr`).nth(row).locator("td").allInnerTexts();
  const value = (page: Page, index: number) =>
    page.getByLabel(`logit of class ${index}`, { exact: true }).getAttribute("aria-valuenow");

  test("begins with [20, 0]: each step has its value, and where the winner is lost it says so", async () => {
    const page = await lab.open();
    await settled(page);
    expect(await page.textContent("#break-summary")).toContain("exactly −2.06115362031438070323898279887e−9.");
    expect(await cells(page, "step-lse", 4)).toEqual([
      ...["1", "1\nloses the winner", "1\nloses the winner", "1.0000000020611537\nloses digits"],
    ]);
    expect(await cells(page, "step-lse", 6)).toEqual(["0", "0", "0", "−2.0611536900435727e−9"]);
    expect(await cells(page, "step-napier", 5)).toEqual(["0", "−2.066e−9", "−2.06115369e−9", "−2.061153620314381e−9"]);
    const lit = page.locator("#step-lse td.bad").first();
    expect(await lit.evaluate((cell) => getComputedStyle(cell).backgroundColor)).not.toBe("rgba(0, 0, 0, 0)");
    await page.context().close();
  });

  test("a bar is dragged, and moved by keys; a number is typed; a list is pasted", async () => {
    const page = await lab.open();
    await settled(page);
    const slider = page.getByRole("slider", { name: "logit of class 1" });
    const box = await slider.boundingBox();
    if (!box) throw new Error("the bar is not to be seen");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2, { steps: 5 });
    await page.mouse.up();
    await settled(page);
    expect(Number(await value(page, 1))).toBeCloseTo(12.5, 0); // half of a range of 25
    expect(await page.inputValue("#logits-text")).toBe(`20, ${await value(page, 1)}`);

    await slider.focus();
    const before = Number(await value(page, 1));
    for (const key of ["ArrowRight", "ArrowUp", "PageDown", "ArrowLeft"]) {
      await page.keyboard.press(key);
      await settled(page);
    }
    expect(Number(await value(page, 1))).toBeCloseTo(before - 9, 6);

    await page.getByLabel("logit of class 0, as a number").fill("40");
    await settled(page);
    expect(await page.inputValue("#logits-text")).toMatch(/^40, /);

    await page.fill("#logits-text", "[1000, 0, −1000]");
    await settled(page);
    expect(await page.getByRole("slider").count()).toBe(3);
    expect(await cells(page, "step-textbook", 1)).toEqual(Array(4).fill("∞\noverflow"));

    await page.fill("#logits-text", "1000, zero");
    expect(await page.getByRole("alert").textContent()).toBe("Expected finite numbers, got “zero” in place 2.");
    await page.context().close();
  });

  test.each(PRESETS)("the preset $label, and Napier holds", async ({ id }) => {
    const page = await lab.open();
    await settled(page);
    await page.click(`#preset-${id}`);
    await settled(page);
    expect(await page.getAttribute(`#preset-${id}`, "aria-pressed")).toBe("true");
    expect(await page.textContent("#break-summary")).toContain("Napier holds in every format.");
    await page.context().close();
  });

  test("128,256 logits do not hold up the page", async () => {
    const page = await lab.open();
    await settled(page);
    const longest = await page.evaluate(async () => {
      let last = performance.now();
      let most = 0;
      const timer = setInterval(() => {
        most = Math.max(most, performance.now() - last);
        last = performance.now();
      }, 1);
      document.getElementById("preset-llm")?.click();
      const root = document.getElementById("break-it");
      while (root?.dataset.ready !== "true") await new Promise((resolve) => setTimeout(resolve, 20));
      clearInterval(timer);
      return most;
    });
    expect(longest).toBeLessThan(1000);
    expect(await page.textContent("#break-summary")).toMatch(
      /^Class 42752, the winner: exactly −3\.77800223305242794126663353523e−8\./,
    );
    await page.context().close();
  });

  test("a link shows the same again", async () => {
    const page = await lab.open();
    await settled(page);
    await page.fill("#logits-text", "3, 1.5, −200");
    await settled(page);
    await page.getByRole("button", { name: "class 2" }).click();
    await settled(page);
    const hash = new URL(page.url()).hash.slice(1);
    const again = await lab.open(hash);
    await settled(again);
    for (const what of ["#break-summary", "#break-tables"]) {
      expect(await again.innerText(what)).toBe(await page.innerText(what));
    }
    expect(await again.innerText("#break-summary")).toMatch(/^Class 2: exactly −203\./);
    await page.context().close();
    await again.context().close();
  });
});
