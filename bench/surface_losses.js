// The losses with options: what Napier gives for a case, the exact truth, and how far a value is from it.
import * as napier from "napier";
import { BOUNDS } from "../packages/napier/dist/bounds.js";
import { div, exact, mul, toF64 } from "../packages/napier/dist/exact.js";
import { sech2, tanh } from "../packages/napier/dist/kernels/elementary.ref.js";
import {
  softCrossEntropyRow,
  softTargets,
  temperedLogSoftmaxRow,
  temperedSoftmaxRow,
} from "../packages/napier/dist/kernels/softcrossentropy.ref.js";
import { rng } from "../packages/napier/dist/rng.js";
import { wide } from "../packages/napier/dist/wide.js";
import { typed } from "../tools/dist/hostile.js";
import { each, probabilities } from "./surface_inputs.js";
import { inTerms, ulps } from "./surface_rows.js";

const TEMPERATURES = [0.5, 2, 0.1, 3, 1 / 3, 1.0000001, 20, 1000, 1e-3, 0.7];
const SMOOTHINGS = [0.1, 1e-6, 0.5, 1];
const CAPS = [30, 50, 1, 0.1, 1000, 7.3];

const ones = (x) => x.map(() => 1);
const oneHot = (x, y) => x.map((_, j) => (j === y ? 1 : 0));

/** x / c, exact; beyond 1000 tanh is 1 to the last bit. */
const over = (x, cap) => (Math.abs(x / cap) > 1000 ? exact(Math.sign(x) * 1000) : div(exact(x), exact(cap)));

/** The capped logits as Napier has them in f64, within 3 ulp of c·tanh(x / c). */
function cappedByNapier(row, cap) {
  const space = wide.create();
  const [out, x] = space.layout(8 * row.length, 8 * row.length);
  space.f64.set(row, x / 8);
  space.kernels.softcap_f64(out, x, cap, 1, row.length);
  return [...space.f64.subarray(out / 8, out / 8 + row.length)];
}

/** The largest term of a loss with z: z·(|m / T| + l)² counts as one. */
function withSize({ loss, lse }, x, z) {
  const shift = x.reduce((a, b) => Math.max(a, b));
  const size = Math.abs(shift) + Math.abs(toF64(lse) - shift);
  const term = Number.isFinite(size) ? mul(exact(z), mul(exact(size), exact(size))) : loss;
  return { value: loss, largest: toF64(term) > toF64(loss) ? term : loss };
}

/** Loss and gradient, by names. */
const both = (name, { loss, dlogits }) => ({ [name]: [loss], [`${name}: gradient`]: dlogits });

