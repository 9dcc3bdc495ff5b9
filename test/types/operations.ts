// What comes in comes out: package.test.ts has tsc check this file beside the packed library alone.
import {
  bceWithLogits,
  bceWithLogitsWithGrad,
  crossEntropy,
  crossEntropyWithGrad,
  entropy,
  entropyBackward,
  fromRows,
  klDiv,
  klDivBackward,
  type Logits,
  log1mExp,
  log1mExpBackward,
  log1pExp,
  log1pExpBackward,
  logAddExp,
  logAddExpBackward,
  logCumSumExp,
  logCumSumExpBackward,
  logMeanExp,
  logMeanExpBackward,
  logSigmoid,
  logSigmoidBackward,
  logSoftmax,
  logSoftmaxBackward,
  logSoftmaxStream,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  nllLossBackward,
  type Output,
  perplexity,
  sample,
  softCrossEntropy,
  softCrossEntropyWithGrad,
  softmax,
  softmaxBackward,
  topLogProbs,
} from "napier";
import { linearCrossEntropy, linearCrossEntropyWithGrad } from "napier/linear";
import { logOfSoftmax, logSumExpForm, naiveCrossEntropyWithGrad, round, softmax as textbook } from "napier/naive";
import { createPool, type Pool } from "napier/pool";

import { is } from "./is.js";

declare const f32: Float32Array;
declare const f64: Float64Array;
declare const bits: Uint16Array;
declare const y: number[];
const rows = { shape: [2, 2] } as const;
const none = { reduction: "none" } as const;
const noneOfRows = { ...rows, ...none } as const;

interface Shaped<D> {
  data: D;
  shape: readonly number[];
}
interface Onnx<D> {
  data: D;
  dims: readonly number[];
  type: string;
}
declare const shaped32: Shaped<Float32Array>;
declare const shapedList: Shaped<number[]>;
declare const onnx32: Onnx<Float32Array>;
declare const onnx64: Onnx<Float64Array>;
declare const onnx16: Onnx<Uint16Array>;
/** What results are. */
type Tensor<D> = { readonly data: D; readonly shape: readonly number[] };
type OnnxTensor<D> = { readonly data: D; readonly dims: readonly number[]; readonly type: string };

// element by element
for (const map of [logSoftmax, softmax]) {
  is<number[]>()(map([1, 2]));
  is<Float32Array>()(map(f32));
  is<Float64Array>()(map(f64, { shape: [2, 2], axis: 0, out: f64 }));
  is<Tensor<Float32Array>>()(map(shaped32));
  is<Tensor<number[]>>()(map(shapedList, { axis: 1 }));
  is<OnnxTensor<Float32Array>>()(map(onnx32));
  is<OnnxTensor<Float64Array>>()(map(onnx64));
  is<Float32Array>()(map(bits, { dtype: "bfloat16" }));
  is<OnnxTensor<Float32Array>>()(map(onnx16));
}
for (const backward of [logSoftmaxBackward, softmaxBackward]) {
  is<number[]>()(backward([1, 2], [1, 2]));
  is<Float32Array>()(backward(f32, f32, rows));
  is<Float64Array>()(backward(f64, f64));
  is<Tensor<Float32Array>>()(backward(shaped32, shaped32));
  is<OnnxTensor<Float32Array>>()(backward(onnx32, onnx32));
  // @ts-expect-error of two kinds
  backward(f32, f64);
}

for (const map of [logSigmoid, log1pExp, log1mExp]) {
  is<number[]>()(map([-1, -2]));
  is<Float32Array>()(map(f32, { shape: [2, 2] }));
  is<Float64Array>()(map(f64, { out: f64 }));
  is<Tensor<number[]>>()(map(shapedList));
  is<OnnxTensor<Float32Array>>()(map(onnx32));
}
for (const backward of [logSigmoidBackward, log1pExpBackward, log1mExpBackward]) {
  is<Float32Array>()(backward(f32, f32));
  is<Tensor<number[]>>()(backward(shapedList, shapedList));
  is<OnnxTensor<Float32Array>>()(backward(onnx32, onnx16));
}

