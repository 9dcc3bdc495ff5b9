import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { beforeAll, expect, test } from "vitest";
import { toOnnx } from "../src/index.ts";
import { MODELS, numbers } from "./models.ts";

const ROWS = 500;

beforeAll(() => {
  env.wasm.numThreads = 1;
});

test.each(Object.entries(MODELS))("%s: ONNX Runtime says the same", async (_, model) => {
  const session = await InferenceSession.create(toOnnx(model), { executionProviders: ["wasm"] });
  expect(session.inputNames).toEqual(["x"]);
  expect(session.outputNames).toEqual(["logits", "log_probs"]);
  const data = numbers(ROWS * model.inputs, 77);
  const x = { data, shape: [ROWS, model.inputs] };
  const output = await session.run({ x: new Tensor("float32", data, x.shape) });
  const theirs = output.log_probs!;
  const width = model.classes.length;
  expect(theirs.dims).toEqual([ROWS, width]);
  const ours = model.logProbs(x).data;
  const labels = model.predict(x);
  let compared = 0;
  for (let i = 0; i < ROWS; i++) {
    const row = (theirs.data as Float32Array).subarray(i * width, (i + 1) * width);
    for (let j = 0; j < width; j++) {
      expect(Math.abs(row[j]! - ours[i * width + j]!)).toBeLessThanOrEqual(1e-5);
    }
    const ranked = [...row.keys()].sort((a, b) => row[b]! - row[a]!);
    if (row[ranked[0]!]! - row[ranked[1]!]! <= 2e-5) continue;
    compared++;
    expect(labels[i]).toBe(model.classes[ranked[0]!]);
  }
  expect(compared).toBeGreaterThan(ROWS * 0.9);
  await session.release();
});
