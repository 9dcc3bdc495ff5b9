import { readFileSync } from "node:fs";

const MOST_ONE_HOT = 32768; // with 65,536 classes its nn.oneHot is wrong

/** jax-js on its wasm backend, one thread in Node; not jit: there it is slower (23 against 16 ns an element). */
export async function jax() {
  const { defaultDevice, grad, init, nn, numpy } = await import("@jax-js/jax");
  await init("wasm");
  defaultDevice("wasm");
  // every function takes over its arguments and frees them
  const input = (x, shape) => numpy.array(x).reshape(shape);
  const oneHot = (y, rows, classes) => {
    if (classes <= MOST_ONE_HOT) return nn.oneHot(numpy.array(y, { dtype: numpy.int32 }), classes);
    const target = new Float32Array(rows * classes);
    y.forEach((label, i) => {
      target[i * classes + label] = 1;
    });
    return input(target, [rows, classes]);
  };
  const gradient = (y, rows, classes) =>
    grad((x) => {
      const target = oneHot(y, rows, classes);
      return nn
        .logSoftmax(x)
        .mul(target)
        .sum()
        .mul(-1 / rows);
    });
  return {
    name: "jax-js",
    javaScript: true,
    version: JSON.parse(readFileSync(new URL("node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"))
      .version,
    prepare: (work, { x, y, shape, rows, classes }) =>
      ({
        logSoftmax: () => nn.logSoftmax(input(x, shape)).dataSync(),
        softmax: () => nn.softmax(input(x, shape)).dataSync(),
        logSumExp: () => nn.logsumexp(input(x, shape), 1).dataSync(),
        crossEntropyWithGrad: () => gradient(y, rows, classes)(input(x, shape)).dataSync(),
      })[work],
  };
}
