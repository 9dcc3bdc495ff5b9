// transformers.js's own functions take one row; they are no part of its public entry point.
import { readFileSync } from "node:fs";

const FOLDER = new URL("node_modules/@huggingface/transformers/", import.meta.url);

/** Its log_softmax and softmax. */
export const transformersMaths = () => import(new URL("src/utils/maths.js", FOLDER));

export async function transformers() {
  const { log_softmax, softmax } = await transformersMaths();
  const byRow = (operation, { x, out, rows, classes }) => {
    for (let i = 0; i < rows; i++) out.set(operation(x.subarray(i * classes, (i + 1) * classes)), i * classes);
    return out;
  };
  return {
    name: "transformers.js",
    javaScript: true,
    version: JSON.parse(readFileSync(new URL("package.json", FOLDER), "utf8")).version,
    prepare: (work, problem) =>
      ({ logSoftmax: () => byRow(log_softmax, problem), softmax: () => byRow(softmax, problem) })[work],
  };
}
