import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { ROOT } from "./examples.ts";

const npm = (cwd: string, ...args: string[]): string =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

export interface Packed {
  /** An empty folder, but for the library installed from its tarball. */
  readonly folder: string;
  readonly tarball: string;
}

/** packages/napier packed and installed in an empty folder, for the tests that follow; the folder is gone after them. */
export function usePacked(): Packed {
  const packed = { folder: "", tarball: "" };
  beforeAll(() => {
    packed.folder = mkdtempSync(join(tmpdir(), "napier-packed-"));
    const said = JSON.parse(npm(join(ROOT, "packages/napier"), "pack", "--json", "--pack-destination", packed.folder));
    // npm 12 answers with an object of packages
    const [{ filename }] = Object.values(said as Record<string, { filename: string }>);
    packed.tarball = join(packed.folder, filename);
    writeFileSync(join(packed.folder, "package.json"), '{ "name": "empty", "private": true }');
    npm(packed.folder, "install", "--offline", "--no-audit", "--no-fund", packed.tarball);
  });
  afterAll(() => {
    if (packed.folder !== "") rmSync(packed.folder, { recursive: true });
  });
  return packed;
}
