import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "./examples.ts";
import { INSTALLED, testRuntimes } from "./runtimes.ts";

test("CI installs the other runtimes, so that it skips nothing here", () => {
  expect(readFileSync(join(ROOT, ".ci/run"), "utf8")).toContain("npm ci --prefix runtimes");
});

// Without `npm ci --prefix runtimes --omit=dev` (300 MB) these are skipped; the Node that runs is digest.test.ts's.
describe.skipIf(!INSTALLED)("the newest Node and Bun", () => testRuntimes(["Node 26", "Bun"]));
