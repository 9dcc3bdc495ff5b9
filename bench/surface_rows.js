// The operations on rows with options: what Napier gives for a case, the exact truth, and how far a value is from it.
import * as napier from "napier";
import { BOUNDS, CANCELLATION, SIGNED_SUM } from "../packages/napier/dist/bounds.js";
import { div, exact, exp, mul, sub, toF64 } from "../packages/napier/dist/exact.js";
import { crossEntropyRow } from "../packages/napier/dist/kernels/crossentropy.ref.js";
import { logCumSumExpBackwardRow, logCumSumExpRow } from "../packages/napier/dist/kernels/cumulative.ref.js";
import { entropyBackwardRow, entropyRow } from "../packages/napier/dist/kernels/entropy.ref.js";
import { logMeanExpRow } from "../packages/napier/dist/kernels/logmeanexp.ref.js";
import { logSumExpBackwardRow } from "../packages/napier/dist/kernels/logsumexp.ref.js";
import { logSoftmaxRow } from "../packages/napier/dist/kernels/softmax.ref.js";
import { topRow } from "../packages/napier/dist/kernels/top.ref.js";
import { weightedBackwardRow, weightedRow } from "../packages/napier/dist/kernels/weighted.ref.js";
import { rng } from "../packages/napier/dist/rng.js";
import { ulpError, ulpOf } from "../packages/napier/dist/ulp.js";
import { normals, rounded, typed } from "../tools/dist/hostile.js";
import { each } from "./surface_inputs.js";

/** In ulps of the result. */
export const ulps = (truths, dtype) => (value, j) => {
  const truth = truths[j];
  return typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, dtype);
};

/** In ulps of the largest term. */
export const inTerms = (truths, dtype) => (value, j) => {
  const { value: truth, largest } = truths[j];
  if (!Number.isFinite(value)) return ulpError(value, truth, dtype);
  const one = ulpOf(largest, dtype);
  const { n, e } = sub(exact(value), truth);
  return Math.abs(toF64({ n, e: e - one.e }));
};

/** In ulps; where maximum and logarithm cancel, the second bound, a part of the maximum, counts as the first. */
export const cancelling = (truths, maxima, dtype) => (value, j) => {
  const error = ulps(truths, dtype)(value, j);
  const allowed = CANCELLATION[dtype] * Math.abs(maxima[j]);
  if (!Number.isFinite(value) || allowed === 0) return error;
  return Math.min(error, (Math.abs(toF64(sub(exact(value), truths[j]))) / allowed) * BOUNDS.logSumExp[dtype]);
};

const largest = (row) => row.reduce((a, b) => Math.max(a, b), -Infinity);

/** What weights of both signs allow: SIGNED_SUM ulps of f64 of the largest term, over the sum. */
function signedShare({ value: truth, m, largest: term, sum }, dtype) {
  const inUlps = cancelling([truth], [m], dtype);
  return (value) => {
    const share = inUlps(value, 0) / BOUNDS.logSumExp[dtype];
    if (share <= 1 || !Number.isFinite(value)) return share;
    const part = Math.abs(toF64(div(ulpOf(term, "f64"), sum))) * SIGNED_SUM;
    return Math.abs(toF64(sub(exact(value), truth))) / (part + toF64(ulpOf(truth, dtype)));
  };
}

const backwards = ["logSumExpBackward", "logMeanExpBackward"];

