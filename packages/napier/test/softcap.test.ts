import { describe, expect, test } from "vitest";
import { rounded, rowsByKind, typed } from "../../../tools/hostile.ts";
import { BOUNDS } from "../src/bounds.ts";
import { div, type Exact, exact, mul, toF64 } from "../src/exact.ts";
import { crossEntropyWithGrad } from "../src/index.ts";
import { sech2, tanh } from "../src/kernels/elementary.ref.ts";
import { softCrossEntropyRow } from "../src/kernels/softcrossentropy.ref.ts";
import { ulpError } from "../src/ulp.ts";
import { wide } from "../src/wide.ts";

/** The capped logits as the kernels have them, in f64. */
function capped(row: readonly number[], cap: number): number[] {
  const space = wide.create();
  const [out, x] = space.layout(8 * row.length, 8 * row.length);
  space.f64.set(row, x / 8);
  space.kernels.softcap_f64(out, x, cap, 1, row.length);
  return [...space.f64.subarray(out / 8, out / 8 + row.length)];
}

const CAPS = [30, 50, 1, 0.1, 1000, 7.3, 1e-200, 1e200];

describe.each(["f32", "f64"] as const)("softcap in %s", (dtype) => {
  const rows = [...rowsByKind(dtype)].filter(({ row }, i) => i % 4 === 0 && row.length < 200);

  test("c·tanh(x / c) within 3 ulp of f64", () => {
    let worst = 0;
    rows.forEach(({ row }, i) => {
      const cap = CAPS[i % CAPS.length];
      capped(row, cap).forEach((y, j) => {
        // far out tanh is 1 to the last bit; exact e^x has no range for it
        const a = Math.abs(row[j] / cap) > 1000 ? exact(Math.sign(row[j]) * 1000) : div(exact(row[j]), exact(cap));
        worst = Math.max(worst, ulpError(y, mul(exact(cap), tanh(a)), "f64"));
      });
    });
    expect(worst).toBeLessThanOrEqual(3);
    expect(worst).toBeGreaterThan(0);
  });

  test("the bounds of hard targets hold for the capped logits", () => {
    const worst = { loss: 0, gradient: 0 };
    rows.forEach(({ row }, i) => {
      const cap = CAPS[i % CAPS.length];
      const temperature = [1, 0.5, 3][i % 3];
      const y = i % row.length;
      const t = row.map((_, j) => exact(j === y ? 1 : 0));
      const truth = softCrossEntropyRow(capped(row, cap), t, 0, temperature);
      const x = typed(row, dtype) as Float64Array;
      const { loss, dlogits } = crossEntropyWithGrad(x, y, { softcap: cap, temperature });
      worst.loss = Math.max(worst.loss, ulpError(loss, truth.loss as Exact, dtype));
      dlogits.forEach((value, j) => {
        const a = Math.abs(row[j] / cap) > 1000 ? exact(1000) : div(exact(row[j]), exact(cap));
        const gradient = mul((truth.gradient ?? [])[j].value, sech2(a));
        worst.gradient = Math.max(worst.gradient, ulpError(value, gradient, dtype));
      });
    });
    expect(worst.loss).toBeLessThanOrEqual(BOUNDS.crossEntropy[dtype]);
    expect(worst.gradient).toBeLessThanOrEqual(BOUNDS.gradient[dtype]);
    if (process.env.NAPIER_WORST) console.log(dtype, worst);
  });

  test("what is small stays as it is, what is large becomes the cap", () => {
    const x = rounded([1e-20, -1e-20, 1e30, -Infinity, Infinity], dtype);
    expect(capped(x, 30)).toEqual([x[0], x[1], 30, -30, 30]);
    expect(toF64(sech2(exact(0)))).toBe(1);
    const { loss, dlogits } = crossEntropyWithGrad(typed([Infinity, -Infinity, 0], dtype) as Float64Array, 0, {
      softcap: 30,
    });
    expect(loss).toBeCloseTo(Math.exp(-30), 20);
    expect([...dlogits.slice(0, 2)]).toEqual([0, 0]);
  });
});
