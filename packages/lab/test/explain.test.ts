import { readFileSync } from "node:fs";
import { logSoftmax } from "napier";
import { logSumExpForm, softmax } from "napier/naive";
import { describe, expect, test } from "vitest";
import { describeChromium, useLab } from "./lab.ts";

const html = readFileSync(new URL("../index.html", import.meta.url), "utf8");
const text = html.slice(html.indexOf('id="explain-it"')).replace(/<[^>]+>/g, "");

describe("the numbers in the text", () => {
  test.each([
    ["f16", 11.1],
    ["f32", 88.8],
    ["f64", 709.8],
  ] as const)("in %s the exponential overflows from %d on", (format, z) => {
    expect(softmax([z], format).exp).toEqual([Infinity]);
    expect(softmax([z - 0.1], format).exp[0]).toBeLessThan(Infinity);
    expect(text).toContain(format === "f16" ? `${z} on in f16` : `${z} in ${format}`);
  });
  test("e^−1000 is 0 in every format", () => {
    for (const format of ["f16", "bf16", "f32", "f64"] as const) expect(softmax([-1000], format).exp).toEqual([0]);
  });
  test("[20, 0] and [40, 0]", () => {
    expect(logSumExpForm([20, 0], "f32").logSoftmax[0]).toBe(0);
    expect(logSumExpForm([40, 0], "f64").logSoftmax[0]).toBe(0);
    const [winner] = logSoftmax([20, 0]) as number[];
    expect(winner.toPrecision(3)).toBe("-2.06e-9");
    const [usual] = logSumExpForm([20, 0], "f64").logSoftmax;
    // eight digits right: off by less than one in the ninth
    expect(Math.abs(usual / winner - 1)).toBeLessThan(1e-7);
    expect(Math.abs(usual / winner - 1)).toBeGreaterThan(1e-8);
  });
});

describeChromium("Why", () => {
  const lab = useLab();

  test("each formula is linked to the control that shows it", async () => {
    const page = await lab.open("preset=model");
    await page.waitForSelector("#break-it[data-ready=true]");
    const links = await page.locator("#explain-it a").all();
    expect(links.length).toBe(6);
    expect(await page.locator("#explain-it math").count()).toBe(8);
    for (const link of links) {
      const [target, preset] = [await link.getAttribute("href"), await link.getAttribute("data-preset")];
      await link.click();
      await page.waitForSelector("#break-it[data-ready=true]");
      expect(await page.evaluate(() => `#${document.activeElement?.id}`)).toBe(target);
      expect(await page.getAttribute(`#preset-${preset}`, "aria-pressed")).toBe("true");
    }
    await page.context().close();
  });
});
