import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withTable } from "../tools/readme.ts";
import { ROOT, runExample } from "./examples.ts";

const PAGES = ["README.md", "packages/napier/README.md"];
const read = (page: string): string => readFileSync(join(ROOT, page), "utf8");
const blocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1]);

describe.each(PAGES)("%s", (page) => {
  test.each(blocks(page, "js").map((code, i) => [i + 1, code] as const))("JavaScript block %i", (i, code) => {
    expect(runExample(`${page.replaceAll("/", "-")}-${i}`, code)).toBeGreaterThan(0);
  });
});

describe("README.md", () => {
  test("opens with one sentence and code, the first block in eight lines", () => {
    const [title, , sentence, , fence] = read("README.md").split("\n");
    expect([title, fence]).toEqual(["# Napier", "```js"]);
    expect(sentence.match(/\.(\s|$)/g)).toHaveLength(1);
    expect(blocks("README.md", "js")[0].trimEnd().split("\n").length).toBeLessThanOrEqual(8);
  });

  test("the table is what its program makes", () => {
    expect(read("README.md")).toBe(withTable(read("README.md")));
  });

  test("the command line's block runs in an empty folder", () => {
    const code = blocks("README.md", "sh").find((block) => block.includes("napier train")) ?? "";
    const folder = mkdtempSync(join(tmpdir(), "napier-readme-"));
    const PATH = `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`;
    try {
      execFileSync("bash", ["-euo", "pipefail", "-c", code.replaceAll("npx ", "")], {
        cwd: folder,
        env: { ...process.env, PATH },
        stdio: ["ignore", "pipe", "pipe"],
      });
      expect(existsSync(join(folder, "flowers.onnx"))).toBe(true);
      expect(readFileSync(join(folder, "predictions.csv"), "utf8").split("\n")[0]).toContain("prediction");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("its two commands exist, and CI calls the test command's parts", () => {
    expect(blocks("README.md", "sh").map((block) => block.trim())).toEqual(
      expect.arrayContaining(["npm ci && npm start", "npm ci && npm test"]),
    );
    const ci = readFileSync(join(ROOT, ".ci/run"), "utf8");
    expect(ci).toContain("npm ci");
    expect(ci).toContain("npm test");
  });

  test("links lead to files that are there", () => {
    for (const [, target] of read("README.md").matchAll(/\]\(([^)]+)\)/g)) {
      expect(existsSync(join(ROOT, target)), target).toBe(true);
    }
  });
});
