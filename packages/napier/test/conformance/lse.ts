/** The log-sum-exp family beside the suites and the exact references. */
import { BOUNDS } from "../../src/bounds.ts";
import { add, type Exact, ZERO } from "../../src/exact.ts";
import { logCumSumExpBackwardRow, logCumSumExpRow } from "../../src/kernels/cumulative.ref.ts";
import { logSumExpBackwardRow, logSumExpRow } from "../../src/kernels/logsumexp.ref.ts";
import { logError, termError } from "../within.ts";
import { byRow, call, dtypeOf, type Floats, type Input, ones, pick, places, type Result, worst } from "./operations.ts";

type Both = { value: Result; gradient: Result };

const largest = (row: readonly number[]): number => row.reduce((a, b) => Math.max(a, b), -Infinity);

/** For each element of a shape the place of what NumPy broadcasts to it. */
function broadcast(from: readonly number[], to: readonly number[]): number[] {
  let at = [0];
  to.forEach((size, d) => {
    const own = from[d - to.length + from.length] ?? 1;
    at = at.flatMap((k) => Array.from({ length: size }, (_, i) => k * own + (own === 1 ? 0 : i)));
  });
  return at;
}

/** Over several axes, all of them where `axes` is empty; the gradient's dlse has the value's shape. A masked class is as −∞. */
export function logSumExp(x: Input, axes: readonly number[], keepDims: boolean, mask?: Floats): Both {
  const all = { axis: axes, keepDims, ...(mask && { mask }) };
  const value = call<Input>("logSumExp", x, all);
  const gradient = call<Input>("logSumExpBackward", ones(value), x, all);
  const dtype = dtypeOf(x);
  const kept = mask && pick(mask.data, broadcast(mask.shape, x.shape));
  const seen = { ...x, data: x.data.map((v, k) => (kept?.[k] === 0 ? -Infinity : v)) };
  const errors = places(x, axes).map((at, i) => {
    const row = pick(seen.data, at);
    return logError(value.data[i], logSumExpRow(row), largest(row), dtype);
  });
  const truth = (row: number[]): (Exact | number)[] =>
    mask && row.every((v) => v === -Infinity) ? row.map(() => 0) : logSumExpBackwardRow(1, row);
  return {
    value: { ...value, error: worst(errors) },
    gradient: { ...byRow(gradient, seen, axes, BOUNDS.gradient[dtype], truth) },
  };
}

/** The suite has the gradient of the first argument alone; it is the sum over what that was broadcast to. */
export function logAddExp(a: Input, b: Input): Both {
  const value = call<Input>("logAddExp", a, b);
  const { da } = call<{ da: Input }>("logAddExpBackward", ones(value), a, b);
  const dtype = dtypeOf(a);
  const [first, second] = [broadcast(a.shape, value.shape), broadcast(b.shape, value.shape)];
  const pairs = first.map((k, i) => [a.data[k], b.data[second[i]]]);
  const errors = pairs.map((pair, i) => logError(value.data[i], logSumExpRow(pair), largest(pair), dtype));
  // rows of the elements that each element of `a` meets: softmax's first class, summed
  const terms = Array.from(a.data, (_, k) => pairs.filter((_, i) => first[i] === k));
  const gradients = terms.map((met, k) => {
    const shares = met.map((pair) => logSumExpBackwardRow(1, pair)[0] as Exact);
    const sum = shares.reduce(add, ZERO);
    return termError(da.data[k], sum, sum, dtype) / (met.length > 1 ? BOUNDS.backward : BOUNDS.gradient)[dtype];
  });
  return { value: { ...value, error: worst(errors) }, gradient: { ...da, error: worst(gradients) } };
}

export function logCumSumExp(x: Input, axis: number): Both {
  const value = call<Input>("logCumSumExp", x, { axis });
  const gradient = call<Input>("logCumSumExpBackward", ones(x), x, { axis });
  const dtype = dtypeOf(x);
  const [errors, gradients] = [[] as number[], [] as number[]];
  for (const at of places(x, [axis])) {
    const row = pick(x.data, at);
    const truth = logCumSumExpRow(row);
    const terms = logCumSumExpBackwardRow(new Array<number>(row.length).fill(1), row);
    at.forEach((k, j) => {
      errors.push(logError(value.data[k], truth[j], largest(row.slice(0, j + 1)), dtype));
      gradients.push(termError(gradient.data[k], terms[j].value, terms[j].largest, dtype) / BOUNDS.backward[dtype]);
    });
  }
  return { value: { ...value, error: worst(errors) }, gradient: { ...gradient, error: worst(gradients) } };
}
