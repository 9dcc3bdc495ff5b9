export { fromOnnx } from "./fromonnx.ts";
export { inspectOnnx, type OnnxSummary, type OnnxValue } from "./inspect.ts";
export { toOnnx } from "./toonnx.ts";
