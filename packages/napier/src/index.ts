export {
  type BinaryLossOptions,
  bceWithLogits,
  bceWithLogitsWithGrad,
  log1mExp,
  log1mExpBackward,
  log1pExp,
  log1pExpBackward,
  logSigmoid,
  logSigmoidBackward,
} from "./binary.ts";
export type { Mask, MaskData, WeightData, Weights } from "./broadcast.ts";
export { crossEntropy, crossEntropyWithGrad } from "./crossentropy.ts";
export { type CumulativeOptions, logCumSumExp, logCumSumExpBackward } from "./cumulative.ts";
export { type KlDivOptions, type KlDivReduction, klDiv, klDivBackward } from "./divergence.ts";
export { entropy, entropyBackward, type PerplexityOptions, perplexity } from "./entropy.ts";
export type { Half } from "./half.ts";
export type { LinearCrossEntropyOptions, LinearGradOptions, LinearParameter } from "./linearlayer.ts";
export { type GradientOf, logAddExp, logAddExpBackward, type PairOptions } from "./logaddexp.ts";
export { logMeanExp, logMeanExpBackward } from "./logmeanexp.ts";
export { type LogSumExpOptions, logSumExp, logSumExpBackward, type RowOptions, type Signed } from "./logsumexp.ts";
export type { CrossEntropyOptions, NllOptions, SoftCrossEntropyOptions } from "./lossoptions.ts";
export { nllLoss, nllLossBackward } from "./nll.ts";
export { type Sample, type SampleOptions, sample, type TopLogProbs, topLogProbs } from "./pick.ts";
export type { LossOptions, ReductionName } from "./reduction.ts";
export { softCrossEntropy, softCrossEntropyWithGrad } from "./softcrossentropy.ts";
export { logSoftmax, logSoftmaxBackward, softmax, softmaxBackward } from "./softmax.ts";
export { type Block, type BlockSink, logSoftmaxStream, type StreamOptions } from "./stream.ts";
export type { TargetData, Targets } from "./targets.ts";
export {
  type AnyData,
  type Data,
  fromRows,
  type Logits,
  type OnnxArgument,
  type OnnxTensor,
  type Options,
  type Output,
  type Tensor,
} from "./tensor.ts";