// one number a row
is<number>()(logSumExp([1, 2]));
is<number>()(logSumExp(f32, { shape: [4] }));
is<number[]>()(logSumExp([1, 2, 3, 4], rows));
is<Float32Array>()(logSumExp(f32, rows));
is<Float64Array>()(logSumExp(f64, { ...rows, out: f64 }));
is<Tensor<Float32Array>>()(logSumExp(shaped32));
is<Tensor<Float32Array>>()(logSumExp(shaped32, { axis: [0, 1], keepDims: true }));
is<number | Float32Array>()(logSumExp(f32, { shape: [2, 2], axis: [] }));
is<OnnxTensor<Float64Array>>()(logSumExp(onnx64));
is<OnnxTensor<Float32Array>>()(logSumExp(onnx16));
is<number[]>()(logSumExpBackward(1, [1, 2]));
is<Float32Array>()(logSumExpBackward(1, f32));
is<Float32Array>()(logSumExpBackward(f32, f32, rows));
is<Tensor<Float32Array>>()(logSumExpBackward(shaped32, shaped32));
is<OnnxTensor<Float32Array>>()(logSumExpBackward(onnx32, onnx32));

is<{ value: number; sign: number }>()(logSumExp([1, 2], { weights: [1, -1], returnSign: true }));
is<{ value: number[]; sign: number[] }>()(logSumExp([1, 2], { shape: [2, 1], returnSign: true }));
is<{ value: Tensor<Float32Array>; sign: Tensor<Float32Array> }>()(logSumExp(shaped32, { returnSign: true }));
is<{ value: OnnxTensor<Float32Array>; sign: OnnxTensor<Float32Array> }>()(logSumExp(onnx16, { returnSign: true }));
is<Float32Array>()(logSumExp(f32, { ...rows, weights: f64, mask: [1, 0], returnSign: false }));
is<number>()(logMeanExp([1, 2], { mask: [true, false] }));
is<Float64Array>()(logMeanExp(f64, rows));
is<Tensor<Float32Array>>()(logMeanExp(shaped32, { axis: [0, 1], keepDims: true }));
is<number[]>()(logMeanExpBackward(1, [1, 2]));
is<OnnxTensor<Float32Array>>()(logMeanExpBackward(onnx32, onnx32));
// @ts-expect-error the mean has no weights
logMeanExp([1, 2], { weights: [1, 2] });

// two arrays that broadcast
is<number>()(logAddExp(1, 2));
is<number[]>()(logAddExp([1, 2], 1));
is<Float32Array>()(logAddExp(1, f32));
is<Float64Array>()(logAddExp(f64, f64, { out: f64 }));
is<Tensor<Float32Array>>()(logAddExp(shaped32, 1));
is<OnnxTensor<Float32Array>>()(logAddExp(onnx16, onnx32));
is<{ da: number; db: number }>()(logAddExpBackward(1, 2, 3));
is<{ da: Tensor<Float32Array>; db: number }>()(logAddExpBackward(shaped32, shaped32, 1));
is<{ da: Float32Array; db: Float32Array }>()(logAddExpBackward(f32, f32, bits, { dtype: "float16" }));
is<{ da: OnnxTensor<Float32Array>; db: OnnxTensor<Float32Array> }>()(logAddExpBackward(onnx32, onnx16, onnx32));

// running sums
is<number[]>()(logCumSumExp([1, 2], { reverse: true }));
is<OnnxTensor<Float32Array>>()(logCumSumExp(onnx16));
is<Float64Array>()(logCumSumExpBackward(f64, f64, rows));

// losses
for (const loss of [crossEntropy, nllLoss]) {
  is<number>()(loss([1, 2], 0));
  is<number>()(loss(f32, [0, 1], rows));
  is<number>()(loss(onnx32, Int32Array.of(0, 1), { reduction: "sum" }));
  is<number>()(loss(f64, new BigInt64Array(1), { reduction: "none", shape: [2] }));
  is<number[]>()(loss([1, 2, 3, 4], y, noneOfRows));
  is<Float32Array>()(loss(f32, y, noneOfRows));
  is<Float64Array>()(loss(f64, y, { ...noneOfRows, out: f64 }));
  is<Tensor<Float32Array>>()(loss(shaped32, { data: new Int32Array(2), shape: [2] }, none));
  is<OnnxTensor<Float32Array>>()(loss(onnx32, { data: new BigInt64Array(2), dims: [2], type: "int64" }, none));
}
is<{ loss: number; dlogits: number[] }>()(crossEntropyWithGrad([1, 2], 0));
is<{ loss: number; dlogits: Float32Array }>()(crossEntropyWithGrad(f32, y, rows));
is<{ loss: Float32Array; dlogits: Float32Array }>()(crossEntropyWithGrad(f32, y, noneOfRows));
is<{ loss: number; dlogits: Tensor<Float32Array> }>()(crossEntropyWithGrad(shaped32, y));
is<{ loss: number; dlogits: OnnxTensor<Float32Array> }>()(crossEntropyWithGrad(onnx32, y));
is<{ loss: OnnxTensor<Float32Array>; dlogits: OnnxTensor<Float32Array> }>()(crossEntropyWithGrad(onnx32, y, none));
is<{ loss: number; dlogits: OnnxTensor<Float32Array> }>()(crossEntropyWithGrad(onnx16, y));
is<number[]>()(nllLossBackward(1, [1, 2], 0));
is<Float32Array>()(nllLossBackward(f32, f32, y, noneOfRows));
is<Float64Array>()(nllLossBackward(1, f64, y, rows));
is<Tensor<Float32Array>>()(nllLossBackward(1, shaped32, y));
is<OnnxTensor<Float32Array>>()(nllLossBackward(onnx32, onnx32, y, none));

