const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];

/** The special rows of the numeric contract and what each operation answers; the target is class `y`. */
export const TABLE = [
  {
    name: "NaN in the row",
    row: [nan, 0, 1],
    y: 1,
    lse: nan,
    softmax: [nan, nan, nan],
    logSoftmax: [nan, nan, nan],
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "NaN beside +∞",
    row: [inf, nan, 1],
    y: 2,
    lse: nan,
    softmax: [nan, nan, nan],
    logSoftmax: [nan, nan, nan],
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "+∞ in the row",
    row: [0, inf, 1],
    y: 1,
    lse: inf,
    softmax: [nan, nan, nan],
    logSoftmax: [nan, nan, nan],
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "+∞ and −∞",
    row: [-inf, inf, 1],
    y: 1,
    lse: inf,
    softmax: [nan, nan, nan],
    logSoftmax: [nan, nan, nan],
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "all −∞",
    row: [-inf, -inf, -inf],
    y: 0,
    lse: -inf,
    softmax: [nan, nan, nan],
    logSoftmax: [nan, nan, nan],
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "all −∞ but a NaN",
    row: [-inf, nan, -inf],
    y: 0,
    lse: nan,
    softmax: [nan, nan, nan],
    logSoftmax: [nan, nan, nan],
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "some −∞",
    row: [5, -inf, -inf],
    y: 0,
    lse: 5,
    softmax: [1, 0, 0],
    logSoftmax: [0, -inf, -inf],
    loss: 0,
    grad: [0, 0, 0],
  },
  {
    name: "target at −∞",
    row: [5, -inf, -inf],
    y: 1,
    lse: 5,
    softmax: [1, 0, 0],
    logSoftmax: [0, -inf, -inf],
    loss: inf,
    grad: [1, -1, 0],
  },
  {
    name: "overflow and underflow of e^x",
    row: [1000, 0, -1000],
    y: 0,
    lse: 1000,
    softmax: [1, 0, 0],
    logSoftmax: [0, -1000, -2000],
    loss: 0,
    grad: [0, 0, 0],
  },
  { name: "one class", row: [7], y: 0, lse: 7, softmax: [1], logSoftmax: [0], loss: 0, grad: [0] },
  { name: "one class, −0", row: [-0], y: 0, lse: 0, softmax: [1], logSoftmax: [0], loss: 0, grad: [0] },
] as const;

/** The special rows again: what is picked from them, and their entropy with its gradient; k is 2 where there are two classes. */
export const PICKED = [
  {
    name: "NaN in the row",
    row: [nan, 0, 1],
    indices: [0, 1],
    logProbs: [nan, nan],
    drawn: -1,
    entropy: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "NaN at the end",
    row: [0, 1, nan],
    indices: [0, 1],
    logProbs: [nan, nan],
    drawn: -1,
    entropy: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "+∞ in the row",
    row: [0, 1, inf],
    indices: [0, 1],
    logProbs: [nan, nan],
    drawn: -1,
    entropy: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "all −∞",
    row: [-inf, -inf, -inf],
    indices: [0, 1],
    logProbs: [nan, nan],
    drawn: -1,
    entropy: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "some −∞",
    row: [-inf, -inf, 5],
    indices: [2, 0],
    logProbs: [0, -inf],
    drawn: 2,
    entropy: 0,
    grad: [0, 0, 0],
  },
  {
    name: "underflow of e^x",
    row: [-1000, 1000, 0],
    indices: [1, 2],
    logProbs: [0, -1000],
    drawn: 1,
    entropy: 0,
    grad: [0, 0, 0],
  },
  { name: "ties", row: [-inf, 7, 7], indices: [1, 2], logProbs: null, drawn: null, entropy: null, grad: [0, 0, 0] },
  { name: "one class", row: [7], indices: [0], logProbs: [0], drawn: 0, entropy: 0, grad: [0] },
] as const;

/** Terms of klDiv and the gradients of their sum, with a target, and with its logarithm. */
export const DIVERGENCES = [
  { name: "target 0 at −∞", logProb: -inf, target: 0, term: 0, grad: 0 },
  { name: "target above 0 at −∞", logProb: -inf, target: 1, term: inf, grad: -1 },
  { name: "certain on both sides", logProb: 0, target: 1, term: 0, grad: -1 },
  { name: "target 0 at NaN", logProb: nan, target: 0, term: nan, grad: 0 },
  { name: "target 0 at +∞", logProb: inf, target: 0, term: 0, grad: 0 },
  { name: "target NaN", logProb: -1, target: nan, term: nan, grad: nan },
] as const;

