import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nested } from "../../napier/test/mutations.ts";
import { inspectOnnx, toOnnx } from "../src/index.ts";
import { empties, file, fileOf, message } from "./message.ts";
import { MODELS } from "./models.ts";

const read = (name: string): Uint8Array => readFileSync(new URL(name, import.meta.url));
const REFUSED = "inspectOnnx: bytes expected an ONNX file, got ";
const refuses = (bytes: Uint8Array, got: string): void =>
  expect(() => inspectOnnx(bytes)).toThrow(new RangeError(`${REFUSED}${got}`));

test("a model of ours", () => {
  const bytes = toOnnx(MODELS["calibrated MLP, none"]!);
  expect(inspectOnnx(bytes)).toEqual({
    producer: "napier 1",
    irVersion: 8,
    opsets: [{ domain: "ai.onnx", version: 17 }],
    inputs: [{ name: "x", type: "float32", shape: ["N", 9] }],
    outputs: [
      { name: "logits", type: "float32", shape: ["N", 3] },
      { name: "log_probs", type: "float32", shape: ["N", 3] },
    ],
    operators: [
      { name: "Gemm", count: 2 },
      { name: "Relu", count: 1 },
      { name: "Div", count: 1 },
      { name: "LogSoftmax", count: 1 },
    ],
    parameters: 9 * 8 + 8 + 8 * 3 + 3 + 1,
    bytes: bytes.length,
    metadata: [
      ["napier.format", "1"],
      ["napier.classes", '["klasse „0“","klasse „1“","klasse „2“"]'],
      ["napier.features", '[{"name":"ä\\n","size":1},{"name":"image","size":8}]'],
      ["napier.scaling", "none"],
      ["napier.crc32", expect.stringMatching(/^[0-9a-f]{8}$/)],
    ],
    napier: true,
  });
});

test("every model of ours has its own number of parameters", () => {
  for (const [name, { scaling, layers, inputs, temperature }] of Object.entries(MODELS)) {
    const own = layers.reduce((sum, { weight, bias }) => sum + weight.length + bias.length, temperature === 1 ? 0 : 1);
    const bytes = toOnnx(MODELS[name]!);
    expect(inspectOnnx(bytes).parameters, name).toBe(own + (scaling.kind === "none" ? 0 : 2 * inputs));
  }
});

// torch.onnx.export of Conv2d(1, 2, 3), ReLU, Flatten, Linear(32, 3) with PyTorch 2.13.0, dynamo=False, a dynamic batch
test("PyTorch's", () => {
  expect(inspectOnnx(read("pytorch.onnx"))).toEqual({
    producer: "pytorch 2.13.0",
    irVersion: 9,
    opsets: [{ domain: "ai.onnx", version: 20 }],
    inputs: [{ name: "image", type: "float32", shape: ["batch", 1, 6, 6] }],
    outputs: [{ name: "scores", type: "float32", shape: ["batch", 3] }],
    operators: ["Conv", "Relu", "Flatten", "Gemm"].map((name) => ({ name, count: 1 })),
    parameters: 2 * 9 + 2 + 3 * 32 + 3,
    bytes: 1056,
    metadata: [],
    napier: false,
  });
});

// a LogisticRegression of iris in the operators of scikit-learn's converter, by onnx.helper 1.23.1 and its checker
test("scikit-learn's operators: another domain, no initializers, a list of maps", () => {
  expect(inspectOnnx(read("classifier.onnx"))).toEqual({
    producer: "onnx.helper 1.23.1",
    irVersion: 8,
    opsets: [
      { domain: "ai.onnx", version: 15 },
      { domain: "ai.onnx.ml", version: 1 },
    ],
    inputs: [{ name: "X", type: "float32", shape: [null, 4] }],
    outputs: [
      { name: "output_label", type: "int64", shape: [null] },
      { name: "output_probability", type: "sequence(map(int64, float32))", shape: null },
    ],
    operators: ["ai.onnx.ml.LinearClassifier", "ai.onnx.ml.Normalizer", "Cast", "ai.onnx.ml.ZipMap"].map((name) => ({
      name,
      count: 1,
    })),
    parameters: 0,
    bytes: 570,
    metadata: [["trained_on", "iris"]],
    napier: false,
  });
});

const tensorType = (type: number, ...dims: Uint8Array[]) =>
  message([1, message([1, type], [2, message(...dims.map((dim): [number, Uint8Array] => [1, dim]))])]);
const value = (name: string, type: Uint8Array) => message([1, name], [2, type]);

