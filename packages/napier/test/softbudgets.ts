import { expect, test } from "vitest";
import { type Dtype, normals, rounded, rowsByKind, typed } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { type Exact, exact, mul, sub, toF64 } from "../src/exact.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  logSoftmax,
  softCrossEntropy,
  softCrossEntropyWithGrad,
  softmax,
} from "../src/index.ts";
import {
  type SoftTerms,
  softCrossEntropyRow,
  softTargets,
  temperedLogSoftmaxRow,
  temperedSoftmaxRow,
} from "../src/kernels/softcrossentropy.ref.ts";
import { rng } from "../src/rng.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";

class Worst {
  ulps = 0;
  where = "";
  see(error: number, where: () => string): void {
    if (error <= this.ulps) return;
    this.ulps = error;
    this.where = where();
  }
}

const distance = (value: number, truth: Exact | number, dtype: Dtype): number =>
  typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, dtype);

const termError = (value: number, { value: truth, largest }: SoftTerms, dtype: Dtype): number =>
  Number.isFinite(value)
    ? Math.abs(toF64(sub(exact(value), truth))) / toF64(ulpOf(largest, dtype))
    : ulpError(value, truth, dtype);

const TEMPERATURES = [0.5, 2, 0.1, 3, 1 / 3, 1.0000001, 20, 1000, 1e-3, 0.7];

/** Probabilities of several kinds: one class, few, all, peaked on another class than the logits. */
function probabilities(kind: number, length: number, y: number, uniform: () => number): number[] {
  const raw = Array.from({ length }, (_, j) => {
    if (kind === 0) return j === y ? 1 : 0;
    if (kind === 1) return j === y ? 1 : j === (y + 1) % length ? 2 ** -60 * uniform() : 0;
    if (kind === 2) return uniform();
    return uniform() ** 12;
  });
  const sum = raw.reduce((total, v) => total + v, 0);
  return raw.map((v) => v / sum);
}

