// What comes in comes out: package.test.ts has tsc check this file beside the packed library alone.
import {
  bceWithLogits,
  bceWithLogitsWithGrad,
  crossEntropy,
  crossEntropyWithGrad,
  fromRows,
  log1mExp,
  log1mExpBackward,
  log1pExp,
  log1pExpBackward,
  logSigmoid,
  logSigmoidBackward,
  logSoftmax,
  logSoftmaxBackward,
  logSoftmaxStream,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  nllLossBackward,
  sample,
  softmax,
  softmaxBackward,
  topLogProbs,
} from "napier";
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
