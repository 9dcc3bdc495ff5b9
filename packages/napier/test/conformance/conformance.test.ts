import { describe, expect, test } from "vitest";
import { exact } from "../../src/exact.ts";
import { ulpError } from "../../src/ulp.ts";
import { type Comparison, run } from "./cases.ts";
import { FOLDER, floats, type Suite, suites } from "./load.ts";
import { maskedWhole } from "./masked.ts";

const found = suites();

if (found.length === 0) {
  const missing = `no suites in ${FOLDER}: the cases of ONNX and PyTorch are not here; set NAPIER_CONFORMANCE to the folder that has them`;
  test("conformance", ({ skip }) => {
    if (process.env.CI === "true") throw new Error(missing);
    console.warn(missing);
    skip(missing);
  });
}

/** Within their tolerance of theirs, and within our own bound of the exact answer. */
function compare({ what, ours, theirs, ulps = Infinity }: Comparison, { rtol, atol }: Suite["tolerance"]): void {
  expect([...ours.shape], `${what}: shape`).toEqual(theirs.shape);
  expect(ours.data.length, `${what}: length`).toBe(theirs.data.length);
  floats(theirs).forEach((expected, k) => {
    const actual = ours.data[k];
    if (ours.leftOut?.has(k) && Number.isNaN(expected)) {
      expect([0, -Infinity], `${what}[${k}]: masked whole`).toContain(actual);
      return;
    }
    const near = Object.is(actual, expected) || Math.abs(actual - expected) <= atol + rtol * Math.abs(expected);
    expect(near, `${what}[${k}]: expected ${expected}, got ${actual}`).toBe(true);
    if (ulps < Infinity) expect(ulpError(actual, exact(expected), "f32"), `${what}[${k}]`).toBeLessThanOrEqual(ulps);
  });
  expect(ours.error, `${what}: error in parts of the bound`).toBeLessThanOrEqual(1);
}

describe.each(found)("$file", ({ file, cases, tolerance }) => {
  const names = cases.map(({ name }) => name);
  const results = cases.map((one) => {
    try {
      return { name: one.name, comparisons: run(one) };
    } catch (error) {
      return { name: one.name, error };
    }
  });

  test("every case has a name of its own", () => {
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(0);
  });

  test("rows that are masked whole are NaN in PyTorch in the cases that are listed", () => {
    const whole = results.filter(({ comparisons }) =>
      comparisons?.some(({ ours, theirs }) => floats(theirs).some((v, k) => Number.isNaN(v) && ours.leftOut?.has(k))),
    );
    expect(whole.map(({ name }) => name).sort()).toEqual(maskedWhole(file).sort());
  });

  for (const { name, comparisons, error } of results) {
    test(name, () => {
      if (comparisons === undefined) throw error;
      expect(comparisons.length).toBeGreaterThan(0);
      for (const comparison of comparisons) compare(comparison, tolerance);
    });
  }
});
