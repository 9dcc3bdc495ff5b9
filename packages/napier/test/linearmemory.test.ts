import { expect, test } from "vitest";
import { fused } from "../src/fused.ts";
import { linearCrossEntropyWithGrad } from "../src/linearloss.ts";
import { rng } from "../src/rng.ts";

const MEBIBYTE = 1 << 20;

/** A test file has an instance of its own, whose memory only grows. */
test.each([
  [300, 512, 4000, Float32Array],
  [100, 512, 2000, Float64Array],
  [8, 16, 60_000, Float32Array],
  [5, 30_000, 40, Float32Array],
  [5, 20_000, 40, Float64Array],
  [200, 4096, 100, Float32Array],
  [1000, 10, 3, Float32Array],
])("%i rows, %i features, %i classes in 4 MiB", (rows, features, classes, Floats) => {
  const random = rng(rows);
  const make = (length: number) => {
    const out = new Floats(length) as Float32Array;
    for (let k = 0; k < length; k++) out[k] = random.uniform() - 0.5;
    return out;
  };
  const [x, w, bias] = [make(rows * features), make(classes * features), make(classes)];
  const y = Int32Array.from({ length: rows }, () => random.below(classes));
  for (const options of [{}, { labelSmoothing: 0.1, mask: new Array<number>(classes).fill(1) }]) {
    const { loss } = linearCrossEntropyWithGrad(x, w, y, { shape: [rows, features], bias, ...options });
    expect(loss).toBeGreaterThan(0);
    expect(fused.space().u8.length).toBeLessThanOrEqual(4 * MEBIBYTE);
  }
});
