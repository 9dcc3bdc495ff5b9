import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskStore } from "napier/node";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { SLOTS } from "../src/train/store.ts";

const ALL = mkdtempSync(join(tmpdir(), "napier-store-"));
afterAll(() => rmSync(ALL, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(ALL, "f-"));
});

const NAME = SLOTS[0];
const STALE = `.${NAME}.0b5a1c1e-0000-4000-8000-00000000abcd.tmp`;
/** Code for a Node of its own, after which the process may be limited or killed. */
const IMPORT = `import { diskStore } from ${JSON.stringify(import.meta.resolve("napier/node"))};`;
const code = (text: string): string[] => ["--input-type=module", "-e", `${IMPORT}\n${text}`];

describe("diskStore", () => {
  test("reads what was written last, under each name", async () => {
    const store = diskStore(folder);
    expect(await store.read(NAME)).toBe(undefined);
    await store.write(NAME, Uint8Array.of(1, 2, 3));
    await store.write(NAME, Uint8Array.of(4, 5));
    await store.write(SLOTS[1], new Uint8Array(0));
    expect(await store.read(NAME)).toEqual(Uint8Array.of(4, 5));
    expect(await diskStore(`${folder}/`).read(SLOTS[1])).toEqual(new Uint8Array(0));
    expect(readdirSync(folder)).toEqual([...SLOTS]);
  });
  test("a part of a larger buffer, and 5 MB", async () => {
    const store = diskStore(folder);
    await store.write(NAME, Uint8Array.of(0, 1, 2, 3).subarray(1, 3));
    expect(await store.read(NAME)).toEqual(Uint8Array.of(1, 2));
    const large = Uint8Array.from({ length: 5e6 }, (_, k) => k % 251);
    await store.write(NAME, large);
    expect(Buffer.compare((await store.read(NAME)) as Uint8Array, large)).toBe(0);
  });
  test("what a killed process left goes with the first write; other files stay", async () => {
    const others = [".hidden", `.${NAME}.tmp`, "notes.tmp"];
    for (const name of [STALE, ...others]) writeFileSync(join(folder, name), "x");
    await diskStore(folder).read(NAME);
    expect(readdirSync(folder)).toContain(STALE);
    await diskStore(folder).write(NAME, Uint8Array.of(1));
    expect(readdirSync(folder).sort()).toEqual([...others, NAME].sort());
  });

  test("errors name the folder or the file, and what to do", async () => {
    const missing = join(folder, "none");
    const file = join(folder, "file");
    writeFileSync(file, "x");
    expect(() => diskStore(missing)).toThrow(
      new RangeError(
        `diskStore: folder expected a folder that can be written to, got ${missing} (ENOENT); make it first`,
      ),
    );
    expect(() => diskStore(file)).toThrow(
      new RangeError(`diskStore: folder expected a folder that can be written to, got ${file} (ENOTDIR)`),
    );
    expect(() => diskStore(undefined as unknown as string)).toThrow(
      new TypeError("diskStore: folder expected a path, got undefined"),
    );
    const store = diskStore(folder);
    for (const name of ["../a", "a/b", ".a", ""]) {
      const error = new RangeError(
        `diskStore: name expected letters, digits, - and . only, got ${JSON.stringify(name)}`,
      );
      await expect(store.read(name)).rejects.toThrow(error);
      await expect(store.write(name, new Uint8Array(1))).rejects.toThrow(error);
    }
    mkdirSync(join(folder, NAME));
    await expect(store.read(NAME)).rejects.toThrow(
      new Error(`diskStore: ${NAME} expected a file that can be read, got ${folder}/${NAME} (EISDIR)`),
    );
    await expect(store.write(NAME, new Uint8Array(1))).rejects.toThrow(
      new Error(`diskStore: ${NAME} expected a file that can be written, got ${folder}/${NAME} (EISDIR)`),
    );
    expect(readdirSync(folder).sort()).toEqual([NAME, "file"]);
  });
  test("where there is no node:fs", () => {
    vi.stubGlobal("process", undefined);
    try {
      expect(() => diskStore(folder)).toThrow(
        new Error(
          "diskStore: runtime expected node:fs, got none; write a store { read, write } for what this runtime has",
        ),
      );
    } finally {
      vi.unstubAllGlobals();
    }
  });
  test("the folder goes away while a training runs", async () => {
    const store = diskStore(folder);
    await store.write(NAME, new Uint8Array(1));
    rmSync(folder, { recursive: true });
    await expect(store.write(NAME, new Uint8Array(1))).rejects.toThrow(
      new Error(`diskStore: ${NAME} expected a file that can be written, got ${folder}/${NAME} (ENOENT)`),
    );
  });
  test("a folder that cannot be written to", () => {
    chmodSync(ALL, 0o755);
    chmodSync(folder, 0o555);
    // root may write everywhere: the process becomes nobody
    const text = `process.getuid() === 0 && process.setuid(65534);
      try { diskStore(${JSON.stringify(folder)}) } catch (error) { console.log(String(error)) }`;
    expect(execFileSync(process.execPath, code(text), { encoding: "utf8" })).toBe(
      `RangeError: diskStore: folder expected a folder that can be written to, got ${folder} (EACCES)\n`,
    );
  });
  test("a full disk: the error says so, and the old content stays", async () => {
    await diskStore(folder).write(NAME, Uint8Array.of(7));
    const text = `await diskStore(".").write("${NAME}", new Uint8Array(1e6)).catch((error) => console.log(String(error)))`;
    // no file may be larger than 64 KB: the same way out as a full disk's
    const limited = ["-c", 'ulimit -f 64 && exec "$@"', "sh", process.execPath, ...code(text)];
    expect(execFileSync("sh", limited, { cwd: folder, encoding: "utf8" })).toBe(
      `Error: diskStore: ${NAME} expected room for 1000000 bytes, got ./${NAME} (EFBIG); make room; what was saved before is still there\n`,
    );
    expect(await diskStore(folder).read(NAME)).toEqual(Uint8Array.of(7));
    expect(readdirSync(folder)).toEqual([NAME]);
  });

  test("killed at any moment, every file is whole", async () => {
    // each content is one byte, so many times: a mixture would show
    const text = `const store = diskStore(".");
      console.log("ready");
      for (let n = 0; ; n++) await store.write(${JSON.stringify(SLOTS)}[n % 2], new Uint8Array(1e5 + n).fill(n));`;
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, code(text), { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, 37 * round));
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await ended;
      for (const name of readdirSync(folder).filter((name) => !name.startsWith("."))) {
        const bytes = readFileSync(join(folder, name));
        expect(bytes.every((byte) => byte === (bytes.length - 1e5) % 256)).toBe(true);
      }
    }
    expect(readdirSync(folder)).toEqual(expect.arrayContaining([...SLOTS]));
  });
});
