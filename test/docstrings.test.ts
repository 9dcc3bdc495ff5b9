import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as napier from "napier";
import * as naive from "napier/naive";
import * as node from "napier/node";
import * as pool from "napier/pool";
import * as train from "napier/train";
import { expect, test } from "vitest";
import { ROOT, runExample } from "./examples.ts";

const MODULES: Record<string, object> = {
  napier,
  "napier/naive": naive,
  "napier/node": node,
  "napier/pool": pool,
  "napier/train": train,
};

const SOURCE = join(ROOT, "packages/napier/src");

/** Every docstring with an example, and the name that it documents. */
const EXAMPLES = [...readdirSync(SOURCE), ...readdirSync(join(SOURCE, "train")).map((file) => `train/${file}`)]
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    [
      ...readFileSync(join(SOURCE, file), "utf8").matchAll(
        /\/\*\*((?:(?!\*\/)[\s\S])*@example[\s\S]*?)\*\/\s*export (?:async )?(?:const|function) (\w+)/g,
      ),
    ].map(([, text, name]) => ({
      name,
      module:
        [file.slice(0, -3), file.slice(0, file.indexOf("/"))]
          .map((part) => `napier/${part}`)
          .find((m) => m in MODULES) ?? "napier",
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
      .filter((name) => /^[a-z]/.test(name)) // the methods of a class have theirs
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
