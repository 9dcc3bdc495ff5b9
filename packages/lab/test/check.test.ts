import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { napier, temporaryFolder } from "../../cli/test/command.ts";
import { dictionary, npyHeader } from "../../cli/test/npyfile.ts";
import { describeChromium, useLab } from "./lab.ts";

const folder = temporaryFolder();
const write = (name: string, data: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
};

const npy = (descr: string, shape: string, data: Float32Array | Float64Array): Uint8Array =>
  Buffer.concat([npyHeader(dictionary(descr, shape)), Buffer.from(data.buffer)]);

/** 3,000 rows of ten classes: sure ones, large ones, broken ones. */
function logits(): Float32Array {
  const data = Float32Array.from({ length: 30_000 }, (_, k) => ((k * 7919) % 1009) / 40 - 12);
  for (let row = 0; row < 3000; row += 7) data[row * 10 + (row % 10)] += row % 3 === 0 ? 1000 : 30;
  data[5 * 10 + 2] = Number.NaN;
  data[17 * 10] = Number.POSITIVE_INFINITY;
  return data;
}
const CSV = "id,cat,dog,truth,who\n1,1000,0,0,Ann\n2,40,0,0,Bob\n3,0.5,-1,1,Cy\n4,nan,1,0,Di\n5,-inf,2,1,Ed\n";

describeChromium("Check a file", () => {
  const lab = useLab();
  const npyPath = write("logits.npy", npy("<f4", "(3000, 10)", logits()));
  const csvPath = write("scores.csv", CSV);

  const checked = (page: Page) => page.waitForSelector("#check-it[data-ready=true]");
  const printed = (page: Page) => page.locator("#check-result pre").textContent();

  async function dropFile(page: Page, path: string): Promise<void> {
    const bytes = readFileSync(path).toString("base64");
    const transfer = await page.evaluateHandle(
      ([base64, name]) => {
        const dropped = new DataTransfer();
        dropped.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
        return dropped;
      },
      [bytes, basename(path)] as const,
    );
    await page.dispatchEvent(".drop", "drop", { dataTransfer: transfer });
  }

  test("a .npy file that is dropped: the report of napier check", async () => {
    const page = await lab.open();
    expect(await page.isVisible("#check-target")).toBe(false);
    await dropFile(page, npyPath);
    await checked(page);
    const { code, stdout } = await napier(folder, "check", "logits.npy");
    expect(code).toBe(3);
    expect(await printed(page)).toBe(stdout);
    expect(await page.textContent("#check-status")).toBe(
      "3,000 rows of 10 classes. 2 rows are broken for everybody: NaN, +∞ or nothing but −∞.",
    );
    const rows = await page.locator("#check-result tbody tr").allInnerTexts();
    expect(rows.map((row) => row.split("\t")[0])).toEqual(["f16", "bf16", "f32", "f64"]);
    const { textbook } = JSON.parse((await napier(folder, "check", "logits.npy", "--json")).stdout);
    const { overflow, lost, zero } = textbook.f32;
    const [, overflows, , winners] = rows[2].split("\t");
    expect([overflows, winners]).toEqual([String(overflow), `${lost.toLocaleString("en-US")}, ${zero} of them 0`]);
    await page.context().close();
  });

  test("a .csv file that is chosen, then its column of classes", async () => {
    const page = await lab.open();
    await page.setInputFiles("#check-file", csvPath);
    await checked(page);
    const all = await napier(folder, "check", "scores.csv");
    expect(await printed(page)).toBe(all.stdout);
    await page.selectOption("#check-target", "truth");
    await page.waitForFunction(() => document.querySelector("#check-result pre")?.textContent?.includes("NLL"));
    expect(await printed(page)).toBe((await napier(folder, "check", "scores.csv", "--targets", "truth")).stdout);
    await page.context().close();
  });

  test.each([
    [
      "cut.npy",
      readFileSync(npyPath).subarray(0, 5000),
      "cut.npy: shape (3000, 10) of <f4 needs 120000 bytes of data, the file has 4872; it is truncated",
    ],
    [
      "text.npy",
      "hello, I am no array",
      "text.npy is not a .npy file: it does not begin with \\x93NUMPY and a version",
    ],
    [
      "huge.npy",
      npy("<f8", "(1099511627776, 1024)", new Float64Array(2)),
      "huge.npy: shape (1099511627776, 1024) of <f8 needs 9007199254740992 bytes of data, the file has 16; it is truncated",
    ],
    ["words.csv", "a,b\nx,y\n", "words.csv: no column of numbers"],
    ["hole.csv", "a,b\n1,2\n3,\n", 'hole.csv: row 2, column "b": no number'],
    ["ragged.csv", "a,b\n1,2\n3\n", "ragged.csv: row 2: expected 2 cells, as the header has, got 1 cells"],
    ["empty.csv", "", "empty.csv has no rows"],
    [
      "table.parquet",
      "PAR1",
      "table.parquet: expected a .npy, .csv or .onnx file; napier check reads Parquet, JSON lines and more",
    ],
  ])("%s: one line says what is wrong", async (name, data, message) => {
    const page = await lab.open();
    await page.setInputFiles("#check-file", write(name, data));
    await checked(page);
    expect(await page.textContent("#check-problem")).toBe(message);
    expect(await page.locator("#check-result table").count()).toBe(0);
    await page.context().close();
  });

  test("a model of ours, and one that is cut short", async () => {
    const rows = write("rows.csv", "a,b,kind\n1,2,cat\n2,1,dog\n3,3,cat\n0,1,dog\n");
    const { code } = await napier(folder, "train", rows, "--target", "kind", "--out", "m.onnx");
    expect(code).toBe(0);
    const page = await lab.open();
    await page.setInputFiles("#check-file", join(folder, "m.onnx"));
    await checked(page);
    const facts = await page.locator("#check-result tr").allInnerTexts();
    expect(facts.slice(0, 6)).toEqual([
      "kind\ta linear model (multinomial logistic regression)",
      'takes\t2 numbers a row: "a", "b"',
      "scaling\teach feature minus its mean, over its deviation",
      'gives\tlog-probabilities of 2 classes: "cat", "dog"',
      "temperature\t1, not calibrated",
      expect.stringMatching(/^weights\t6 numbers, the largest [\d.]+$/),
    ]);
    const whole = readFileSync(join(folder, "m.onnx"));
    await page.setInputFiles("#check-file", write("cut.onnx", whole.subarray(0, whole.length - 9)));
    await page.waitForSelector("#check-problem:not([hidden])");
    expect(await page.textContent("#check-problem")).toMatch(/^fromOnnx: bytes expected .* truncated/);
    await page.context().close();
  });

  test("another class column that holds no classes is an error, and the next file is fine", async () => {
    const page = await lab.open();
    await page.setInputFiles("#check-file", csvPath);
    await checked(page);
    await page.selectOption("#check-target", "cat");
    await checked(page);
    expect(await page.textContent("#check-problem")).toContain('scores.csv, column "cat": row 1: 1000 is no class');
    await page.setInputFiles("#check-file", npyPath);
    await page.waitForSelector("#check-result pre", { state: "attached" });
    expect(await page.isHidden("#check-problem")).toBe(true);
    await page.context().close();
  });
});
