import { mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { rng } from "../../napier/src/rng.ts";
import { CommandError } from "../src/errors.ts";
import { parseHeader } from "../src/npyheader.ts";
import { napier, temporaryFolder } from "./command.ts";
import { dictionary, npyHeader, writeNpy } from "./npyfile.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const write = (name: string, header: Buffer, bytes = 0): void =>
  writeFileSync(at(name), Buffer.concat([header, Buffer.alloc(bytes)]));

beforeAll(() => {
  writeNpy(at("good.npy"), Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  for (const cut of [0, 9, 40, 130]) {
    writeNpy(at(`cut${cut}.npy`), Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    truncateSync(at(`cut${cut}.npy`), cut);
  }
  writeFileSync(at("text.npy"), "a,b\n1,2\n3,4\n");
  write("version.npy", npyHeader(dictionary("<f4", "(2,)"), 4), 8);
  write("longer.npy", npyHeader(dictionary("<f4", "(2, 3)")), 25);
  write("huge.npy", npyHeader(dictionary("<f8", "(1000000000000, 9000000000000000)")), 8);
  write("endless.npy", npyHeader(dictionary("<f8", `(${"9007199254740991, ".repeat(30)})`)), 8);
  write("unsafe.npy", npyHeader(dictionary("<f8", "(9007199254740993, 1)")), 8);
  write("fortran.npy", npyHeader(dictionary("<f4", "(2, 3)", true)), 24);
  write("swapped.npy", npyHeader(dictionary(">f4", "(2, 3)")), 24);
  write("whole.npy", npyHeader(dictionary("<i4", "(2, 3)")), 24);
  write("bf16.npy", npyHeader(dictionary("|V2", "(2, 3)")), 12);
  write("struct.npy", npyHeader("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"), 8);
  write("cube.npy", npyHeader(dictionary("<f4", "(2, 3, 4)")), 96);
  write("scalar.npy", npyHeader(dictionary("<f4", "()")), 4);
  write("norows.npy", npyHeader(dictionary("<f4", "(0, 3)")));
  write("noclasses.npy", npyHeader(dictionary("<f4", "(3, 0)")));
  write("wide.npy", npyHeader(dictionary("<f4", "(16777217,)")));
  truncateSync(at("wide.npy"), statSync(at("wide.npy")).size + 4 * 16777217);
  const long = npyHeader(dictionary("<f4", "(2,)"), 2);
  long.writeUInt32LE(0xfffffff0, 8);
  write("longheader.npy", long, 8);
  mkdirSync(at("folder.npy"));
  writeNpy(at("y3.npy"), Int32Array.of(0, 1, 2), [3]);
  writeNpy(at("outside.npy"), Int32Array.of(0, 3), [2]);
  writeNpy(at("negative.npy"), Int32Array.of(-1, 0), [2]);
  writeNpy(at("square.npy"), Int32Array.of(0, 1), [1, 2]);
  writeNpy(at("floats.npy"), Float32Array.of(0, 1), [2]);
  writeFileSync(at("t.csv"), "a,b,name,y\n1,2,u,0\n3,4,v,2\n5,6,w,0.5\n");
  writeFileSync(at("null.csv"), "a,b\n1,2\n3,\n");
  writeFileSync(at("words.csv"), "name,city\nu,v\n");
  writeFileSync(at("header.csv"), "a,b\n");
  writeFileSync(at("ragged.jsonl"), '{"e":[1,2]}\n{"e":[1]}\n');
  writeFileSync(at("hole.jsonl"), '{"e":[1,2]}\n{"e":[1,null]}\n');
  writeFileSync(at("empty.jsonl"), '{"e":[]}\n{"e":[1]}\n');
  writeFileSync(at("both.jsonl"), '{"e":[1,2],"id":7}\n');
  writeFileSync(at("logits.npz"), "");
});

const NOT_NPY = "is not a .npy file: it does not begin with \\x93NUMPY and a version";
const PLAIN = "its header does not describe one plain array";
const SAVE = "hint: write it with numpy.save from an array of numbers";
const REFUSED: [args: string, ...lines: string[]][] = [
  ["nowhere.npy", "error: nowhere.npy: no such file"],
  ["folder.npy", "error: folder.npy is a folder"],
  ["text.npy", `error: text.npy ${NOT_NPY}`],
  ["cut0.npy", `error: cut0.npy ${NOT_NPY}`],
  ["cut9.npy", `error: cut9.npy ${NOT_NPY}`],
  ["cut40.npy", "error: cut40.npy is truncated inside its header"],
  [
    "cut130.npy",
    "error: cut130.npy: shape (2, 3) of <f4 needs 24 bytes of data, the file has 2",
    "hint: it is truncated",
  ],
  ["longer.npy", "error: longer.npy: shape (2, 3) of <f4 needs 24 bytes of data, the file has 25"],
  ["version.npy", "error: version.npy: .npy version 4.0 is unknown"],
  [
    "huge.npy",
    "error: huge.npy: shape (1000000000000, 9000000000000000) of <f8 needs 7.2e+28 bytes of data, the file has 8",
    "hint: it is truncated",
  ],
  ["unsafe.npy", `error: unsafe.npy: ${PLAIN}`, SAVE],
  ["longheader.npy", "error: longheader.npy: a header of 4294967280 bytes; at most 65536 are read"],
  [
    "fortran.npy",
    "error: fortran.npy is in Fortran order, and rows are read one by one",
    "hint: save numpy.ascontiguousarray(a)",
  ],
  [
    "swapped.npy",
    "error: swapped.npy: expected f2, f4 or f8, little endian, got >f4, big endian",
    'hint: save a.astype("<f4")',
  ],
  ["whole.npy", "error: whole.npy: expected f2, f4 or f8, little endian, got <i4", 'hint: save a.astype("<f4")'],
  ["bf16.npy", "error: bf16.npy: expected f2, f4 or f8, little endian, got |V2", 'hint: save a.astype("<f4")'],
  ["struct.npy", `error: struct.npy: ${PLAIN}`, SAVE],
  [
    "cube.npy",
    "error: cube.npy: expected shape [classes] or [rows, classes], got (2, 3, 4)",
    "hint: save a.reshape(-1, 4)",
  ],
  ["scalar.npy", "error: scalar.npy: expected shape [classes] or [rows, classes], got ()"],
  ["norows.npy", "error: norows.npy has no rows"],
  ["noclasses.npy", "error: noclasses.npy has no classes"],
  [
    "wide.npy",
    "error: wide.npy: rows of 16777217 classes; at most 16777216 are checked",
    "hint: is this one row? then reshape it to [rows, classes]",
  ],
  ["good.npy --targets y3.npy", "error: y3.npy: expected shape (2), a class for each row of good.npy, got shape (3)"],
  [
    "good.npy --targets square.npy",
    "error: square.npy: expected shape (2), a class for each row of good.npy, got shape (1, 2)",
  ],
  [
    "good.npy --targets floats.npy",
    "error: floats.npy: expected class indices as integers, got <f4",
    'hint: save a.astype("<i8")',
  ],
  [
    "good.npy --targets outside.npy",
    "error: outside.npy: row 2: 3 is no class",
    "hint: classes are the integers from 0 to 2",
  ],
  [
    "good.npy --targets negative.npy",
    "error: negative.npy: row 1: -1 is no class",
    "hint: classes are the integers from 0 to 2",
  ],
  ["good.npy --targets label", "error: --targets label: expected a .npy file, for good.npy has no columns"],
  ["good.npy --exclude id", "error: --exclude: good.npy has no columns"],
  ["good.npy --list -1", "error: option '--list <n>' argument '-1' is invalid. Expected a whole number of at least 0."],
  ["t.csv --targets Y", 'error: t.csv: no column "Y"', 'hint: did you mean "y"?'],
  ["t.csv --targets name", 'error: t.csv: target column "name" is VARCHAR, not class indices'],
  [
    "null.csv",
    'error: null.csv: row 2, column "b": NULL',
    "hint: leave such rows out, or fill them in, with sql:SELECT …",
  ],
  ["words.csv", "error: words.csv: no column of numbers", 'hint: its columns are "name", "city"'],
  ["header.csv", "error: header.csv has no rows"],
  ["ragged.jsonl", 'error: ragged.jsonl: row 2, column "e": a list of 1 numbers where row 1 has 2'],
  [
    "hole.jsonl",
    'error: hole.jsonl: row 2, column "e": NULL in the list, item 2',
    "hint: leave such rows out, or fill them in, with sql:SELECT …",
  ],
  ["empty.jsonl", 'error: empty.jsonl: row 1, column "e": an empty list'],
  [
    "both.jsonl",
    'error: both.jsonl: columns "e", "id": expected one list column, or a column of numbers for each class',
    "hint: leave the others out with --exclude",
  ],
  [
    "logits.npz",
    "error: logits.npz: unknown format",
    'hint: a source is .npy, .csv, .tsv, .parquet, .jsonl, .ndjson or .json (text also with .gz), or "sql:SELECT …"',
  ],
  ["", "error: missing required argument 'logits'"],
];

test.each(REFUSED)("refuses %s", async (args, ...lines) => {
  const { code, stdout, stderr } = await napier(folder, "check", ...args.split(" ").filter(Boolean));
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: lines.map((line) => `${line}\n`).join("") });
});

test("a target column out of range, beside columns that are text", async () => {
  const { code, stdout, stderr } = await napier(folder, "check", "t.csv", "--targets", "y");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe(
    't.csv: column "name" is not numbers and left out\n' +
      'error: t.csv, column "y": row 2: 2 is no class\nhint: classes are the integers from 0 to 1\n',
  );
});

test("a product of sizes beyond counting", async () => {
  const { code, stderr } = await napier(folder, "check", "endless.npy");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: endless\.npy: .* needs Infinity bytes of data, the file has 8\nhint: .*\n$/);
});

