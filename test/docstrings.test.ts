import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as napier from "napier";
import * as linear from "napier/linear";
import * as naive from "napier/naive";
import * as node from "napier/node";
import * as pool from "napier/pool";
import * as train from "napier/train";
import { expect, test } from "vitest";
import { ROOT, runExample } from "./examples.ts";

const MODULES: Record<string, object> = {
  napier,
  "napier/linear": linear,
  "napier/naive": naive,
  "napier/node": node,
  "napier/pool": pool,
  "napier/train": train,
};

const SOURCE = join(ROOT, "packages/napier/src");

/** The module that exports what a file documents. */
function moduleOf(file: string): string {
  if (file === "linearcrossentropy.ts") return "napier/linear";
  const name = `napier/${file.startsWith("train/") ? "train" : file.slice(0, -3)}`;
  return name in MODULES ? name : "napier";
}

/** Every docstring with an example, and the name that it documents. */
const EXAMPLES = ["", "train/"]
  .flatMap((folder) => readdirSync(join(SOURCE, folder)).map((file) => folder + file))
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    [
      ...readFileSync(join(SOURCE, file), "utf8").matchAll(
        /\/\*\*((?:(?!\*\/)[\s\S])*@example[\s\S]*?)\*\/\s*export (?:async )?(?:const|function) (\w+)/g,
      ),
    ].map(([, text, name]) => ({
      name,
      module: moduleOf(file),
      code: text
        .slice(text.indexOf("@example") + "@example".length)
        .replace(/^\s*\* ?/gm, "")
        .trim(),
    })),
  );

test("every public function has a docstring with an example", () => {
  const documented = new Set(EXAMPLES.map(({ module, name }) => `${module}.${name}`));
  const names = Object.entries(MODULES).flatMap(([module, names]) =>
    Object.keys(names)
      .filter((name) => !/^[A-Z]/.test(name)) // classes
      .map((name) => `${module}.${name}`),
  );
  expect(names.filter((name) => !documented.has(name))).toEqual([]);
});

test.each(EXAMPLES.map(({ module, name, code }) => [`${module}.${name}`, module, code] as const))(
  "example of %s",
  (name, module, code) => {
    const names = Object.keys(MODULES[module]).join(", ");
    const file = `docstring-${name.replaceAll("/", "-")}`;
    expect(runExample(file, `import { ${names} } from "${module}";\n${code}`)).toBeGreaterThan(0);
  },
);
