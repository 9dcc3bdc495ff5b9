// Tensors of ONNX Runtime as their types name them: package.test.ts has tsc check this file beside the packed library.
import {
  bceWithLogits,
  crossEntropy,
  crossEntropyWithGrad,
  logSigmoid,
  logSoftmax,
  logSumExp,
  nllLoss,
  type OnnxTensor,
  softmax,
  topLogProbs,
} from "napier";
import { createPool } from "napier/pool";
import { InferenceSession, Tensor } from "onnxruntime-web";

declare function is<T>(value: T): void;

const x = new Tensor("float32", new Float32Array(4), [2, 2]);
const y = new Tensor("int64", new BigInt64Array(2), [2]);
is<OnnxTensor<Float32Array>>(logSoftmax(x));
is<OnnxTensor<Float32Array>>(softmax(x));
is<OnnxTensor<Float32Array>>(logSumExp(x));
is<number>(crossEntropy(x, y));
is<OnnxTensor<Float32Array>>(crossEntropy(x, y, { reduction: "none" }));
is<{ loss: number; dlogits: OnnxTensor<Float32Array> }>(crossEntropyWithGrad(x, y));
is<Float64Array>(logSoftmax(new Tensor("float64", new Float64Array(2), [2])).data);
is<Promise<OnnxTensor<Float32Array>>>(createPool().logSoftmax(x));

// what a session returns may be of any type
const session = await InferenceSession.create("model.onnx");
const { logits, labels } = await session.run({ x });
is<OnnxTensor>(logSoftmax(logits));
is<number>(logSoftmax(logits).data[0]);
is<OnnxTensor>(logSumExp(logits));
is<number>(crossEntropy(logits, labels));
is<OnnxTensor>(nllLoss(logSoftmax(logits), labels, { reduction: "none" }));
is<{ loss: number; dlogits: OnnxTensor }>(crossEntropyWithGrad(logits, labels));
is<OnnxTensor>(logSigmoid(logits));
is<OnnxTensor>(bceWithLogits(logits, labels, { reduction: "none" }));
is<OnnxTensor>(topLogProbs(logits, 1).logProbs);

// and back
is<Tensor>(new Tensor("float32", logSoftmax(x).data, logSoftmax(x).dims));
