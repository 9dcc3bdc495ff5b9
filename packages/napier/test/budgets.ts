import { expect, test } from "vitest";
import { type Dtype, normals, rounded, typed } from "../../../tools/hostile.ts";
import { BOUNDS, CANCELLATION } from "../src/bounds.ts";
import { type Exact, exact, sub, toF64 } from "../src/exact.ts";
import {
  crossEntropy,
  crossEntropyWithGrad,
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  logSumExpBackward,
  softmax,
  softmaxBackward,
} from "../src/index.ts";
import * as crossEntropyRef from "../src/kernels/crossentropy.ref.ts";
import { logSumExpBackwardRow, logSumExpRow } from "../src/kernels/logsumexp.ref.ts";
import * as softmaxRef from "../src/kernels/softmax.ref.ts";
import { ulpError, ulpOf } from "../src/ulp.ts";

/** Math.max(...row) for any length. */
const largest = (row: readonly number[]): number => row.reduce((a, b) => Math.max(a, b), -Infinity);

/** Largest error of a result against its reference, with the row it came from. */
class Worst {
  ulps = 0;
  where = "";
  see(value: number, truth: Exact | number, dtype: Dtype, where: () => string): void {
    const error = typeof truth === "number" ? (Object.is(value, truth) ? 0 : Infinity) : ulpError(value, truth, dtype);
    if (error > this.ulps || Number.isNaN(error)) {
      this.ulps = error;
      this.where = where();
    }
  }
}

const show = (kind: string, row: readonly number[]) => () => `${kind}: ${JSON.stringify(row.slice(0, 12))}`;

/** The tests of every bound over these rows. */
export function budgets(dtype: Dtype, rows: readonly { kind: string; row: number[] }[]): void {
  test("logSoftmax", () => {
    const worst = new Worst();
    for (const { kind, row } of rows) {
      const truth = softmaxRef.logSoftmaxRow(row);
      logSoftmax(typed(row, dtype) as Float64Array).forEach((value, j) => {
        expect(value).toBeLessThanOrEqual(0);
        worst.see(value, truth[j], dtype, show(kind, row));
      });
    }
    expect(worst.ulps, worst.where).toBeLessThanOrEqual(BOUNDS.logSoftmax[dtype]);
  });

  test("softmax", () => {
    const worst = new Worst();
    for (const { kind, row } of rows) {
      const truth = softmaxRef.softmaxRow(row);
      softmax(typed(row, dtype) as Float64Array).forEach((value, j) => {
        worst.see(value, truth[j], dtype, show(kind, row));
      });
    }
    expect(worst.ulps, worst.where).toBeLessThanOrEqual(BOUNDS.softmax[dtype]);
  });

  test("logSumExp", () => {
    const worst = new Worst();
    for (const { kind, row } of rows) {
      const truth = logSumExpRow(row) as Exact;
      const value = logSumExp(typed(row, dtype));
      const off = Math.abs(toF64(sub(exact(value), truth)));
      const m = largest(row);
      if (off > CANCELLATION[dtype] * Math.abs(m)) worst.see(value, truth, dtype, show(kind, row));
    }
    expect(worst.ulps, worst.where).toBeLessThanOrEqual(BOUNDS.logSumExp[dtype]);
  });

  test("crossEntropy and its gradient", () => {
    const loss = new Worst();
    const gradient = new Worst();
    rows.forEach(({ kind, row }, i) => {
      for (const y of new Set([row.indexOf(largest(row)), i % row.length])) {
        const data = typed(row, dtype);
        const result = crossEntropyWithGrad(data as Float64Array, y);
        expect(result.loss).toBe(crossEntropy(data, y));
        expect(result.loss).toBeGreaterThanOrEqual(0);
        loss.see(result.loss, crossEntropyRef.crossEntropyRow(row, y), dtype, show(`${kind}, y = ${y}`, row));
        const truth = crossEntropyRef.crossEntropyGradRow(row, y, 1);
        result.dlogits.forEach((value, j) => {
          gradient.see(value, truth[j], dtype, show(`${kind}, y = ${y}`, row));
        });
      }
    });
    expect(loss.ulps, loss.where).toBeLessThanOrEqual(BOUNDS.crossEntropy[dtype]);
    expect(gradient.ulps, gradient.where).toBeLessThanOrEqual(BOUNDS.gradient[dtype]);
  });

  test("logSumExpBackward, with gradients of any size", () => {
    const worst = new Worst();
    const sizes = dtype === "f32" ? [1, -3e-30, 1e30, 0.7] : [1, -3e-200, 1e200, 0.7];
    rows.forEach(({ kind, row }, i) => {
      const g = rounded([sizes[i % sizes.length]], dtype)[0];
      const truth = logSumExpBackwardRow(g, row);
      logSumExpBackward(g, typed(row, dtype) as Float64Array).forEach((value, j) => {
        worst.see(value, truth[j], dtype, show(`${kind}, g = ${g}`, row));
      });
    });
    expect(worst.ulps, worst.where).toBeLessThanOrEqual(BOUNDS.gradient[dtype]);
  });

  test.each([
    ["logSoftmaxBackward", logSoftmaxBackward, logSoftmax, softmaxRef.logSoftmaxBackwardRow],
    ["softmaxBackward", softmaxBackward, softmax, softmaxRef.softmaxBackwardRow],
  ] as const)("%s", (_, backward, forward, reference) => {
    const normal = normals(9);
    let worst = 0;
    let where = "";
    for (const { kind, row } of rows) {
      const g = rounded(
        row.map(() => normal()),
        dtype,
      );
      const saved = forward(typed(row, dtype) as Float64Array);
      if (saved.some((v) => !Number.isFinite(v) || v < -3000)) continue;
      const truth = reference(g, [...saved]);
      backward(typed(g, dtype) as Float64Array, saved).forEach((value, j) => {
        const { value: exactValue, largest: term } = truth[j];
        const one = toF64(ulpOf(term, dtype));
        const error = Math.abs(toF64(sub(exact(value), exactValue))) / one;
        if (error > worst) {
          worst = error;
          where = show(kind, row)();
        }
      });
    }
    expect(worst, where).toBeLessThanOrEqual(BOUNDS.backward[dtype]);
  });
}