test("types, sizes and fields that our own files do not have", () => {
  const external = message(
    ...([
      [1, 4096],
      [1, 4096],
      [2, 10], // float16
      [8, "far"],
      [13, message([1, "location"], [2, "weights.bin"])],
      [14, 1],
    ] as [number, number | string | Uint8Array][]),
  );
  const packed = message([1, Uint8Array.of(3, 0xac, 2)], [2, 22], [8, "packed"]); // [3, 300] int4, as proto3 writes it
  const branch = message([1, message([4, "Add"])], [1, message([4, "Relu"])], [5, message([1, 5], [8, "inner"])]);
  const choice = message([1, "x"], [4, "If"], [5, message([1, "then_branch"], [6, branch], [20, 5])]);
  const opaque = message([7, message([1, "org"], [2, "Thing"])]);
  const graph = message(
    [1, message([4, "Relu"])],
    [1, choice],
    [1, message([4, "Relu"], [7, "com.microsoft"])],
    [5, external],
    [5, packed],
    [15, message([1, message([1, 7])], [2, message([1, 7])], [3, 100])], // 7 of 100 numbers, sparse
    [10, "a graph"],
    [11, value("half", tensorType(10, message([1, 0]), message([2, "n"]), message(), message([1, -1])))],
    [11, value("later", tensorType(99))],
    [11, value("sparse", message([8, message([1, 11], [2, message([1, message([1, 5])])])]))],
    [11, value("maybe", message([9, message([1, tensorType(8)])]))],
    [11, value("opaque", opaque)],
    [11, message([1, "bare"])],
    [13, value("hidden", tensorType(1))],
    [500, { f64: 1 }],
    [501, { f32: 1 }],
  );
  const owns = message([1, "Twice"], [7, message([4, "Mul"])], [7, message([4, "Add"])]);
  const { inputs, operators, parameters, opsets, producer, irVersion } = inspectOnnx(
    message([1, 11], [3, "9"], [5, 77], [6, "documented"], [7, graph], [8, message([1, "x.y"], [2, 3])], [25, owns]),
  );
  expect(producer).toBe("9");
  expect(irVersion).toBe(11);
  expect(opsets).toEqual([{ domain: "x.y", version: 3 }]);
  expect(inputs).toEqual([
    { name: "half", type: "float16", shape: [0, "n", null, null] },
    { name: "later", type: "type 99", shape: [] },
    { name: "sparse", type: "sparse(float64)", shape: [5] },
    { name: "maybe", type: "optional(string)", shape: null },
    { name: "opaque", type: "unknown", shape: null },
    { name: "bare", type: "unknown", shape: null },
  ]);
  expect(operators).toEqual([
    { name: "Relu", count: 2 },
    { name: "Add", count: 2 },
    { name: "If", count: 1 },
    { name: "com.microsoft.Relu", count: 1 },
    { name: "Mul", count: 1 },
  ]);
  expect(parameters).toBe(4096 ** 2 + 900 + 5 + 7);
});

test("what is not ONNX is refused in one line", () => {
  const text = new TextEncoder();
  const not = (length: number) => `${length} bytes that are not ONNX, or a damaged or truncated file`;
  refuses(new Uint8Array(), "0 bytes without an ONNX graph");
  refuses(text.encode("a,b,y\n1,2,3\n"), not(12));
  refuses(message([7, message()]), "a graph without an IR version");
  refuses(message([1, -8], [7, message()]), "a graph without an IR version");
  refuses(message([1, 8], [7, "\u0001"]), not(5));
  refuses(file([1, message([3, "a"])]), "a graph with a node that has no operator");
  refuses(file([5, message([1, -3])]), "one with an initializer whose shape is damaged");
  refuses(file([5, message([1, 2 ** 40], [1, 2 ** 40])]), "one of more parameters than can be counted");
  refuses(message([1, 3], [7, message()]), "a graph without an opset");
  expect(inspectOnnx(message([1, 2], [7, message()])).opsets).toEqual([]); // there were none yet
  const bytes = read("pytorch.onnx");
  for (let length = 0; length < bytes.length; length++) {
    expect(() => inspectOnnx(bytes.subarray(0, length)), `${length} bytes`).toThrow(REFUSED);
  }
});

test("messages in each other are read to a depth that Google's parsers have, too", () => {
  const inOptional = (depth: number) => file([11, value("x", nested(9, 1, nested(1, 1, nested(9, depth))))]);
  expect(inspectOnnx(inOptional(1)).inputs[0]!.type).toBe("optional(optional(unknown))");
  const loops = (depth: number): Uint8Array => {
    let graph = message([1, message([4, "Last"])]);
    for (let k = 0; k < depth; k++) graph = message([1, message([4, "Loop"], [5, message([6, graph])])]);
    return fileOf(graph);
  };
  expect(inspectOnnx(loops(30)).operators).toEqual([
    { name: "Last", count: 1 },
    { name: "Loop", count: 30 },
  ]);
  refuses(loops(40), "one of messages in each other deeper than 100");
  refuses(loops(2000), "one of messages in each other deeper than 100");
});

test("memory and time are bounded by the bytes, whatever they are", () => {
  const COUNT = 2_000_000;
  const nodes = new Uint8Array(COUNT * 5);
  for (let k = 0; k < nodes.length; k += 5) nodes.set([0x0a, 3, 0x22, 1, 0x41 + (k % 26)], k);
  const many = "one of more than 131072 nodes, names and numbers";
  const cases: [string, Uint8Array, string][] = [
    ["nodes", fileOf(nodes), ""],
    ["attributes", file([1, message([4, "A"], [5, empties(5, COUNT)])]), ""],
    ["tensors", fileOf(empties(5, COUNT)), ""],
    ["numbers in a shape", file([5, message([1, new Uint8Array(COUNT).fill(1)])]), many],
    ["texts in a node", file([1, empties(1, COUNT)]), many],
    ["inputs", fileOf(empties(11, COUNT)), many],
    ["metadata", empties(14, COUNT), many],
  ];
  for (const [name, bytes, got] of cases) {
    const before = process.memoryUsage().heapUsed;
    const start = performance.now();
    if (got === "") expect(inspectOnnx(bytes).bytes).toBe(bytes.length);
    else refuses(bytes, got);
    expect(performance.now() - start, name).toBeLessThan(5000);
    expect(process.memoryUsage().heapUsed - before, name).toBeLessThan(80e6);
  }
});