/** Every budget of the general losses and of temperature, over every `step`th of the hostile rows. */
export function softBudgets(dtype: Dtype, scale: number, step: number): Record<string, Worst> {
  const rows = [...rowsByKind(dtype, scale)].filter(({ row }, i) => i % step === 0 && row.length < 400);
  const worst: Record<string, Worst> = {};
  const see = (name: string, error: number, where: () => string) => {
    worst[name] ??= new Worst();
    worst[name].see(error, where);
  };
  const data = (row: readonly number[]) => typed(row, dtype) as Float64Array;

  test("temperature: logSoftmax, softmax, hard targets", () => {
    rows.forEach(({ kind, row }, i) => {
      const temperature = TEMPERATURES[i % TEMPERATURES.length];
      const where = (what: string) => () => `${what}, T = ${temperature}, ${kind}: ${row.slice(0, 8)}`;
      const x = data(row);
      const logs = temperedLogSoftmaxRow(row, temperature);
      logSoftmax(x, { temperature }).forEach((value, j) => {
        expect(value).toBeLessThanOrEqual(0);
        see("logSoftmax", distance(value, logs[j], dtype), where("logSoftmax"));
      });
      const probs = temperedSoftmaxRow(row, temperature);
      softmax(x, { temperature }).forEach((value, j) => {
        see("softmax", distance(value, probs[j], dtype), where("softmax"));
      });
      const y = i % row.length;
      const t = row.map((_, j) => exact(j === y ? 1 : 0));
      const truth = softCrossEntropyRow(row, t, 0, temperature);
      const { loss, dlogits } = crossEntropyWithGrad(x, y, { temperature });
      expect(loss).toBe(crossEntropy(x, y, { temperature }));
      expect(loss).toBeGreaterThanOrEqual(0);
      see("crossEntropy", distance(loss, truth.loss, dtype), where(`y = ${y}`));
      const gradient = truth.gradient as readonly SoftTerms[];
      dlogits.forEach((value, j) => {
        see("gradient", ulpError(value, gradient[j].value, dtype), where(`gradient ${j}, y = ${y}`));
      });
    });
    for (const name of ["logSoftmax", "softmax", "crossEntropy", "gradient"] as const) {
      expect(worst[name].ulps, worst[name].where).toBeLessThanOrEqual(BOUNDS[name][dtype]);
    }
  });

  test("soft targets, smoothing, weights, masks and zLoss", () => {
    const random = rng(11, 3);
    const uniform = () => random.uniform();
    const normal = normals(5);
    rows.forEach(({ kind, row }, i) => {
      const temperature = i % 2 === 0 ? 1 : TEMPERATURES[(i >> 1) % TEMPERATURES.length];
      // a logit that lies further below the maximum than f64 reaches counts as −∞
      if (temperature < 1 && (Math.max(...row) / 2 - Math.min(...row) / 2) / temperature > 2 ** 1022) return;
      const labelSmoothing = [0, 0.1, 1e-12, 1][(i >> 1) % 4];
      const zLoss = i % 3 === 0 ? 10 ** (2 * normal() - 4) : 0;
      const weight = row.map(() => (i % 5 < 2 ? 1 : Math.abs(normal()) * 10 ** (i % 4)));
      const y = random.below(row.length);
      const mask = row.map((_, j) => (i % 4 === 3 && j !== y && uniform() < 0.3 ? 0 : 1));
      const q = rounded(probabilities(i % 4, row.length, y, uniform), dtype).map((v, j) => v * mask[j]);
      const masked = row.map((v, j) => (mask[j] === 0 ? -Infinity : v));
      const t = softTargets(q, weight, mask, labelSmoothing);
      const truth = softCrossEntropyRow(masked, t, zLoss, temperature);
      const options = { temperature, labelSmoothing, zLoss, weight, mask };
      const where = () => `${kind} ${JSON.stringify({ ...options, weight: weight.slice(0, 4) })}: ${row.slice(0, 8)}`;
      const [x, targets] = [data(row), data(q)];
      const { loss, dlogits } = softCrossEntropyWithGrad(x, targets, options);
      expect(loss).toBe(softCrossEntropy(x, targets, options));
      expect(loss).toBeGreaterThanOrEqual(0);
      const size = { value: truth.loss as Exact, largest: truth.loss as Exact };
      if (zLoss > 0) size.largest = truthSize(truth.loss as Exact, truth.lse, zLoss, row, temperature);
      see("softCrossEntropy", termError(loss, size, dtype), where);
      const gradient = truth.gradient as readonly SoftTerms[];
      dlogits.forEach((value, j) => {
        if (mask[j] === 0) expect(value).toBe(0);
        else see("softGradient", termError(value, gradient[j], dtype), () => `[${j}] ${where()}`);
      });
      if (i % 4 !== 0 || labelSmoothing + zLoss + Math.abs(temperature - 1) === 0) return;
      // the same targets as a class
      const hard = crossEntropyWithGrad(x, y, { ...options, reduction: "sum" });
      expect([hard.loss, ...hard.dlogits]).toEqual([loss, ...dlogits]);
    });
    for (const name of ["softCrossEntropy", "softGradient"] as const) {
      expect(worst[name].ulps, worst[name].where).toBeLessThanOrEqual(BOUNDS[name][dtype]);
    }
  });
  return worst;
}

/** The largest term of a loss with z: z·(|m / T| + l)² counts as one. */
function truthSize(loss: Exact, lse: Exact, zLoss: number, row: readonly number[], temperature: number): Exact {
  const shift = Math.max(...row) / temperature;
  const size = Math.abs(shift) + Math.abs(toF64(lse) - shift);
  if (!Number.isFinite(size)) return loss; // beyond the range, and so is its square
  const term = mul(exact(zLoss), mul(exact(size), exact(size)));
  return toF64(term) > toF64(loss) ? term : loss;
}
