// What a kernel does for four elements (one vector), counted in its source on the way that most rows go: many classes, none
// of which dominates. Loads and stores have ports of their own and are not counted. Bytes are those that must move.
const EXTREMES = "extremes 2";
const EXP = "e^x 21";
const SUM = "sum in f64 5";

export const MODELS = {
  logSoftmax: { operations: 30, parts: [EXTREMES, EXP, SUM, "differences 2"], bytes: 8 },
  logSumExp: { operations: 28, parts: [EXTREMES, EXP, SUM], bytes: 4 },
  topLogProbs: { operations: 30, parts: [EXTREMES, EXP, SUM, "comparisons 2"], bytes: 4 },
  softmax: { operations: 36, parts: [EXTREMES, EXP, SUM, "scaling in f64 8"], bytes: 8 },
  crossEntropyWithGrad: { operations: 36, parts: [EXTREMES, EXP, SUM, "scaling in f64 8"], bytes: 8 },
};

/**
 * The least time of an element in ns: its operations at the machine's rate, and its copies into WebAssembly memory and out.
 * @param limits  of limits.js
 */
export function model(work, { operations, tiles }) {
  const computing = MODELS[work].operations / 4 / operations;
  const copying = (tiles.min * MODELS[work].bytes) / 8;
  return { computing, copying, least: computing + copying };
}
