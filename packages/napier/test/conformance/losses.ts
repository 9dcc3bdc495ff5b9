/** The losses of a suite, beside their exact rows. */
import { BOUNDS } from "../../src/bounds.ts";
import { add, div, type Exact, exact, mul, neg, sub, toF64, ZERO } from "../../src/exact.ts";
import { softCrossEntropyRow, softTargets } from "../../src/kernels/softcrossentropy.ref.ts";
import { ulpOf } from "../../src/ulp.ts";
import {
  asFloats,
  byRow,
  call,
  type Dtype,
  distance,
  dtypeOf,
  type Floats,
  type Input,
  type Labels,
  ones,
  pick,
  places,
  type Result,
  worst,
} from "./operations.ts";

type Reduction = "mean" | "sum" | "none";
export interface LossOptions {
  readonly reduction?: Reduction;
  readonly weight?: ArrayLike<number>;
  readonly ignoreIndex?: number;
  readonly labelSmoothing?: number;
}

interface Both {
  readonly value: Result;
  readonly gradient: Result;
}

/** Classes are on axis 1, or are all there is. */
const classAxis = (x: Floats): number => (x.shape.length > 1 ? 1 : 0);

/** What a mean of rows of these weights divides by; 1 for other reductions, and where it would be 0. */
function divisorOf(weights: readonly number[], reduction: Reduction): Exact {
  const sum = weights.map(exact).reduce(add, ZERO);
  return reduction === "mean" && sum.n !== 0n ? sum : exact(1);
}

/** A loss against the exact losses of its rows, in parts of a bound in ulps of the result or of its largest term. */
function lossResult(loss: Floats, truths: Exact[], reduction: Reduction, divisor: Exact, dtype: Dtype, bound: number) {
  if (reduction === "none")
    return { ...loss, error: worst(truths.map((truth, i) => distance(loss.data[i], truth, dtype) / bound)) };
  const truth = div(truths.reduce(add, ZERO), divisor);
  const largest = truths.reduce((best, v) => Math.max(best, Math.abs(toF64(v))), 0);
  const unit = toF64(ulpOf(div(exact(largest), divisor), dtype));
  const inTerms = Math.abs(toF64(sub(exact(loss.data[0]), truth))) / unit;
  return { ...loss, error: Math.min(distance(loss.data[0], truth, dtype), inTerms) / bound };
}

/** How much each row counts: its class's weight, 0 where it is ignored. */
function rowWeights(y: Labels, { weight, ignoreIndex }: LossOptions): number[] {
  return Array.from(y.data, (v) => (Number(v) === ignoreIndex ? 0 : (weight?.[Number(v)] ?? 1)));
}

export function nllLoss(x: Input, y: Labels, options: LossOptions): Both {
  const axis = classAxis(x);
  const { reduction = "mean" } = options;
  const loss = asFloats(call<number | Input>("nllLoss", x, y, { axis, ...options }));
  const dloss = reduction === "none" ? ones({ ...(loss as Input) }) : 1;
  const gradient = call<Input>("nllLossBackward", dloss, x, y, { axis, ...options });
  const weights = rowWeights(y, options);
  const divisor = divisorOf(weights, reduction);
  const dtype = dtypeOf(x);
  const truths = places(x, [axis]).map((at, i) =>
    weights[i] === 0 ? ZERO : neg(mul(exact(weights[i]), exact(x.data[at[Number(y.data[i])]]))),
  );
  return {
    value: lossResult(loss, truths, reduction, divisor, dtype, reduction === "none" ? 1 : BOUNDS.crossEntropy[dtype]),
    gradient: byRow(gradient, x, axis, 2, (row, i) =>
      row.map((_, j) => (j === Number(y.data[i]) ? neg(div(exact(weights[i]), divisor)) : ZERO)),
    ),
  };
}

/** The loss and the gradient against exact rows of targets t; both functions give the same bits. */
function entropy(
  name: "crossEntropy" | "softCrossEntropy",
  x: Input,
  y: Labels | Input,
  options: LossOptions,
  targetsOf: (i: number, at: readonly number[]) => Exact[],
  rowWeights: readonly number[],
): Both {
  const axis = classAxis(x);
  const { reduction = "mean" } = options;
  const loss = asFloats(call<number | Input>(name, x, y, { axis, ...options }));
  const both = call<{ loss: number | Input; dlogits: Input }>(`${name}WithGrad`, x, y, { axis, ...options });
  const second = asFloats(both.loss);
  for (let i = 0; i < loss.data.length; i++) {
    if (!Object.is(loss.data[i], second.data[i])) throw new Error(`${name}WithGrad has another loss than ${name}`);
  }
  const dtype = dtypeOf(x);
  const divisor = divisorOf(rowWeights, reduction);
  const rows = places(x, [axis]).map((at, i) => ({
    at,
    ...softCrossEntropyRow(pick(x.data, at), targetsOf(i, at), 0, 1),
  }));
  const isHard = name === "crossEntropy";
  const errors = rows.flatMap(({ at, gradient = [] }) =>
    gradient.map(({ value, largest }, j) => {
      const off = Math.abs(toF64(sub(exact(both.dlogits.data[at[j]]), div(value, divisor))));
      const unit = toF64(ulpOf(div(isHard ? value : largest, divisor), dtype));
      return off / unit / BOUNDS[isHard ? "gradient" : "softGradient"][dtype];
    }),
  );
  const truths = rows.map((row) => row.loss as Exact);
  return {
    value: lossResult(loss, truths, reduction, divisor, dtype, BOUNDS.crossEntropy[dtype]),
    gradient: { ...both.dlogits, error: worst(errors) },
  };
}

export function crossEntropy(x: Input, y: Labels, options: LossOptions): Both {
  const weights = rowWeights(y, options);
  const targets = (i: number, at: readonly number[]) =>
    at.map((_, j) => exact(j === Number(y.data[i]) ? weights[i] : 0));
  if (options.labelSmoothing !== undefined) throw new Error("smoothing needs targets of its own");
  return entropy("crossEntropy", x, y, options, targets, weights);
}

export function softCrossEntropy(x: Input, q: Input, options: LossOptions): Both {
  const ones = (at: readonly number[]) => at.map(() => 1);
  const targets = (_: number, at: readonly number[]) =>
    softTargets(pick(q.data, at), options.weight ? Array.from(options.weight) : ones(at), ones(at), 0);
  const rows = places(x, [classAxis(x)]).length;
  return entropy("softCrossEntropy", x, q, options, targets, new Array<number>(rows).fill(1));
}
