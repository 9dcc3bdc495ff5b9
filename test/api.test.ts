import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as napier from "napier";
import * as linear from "napier/linear";
import * as naive from "napier/naive";
import { beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "./examples.ts";
import { describeOutside } from "./outside.ts";

const API = join(ROOT, "docs/api");
const FILES = readdirSync(API, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));
const text = (file: string): string => readFileSync(file, "utf8");
const committed = Object.fromEntries(FILES.map((file) => [file.slice(API.length + 1), text(file)]));

describe("docs/api", () => {
  test("every function has a page with its formula or sentence, a signature and an example", () => {
    for (const [folder, module] of Object.entries({ napier, linear, naive })) {
      for (const name of Object.keys(module)) {
        const page = committed[`${folder}/${name}.md`];
        expect(page, name).toContain(`import { ${name} } from `);
        expect(page, name).toMatch(new RegExp(`^${name}(<.*>)?\\(`, "m"));
        expect(page, name).toContain("**Example**");
      }
    }
  });

  test("links lead to pages that are there", () => {
    for (const file of FILES) {
      for (const [, target] of text(file).matchAll(/\]\(([^)]+)\)/g)) {
        expect(FILES, `${file}: ${target}`).toContain(join(dirname(file), target));
      }
    }
  });

  test("where TypeDoc is not installed gen leaves it as it is, and says so", () => {
    const folder = mkdtempSync(join(tmpdir(), "napier-api-"));
    try {
      for (const name of ["api.js", "markdown.js", "package.json"]) {
        cpSync(join(ROOT, "outside", name), join(folder, "outside", name));
      }
      expect(execFileSync(process.execPath, [join(folder, "outside/api.js")], { encoding: "utf8" })).toBe(
        "docs/api is left as it is: what makes it comes with npm ci --prefix outside --ignore-scripts\n",
      );
      expect(readdirSync(folder)).toEqual(["outside"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  describeOutside("as its program makes it", () => {
    let made: Record<string, string>;
    beforeAll(async () => {
      const { apiPages } = await import(join(ROOT, "outside/api.js"));
      made = Object.fromEntries(await apiPages());
    });
    test("the committed pages are those (npm run gen makes them)", () => {
      expect(committed).toEqual(made);
    });
    test("no machine's paths, no types that TypeScript could not name", () => {
      for (const page of Object.values(made))
        expect(page).not.toMatch(/import\("|\bany\b(?=[;,)>`\n])|\/(home|tmp|work)\//);
    });
  });
});
