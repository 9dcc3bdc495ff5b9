import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, withChecks } from "./examples.ts";

const GUIDES = join(ROOT, "docs/guides");
const PAGES = readdirSync(GUIDES).sort();

interface Block {
  language: string;
  text: string;
  /** The block below it, where that says what is printed. */
  printed: string | undefined;
}

function blocksOf(page: string): Block[] {
  const found = [...readFileSync(join(GUIDES, page), "utf8").matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const all = found.map(([, language = "", text = ""]) => ({ language, text }));
  return all.flatMap(({ language, text }, k) => {
    const next = all[k + 1];
    return language === "text" ? [] : [{ language, text, printed: next?.language === "text" ? next.text : undefined }];
  });
}

/** Lines as the page has them; … stands for anything in a line, alone in a line for any lines. */
function pattern(printed: string): RegExp {
  const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const lines = printed.trimEnd().split("\n");
  return new RegExp(
    lines.map((line) => (line === "…" ? "(?:.*\n)*" : `${line.split("…").map(quote).join(".*")} *\n`)).join(""),
  );
}

test("the guides are these", () => {
  expect(PAGES).toEqual(["check-logits.md", "embeddings.md", "reproduce.md", "step-by-step.md"]);
});

describe.each(PAGES)("%s", (page) => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "napier-guide-"));
    for (const name of ["node_modules", "data"]) symlinkSync(join(ROOT, name), join(folder, name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(blocksOf(page).map((block, k) => [k + 1, block.language, block] as const))(
    "block %i, %s",
    (k, language, block) => {
      const env = { ...process.env, PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}` };
      let command = ["bash", "-euo", "pipefail", "-c", `exec 2>&1\n${block.text.replaceAll("npx ", "")}`];
      if (language === "js") {
        const { code } = withChecks(block.text);
        writeFileSync(join(folder, `block${k}.mjs`), code);
        command = [process.execPath, `block${k}.mjs`];
      } else expect(language).toBe("sh");
      const [program = "", ...args] = command;
      const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, env, encoding: "utf8" });
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      if (block.printed !== undefined) expect(stdout).toMatch(pattern(block.printed));
    },
  );
});

test("links lead to files that are there", () => {
  for (const page of PAGES) {
    for (const [, target = ""] of readFileSync(join(GUIDES, page), "utf8").matchAll(/\]\(([^)#]+)\)/g)) {
      expect(existsSync(join(GUIDES, target)), `${page}: ${target}`).toBe(true);
    }
  }
});
