import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Digest } from "../tools/corpus.ts";
import { ROOT } from "./examples.ts";
import { usePacked } from "./packed.ts";

/** tools/digest.txt without its first line: the sections' digests, then the digest of all. */
export const COMMITTED = readFileSync(join(ROOT, "tools/digest.txt"), "utf8").replace(/^#.*\n/, "");

/** A digest as tools/digest.ts prints it with --sections. */
export const text = ({ sections, sha256 }: Digest): string =>
  [...Object.entries(sections).map(([name, hex]) => `${hex} ${name}\n`), sha256, "\n"].join("");

interface Runtime {
  readonly command: string;
  readonly args: readonly string[];
}

const installed = (path: string, ...args: string[]): Runtime => ({
  command: join(ROOT, "runtimes/node_modules", path),
  args,
});

export const RUNTIMES: Record<string, Runtime> = {
  "Node 22": installed("node-22/bin/node"),
  "Node 24": installed("node-24/bin/node"),
  "Node 26": installed("node-26/bin/node"),
  Bun: installed("bun/bin/bun"),
  Deno: installed("deno/deno", "run", "--allow-read", "--allow-write"),
};

/** Whether `npm ci --prefix runtimes` was done; `npm test` must pass without it. */
export const INSTALLED = existsSync(join(ROOT, "runtimes/node_modules"));

const run = ({ command, args }: Runtime, cwd: string, ...more: string[]): string =>
  execFileSync(command, [...args, ...more], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const digestOf = (runtime: Runtime): string => run(runtime, ROOT, "tools/dist/digest.js", "--sections");

const CODE = `const { Float16Array } = globalThis; // where there is one
console.log(logSoftmax([40, 0])[0], logOfSoftmax([1000, 0], 'f32').exp[0], typeof fit,
  Float16Array ? logSoftmax(Float16Array.of(20, 0))[0] : logSoftmax(Float32Array.of(20, 0))[0]);`;
const FILES = {
  "import.mjs": `import { logSoftmax } from "napier"; import { logOfSoftmax } from "napier/naive"; import { fit } from "napier/train"; ${CODE}`,
  "require.cjs": `const { logSoftmax } = require("napier"); const { logOfSoftmax } = require("napier/naive"); const { fit } = require("napier/train"); ${CODE}`,
};

const STORE = `import { diskStore } from "napier/node";
const store = diskStore(".");
await store.write("a.bin", Uint8Array.of(1, 2, 3));
await store.write("a.bin", Uint8Array.of(4));
console.log(String(await store.read("a.bin")), await store.read("b.bin"));`;

/** The digest, and the packed library imported and required in an empty folder, on each of these. */
export function testRuntimes(names: readonly string[]): void {
  const packed = usePacked();
  beforeAll(() => {
    writeFileSync(join(packed.folder, "store.mjs"), STORE);
    for (const [file, code] of Object.entries(FILES)) writeFileSync(join(packed.folder, file), code);
  });

  describe.each(names)("%s", (name) => {
    const runtime = RUNTIMES[name];
    test("the corpus's digest is tools/digest.txt's", () => {
      expect(digestOf(runtime)).toBe(COMMITTED);
    });
    test.each(Object.keys(FILES))("the packed library in an empty folder: %s", (file) => {
      expect(run(runtime, packed.folder, file)).toBe("-4.248354255291589e-18 Infinity function -2.06115369216775e-9\n");
    });
    test("a store on disk", () => {
      expect(run(runtime, packed.folder, "store.mjs")).toBe("4 undefined\n");
    });
  });
}
