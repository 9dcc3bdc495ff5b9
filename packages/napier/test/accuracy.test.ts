import { describe, expect, test } from "vitest";
import { normals, rowsByKind } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { div, type Exact, exact, neg, ONE, sub, toF64 } from "../src/exact.ts";
import { crossEntropy, logSoftmax, logSumExp, softmax } from "../src/index.ts";
import { logSumExpRow } from "../src/kernels/logsumexp.ref.ts";
import { logSoftmaxRow } from "../src/kernels/softmax.ref.ts";
import { ulpError } from "../src/ulp.ts";
import { budgets } from "./budgets.ts";

describe.each(["f32", "f64"] as const)("accuracy in %s", (dtype) => {
  budgets(dtype, [...rowsByKind(dtype)]);

  test.each([2, 100, 4096, 65_536, 262_144])("%i equal terms: the sum does not drift", (classes) => {
    const x = (dtype === "f32" ? new Float32Array(classes) : new Float64Array(classes)).fill(0.1);
    const lse = logSumExpRow([...x]) as Exact;
    const log = sub(lse, exact(x[0])); // log of the number of classes
    expect(ulpError(logSumExp(x), lse, dtype)).toBeLessThanOrEqual(BOUNDS.logSumExp[dtype]);
    expect(ulpError(logSoftmax(x as Float64Array)[1], neg(log), dtype)).toBeLessThanOrEqual(BOUNDS.logSoftmax[dtype]);
    expect(ulpError(crossEntropy(x, 1), log, dtype)).toBeLessThanOrEqual(BOUNDS.crossEntropy[dtype]);
    const share = div(ONE, exact(classes));
    for (const p of softmax(x as Float64Array).slice(-3)) {
      expect(ulpError(p, share, dtype)).toBeLessThanOrEqual(BOUNDS.softmax[dtype]);
    }
  });
});

test("the winner is never lost: 20,000 × 10 logits N(0, 8) in f32", () => {
  const normal = normals(8);
  const [rows, classes] = [20_000, 10];
  const x = Float32Array.from({ length: rows * classes }, () => 8 * normal());
  const out = logSoftmax(x, { shape: [rows, classes] });
  let off = 0;
  let lost = 0;
  for (let i = 0; i < rows; i += 1) {
    const row = [...x.subarray(i * classes, (i + 1) * classes)];
    const winner = row.indexOf(Math.max(...row));
    const value = out[i * classes + winner];
    const truth = logSoftmaxRow(row)[winner] as Exact;
    if (ulpError(value, truth, "f32") > BOUNDS.logSoftmax.f32) off++;
    if (value === 0 && Math.fround(toF64(truth)) !== 0) lost++;
  }
  expect([off, lost]).toEqual([0, 0]);
});
