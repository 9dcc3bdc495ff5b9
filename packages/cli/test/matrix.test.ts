import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { openSource } from "../src/index.ts";
import { napier, sql, temporaryFolder } from "./command.ts";
import { dictionary, npyHeader, writeNpy } from "./npyfile.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const ROWS = 5000; // two blocks
const WIDTH = 3;

/** A whole .safetensors file of these tensors. */
function safetensors(tensors: Record<string, { dtype: string; shape: number[]; bytes: Uint8Array }>): Buffer {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...Object.values(tensors).map(({ bytes }) => bytes)]);
}

const bytesOf = (array: Float32Array | BigInt64Array | Uint16Array): Uint8Array => new Uint8Array(array.buffer);

// numbers that f16 and bf16 hold
const x = Float32Array.from({ length: ROWS * WIDTH }, (_, k) => ((k * 37) % 101) - 50);
const y = BigInt64Array.from({ length: ROWS }, (_, i) => (x[i * WIDTH]! + x[i * WIDTH + 1]! > 0 ? 1n : 0n));
const names = Array.from(y, (label) => (label === 1n ? "größer" : "kleiner"));

beforeAll(async () => {
  writeNpy(at("x.npy"), x, [ROWS, WIDTH]);
  writeNpy(at("x64.npy"), Float64Array.from(x), [ROWS, WIDTH]);
  writeNpy(at("y.npy"), y, [ROWS]);
  writeFileSync(at("x.npy.gz"), gzipSync(readFileSync(at("x.npy"))));
  const emb = { dtype: "F32", shape: [ROWS, WIDTH], bytes: bytesOf(x) };
  const half = Uint16Array.from(x, (v) => new Uint32Array(Float32Array.of(v).buffer)[0]! >>> 16);
  const labels = { dtype: "I64", shape: [ROWS], bytes: bytesOf(y) };
  const file = safetensors({ emb, labels });
  writeFileSync(at("x.safetensors"), file);
  writeFileSync(at("x.safetensors.gz"), gzipSync(file));
  writeFileSync(at("bf16.safetensors"), safetensors({ emb: { ...emb, dtype: "BF16", bytes: bytesOf(half) } }));
  writeFileSync(at("two.safetensors"), safetensors({ a: emb, b: emb }));
  writeFileSync(at("cut.safetensors"), file.subarray(0, 2000));
  writeFileSync(at("y.txt"), `${names.join("\n")}\n`);
  writeFileSync(at("short.txt"), "a\nb\n");
  writeFileSync(at("hole.txt"), "a\n\nb\n");
  const texts = Buffer.alloc(ROWS * 28);
  names.forEach((name, i) => {
    [...name].forEach((character, k) => {
      texts.writeUInt32LE(character.codePointAt(0)!, i * 28 + k * 4);
    });
  });
  writeFileSync(at("names.npy"), Buffer.concat([npyHeader(dictionary("<U7", `(${ROWS},)`)), texts]));
  const bad = x.slice();
  bad[4100 * WIDTH + 2] = Number.NaN;
  writeNpy(at("nan.npy"), bad, [ROWS, WIDTH]);
  writeNpy(at("cube.npy"), Float32Array.of(1, 2, 3, 4), [1, 2, 2]);
  writeFileSync(at("text.npy"), Buffer.concat([npyHeader(dictionary("<U1", "(1, 2)")), Buffer.alloc(8)]));
  // a header of little, and much behind it
  const zeros = Buffer.concat([npyHeader(dictionary("<f4", "(2, 2)")), Buffer.alloc(2 ** 24)]);
  writeFileSync(at("bomb.npy.gz"), gzipSync(zeros));
  writeFileSync(at("broken.npy.gz"), gzipSync(readFileSync(at("x.npy"))).subarray(0, 200));
  await sql(
    `COPY (SELECT [(i*111 % 101) - 50, ((i*3+1)*37 % 101) - 50, ((i*3+2)*37 % 101) - 50]::FLOAT[] AS emb FROM range(${ROWS}) t(i)) TO '${at("x.parquet")}'`,
  );
});

const train = (...args: string[]) => napier(folder, "train", ...args, "--out", "m.onnx", "--json");

test("one matrix in every format gives one model", async () => {
  const digests = new Set<string>();
  for (const [source, labels] of [
    ["x.npy", "y.npy"],
    ["x64.npy", "y.npy"],
    ["x.npy.gz", "x.safetensors"],
    ["x.safetensors", "x.safetensors"],
    ["x.safetensors.gz", "y.npy"],
    ["bf16.safetensors", "y.npy"],
  ] as const) {
    const { code, stdout, stderr } = await train(source, "--labels", labels);
    expect([code, stderr]).toEqual([0, expect.stringContaining(`2 in ${labels}: `)]);
    digests.add(JSON.parse(stdout).sha256);
  }
  expect(digests.size).toBe(1);
});

test("labels are numbers or text, by the file", async () => {
  const classes = async (labels: string) => JSON.parse((await train("x.npy", "--labels", labels)).stdout).classes;
  expect(await classes("y.npy")).toEqual([0, 1]);
  expect(await classes("names.npy")).toEqual(["größer", "kleiner"]);
  expect(await classes("y.txt")).toEqual(["größer", "kleiner"]);
});