is<number>()(linearCrossEntropy([1, 2], [1, 2], 0));
is<number>()(linearCrossEntropy(f32, shaped32, y, { ...rows, bias: f32, ignoreIndex: -100 }));
is<number>()(linearCrossEntropy([1, 2], [1, 2], 0, none));
is<number[]>()(linearCrossEntropy([1, 2, 3, 4], [1, 2], y, noneOfRows));
is<Float32Array>()(linearCrossEntropy(f32, bits, y, { ...noneOfRows, dtype: "bfloat16", out: f32 }));
is<Float64Array>()(linearCrossEntropy(f64, f64, y, noneOfRows));
is<Tensor<Float32Array>>()(linearCrossEntropy(shaped32, f32, y, none));
is<OnnxTensor<Float32Array>>()(linearCrossEntropy(onnx16, onnx32, y, none));
is<{ loss: number; dx: number[]; dweight: number[]; dbias: number[] }>()(linearCrossEntropyWithGrad([1, 2], [1, 2], 0));
is<{ loss: number; dx: Float32Array; dweight: Tensor<Float32Array>; dbias: Tensor<Float32Array> }>()(
  linearCrossEntropyWithGrad(f32, shaped32, y, rows),
);
is<{ loss: number; dx: Float32Array }>()(linearCrossEntropyWithGrad(f32, bits, y, { ...rows, grads: ["x"] }));
is<{ loss: number; dweight: OnnxTensor<Float32Array>; dbias: OnnxTensor<Float32Array> }>()(
  linearCrossEntropyWithGrad(onnx16, onnx32, y, { grads: ["weight", "bias"], reduction: "sum" }),
);
is<{ loss: number | Float64Array; dx: Float64Array }>()(
  linearCrossEntropyWithGrad(f64, f64, y, { ...noneOfRows, grads: ["x"], out: { dx: f64 } }),
);
// @ts-expect-error no such gradient
linearCrossEntropyWithGrad(f32, f32, y, { grads: ["w"] });

is<number>()(bceWithLogits([1, 2], [0, 1]));
is<Float32Array>()(bceWithLogits(f32, [0, 1], none));
is<Tensor<number[]>>()(bceWithLogits(shapedList, f32, { ...none, weight: 2, posWeight: [1, 2] }));
is<OnnxTensor<Float32Array>>()(bceWithLogits(onnx16, onnx16, none));
is<{ loss: number; dlogits: Float64Array }>()(bceWithLogitsWithGrad(f64, [0, 1]));
is<{ loss: Float64Array; dlogits: Float64Array }>()(bceWithLogitsWithGrad(f64, [0, 1], none));
is<{ loss: number; dlogits: OnnxTensor<Float32Array> }>()(bceWithLogitsWithGrad(onnx32, y));
is<{ loss: Tensor<Float32Array>; dlogits: Tensor<Float32Array> }>()(bceWithLogitsWithGrad(shaped32, y, none));

// classes: number[] beside number[], else Int32Array
is<{ indices: number[]; logProbs: number[] }>()(topLogProbs([1, 2], 1));
is<{ indices: Int32Array; logProbs: Float32Array }>()(topLogProbs(f32, 1, rows));
is<OnnxTensor<Float32Array>>()(topLogProbs(onnx32, 1).logProbs);
is<Int32Array>()(topLogProbs(onnx32, 1).indices.data);
is<Int32Array>()(topLogProbs(shaped32, 1).indices.data);
is<number>()(sample([1, 2], { seed: 0 }));
is<number[]>()(sample([1, 2, 3, 4], { seed: 0, ...rows }));
is<Int32Array>()(sample(f32, { seed: 0, ...rows }));
is<Int32Array>()(sample(onnx64, { seed: 0 }).data);

