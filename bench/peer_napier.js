import { readFileSync } from "node:fs";
import { crossEntropyWithGrad, logSoftmax, logSumExp, softmax, topLogProbs } from "napier";

const packageJson = JSON.parse(readFileSync(new URL(import.meta.resolve("napier/package.json")), "utf8"));

export const napier = {
  name: "Napier",
  version: packageJson.version,
  prepare: (work, { x, y, k, out, shape, rows }) => {
    const lse = new Float32Array(rows);
    return {
      logSoftmax: () => logSoftmax(x, { shape, out }),
      softmax: () => softmax(x, { shape, out }),
      logSumExp: () => logSumExp(x, { shape, out: lse }),
      crossEntropyWithGrad: () => crossEntropyWithGrad(x, y, { shape, out }).dlogits,
      topLogProbs: () => topLogProbs(x, k, { shape }).logProbs,
    }[work];
  },
};
