// Tensors of transformers.js as their types name them: package.test.ts has tsc check this file beside the packed library.
import { Tensor } from "@huggingface/transformers";
import { crossEntropy, crossEntropyWithGrad, logSoftmax, logSumExp, nllLoss, type OnnxTensor, softmax } from "napier";
import { createPool } from "napier/pool";

declare function is<T>(value: T): void;

const x = new Tensor("float32", new Float32Array(4), [2, 2]);
const y = new Tensor("int64", new BigInt64Array(2), [2]);
// its `data` may be of any type, and so may ours then
is<OnnxTensor>(logSoftmax(x));
is<OnnxTensor>(softmax(x));
is<OnnxTensor>(logSumExp(x));
is<number>(crossEntropy(x, y));
is<OnnxTensor>(crossEntropy(x, y, { reduction: "none" }));
is<OnnxTensor>(nllLoss(logSoftmax(x), y, { reduction: "none" }));
is<{ loss: number; dlogits: OnnxTensor }>(crossEntropyWithGrad(x, y));
is<Promise<OnnxTensor>>(createPool().logSoftmax(x));

// and back
const { type, data, dims } = logSoftmax(x);
is<Tensor>(new Tensor(type as "float32", data as Float32Array, [...dims]));
