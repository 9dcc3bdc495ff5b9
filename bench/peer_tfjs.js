import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** tfjs on its wasm backend, one thread. */
export async function openTfjs() {
  const { setThreadsCount, setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  const tf = await import("@tensorflow/tfjs-core");
  setWasmPaths(`${dirname(fileURLToPath(import.meta.resolve("@tensorflow/tfjs-backend-wasm")))}/`);
  setThreadsCount(1);
  await tf.setBackend("wasm");
  return tf;
}

export async function tfjs() {
  const tf = await openTfjs();
  /** A fresh array of the result; tidy must not see it: it would walk through every element. */
  const run = (x, shape, operation) => {
    const result = tf.tidy(() => operation(tf.tensor2d(x, shape)));
    const data = result.dataSync();
    result.dispose();
    return data;
  };
  // tfjs-core alone has a gradient for logSoftmax only: the loss is left out, its gradient comes in as −onehot / rows
  const gradient = (y, rows, classes) => (x) => {
    const target = tf.oneHot(tf.tensor1d(y, "int32"), classes);
    return tf.grad((t) => tf.logSoftmax(t))(x, tf.mul(target, -1 / rows));
  };
  return {
    name: "tfjs wasm",
    javaScript: true,
    version: tf.version_core,
    prepare: (work, { x, y, shape, rows, classes }) =>
      ({
        logSoftmax: () => run(x, shape, (t) => tf.logSoftmax(t)),
        softmax: () => run(x, shape, (t) => tf.softmax(t)),
        logSumExp: () => run(x, shape, (t) => tf.logSumExp(t, 1)),
        crossEntropyWithGrad: () => run(x, shape, gradient(y, rows, classes)),
      })[work],
  };
}
