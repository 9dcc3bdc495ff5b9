import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "./command.ts";
import { ALIKE, commandFor, FORMATS, fuzz, prepare, survives } from "./hostile.ts";

const folder = temporaryFolder();
beforeAll(() => prepare(folder));

describe.concurrent("mutations of the formats that are alike", () => {
  test.each(ALIKE)("%s", async (format) => {
    const [read, refused] = await fuzz(folder, format, 0, 4);
    expect(read + refused).toBe(4);
  });
});

describe.concurrent("30 mutations of each format", () => {
  test.each(FORMATS)("%s", async (format) => {
    const [read, refused] = await fuzz(folder, format, 0, 30);
    expect(read + refused).toBe(30);
    expect(refused).toBeGreaterThan(3);
  });
});

const LINES = "a,b,c,name,y\n1,2,true,x,red\n2,3,false,y,green\n";
const utf16 = (text: string): Buffer => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]);
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
/** Zeros behind the header, a thousand times what the file has. */
const bomb = (bytes: number, fill: number): Buffer =>
  gzipSync(Buffer.concat([Buffer.from(LINES), Buffer.alloc(bytes, fill)]));
const wide = (columns: number): string => {
  const line = (of: (k: number) => string | number): string =>
    Array.from({ length: columns }, (_, k) => of(k)).join(",");
  return `${line((k) => `c${k}`)},y\n${line((k) => k % 7)},u\n${line((k) => k % 5)},v\n`;
};

const CASES: [what: string, file: string, bytes: () => Buffer | string, code: 0 | 2][] = [
  ["64 MB of one line in 64 KB of gzip", "bomb.csv.gz", () => bomb(2 ** 26, 0x61), 2],
  [
    "a gzip that is cut",
    "cut.csv.gz",
    () => gzipSync(`${LINES}${"3,4,true,z,red\n".repeat(9999)}`).subarray(0, 300),
    2,
  ],
  ["a gzip in a gzip", "twice.csv.gz", () => gzipSync(gzipSync(LINES)), 2],
  ["100,000 columns", "wide.csv", () => wide(100_000), 2],
  ["JSON 100,000 arrays deep", "deep.json", () => `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 2],
  ["JSON lines 100,000 objects deep", "deep.jsonl", () => `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}\n`, 2],
  ["an unclosed string of 32 MB", "string.json", () => `[{"a":"${"x".repeat(2 ** 25)}`, 2],
  ["UTF-16", "utf16.csv", () => utf16(LINES), 2],
  ["Latin-1 among UTF-8", "mixed.csv", () => Buffer.concat([Buffer.from(LINES), latin1("3,4,true,gr\xfcn,red\n")]), 2],
  ["a byte order mark", "bom.csv", () => `\uFEFF${LINES}`, 0],
  ["two columns of one name", "same.csv", () => "a,a,b,c,name,y\n1,2,3,true,x,red\n2,3,4,false,y,green\n", 0],
  [
    "names that are SQL",
    "sql.csv",
    () => `"a""; DROP TABLE t; --","b'",c,name,y\n1,2,true,x,red\n3,4,false,z,green\n`,
    0,
  ],
  ["Parquet's magic and nothing else", "magic.parquet", () => "PAR1PAR1", 2],
  ["a footer of 2 GB", "footer.parquet", () => Buffer.from("PAR1\xff\xff\xff\x7fPAR1", "latin1"), 2],
  ["an empty file", "empty.csv", () => "", 2],
];

test.each(CASES)("%s", async (what, file, bytes, code) => {
  writeFileSync(join(folder, file), bytes());
  expect(await survives(folder, what, file, ["train", file, "--target", "y", "--dry-run"])).toBe(code);
  if (code === 0) return;
  writeFileSync(join(folder, file), bytes());
  expect(await survives(folder, what, file, commandFor(file, 0))).toBe(2);
});
