import { describe, expect, test } from "vitest";
import { linear } from "../src/linear.ts";
import { adam, adamW, sgd } from "../src/train/index.ts";
import { TORCH_OPTIMIZERS } from "./torchoptimizers.ts";

interface Options {
  readonly lr: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weight_decay?: number;
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
}

interface Case {
  readonly name: string;
  readonly options: Options;
  readonly clipNorm: number | null;
  /** Of the first ten gradients, where they are clipped. */
  readonly norms: readonly number[];
  /** Whether the rate falls from 0.01 to 0 in a straight line. */
  readonly falling: boolean;
  /** In f64 and in f32, at the steps that are kept. */
  readonly after: readonly (readonly number[])[];
  readonly after32: readonly (readonly number[])[];
}

interface Vectors {
  readonly kept: readonly number[];
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly cases: readonly Case[];
}

const { cases, gradients, kept, start }: Vectors = TORCH_OPTIMIZERS;

/** The weights at the steps that are kept. */
function weightsOf({ name, options, clipNorm, falling }: Case): Float32Array[] {
  const { lr, betas, eps, weight_decay: decay = 0, momentum = 0, dampening = 0, nesterov = false } = options;
  const zeros = (): Float32Array => new Float32Array(start.length);
  const state = { w: Float32Array.from(start), mean: zeros(), square: zeros(), buffer: zeros() };
  const moments = betas && { beta1: betas[0], beta2: betas[1], epsilon: eps };
  return gradients
    .map((numbers, t) => {
      const learningRate = falling ? (lr * (gradients.length - t)) / gradients.length : lr;
      const norm = Math.sqrt(numbers.reduce((sum, g) => sum + g * g, 0));
      const factor = clipNorm === null ? 1 : Math.fround(Math.min(1, clipNorm / (norm + 1e-6)));
      const gradient = Float32Array.from(numbers, (g) => g * factor);
      const now = { ...state, gradient, step: t + 1 };
      if (name === "AdamW") adamW(now, { learningRate, weightDecay: decay, ...moments });
      else if (name === "Adam") adam(now, { learningRate, l2: decay, ...moments });
      else sgd(now, { learningRate, momentum, dampening, nesterov, l2: decay });
      return state.w.slice();
    })
    .filter((_, t) => kept.includes(t + 1));
}

/** The largest distance, in parts of 2^-24 of the weight, or of the rate where that is larger. */
function farthest(some: readonly ArrayLike<number>[], others: readonly ArrayLike<number>[], rate: number): number {
  return Math.max(
    ...some.flatMap((row, n) =>
      Array.from(row, (w, k) => (Math.abs(w - others[n][k]) / Math.max(rate, Math.abs(others[n][k]))) * 2 ** 24),
    ),
  );
}

test("the norm of a gradient is PyTorch's, in f64", () => {
  const space = linear.create();
  const { norms } = cases.find(({ clipNorm }) => clipNorm !== null) as Case;
  expect(norms.length).toBe(10);
  norms.forEach((norm, t) => {
    const [out, x] = space.layout(8, 4 * start.length);
    space.f32.set(gradients[t], x / 4);
    space.kernels.square_sums_f32(out, x, start.length);
    expect(Math.abs(Math.sqrt(space.f64[out / 8]) - norm)).toBeLessThanOrEqual(2 ** -51 * norm);
  });
});

describe("200 steps end where PyTorch's do", () => {
  test.each(cases.map((one) => [one.name, JSON.stringify(one.options), one] as const))("%s %s", (_, __, one) => {
    const ours = weightsOf(one);
    const rate = one.options.lr;
    expect(ours.length).toBe(kept.length);
    // after 1 and 2 steps, and where 200 roundings of each weight have added up, in f32 as in ours
    expect(farthest(ours.slice(0, 2), one.after, rate)).toBeLessThanOrEqual(4);
    expect(farthest(ours, one.after32, rate)).toBeLessThanOrEqual(16);
    expect(farthest(ours, one.after, rate)).toBeLessThanOrEqual(4 + 1.25 * farthest(one.after32, one.after, rate));
  });
});
