import { createHash } from "node:crypto";
import { Model } from "napier/train";
import { expect, test } from "vitest";
import { fromOnnx, toOnnx } from "../src/index.ts";
import { decodeModel, encodeModel } from "../src/schema.ts";
import { checksum } from "../src/toonnx.ts";
import { MODELS, numbers } from "./models.ts";

const REFUSED = "fromOnnx: bytes expected an ONNX file that toOnnx wrote, got ";
const [model] = Object.values(MODELS) as [(typeof MODELS)[string]];
const bytes = toOnnx(model);

test.each(Object.entries(MODELS))("%s: back with the same bits, and to the same bytes", (_, model) => {
  const bytes = toOnnx(model);
  const back = fromOnnx(bytes);
  expect(back.classes).toEqual(model.classes);
  expect(back.features).toEqual(model.features);
  expect(back.scaling).toEqual(model.scaling);
  expect(back.layers).toEqual(model.layers);
  expect(back.temperature).toBe(model.temperature);
  const x = { data: numbers(100 * model.inputs, 9), shape: [100, model.inputs] };
  expect(back.logits(x)).toEqual(model.logits(x));
  expect(back.logProbs(x)).toEqual(model.logProbs(x));
  expect(toOnnx(back)).toEqual(bytes);
});

test("bytes at an odd offset of a larger buffer", () => {
  const larger = new Uint8Array(bytes.length + 3);
  larger.set(bytes, 3);
  expect(toOnnx(fromOnnx(larger.subarray(3)))).toEqual(bytes);
});

test("a file cut at any length is refused in one line", () => {
  for (let length = 0; length < bytes.length; length++) {
    let message = "";
    try {
      fromOnnx(bytes.subarray(0, length));
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      message = (error as RangeError).message;
    }
    expect(message.startsWith(REFUSED), `${length}: ${message}`).toBe(true);
    expect(message).not.toMatch(/[\n]|index out of range|wire type/);
  }
});

test("a flipped bit is refused, or does not change the model", () => {
  for (let k = 0; k < bytes.length; k++) {
    const damaged = bytes.slice();
    damaged[k]! ^= 1 << (k % 8);
    let back: ReturnType<typeof fromOnnx>;
    try {
      back = fromOnnx(damaged);
    } catch (error) {
      expect((error as Error).message.startsWith(REFUSED), `byte ${k}: ${(error as Error).message}`).toBe(true);
      continue;
    }
    // names of nodes, the producer, the opset: nothing that a prediction is made of
    expect(toOnnx(back)).toEqual(bytes);
  }
});

const edit = (change: (parts: ReturnType<typeof decodeModel>) => void): (() => unknown) => {
  const parts = decodeModel(bytes.slice()); // its tensors are views
  change(parts);
  return () => fromOnnx(encodeModel(parts));
};

test("other people's files are refused in one line", () => {
  const drop = (key: string) =>
    edit((m) => {
      m.metadataProps = m.metadataProps.filter((p) => p.key !== key);
    });
  expect(drop("napier.format")).toThrow(`${REFUSED}one without napier.format in its metadata (foreign or truncated)`);
  expect(drop("napier.crc32")).toThrow(`${REFUSED}one without napier.crc32 in its metadata (foreign or truncated)`);
  const text = new TextEncoder();
  expect(() => fromOnnx(text.encode("a,b,y\n1,2,3\n"))).toThrow(`${REFUSED}12 bytes that are not ONNX`);
  expect(() => fromOnnx(new Uint8Array())).toThrow(`${REFUSED}0 bytes without an ONNX graph`);
});

