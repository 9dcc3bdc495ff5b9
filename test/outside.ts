import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { ROOT } from "./examples.ts";

/** The packages that outside/ brings: what makes docs/api, what looks at the packed library, whose tensors it takes. */
export const OUTSIDE = join(ROOT, "outside/node_modules");

const IS_HERE = existsSync(join(OUTSIDE, ".package-lock.json"));

/** Tests that need them. `npm test` passes without; CI installs them and skips nothing. */
export function describeOutside(name: string, tests: () => void): void {
  if (IS_HERE || process.env.CI) describe(name, tests);
  else describe.skip(`${name} (needs npm ci --prefix outside --ignore-scripts)`, tests);
}