const parse = (bytes: Uint8Array) => parseHeader("x.npy", bytes);

test("headers of every version, in any order of entries, with either quote", () => {
  for (const version of [1, 2, 3]) {
    const header = npyHeader(dictionary("<f4", "(2, 3)"), version);
    expect(parse(header)).toEqual({ descr: "<f4", fortran: false, shape: [2, 3], offset: header.length });
  }
  const entries = [`"shape":(7,)`, `'fortran_order': True`, `"descr" : "<f8"`];
  for (const text of [`{${entries.join(", ")}}`, `{ ${entries.join(",")} , }`]) {
    expect(parse(npyHeader(text))).toMatchObject({ descr: "<f8", fortran: true, shape: [7] });
  }
  expect(parse(npyHeader(dictionary("<f4", "()"))).shape).toEqual([]);
  expect(parse(npyHeader(dictionary("<f4", "(3L, 4L)"))).shape).toEqual([3, 4]);
});

test.each([
  "",
  "{}",
  "[]",
  "{'descr': '<f4', 'fortran_order': False}",
  "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}",
  "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (3)}",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (3.5,)}",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (1,,2)}",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} {}",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
  "{'constructor': '<f4', 'fortran_order': False, 'shape': (1,)}",
  "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
])("no header: %s", (text) => {
  expect(() => parse(npyHeader(text))).toThrow(`x.npy: ${PLAIN}`);
});

test("any bytes give a header or one clear error, in no time", () => {
  const random = rng(7, 8);
  const good = npyHeader(dictionary("<f4", "(2, 3)"));
  const start = performance.now();
  for (let i = 0; i < 20_000; i++) {
    const bytes = Uint8Array.from(good);
    for (let k = random.below(4); k >= 0; k--) bytes[random.below(bytes.length)] = random.below(256);
    try {
      const { shape } = parse(bytes.subarray(0, random.below(3) === 0 ? random.below(bytes.length) : bytes.length));
      expect(shape.every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(CommandError);
      expect((error as CommandError).exitCode).toBe(2);
    }
  }
  for (const filling of [" ", "(", ",", "'", "9", "{", "}", " ,", "{'descr':"]) {
    const text = filling.repeat(Math.floor(60_000 / filling.length));
    for (const before of ["", "{", "{'descr': ", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)"]) {
      expect(() => parse(npyHeader(`${before}${text}x`, 2))).toThrow(CommandError);
    }
  }
  expect(performance.now() - start).toBeLessThan(20_000);
});
