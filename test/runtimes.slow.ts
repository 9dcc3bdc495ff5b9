import { execFileSync } from "node:child_process";
import { beforeAll } from "vitest";
import { ROOT } from "./examples.ts";
import { RUNTIMES, testRuntimes } from "./runtimes.ts";

beforeAll(() => {
  execFileSync("npm", ["ci", "--prefix", "runtimes"], { cwd: ROOT, stdio: "ignore" });
});
testRuntimes(Object.keys(RUNTIMES));