const ln2 = Math.LN2;

/** What the functions of one number answer, and their gradients for g = 1. */
export const BINARY_TABLE = [
  { x: nan, logSigmoid: [nan, nan], log1pExp: [nan, nan], log1mExp: [nan, nan] },
  { x: inf, logSigmoid: [0, 0], log1pExp: [inf, 1], log1mExp: [nan, nan] },
  { x: -inf, logSigmoid: [-inf, 1], log1pExp: [0, 0], log1mExp: [0, 0] },
  { x: 0, logSigmoid: [-ln2, 0.5], log1pExp: [ln2, 0.5], log1mExp: [-inf, -inf] },
  { x: -0, logSigmoid: [-ln2, 0.5], log1pExp: [ln2, 0.5], log1mExp: [-inf, -inf] },
  { x: 1000, logSigmoid: [0, 0], log1pExp: [1000, 1], log1mExp: [nan, nan] },
  { x: -1000, logSigmoid: [-1000, 1], log1pExp: [0, 0], log1mExp: [0, 0] },
] as const;

/** What bceWithLogits answers for logit x and target t, and its gradient; factors are 1 where they are not there. */
export const BCE_TABLE = [
  { x: nan, t: 1, loss: nan, grad: nan },
  { x: 0, t: nan, loss: nan, grad: nan },
  { x: inf, t: 1, loss: 0, grad: 0 },
  { x: inf, t: 0, loss: inf, grad: 1 },
  { x: inf, t: 0.5, loss: inf, grad: 0.5 },
  { x: -inf, t: 0, loss: 0, grad: 0 },
  { x: -inf, t: 1, loss: inf, grad: -1 },
  { x: 1000, t: 1, loss: 0, grad: 0 },
  { x: 1000, t: 0, loss: 1000, grad: 1 },
  { x: -1000, t: 1, loss: 1000, grad: -1 },
  { x: -0, t: 1, loss: ln2, grad: -0.5 },
  { x: 1000, t: 1.5, loss: -500, grad: -0.5 },
  { x: inf, t: 1.5, loss: -inf, grad: -0.5 },
  { x: inf, t: 0, weight: 0, loss: 0, grad: 0 },
  { x: -inf, t: 1, posWeight: 0, loss: 0, grad: 0 },
  { x: nan, t: 1, weight: 0, loss: nan, grad: nan },
] as const;

export interface LossEdge {
  readonly name: string;
  readonly row: readonly number[];
  /** a class, or probabilities */
  readonly target: number | readonly number[];
  readonly options?: {
    readonly mask?: readonly number[];
    readonly weight?: readonly number[];
    readonly ignoreIndex?: number;
    readonly labelSmoothing?: number;
    readonly zLoss?: number;
    readonly softcap?: number;
    readonly temperature?: number;
  };
  readonly loss: number;
  readonly grad: readonly number[];
}

const some = [1, 0, 1];

