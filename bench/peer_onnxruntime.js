import { operatorModel } from "./onnx_operator.js";

const OPERATORS = { logSoftmax: "LogSoftmax", softmax: "Softmax" };

async function calls(ort, options, work, { x, out, shape }) {
  if (!OPERATORS[work]) return {};
  const session = await ort.InferenceSession.create(operatorModel(OPERATORS[work], "f32"), options);
  const feeds = { x: new ort.Tensor("float32", x, shape) };
  const fetches = { y: new ort.Tensor("float32", out, shape) };
  return {
    preallocated: async () => {
      await session.run(feeds, fetches);
      return out;
    },
    fresh: async () => (await session.run(feeds)).y.data,
    close: () => session.release(),
  };
}

const ONE_THREAD = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential" };

export async function onnxruntimeNode() {
  const ort = await import("onnxruntime-node");
  return {
    name: "onnxruntime-node",
    version: ort.env.versions.node,
    prepare: async (work, problem) => {
      const { preallocated, close } = await calls(ort, ONE_THREAD, work, problem);
      return preallocated && Object.assign(preallocated, { close });
    },
  };
}

/** Its results as `run` returns them, and written into `out`; that it leaves `out` as it was is microsoft/onnxruntime#25786. */
export async function onnxruntimeWeb() {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  const peer = (name, kind, unfilled) => ({
    name,
    unfilled,
    version: ort.env.versions.web,
    prepare: async (work, problem) => {
      const made = await calls(ort, { executionProviders: ["wasm"] }, work, problem);
      return made[kind] && Object.assign(made[kind], { close: made.close });
    },
  });
  return [peer("onnxruntime-web", "preallocated", true), peer("onnxruntime-web, result returned", "fresh", false)];
}