is<number>()(crossEntropy([1, 2], sample([1, 2], { seed: 0 })));
is<number>()(crossEntropy(f32, sample(f32, { seed: 0, ...rows }), rows));
// @ts-expect-error a draw needs a seed
sample([1, 2], { topK: 1 });

// distributions
is<number>()(klDiv([-1], [1]));
is<number>()(klDiv(f32, [1], { reduction: "batchmean", logTarget: true }));
is<number[]>()(klDiv([-1], [1], none));
is<Float32Array>()(klDiv(f32, f64, { ...none, out: f32 }));
is<Tensor<Float32Array>>()(klDiv(shaped32, shaped32, none));
is<OnnxTensor<Float32Array>>()(klDiv(onnx16, onnx32, none));
is<number[]>()(klDivBackward(1, [-1], [1]));
is<Float32Array>()(klDivBackward(f32, f32, f32, none));
is<OnnxTensor<Float32Array>>()(klDivBackward(1, onnx32, onnx32));
is<Tensor<number[]>>()(klDivBackward(shapedList, shapedList, shapedList, none));
is<number>()(entropy([1, 2]));
is<Float32Array>()(entropy(f32, rows));
is<Tensor<Float32Array>>()(entropy(shaped32, { axis: [0, 1], keepDims: true }));
is<OnnxTensor<Float32Array>>()(entropy(onnx16));
is<number[]>()(entropyBackward(1, [1, 2]));
is<Tensor<Float32Array>>()(entropyBackward(shaped32, shaped32));
is<number>()(perplexity(onnx32, y));

// rows and streams
is<{ data: Float64Array; shape: [number, number] }>()(fromRows([[1, 2]]));
is<Promise<number>>()(logSoftmaxStream([shaped32], ({ data }) => is<Float32Array>()(data)));

// a pool: the same, later
const pool = createPool({ threads: 1 });
is<Pool>()(pool);
for (const map of [pool.logSoftmax, pool.softmax]) {
  is<Promise<Float32Array>>()(map(f32));
  is<Promise<Tensor<number[]>>>()(map(shapedList));
}
is<Promise<number>>()(pool.logSumExp([1, 2]));
is<Promise<{ value: number; sign: number }>>()(pool.logSumExp([1, 2], { returnSign: true }));
is<Promise<number>>()(pool.crossEntropy([1, 2], 0));
is<Promise<{ loss: number; dlogits: number[] }>>()(pool.crossEntropyWithGrad([1, 2], 0));
is<Promise<Float64Array>>()(pool.logSoftmaxBackward(f64, f64));
is<Promise<number[]>>()(pool.softmaxBackward([1, 2], [1, 2]));
is<Promise<OnnxTensor<Float32Array>>>()(pool.logSumExpBackward(onnx32, onnx32));
is<Promise<void>>()(pool.close());
is<Promise<number>>()(logSoftmaxStream([shaped32], { write: () => {} }, { pool }));

// the textbook formulas
is<number>()(round(1, "f16"));
is<{ exp: number[]; sum: number; softmax: number[] }>()(textbook(f32, "f32"));
is<number[]>()(logOfSoftmax([1, 2], "f64").log);
is<number[]>()(logSumExpForm([1, 2], "bf16").logSoftmax);
is<number>()(naiveCrossEntropyWithGrad(f32, f32, 0, 1));

// refused
// @ts-expect-error a misspelt option
logSoftmax([1, 2], { axs: 0 });
// @ts-expect-error text is no target
crossEntropy([1, 2], "0");
// @ts-expect-error a receiver for "none" is no name of a reduction
crossEntropy([1, 2], 0, { reduction: "all" });
// @ts-expect-error nested arrays: fromRows
logSoftmax([[1, 2]]);
// @ts-expect-error a promise is no array
is<number[]>()(pool.logSoftmax([1, 2]));
// @ts-expect-error what comes in comes out
is<Float64Array>()(logSoftmax(f32));

// probabilities as targets
is<number>()(softCrossEntropy(f32, f32));
is<Float32Array>()(softCrossEntropy(f32, f32, noneOfRows));
is<{ loss: number; dlogits: Float64Array }>()(softCrossEntropyWithGrad(f64, f64, { weight: y, labelSmoothing: 0.1 }));

// what may be any of several
declare const any: Logits;
is<Output>()(softmax(any));
is<number | Output>()(logSumExp(any));
is<Output>()(topLogProbs(any, 1).logProbs);
is<Float32Array>()(softmax(f32, { mask: [1, 0], temperature: 2 }));