/** What crossEntropy, or of probabilities softCrossEntropy, answers with its options, and the gradient. */
export const LOSS_TABLE: readonly LossEdge[] = [
  { name: "masked NaN", row: [1000, nan, 0], target: 0, options: { mask: some }, loss: 0, grad: [0, 0, 0] },
  { name: "masked +∞", row: [0, inf, 0], target: 0, options: { mask: some }, loss: ln2, grad: [-0.5, 0, 0.5] },
  { name: "masked target", row: [0, 5, -1000], target: 1, options: { mask: some }, loss: inf, grad: [1, 0, 0] },
  { name: "masked whole", row: [1, nan, inf], target: 1, options: { mask: [0, 0, 0] }, loss: 0, grad: [0, 0, 0] },
  {
    name: "all −∞ but a masked one",
    row: [-inf, 5, -inf],
    target: 0,
    options: { mask: some },
    loss: nan,
    grad: [nan, 0, nan],
  },
  { name: "ignored", row: [nan, 0, inf], target: -100, options: { ignoreIndex: -100 }, loss: 0, grad: [0, 0, 0] },
  { name: "ignored class", row: [-inf, 0, 1], target: 0, options: { ignoreIndex: 0 }, loss: 0, grad: [0, 0, 0] },
  {
    name: "weight 0, target at −∞",
    row: [5, -inf, -inf],
    target: 1,
    options: { weight: [1, 0, 1] },
    loss: 0,
    grad: [0, 0, 0],
  },
  {
    name: "weight 0, NaN",
    row: [5, nan, 0],
    target: 1,
    options: { weight: [1, 0, 1] },
    loss: nan,
    grad: [nan, nan, nan],
  },
  {
    name: "smoothing, −∞",
    row: [0, 0, -inf],
    target: 0,
    options: { labelSmoothing: 0.75 },
    loss: inf,
    grad: [0, 0.25, -0.25],
  },
  {
    name: "smoothing, −∞ masked",
    row: [0, 0, -inf],
    target: 0,
    options: { labelSmoothing: 0.5, mask: [1, 1, 0] },
    loss: ln2,
    grad: [-0.25, 0.25, 0],
  },
  {
    name: "smoothing, −∞ of weight 0",
    row: [0, 0, -inf],
    target: 0,
    options: { labelSmoothing: 0.75, weight: [1, 1, 0] },
    loss: 0.75 * ln2,
    grad: [-0.125, 0.125, 0],
  },
  {
    name: "smoothing, masked target",
    row: [0, 5, 0],
    target: 1,
    options: { labelSmoothing: 0.5, mask: some },
    loss: inf,
    grad: [0.25, 0, 0.25],
  },
  { name: "q of 0 at −∞", row: [0, 0, -inf], target: [0.5, 0.5, 0], loss: ln2, grad: [0, 0, 0] },
  { name: "q above 0 at −∞", row: [0, 0, -inf], target: [0.5, 0.25, 0.25], loss: inf, grad: [0, 0.25, -0.25] },
  {
    name: "q of 0, masked NaN",
    row: [0, nan, 0],
    target: [1, 0, 0],
    options: { mask: some },
    loss: ln2,
    grad: [-0.5, 0, 0.5],
  },
  {
    name: "q above 0, masked",
    row: [0, 9, 0],
    target: [0.5, 0.5, 0],
    options: { mask: some },
    loss: inf,
    grad: [0, 0, 0.5],
  },
  {
    name: "q, masked whole",
    row: [nan, 9, 0],
    target: [0.5, 0.5, 0],
    options: { mask: [0, 0, 0] },
    loss: 0,
    grad: [0, 0, 0],
  },
  { name: "q of NaN", row: [0, 0, 0], target: [nan, 0.5, 0.5], loss: nan, grad: [nan, nan, nan] },
  { name: "q, NaN in the row", row: [0, nan, 0], target: [1, 0, 0], loss: nan, grad: [nan, nan, nan] },
  { name: "q, +∞ in the row", row: [0, inf, 0], target: [1, 0, 0], loss: nan, grad: [nan, nan, nan] },
  { name: "q, all −∞", row: [-inf, -inf, -inf], target: [1, 0, 0], loss: nan, grad: [nan, nan, nan] },
  { name: "temperature", row: [1000, 0, -inf], target: 1, options: { temperature: 0.5 }, loss: 2000, grad: [2, -2, 0] },
  {
    name: "temperature, NaN",
    row: [1000, nan, 0],
    target: 0,
    options: { temperature: 0.5 },
    loss: nan,
    grad: [nan, nan, nan],
  },
  { name: "softcap of ±∞", row: [inf, -inf, inf], target: 0, options: { softcap: 40 }, loss: ln2, grad: [0, 0, 0] },
  { name: "softcap, NaN", row: [0, nan, 0], target: 0, options: { softcap: 40 }, loss: nan, grad: [nan, nan, nan] },
  { name: "zLoss", row: [3], target: 0, options: { zLoss: 0.5 }, loss: 4.5, grad: [3] },
];

/** Rows with a mask: what is left out comes before NaN, and that before ±∞. */
export const MASK_TABLE = [
  { name: "a masked NaN", row: [nan, 3], mask: [0, 1], lse: 3, softmax: [0, 1], logSoftmax: [-inf, 0] },
  { name: "a masked +∞", row: [3, inf], mask: [1, 0], lse: 3, softmax: [1, 0], logSoftmax: [0, -inf] },
  { name: "a NaN that is kept", row: [nan, 3], mask: [1, 0], lse: nan, softmax: [nan, 0], logSoftmax: [nan, -inf] },
  {
    name: "+∞ that is kept",
    row: [inf, 3, 1],
    mask: [1, 1, 0],
    lse: inf,
    softmax: [nan, nan, 0],
    logSoftmax: [nan, nan, -inf],
  },
  {
    name: "nothing but −∞ is kept",
    row: [-inf, 3],
    mask: [1, 0],
    lse: -inf,
    softmax: [nan, 0],
    logSoftmax: [nan, -inf],
  },
  { name: "masked whole", row: [nan, 3], mask: [0, 0], lse: -inf, softmax: [0, 0], logSoftmax: [-inf, -inf] },
] as const;
