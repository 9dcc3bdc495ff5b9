import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, withChecks } from "./examples.ts";

const GUIDES = join(ROOT, "docs/guides");
const PAGES = readdirSync(GUIDES).sort();

/** What the pages show and nobody runs here: sessions that begin with $, scripts of other systems, manifests. */
const SHOWN = ["console", "bash", "dockerfile", "yaml"];

/** Why a block that wants Open MPI's mpirun is left out, if it is. */
const NO_MPI = /Open MPI/.test(spawnSync("mpirun", ["--version"], { encoding: "utf8" }).stdout ?? "")
  ? undefined
  : "skipped, install openmpi-bin libopenmpi3";
const missing = ({ text }: Block): string | undefined => (/^mpirun /m.test(text) ? NO_MPI : undefined);

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
    if (language === "text" || SHOWN.includes(language)) return [];
    return [{ language, text, printed: next?.language === "text" ? next.text : undefined }];
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
  expect(PAGES).toEqual(["check-logits.md", "embeddings.md", "many-machines.md", "reproduce.md", "step-by-step.md"]);
});

describe.each(PAGES)("%s", (page) => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "napier-guide-"));
    for (const name of ["node_modules", "data"]) symlinkSync(join(ROOT, name), join(folder, name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [n, block] of blocksOf(page).entries()) {
    const [k, { language }, why] = [n + 1, block, missing(block)];
    test.skipIf(why !== undefined)(`block ${k}, ${language}${why === undefined ? "" : `: ${why}`}`, () => {
      const env = {
        ...process.env,
        PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
        OMPI_ALLOW_RUN_AS_ROOT: "1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
      };
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
    });
  }
});

test("links lead to files that are there", () => {
  for (const page of PAGES) {
    for (const [, target = ""] of readFileSync(join(GUIDES, page), "utf8").matchAll(/\]\(([^)#]+)\)/g)) {
      if (target.startsWith("https://")) continue;
      expect(existsSync(join(GUIDES, target)), `${page}: ${target}`).toBe(true);
    }
  }
});