/** The families of a dtype: cases, and of each its operations' values and measures. */
export function rowFamilies(dtype) {
  const of = (values) => typed(values, dtype);
  const normal = normals(61);
  const random = rng(61, 1);
  const gradients = (x) =>
    rounded(
      x.map(() => normal()),
      dtype,
    );
  const weights = (x, i) =>
    rounded(
      x.map(() => (i % 3 === 0 ? 2 ** (random.below(160) - 80) * (1 + random.uniform()) : Math.abs(normal()))),
      dtype,
    );
  const lse = BOUNDS.logSumExp[dtype];
  const lseBound = `${lse}, or the cancellation's`;
  const { gradient, backward } = BOUNDS;
  return {
    mean: {
      operations: {
        logMeanExp: { bound: lse, text: lseBound, call: "torch.logsumexp(x, 0) - math.log(n)" },
        logSumExpBackward: { bound: gradient[dtype], call: "autograd of torch.logsumexp(x, 0)" },
        logMeanExpBackward: { bound: gradient[dtype], call: "autograd of logMeanExp's" },
      },
      cases: each(dtype, 1, 400, (x, _, one) => ({ x, g: [one(normal())] })),
      napier: ({ x, g }) => ({
        logMeanExp: [napier.logMeanExp(of(x))],
        logSumExpBackward: napier.logSumExpBackward(g[0], of(x)),
        logMeanExpBackward: napier.logMeanExpBackward(g[0], of(x)),
      }),
      measures: ({ x, g }) => {
        const dx = ulps(logSumExpBackwardRow(g[0], x), dtype);
        return {
          logMeanExp: cancelling([logMeanExpRow(x)], [largest(x)], dtype),
          ...Object.fromEntries(backwards.map((name) => [name, dx])),
        };
      },
    },
    weighted: {
      operations: {
        "logSumExp, positive weights": { bound: lse, text: lseBound, call: "scipy.special.logsumexp(x, b=w)" },
        "logSumExpBackward, positive weights": {
          bound: gradient[dtype],
          call: "autograd of torch.logsumexp(x + w.log(), 0)",
        },
      },
      cases: each(dtype, 1, 400, (x, i) => ({ x, w: weights(x, i) })),
      napier: ({ x, w }) => ({
        "logSumExp, positive weights": [napier.logSumExp(of(x), { weights: w })],
        "logSumExpBackward, positive weights": napier.logSumExpBackward(1, of(x), { weights: w }),
      }),
      measures: ({ x, w }) => {
        const { value, m } = weightedRow(x, w);
        return {
          "logSumExp, positive weights": cancelling([value], [m], dtype),
          "logSumExpBackward, positive weights": ulps(weightedBackwardRow(1, x, w), dtype),
        };
      },
    },
    signed: {
      operations: {
        "logSumExp, weights of both signs": {
          bound: 1,
          share: true,
          call: "scipy.special.logsumexp(x, b=w, return_sign=True)",
        },
        "logSumExpBackward, weights of both signs": { bound: 1, share: true, call: "none" },
      },
      cases: each(dtype, 1, 400, (x, i) => ({ x, w: weights(x, i).map((v, j) => (j % 3 === 0 ? -v : v)) })),
      napier: ({ x, w }) => {
        const { value, sign } = napier.logSumExp(of(x), { weights: w, returnSign: true });
        return {
          "logSumExp, weights of both signs": [value, sign],
          "logSumExpBackward, weights of both signs": napier.logSumExpBackward(1, of(x), { weights: w }),
        };
      },
      measures: ({ x, w }) => {
        const truth = weightedRow(x, w);
        const share = signedShare(truth, dtype);
        const inUlps = ulps(weightedBackwardRow(1, x, w), dtype);
        const lost = dtype === "f64" ? SIGNED_SUM * Math.abs(toF64(div(truth.largest, truth.sum))) : 0;
        return {
          "logSumExp, weights of both signs": (value, j) =>
            j === 0 ? share(value) : value === truth.sign ? 0 : Infinity,
          "logSumExpBackward, weights of both signs": (value, j) => inUlps(value, j) / (gradient[dtype] + lost),
        };
      },
    },
    cumulative: {
      operations: {
        logCumSumExp: { bound: lse, text: lseBound, call: "torch.logcumsumexp(x, 0)" },
        logCumSumExpBackward: { bound: backward[dtype], terms: true, call: "autograd" },
      },
      cases: each(dtype, 2, 40, (x) => ({ x, g: gradients(x) })),
      napier: ({ x, g }) => ({
        logCumSumExp: napier.logCumSumExp(of(x)),
        logCumSumExpBackward: napier.logCumSumExpBackward(of(g), of(x)),
      }),
      measures: ({ x, g }) => ({
        logCumSumExp: cancelling(
          logCumSumExpRow(x),
          x.map((_, j) => largest(x.slice(0, j + 1))),
          dtype,
        ),
        logCumSumExpBackward: inTerms(logCumSumExpBackwardRow(g, x), dtype),
      }),
    },
    entropy: {
      operations: {
        entropy: { bound: BOUNDS.entropy[dtype], call: "torch.distributions.Categorical(logits=x).entropy()" },
        entropyBackward: { bound: BOUNDS.entropyBackward[dtype], terms: true, call: "autograd" },
      },
      cases: each(dtype, 1, 400, (x, _, one) => ({ x, g: [one(normal())] })),
      napier: ({ x, g }) => ({
        entropy: [napier.entropy(of(x))],
        entropyBackward: napier.entropyBackward(g[0], of(x)),
      }),
      measures: ({ x, g }) => ({
        entropy: ulps([entropyRow(x)], dtype),
        entropyBackward: inTerms(entropyBackwardRow(g[0], x), dtype),
      }),
    },
    perplexity: {
      operations: {
        perplexity: { bound: 1, share: true, call: "torch.exp(F.cross_entropy(x, y))" },
      },
      // e to the loss of a class far below the others is beyond the range: the winner and its neighbour in turn
      cases: each(dtype, 1, 400, (x, i) => ({ x, y: (x.indexOf(largest(x)) + (i % 2)) % x.length })),
      napier: ({ x, y }) => ({ perplexity: [napier.perplexity(of(x), y)] }),
      measures: ({ x, y }) => {
        const loss = crossEntropyRow(x, y);
        const size = toF64(loss);
        if (size > (dtype === "f32" ? 88 : 709)) return { perplexity: (value) => (value > 1e38 ? 0 : Infinity) };
        const truth = exp(loss);
        const allowed = dtype === "f32" ? (size + 1) * 2 ** -23 : (4 * size + 1) * 2 ** -52;
        return {
          perplexity: (value) =>
            Number.isFinite(value)
              ? Math.abs(toF64(div(sub(exact(value), truth), mul(truth, exact(allowed)))))
              : Infinity,
        };
      },
    },
    top: {
      operations: {
        "topLogProbs, the bits of logSoftmax": {
          bound: BOUNDS.logSoftmax[dtype],
          call: "torch.log_softmax(x, 0).topk(k)",
        },
      },
      cases: each(dtype, 1, 400, (x, i) => ({ x, k: 1 + (i % Math.min(x.length, 7)) })),
      napier: ({ x, k }) => {
        const { indices, logProbs } = napier.topLogProbs(of(x), k);
        const all = napier.logSoftmax(of(x));
        if (logProbs.some((v, j) => !Object.is(v, all[indices[j]])))
          throw new Error(`other bits than logSoftmax: ${x}`);
        return { "topLogProbs, the bits of logSoftmax": logProbs };
      },
      measures: ({ x, k }) => {
        const truths = logSoftmaxRow(x);
        return {
          "topLogProbs, the bits of logSoftmax": ulps(
            topRow(x, k).map((j) => truths[j]),
            dtype,
          ),
        };
      },
    },
  };
}