test("evaluate, calibrate and predict read matrices, and a model of a matrix other tables of its width", async () => {
  const { stdout } = await train("x.npy", "--labels", "y.npy");
  const { accuracy } = JSON.parse(stdout).train;
  const scored = await napier(folder, "evaluate", "m.onnx", "x.safetensors", "--labels", "y.npy", "--json");
  expect(JSON.parse(scored.stdout)).toMatchObject({ rows: ROWS, accuracy });
  const matrix = await napier(folder, "predict", "m.onnx", "x.npy.gz");
  expect(matrix.stdout.split("\n")).toHaveLength(ROWS + 2);
  const table = await napier(folder, "predict", "m.onnx", "sql:SELECT emb AS x FROM 'x.parquet'");
  expect(table.stdout).toBe(matrix.stdout);
});

test("validation rows may be a matrix", async () => {
  const own = ["--validation", "x64.npy", "--validation-labels", "y.npy"];
  const { code, stdout } = await train("x.npy", "--labels", "y.npy", "--optimizer", "sgd", "--epochs", "1", ...own);
  expect(code).toBe(0);
  const { train: training, validation } = JSON.parse(stdout);
  expect(validation.accuracy).toBe(training.accuracy);
});

const FEW = `5,000 rows of x.npy`;
test.each([
  ["x.npy", ["required option '--labels <file>' not specified: x.npy has no columns"]],
  ["x.npy --target y", ["--target: x.npy has no columns", "give its labels by --labels <file>"]],
  ["x.npy --labels y.npy --exclude a", ['x.npy has no columns, and no "a"']],
  ["x.npy --labels y.npy --weight w", ['x.npy has no columns, and no "w"']],
  ["x.npy --labels none.npy", ["none.npy: no such file"]],
  ["none.npy.gz --labels y.npy", ["none.npy.gz: no such file"]],
  ["x.npy --labels y.csv", ["--labels y.csv: expected a .npy, .safetensors or .txt file"]],
  ["x.npy --labels short.txt", [`short.txt: 2 labels for the ${FEW}`]],
  ["x.npy --labels hole.txt", ["hole.txt: line 2 is empty", "each line is the label of a row"]],
  ["x.npy --labels x.npy", ["x.npy: expected shape (rows), got (5000, 3)"]],
  [
    "x.npy --labels two.safetensors",
    ['two.safetensors: expected one tensor of 1 axis, got "a (5000, 3)", "b (5000, 3)"'],
  ],
  [
    "two.safetensors --labels y.npy",
    [
      'two.safetensors: expected one tensor of 2 axes, got "a (5000, 3)", "b (5000, 3)"',
      "save the one that is meant to a file of its own",
    ],
  ],
  [
    "cut.safetensors --labels y.npy",
    ["cut.safetensors: its tensors need 60174 bytes, the file has 2000", "it is truncated"],
  ],
  ["cube.npy --labels y.npy", ["cube.npy: expected shape (rows, features), got (1, 2, 2)", "save a.reshape(1, -1)"]],
  ["text.npy --labels y.npy", ["text.npy: expected numbers, got <U1", 'save a.astype("<f4")']],
  [
    "nan.npy --labels y.npy",
    ["nan.npy: row 4101, number 3: NaN is not a finite number", "leave such rows out, or fill them in"],
  ],
  ["bomb.npy.gz --labels y.npy", ["bomb.npy.gz holds more than the 144 bytes that its header says"]],
  ["broken.npy.gz --labels y.npy", ["broken.npy.gz: its gzip data are damaged or truncated"]],
  ["x.npy --labels y.npy --validation x.npy", ["--validation x.npy has no labels", "add --validation-labels <file>"]],
])("train refuses %s", async (line, [message, hint]) => {
  const { code, stdout, stderr } = await napier(folder, "train", ...line.split(" "), "--out", "never.onnx");
  const lines = [`error: ${message}`, ...(hint ? [`hint: ${hint}`] : [])];
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: lines.map((text) => `${text}\n`).join("") });
  expect(readdirSync(folder).some((name) => name.startsWith("never") || name.includes(".tmp"))).toBe(false);
});

test("a matrix of another width is refused by a model", async () => {
  await train("x.npy", "--labels", "y.npy");
  writeNpy(at("wide.npy"), Float32Array.from({ length: 8 }), [2, 4]);
  const { code, stderr } = await napier(folder, "predict", "m.onnx", "wide.npy");
  expect([code, stderr]).toEqual([2, "error: wide.npy: rows of 4 numbers where the model needs 3\n"]);
});

test("blocks are those of a table", async () => {
  const matrix = await openSource(at("x.npy"), { labels: at("y.npy") });
  const shapes: number[][] = [];
  for await (const block of matrix) {
    shapes.push([...block.x.shape, block.y.length, block.row]);
    expect(block.x.data).toEqual(x.subarray((block.row - 1) * WIDTH, (block.row - 1 + block.y.length) * WIDTH));
  }
  matrix.close();
  expect(shapes).toEqual([
    [4096, 3, 4096, 1],
    [904, 3, 904, 4097],
  ]);
});
