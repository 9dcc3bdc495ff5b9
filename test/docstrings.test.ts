import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as napier from "napier";
import * as naive from "napier/naive";
import { expect, test } from "vitest";
import { ROOT, runExample } from "./examples.ts";

const SOURCE = join(ROOT, "packages/napier/src");

/** Every docstring with an example, and the name that it documents. */
const EXAMPLES = readdirSync(SOURCE)
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    [
      ...readFileSync(join(SOURCE, file), "utf8").matchAll(
        /\/\*\*((?:(?!\*\/)[\s\S])*@example[\s\S]*?)\*\/\s*export (?:async )?(?:const|function) (\w+)/g,
      ),
    ].map(([, text, name]) => ({
      name,
      module: file === "naive.ts" ? "napier/naive" : "napier",
      code: text
        .slice(text.indexOf("@example") + "@example".length)
        .replace(/^\s*\* ?/gm, "")
        .trim(),
    })),
  );

test("every public function has a docstring with an example", () => {
  const documented = new Set(EXAMPLES.map(({ module, name }) => `${module}.${name}`));
  const names = [
    ...Object.keys(napier).map((name) => `napier.${name}`),
    ...Object.keys(naive).map((name) => `napier/naive.${name}`),
  ];
  expect(names.filter((name) => !documented.has(name))).toEqual([]);
});

test.each(EXAMPLES.map(({ module, name, code }) => [`${module}.${name}`, module, code] as const))(
  "example of %s",
  (name, module, code) => {
    const names = Object.keys(module === "napier" ? napier : naive).join(", ");
    const file = `docstring-${name.replaceAll("/", "-")}`;
    expect(runExample(file, `import { ${names} } from "${module}";\n${code}`)).toBeGreaterThan(0);
  },
);
