import { expect, test } from "vitest";
import { rng } from "../../napier/src/rng.ts";
import { cuts, type Mutation, mutation, mutations, outcomes } from "../../napier/test/mutations.ts";
import { fromOnnx, inspectOnnx, toOnnx } from "../src/index.ts";
import { decodeModel, encodeModel, type OnnxModel } from "../src/schema.ts";
import { checksum } from "../src/toonnx.ts";
import { empties, file, fileOf, message } from "./message.ts";
import { MODELS, numbers } from "./models.ts";

const good = toOnnx(MODELS["calibrated MLP, none"]!);
const scaled = toOnnx(MODELS["linear, standard"]!);
const SEED = 20261124;

const REFUSED = "fromOnnx: bytes expected an ONNX file that toOnnx wrote, got ";
const promised = (prefix: string) => (error: Error) => error instanceof RangeError && error.message.startsWith(prefix);
const ofFrom = promised(REFUSED);
const ofInspect = promised("inspectOnnx: bytes expected an ONNX file, got ");

/** Reads a model and works with it: what came through must be whole. */
function use(bytes: Uint8Array): void {
  const model = fromOnnx(bytes);
  const { shape } = model.logProbs({ data: numbers(2 * model.inputs, 3), shape: [2, model.inputs] });
  expect(shape).toEqual([2, model.classes.length]);
  expect(fromOnnx(toOnnx(model)).classes).toEqual(model.classes);
}

/** A file whose checksum is that of its parts. */
function sealed(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const texts = model.metadataProps.slice(1, 4).map(({ value }) => value);
  model.metadataProps[4]!.value = checksum(model.graph.initializer, ...texts);
  return encodeModel(model);
}

const SIZES = [0, -1, 1, 2, 9, 2 ** 31, 2 ** 40, 2 ** 53];

/** Mutations of what is inside, in a file whose lengths and checksum are right. */
function* resealed(bytes: Uint8Array, seed: number, count: number): Generator<Mutation> {
  for (let n = 0; n < count; n++) {
    const random = rng(seed, n);
    const model = decodeModel(bytes.slice());
    const { graph, metadataProps } = model;
    const tensor = graph.initializer[random.below(graph.initializer.length)]!;
    const entry = metadataProps[1 + random.below(3)]!;
    const place = n % 3;
    let name = `seed ${seed}, number ${n}: sizes of ${tensor.name}`;
    if (place === 0) tensor.dims[random.below(tensor.dims.length + 1)] = SIZES[random.below(SIZES.length)]!;
    else {
      const changed = mutation(place === 1 ? tensor.rawData : new TextEncoder().encode(entry.value), seed, n);
      name = `${place === 1 ? tensor.name : entry.key}, ${changed.name}`;
      if (place === 1) tensor.rawData = changed.bytes;
      else entry.value = new TextDecoder().decode(changed.bytes);
    }
    yield { name, bytes: sealed(model) };
  }
}

test("fromOnnx: 1,000 mutations end in a model or in one line", async () => {
  const found = await outcomes(mutations(good, SEED, 1000), use, ofFrom);
  expect(found.values).toBeGreaterThan(10);
  expect(found.refusals).toBeGreaterThan(800);
});

test("cut at any byte: no model, and a summary only where the metadata end", async () => {
  expect((await outcomes(cuts(good), use, ofFrom)).values).toBe(0);
  expect((await outcomes(cuts(good), inspectOnnx, ofInspect)).values).toBe(5);
});

test("fromOnnx: 1,000 mutations behind a right checksum end in a model or in one line", async () => {
  for (const bytes of [good, scaled]) {
    const found = await outcomes(resealed(bytes, SEED, 500), use, ofFrom);
    expect(found.values).toBeGreaterThan(50);
    expect(found.refusals).toBeGreaterThan(200);
  }
});

test("inspectOnnx: 1,000 mutations end in a summary or in one line", async () => {
  const found = await outcomes(mutations(good, SEED + 1, 1000), inspectOnnx, ofInspect);
  expect(found.values).toBeGreaterThan(100);
  expect(found.refusals).toBeGreaterThan(500);
});

const changed = (bytes: Uint8Array, change: (model: OnnxModel) => void) => {
  const model = decodeModel(bytes.slice());
  change(model);
  return () => fromOnnx(sealed(model));
};