test("a changed graph is refused in one line", () => {
  const softmax = edit((m) => {
    m.graph.node.at(-1)!.opType = "Softmax";
  });
  expect(softmax).toThrow(`${REFUSED}a graph of Sub Mul Gemm Softmax`);
  const weights = edit((m) => {
    m.graph.initializer.find((t) => t.name === "layer1.weight")!.rawData[5]! ^= 1;
  });
  expect(weights).toThrow(`${REFUSED}one with damaged weights or metadata`);
  const classes = edit((m) => {
    m.metadataProps.find((p) => p.key === "napier.classes")!.value = '["a","b","c"]';
  });
  expect(classes).toThrow(`${REFUSED}one with damaged weights or metadata`);
  const dims = edit((m) => {
    m.graph.initializer.find((t) => t.name === "layer1.weight")!.dims = [5, 3];
  });
  expect(dims).toThrow(`${REFUSED}one whose "layer1.weight" is not float32 [3, 5]`);
  const format = edit((m) => {
    m.metadataProps.find((p) => p.key === "napier.format")!.value = "2";
  });
  expect(format).toThrow(`${REFUSED}format 2 where this version reads 1`);
});

test("the temperature is part of what is checked, and a file without one is what it was before there were any", () => {
  const calibrated = toOnnx(MODELS["calibrated, standard"]!);
  const parts = () => decodeModel(calibrated.slice());
  const { graph } = parts();
  expect(graph.node.map((n) => n.opType)).toEqual(["Sub", "Mul", "Gemm", "Div", "LogSoftmax"]);
  expect(graph.node.slice(-2).map((n) => [n.input, n.output])).toEqual([
    [["logits", "temperature"], ["tempered"]],
    [["tempered"], ["log_probs"]],
  ]);
  const refuses = (text: string, change: (parts: ReturnType<typeof decodeModel>) => void): void => {
    const changed = parts();
    change(changed);
    expect(() => fromOnnx(encodeModel(changed))).toThrow(`${REFUSED}${text}`);
  };
  const tensorOf = (m: ReturnType<typeof decodeModel>) => m.graph.initializer.find((t) => t.name === "temperature")!;
  refuses("one with damaged weights or metadata", (m) => {
    tensorOf(m).rawData[0]! ^= 1;
  });
  refuses('one whose "temperature" is not float32 []', (m) => {
    tensorOf(m).dims = [1];
  });
  for (const value of [0, -2, 1, Number.POSITIVE_INFINITY, Number.NaN]) {
    refuses(`one whose "temperature" is ${value}`, (m) => {
      const t = tensorOf(m);
      t.rawData = new Uint8Array(Float32Array.of(value).buffer);
      const texts = m.metadataProps.slice(1, 4).map((p) => p.value);
      m.metadataProps[4]!.value = checksum(m.graph.initializer, ...texts);
    });
  }
  const { classes, features, scaling, layers } = fromOnnx(calibrated);
  expect(decodeModel(toOnnx(new Model({ classes, features, scaling, layers }))).graph.node).toHaveLength(4);
});

// taken with the version before
const BEFORE: Record<string, string> = {
  "linear, standard": "c2ce437a55194557eb3b6933f658be7bc616a9c8f8901eaa41e7a7f1fda0668c",
  "linear, one input, none": "aa391e17e4151e0f107b2c34f20f1d015875eea3bc975889a45cdb75ed515501",
  "MLP, minmax": "9e1d9baf9a3c48bac62a20f7c2ab296398c33c15f8b12380bda9c91f3aac0cea",
  "deep MLP, none": "fc9951e6d164748d2a9d3236440bcc2332492a7480f2cc63daf4d0d08710e0e6",
  "many classes, standard": "b99a4420350eb55aed0404808199e539b7ad3d37361a1300830e9bf480a177ee",
};

test.each(Object.entries(BEFORE))("%s: the very bytes of the version before temperatures", (name, sha256) => {
  expect(createHash("sha256").update(toOnnx(MODELS[name]!)).digest("hex")).toBe(sha256);
});

test("the file names no time, no path and no source", () => {
  const { producerName, producerVersion, graph, metadataProps } = decodeModel(bytes);
  expect([producerName, producerVersion, graph.name]).toEqual(["napier", "1", "classifier"]);
  expect(metadataProps.map((p) => [p.key, p.value])).toEqual([
    ["napier.format", "1"],
    ["napier.classes", '["klasse „0“","klasse „1“","klasse „2“"]'],
    ["napier.features", '[{"name":"ä\\n","size":1},{"name":"image","size":4}]'],
    ["napier.scaling", "standard"],
    ["napier.crc32", expect.stringMatching(/^[0-9a-f]{8}$/)],
  ]);
});
