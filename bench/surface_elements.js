// The operations by element: what Napier gives for a case, the exact truth, and how far a value is from it.
import * as napier from "napier";
import { BOUNDS } from "../packages/napier/dist/bounds.js";
import { ONE } from "../packages/napier/dist/exact.js";
import * as ref from "../packages/napier/dist/kernels/binary.ref.js";
import { klBackward, klParts, sumParts } from "../packages/napier/dist/kernels/divergence.ref.js";
import { logSumExpBackwardRow, logSumExpRow } from "../packages/napier/dist/kernels/logsumexp.ref.js";
import { rng } from "../packages/napier/dist/rng.js";
import { normals, rounded, typed } from "../tools/dist/hostile.js";
import { divergences, numbers, pairs } from "./surface_inputs.js";
import { cancelling, inTerms, ulps } from "./surface_rows.js";

const SCALARS = {
  logSigmoid: {
    ...{ call: "F.logsigmoid(x)", f: napier.logSigmoid, back: napier.logSigmoidBackward },
    ...{ truth: ref.logSigmoid, backTruth: ref.logSigmoidBackward },
  },
  log1pExp: {
    ...{ call: "F.softplus(x)", f: napier.log1pExp, back: napier.log1pExpBackward },
    ...{ truth: ref.log1pExp, backTruth: ref.log1pExpBackward },
  },
  log1mExp: {
    ...{ call: "torch.log(-torch.expm1(x))", f: napier.log1mExp, back: napier.log1mExpBackward },
    ...{ truth: ref.log1mExp, backTruth: ref.log1mExpBackward },
  },
};

/** logSigmoid, log1pExp, log1mExp with their Backwards, of one case that holds all elements. */
function scalarFamilies(dtype) {
  const of = (values) => typed(values, dtype);
  const x = numbers(dtype, 3000, 41);
  const g = numbers(dtype, 3000, 42).slice(0, x.length);
  const upstream = g.map((v, k) => (k % 3 === 0 ? 1 : v));
  return Object.fromEntries(
    Object.entries(SCALARS).map(([name, { call, f, back, truth, backTruth }]) => {
      const given = name === "log1mExp" ? x.map((v) => -Math.abs(v)) : x;
      const backward = `${name}Backward`;
      const family = {
        operations: {
          [name]: { bound: BOUNDS[name][dtype], call },
          [backward]: { bound: BOUNDS.backward[dtype], call: "autograd" },
        },
        cases: [{ x: given, g: upstream }],
        napier: (c) => ({ [name]: f(of(c.x)), [backward]: back(of(c.g), of(c.x)) }),
        measures: (c) => ({
          [name]: ulps(c.x.map(truth), dtype),
          [backward]: ulps(
            c.x.map((v, k) => backTruth(c.g[k], v)),
            dtype,
          ),
        }),
      };
      return [name, family];
    }),
  );
}

function bce(dtype, name, t, x, measure, bounds) {
  const of = (values) => typed(values, dtype);
  const gradient = `${name}: gradient`;
  return {
    operations: {
      [name]: { ...bounds.loss, call: "F.binary_cross_entropy_with_logits(x, t)" },
      [gradient]: { ...bounds.gradient, call: "autograd" },
    },
    cases: [{ x, t }],
    napier: (c) => {
      const { loss, dlogits } = napier.bceWithLogitsWithGrad(of(c.x), of(c.t), { reduction: "none" });
      return { [name]: loss, [gradient]: dlogits };
    },
    measures: (c) => ({
      [name]: measure(c.x.map((v, k) => ref.bce(v, c.t[k], 1, 1))),
      [gradient]: measure(c.x.map((v, k) => ref.bceGrad(v, c.t[k], 1, 1, ONE))),
    }),
  };
}

export function elementFamilies(dtype) {
  const of = (values) => typed(values, dtype);
  const normal = normals(71);
  const { uniform } = rng(43, 3);
  const x = numbers(dtype, 3000, 44);
  const terms = { bound: BOUNDS.bceTerms[dtype], terms: true };
  const couples = pairs(dtype);
  const lse = BOUNDS.logSumExp[dtype];
  return {
    add: {
      operations: {
        logAddExp: { bound: lse, text: `${lse}, or the cancellation's`, call: "torch.logaddexp(a, b)" },
        "logAddExpBackward, da": { bound: BOUNDS.gradient[dtype], call: "autograd" },
        "logAddExpBackward, db": { bound: BOUNDS.gradient[dtype], call: "autograd" },
      },
      cases: [
        {
          ...couples,
          g: rounded(
            couples.a.map(() => normal()),
            dtype,
          ),
        },
      ],
      napier: ({ a, b, g }) => {
        const { da, db } = napier.logAddExpBackward(of(g), of(a), of(b));
        return { logAddExp: napier.logAddExp(of(a), of(b)), "logAddExpBackward, da": da, "logAddExpBackward, db": db };
      },
      measures: ({ a, b, g }) => {
        const rows = a.map((v, k) => [v, b[k]]);
        const gradients = rows.map((row, k) => logSumExpBackwardRow(g[k], row));
        const part = (at) =>
          ulps(
            gradients.map((pair) => pair[at]),
            dtype,
          );
        return {
          logAddExp: cancelling(
            rows.map(logSumExpRow),
            rows.map((row) => Math.max(...row)),
            dtype,
          ),
          "logAddExpBackward, da": part(0),
          "logAddExpBackward, db": part(1),
        };
      },
    },
    ...scalarFamilies(dtype),
    bceHard: bce(
      dtype,
      "bceWithLogits, targets 0 and 1",
      x.map((_, k) => k % 2),
      x,
      (truths) =>
        ulps(
          truths.map(({ value }) => value),
          dtype,
        ),
      { loss: { bound: BOUNDS.bce[dtype] }, gradient: { bound: BOUNDS.gradient[dtype] } },
    ),
    bceSoft: bce(
      dtype,
      "bceWithLogits, other targets",
      rounded(
        x.map((_, k) => uniform() ** (1 + (k % 40))),
        dtype,
      ),
      x,
      (truths) => inTerms(truths, dtype),
      { loss: terms, gradient: terms },
    ),
    divergence: {
      operations: {
        "klDiv, sum": { bound: BOUNDS.klDiv[dtype], terms: true, call: 'F.kl_div(x, t, reduction="sum")' },
        "klDivBackward, sum": { bound: BOUNDS.klDivBackward[dtype], call: "autograd" },
      },
      cases: divergences(dtype),
      napier: ({ x: logp, t, g }) => ({
        "klDiv, sum": [napier.klDiv(of(logp), of(t), { reduction: "sum" })],
        "klDivBackward, sum": napier.klDivBackward(g[0], of(logp), of(t), { reduction: "sum" }),
      }),
      measures: ({ x: logp, t, g }) => ({
        "klDiv, sum": inTerms([sumParts(logp.flatMap((v, j) => klParts(v, t[j], false)))], dtype),
        "klDivBackward, sum": ulps(
          t.map((v) => klBackward(g[0], v, false)),
          dtype,
        ),
      }),
    },
  };
}
