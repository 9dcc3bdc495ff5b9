/** Makes the table of README.md: the winner's log-probability by three formulas. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { logSoftmax } from "napier";
import { logOfSoftmax, logSumExpForm } from "napier/naive";

const START = "<!-- table made by tools/readme.ts -->\n";
const END = "<!-- end of table -->";

const show = (x: number, digits: number): string => {
  if (!Number.isFinite(x)) return String(x).replace("Infinity", "∞").replace("-", "−");
  return `${Object.is(x, 0) || x === 0 ? 0 : Number(x.toPrecision(digits))}`.replace(/^-/, "−");
};

/** The page with the table filled in. */
export function withTable(page: string): string {
  const rows = (
    [
      { logits: [1000, 0, -1000], format: "f32" },
      { logits: [20, 0], format: "f32" },
      { logits: [40, 0], format: "f64" },
    ] as const
  ).map(({ logits, format }) => {
    const digits = format === "f32" ? 8 : 16;
    const own = format === "f32" ? logSoftmax(Float32Array.from(logits))[0] : logSoftmax([...logits])[0];
    const textbook = logOfSoftmax([...logits], format).log[0];
    const usual = logSumExpForm([...logits], format).logSoftmax[0];
    const cells = [textbook, usual, own].map((x) => show(x, digits));
    return `| [${logits.join(", ").replace(/-/g, "−")}] in ${format} | ${cells.join(" | ")} |\n`;
  });
  const head = "| logits | log of softmax | usual log-sum-exp | Napier |\n|---|---|---|---|\n";
  const from = page.indexOf(START) + START.length;
  return page.slice(0, from) + head + rows.join("") + page.slice(page.indexOf(END));
}

const path = fileURLToPath(new URL("../../README.md", import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(path, withTable(readFileSync(path, "utf8")));
