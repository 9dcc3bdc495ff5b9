import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { type Digest, digest } from "../tools/corpus.ts";
import { sha256 } from "../tools/sha256.ts";
import { ROOT } from "./examples.ts";
import { COMMITTED, text } from "./runtimes.ts";

test("our sha256 is node:crypto's, lengths 0 to 200 and one long", () => {
  for (const length of [...Array(201).keys(), 100_003]) {
    const bytes = randomBytes(length);
    expect(sha256(bytes), `${length} bytes`).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});

describe("the same bits everywhere: the corpus's digest is tools/digest.txt's", () => {
  let here: Digest;
  beforeAll(async () => {
    here = await digest(pathToFileURL(join(ROOT, "packages/napier/dist/")).href);
  });
  test(`on Node ${process.version}`, () => {
    expect(text(here)).toBe(COMMITTED);
  });
  // The digest reads every NaN as the canonical one.
  test("a NaN leaves without the sign and payload it came with", () => {
    expect(Object.values(here.strays).every((count) => count === 0)).toBe(true);
  });

  test("a changed digest has its entry: the first 12 digits stand in CHANGELOG.md under Numerics", () => {
    const [, numerics] = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8").split(/^### Numerics$/m);
    expect(numerics.split(/^#/m)[0]).toContain(here.sha256.slice(0, 12));
  });
});
