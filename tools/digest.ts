/**
 * Makes tools/digest.txt with --write: one sha256 over the bits of the whole corpus, the same in every runtime. Without
 * it, prints that sha256; with --sections first those of the sections, to see which one moved.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { digest } from "./corpus.ts";

const { sha256, sections } = await digest(new URL("../../packages/napier/dist/", import.meta.url).href);
const lines = Object.entries(sections).map(([name, hex]) => `${hex} ${name}\n`);
if (process.argv.includes("--write")) {
  const first =
    "# Made by tools/digest.ts (node tools/dist/digest.js --write); a change needs an entry under Numerics.\n";
  writeFileSync(new URL("../digest.txt", import.meta.url), `${first}${lines.join("")}${sha256}\n`);
}
process.stdout.write(`${process.argv.includes("--sections") ? lines.join("") : ""}${sha256}\n`);
