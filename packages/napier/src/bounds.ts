/**
 * The error bounds of the numeric contract, in ulps of the exact answer for the very input, near-zero and subnormal
 * results included. They were written before the kernels; the tests and docs/accuracy.md read them here.
 */
export const BOUNDS = {
  /** also with weights of one sign, logMeanExp, logAddExp, logCumSumExp */
  logSumExp: { f32: 2, f64: 4 },
  logSoftmax: { f32: 2, f64: 4 },
  crossEntropy: { f32: 2, f64: 4 },
  softmax: { f32: 4, f64: 8 },
  /** gradients for hard targets, the target's entry included; also dlse · softmax */
  gradient: { f32: 4, f64: 8 },
  entropy: { f32: 1, f64: 4 },
  /** ulps of the largest term: p·d or the mean of all p·d, d = max − x */
  entropyBackward: { f32: 1, f64: 8 },
  /** ulps of the largest term; terms of one sign are added first and count as one */
  klDiv: { f32: 4, f64: 4 },
  klDivBackward: { f32: 1, f64: 4 },
  /** …Backward with arbitrary gradients: ulps of the largest term */
  backward: { f32: 4, f64: 4 },
  /** soft targets and smoothing, targets and weights from 0; with zLoss ulps of the largest of loss and z·(|m / T| + l)² */
  softCrossEntropy: { f32: 2, f64: 4 },
  /** their gradients: ulps of the largest term */
  softGradient: { f32: 4, f64: 4 },
  logSigmoid: { f32: 2, f64: 2 },
  log1pExp: { f32: 2, f64: 2 },
  log1mExp: { f32: 2, f64: 2 },
  /** binary cross-entropy, targets 0 and 1 */
  bce: { f32: 2, f64: 4 },
  /** the same, other targets, and its gradient: ulps of the result or of the largest term, whichever is larger */
  bceTerms: { f32: 4, f64: 4 },
} as const;

/**
 * Where the maximum and log1p of a log-sum-exp cancel, its error may also be this part of |max|; with weights, of the
 * logit whose term is the largest.
 */
export const CANCELLATION = {
  f32: 5.6843418860808015e-14 /* 2^-44 */,
  f64: 4.440892098500626e-16 /* 2^-51 */,
} as const;

/**
 * A sum of e^x by weights of both signs may be off by so many ulps of f64 of its largest term, where the terms of one sign
 * count as one; its logarithm then by that part of the sum.
 */
export const SIGNED_SUM = 4;

/**
 * One step of an optimizer in f32, in parts of 2^-24: so many of the largest term of what the weight moves by, and so many
 * of the weight; what it keeps, in parts of its largest term. Adam's terms: rate·|mean| and rate·|g + l2·w| over √square +
 * ε, with g and l2·w of one sign; SGD's: rate·|momentum·buffer|, rate·|g|, rate·|l2·w|. Where nothing leaves the range.
 */
export const OPTIMIZER_BOUNDS = {
  adam: { step: 23, w: 3, mean: 10, square: 10 },
  momentum: { step: 22, w: 1, buffer: 13 },
  nesterov: { step: 43, w: 1, buffer: 13 },
} as const;
