export { fromOnnx } from "./fromonnx.ts";
export { toOnnx } from "./toonnx.ts";