export function lossFamilies(dtype) {
  const of = (values) => typed(values, dtype);
  const { uniform, below } = rng(11, 3);
  const hard = { loss: BOUNDS.crossEntropy[dtype], gradient: BOUNDS.gradient[dtype] };
  const soft = { loss: BOUNDS.softCrossEntropy[dtype], gradient: BOUNDS.softGradient[dtype] };
  const truthOf = (x, q, z, smoothing, temperature = 1) =>
    softCrossEntropyRow(x, softTargets(q, ones(x), ones(x), smoothing), z, temperature);
  const inUlps = (name, { loss, gradient }) => ({
    [name]: ulps([loss], dtype),
    [`${name}: gradient`]: ulps(
      gradient.map(({ value }) => value),
      dtype,
    ),
  });
  return {
    tempered: {
      operations: {
        "logSoftmax, temperature": { bound: BOUNDS.logSoftmax[dtype], call: "torch.log_softmax(x / T, 0)" },
        "softmax, temperature": { bound: BOUNDS.softmax[dtype], call: "torch.softmax(x / T, 0)" },
        "crossEntropy, temperature": { bound: hard.loss, call: "F.cross_entropy(x / T, y)" },
        "crossEntropy, temperature: gradient": { bound: hard.gradient, call: "autograd" },
      },
      cases: each(dtype, 1, 400, (x, i, one) => ({
        ...{ x, y: i % x.length },
        temperature: one(TEMPERATURES[i % TEMPERATURES.length]),
      })),
      napier: ({ x, y, temperature }) => ({
        "logSoftmax, temperature": napier.logSoftmax(of(x), { temperature }),
        "softmax, temperature": napier.softmax(of(x), { temperature }),
        ...both("crossEntropy, temperature", napier.crossEntropyWithGrad(of(x), y, { temperature })),
      }),
      measures: ({ x, y, temperature }) => ({
        "logSoftmax, temperature": ulps(temperedLogSoftmaxRow(x, temperature), dtype),
        "softmax, temperature": ulps(temperedSoftmaxRow(x, temperature), dtype),
        ...inUlps("crossEntropy, temperature", truthOf(x, oneHot(x, y), 0, 0, temperature)),
      }),
    },
    smoothed: {
      operations: {
        "crossEntropy, labelSmoothing": { bound: soft.loss, call: "F.cross_entropy(x, y, label_smoothing=s)" },
        "crossEntropy, labelSmoothing: gradient": { bound: soft.gradient, terms: true, call: "autograd" },
      },
      cases: each(dtype, 1, 400, (x, i, one) => ({
        ...{ x, y: below(x.length) },
        smoothing: one(SMOOTHINGS[i % SMOOTHINGS.length]),
      })),
      napier: ({ x, y, smoothing }) =>
        both("crossEntropy, labelSmoothing", napier.crossEntropyWithGrad(of(x), y, { labelSmoothing: smoothing })),
      measures: ({ x, y, smoothing }) => {
        const { loss, gradient } = truthOf(x, oneHot(x, y), 0, smoothing);
        return {
          "crossEntropy, labelSmoothing": ulps([loss], dtype),
          "crossEntropy, labelSmoothing: gradient": inTerms(gradient, dtype),
        };
      },
    },
    soft: {
      operations: {
        softCrossEntropy: { bound: soft.loss, call: "F.cross_entropy(x, q)" },
        "softCrossEntropy: gradient": { bound: soft.gradient, terms: true, call: "autograd" },
      },
      cases: each(dtype, 1, 400, (x, i) => ({
        x,
        q: probabilities(i % 4, x.length, below(x.length), uniform, dtype),
      })),
      napier: ({ x, q }) => both("softCrossEntropy", napier.softCrossEntropyWithGrad(of(x), of(q))),
      measures: ({ x, q }) => {
        const { loss, gradient } = truthOf(x, q, 0, 0);
        return { softCrossEntropy: ulps([loss], dtype), "softCrossEntropy: gradient": inTerms(gradient, dtype) };
      },
    },
    zLoss: {
      operations: {
        "crossEntropy, zLoss": {
          bound: soft.loss,
          terms: true,
          call: "F.cross_entropy(x, y) + z * torch.logsumexp(x, 0)**2",
        },
        "crossEntropy, zLoss: gradient": { bound: soft.gradient, terms: true, call: "autograd" },
      },
      // 2·z·lse, a factor of the gradient, stays in the range of f64: beyond it the gradient has no bound
      cases: each(dtype, 1, 400, (x, i, one) => {
        const z = 10 ** -(i % 7);
        return { x, y: below(x.length), z: one(x.some((v) => Math.abs(2 * z * v) === Infinity) ? 0.1 : z) };
      }),
      napier: ({ x, y, z }) => both("crossEntropy, zLoss", napier.crossEntropyWithGrad(of(x), y, { zLoss: z })),
      measures: ({ x, y, z }) => {
        const truth = truthOf(x, oneHot(x, y), z, 0);
        return {
          "crossEntropy, zLoss": inTerms([withSize(truth, x, z)], dtype),
          "crossEntropy, zLoss: gradient": inTerms(truth.gradient, dtype),
        };
      },
    },
    softcap: {
      operations: {
        "crossEntropy, softcap": {
          bound: hard.loss,
          call: dtype === "f32" ? "F.cross_entropy(c * torch.tanh(x / c), y)" : "none",
        },
        "crossEntropy, softcap: gradient": { bound: hard.gradient, call: dtype === "f32" ? "autograd" : "none" },
      },
      cases: each(dtype, 1, 200, (x, i, one) => ({ x, y: i % x.length, cap: one(CAPS[i % CAPS.length]) })),
      napier: ({ x, y, cap }) => both("crossEntropy, softcap", napier.crossEntropyWithGrad(of(x), y, { softcap: cap })),
      measures: ({ x, y, cap }) => {
        // f64: of the capped logits as they are in f64
        const capped =
          dtype === "f32" ? x.map((v) => toF64(mul(exact(cap), tanh(over(v, cap))))) : cappedByNapier(x, cap);
        const { loss, gradient } = truthOf(capped, oneHot(x, y), 0, 0);
        return inUlps("crossEntropy, softcap", {
          loss,
          gradient: gradient.map(({ value }, j) => ({ value: mul(value, sech2(over(x[j], cap))) })),
        });
      },
    },
  };
}