test("somebody else's text does not break the line of a message, nor make it long", () => {
  const broken = changed(scaled, ({ graph, metadataProps }) => {
    graph.node[0]!.opType = "Sub\r\n\u2028\u001b[2J";
    metadataProps.push({ key: "more", value: "" });
  });
  const rest = "Mul Gemm LogSoftmax";
  expect(broken).toThrow(new RangeError(`${REFUSED}a graph of Sub\ufffd\ufffd\ufffd\ufffd[2J ${rest}`));
  const long = changed(scaled, ({ graph }) => {
    graph.node = new Array(5000).fill(graph.node[1]);
  });
  expect(long).toThrow(new RangeError(`${REFUSED}a graph of ${"Mul ".repeat(30)}…`));
  const format = changed(scaled, ({ metadataProps }) => {
    metadataProps[0]!.value = `2\n${"0".repeat(200)}`;
  });
  expect(format).toThrow(new RangeError(`${REFUSED}format 2\ufffd${"0".repeat(118)}… where this version reads 1`));
});

test("a first layer of no units would ask for no weights, and for as many inputs as there are none of", () => {
  const none = changed(good, ({ graph, metadataProps }) => {
    metadataProps[2]!.value = JSON.stringify([{ name: "x", size: 2 ** 40 }]);
    for (const tensor of graph.initializer) {
      if (tensor.name === "layer1.weight") Object.assign(tensor, { dims: [0, 2 ** 40], rawData: new Uint8Array(0) });
      if (tensor.name === "layer1.bias") Object.assign(tensor, { dims: [0], rawData: new Uint8Array(0) });
      if (tensor.name === "layer2.weight") Object.assign(tensor, { dims: [3, 0], rawData: new Uint8Array(0) });
    }
  });
  expect(none).toThrow(new RangeError(`${REFUSED}one whose "layer1.weight" has no rows`));
});

test("empty messages of 2 bytes do not take 100 times that, and numbers may be packed", () => {
  const COUNT = 2_000_000;
  const many = new RangeError(`${REFUSED}one of more than 131072 nodes, names and numbers`);
  for (const [name, bytes] of [
    ["nodes", fileOf(empties(1, COUNT))],
    ["attributes", file([1, empties(5, COUNT)])],
    ["tensors", fileOf(empties(5, COUNT))],
    ["sizes", file([5, message([1, new Uint8Array(COUNT)])])],
  ] as const) {
    const before = process.memoryUsage().heapUsed;
    expect(() => fromOnnx(bytes), name).toThrow(many);
    expect(process.memoryUsage().heapUsed - before, name).toBeLessThan(80e6);
  }
  const { graph } = decodeModel(file([5, message([1, Uint8Array.of(3, 0xac, 2)], [8, "packed"])]));
  expect(graph.initializer[0]!.dims).toEqual([3, 300]);
});

test("a model of 14,000 layers is read in no time", () => {
  const model = decodeModel(good.slice());
  const { graph, metadataProps } = model;
  const DEPTH = 14_000;
  const [gemm, relu] = graph.node as [(typeof graph.node)[0], (typeof graph.node)[0]];
  const softmax = graph.node.at(-1)!;
  const bare = { input: [], output: [], name: "", attribute: [], domain: "" };
  graph.node = Array.from({ length: 2 * DEPTH - 1 }, (_, k) => ({ ...bare, opType: (k % 2 ? relu : gemm).opType }));
  graph.node.push(softmax);
  metadataProps[1]!.value = '["a"]';
  metadataProps[2]!.value = '[{"name":"x","size":1}]';
  const tensor = (name: string, ...dims: number[]) => ({ dims, dataType: 1, name, rawData: new Uint8Array(4) });
  graph.initializer = Array.from({ length: DEPTH }, (_, k) => [
    tensor(`layer${k + 1}.weight`, 1, 1),
    tensor(`layer${k + 1}.bias`, 1),
  ]).flat();
  const bytes = sealed(model);
  const start = performance.now();
  expect(fromOnnx(bytes).layers).toHaveLength(DEPTH);
  expect(performance.now() - start).toBeLessThan(1000);
});
