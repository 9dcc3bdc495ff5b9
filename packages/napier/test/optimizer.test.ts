import { describe, expect, test } from "vitest";
import { OPTIMIZER_BOUNDS } from "../src/bounds.ts";
import { add, exact, mul, sub, toF64, ZERO } from "../src/exact.ts";
import { scale, squareSums } from "../src/kernels/clip.ref.ts";
import * as ref from "../src/kernels/optimizer.ref.ts";
import { linear } from "../src/linear.ts";
import { rng } from "../src/rng.ts";
import { clipFactor } from "../src/train/clip.ts";
import { layerSizes } from "../src/train/layers.ts";
import { Network } from "../src/train/mlp.ts";
import { Optimizer, powerOf } from "../src/train/optimizer.ts";

const GUARD = 77;

function numbers(length: number, seed: number): Float32Array {
  const random = rng(seed);
  return Float32Array.from({ length }, () => (random.uniform() - 0.5) * 2 ** (random.below(60) - 30));
}

const moments = [0.9, 0.999, 0.01, 1.5, 1e-8] as const; // β1, β2, rate, correction, ε
const KERNELS = [
  { kernel: "adamw_f32", reference: ref.adamw, arrays: 4, settings: [0.999, ...moments] },
  { kernel: "adam_f32", reference: ref.adam, arrays: 4, settings: [0.03, ...moments] },
  { kernel: "momentum_f32", reference: ref.momentum, arrays: 3, settings: [0.03, 0.9, 0.75, 0.01] },
  { kernel: "nesterov_f32", reference: ref.nesterov, arrays: 3, settings: [0.03, 0.9, 0.75, 0.01] },
] as const;

/** Weights, state and gradient; the sums of squares are not negative. */
function stateOf(arrays: number, length: number): Float32Array[] {
  const state = Array.from({ length: arrays }, (_, n) => numbers(length, n + 1));
  return state.map((values, n) => (n === 2 && arrays === 4 ? values.map(Math.abs) : values));
}

type Reference = (...args: (Float32Array | readonly number[])[]) => void;

describe.each(KERNELS)("$kernel", ({ kernel, reference, arrays, settings }) => {
  const space = linear.create();
  const put = (state: readonly Float32Array[]): number[] => {
    const places = space.layout(...state.map(({ length }) => length * 4 + 64));
    state.forEach((values, n) => {
      space.f32.fill(GUARD, places[n] / 4, places[n] / 4 + values.length + 16);
      space.f32.set(values, places[n] / 4);
    });
    return places;
  };

  test.each(Array.from({ length: 68 }, (_, length) => length))("has the reference's bits, %i weights", (length) => {
    const state = stateOf(arrays, length);
    const places = put(state);
    for (let step = 0; step < 3; step++) {
      space.kernels[kernel](...places, ...settings, length);
      (reference as Reference)(...state, settings);
    }
    state.forEach((values, n) => {
      const from = places[n] / 4;
      expect(space.f32.slice(from, from + length)).toEqual(values);
      expect(space.f32.slice(from + length, from + length + 16)).toEqual(new Float32Array(16).fill(GUARD));
    });
  });

  test("has the same bits in any ranges", () => {
    const state = stateOf(arrays, 67);
    const read = (places: readonly number[]): Float32Array[] =>
      places.map((at) => space.f32.slice(at / 4, at / 4 + 67));
    const whole = put(state);
    space.kernels[kernel](...whole, ...settings, 67);
    const expected = read(whole);
    for (const cut of [1, 2, 3, 5, 30, 66]) {
      const parts = put(state);
      space.kernels[kernel](...parts, ...settings, cut);
      space.kernels[kernel](...parts.map((at) => at + 4 * cut), ...settings, 67 - cut);
      expect(read(parts)).toEqual(expected);
    }
  });

  // f64 has 29 bits more: what it rounds is not seen in parts of 2^-24.
  test("is within its bounds of the exact step", () => {
    const count = 20_000;
    const state = stateOf(arrays, count);
    // where g and l2·w cancel Adam's step may be anything
    if (arrays === 4) state[0] = state[0].map((w, k) => Math.sign(state[3][k]) * Math.abs(w));
    const worst = worstParts(kernel, state, settings, () => {
      const places = put(state);
      space.kernels[kernel](...places, ...settings, count);
      return places.map((at) => space.f32.slice(at / 4, at / 4 + count));
    });
    expect(worst).toBeLessThanOrEqual(1);
    expect(worst).toBeGreaterThan(0.1);
  });
});

/** The worst error of a step in parts of the bounds, over all that it changes. */
function worstParts(
  kernel: (typeof KERNELS)[number]["kernel"],
  before: readonly Float32Array[],
  settings: readonly number[],
  step: () => Float32Array[],
): number {
  const after = step();
  let worst = 0;
  const see = (got: number, truth: number, bound: number): void => {
    worst = Math.max(worst, (Math.abs(got - truth) * 2 ** 24) / bound);
  };
  for (let k = 0; k < before[0].length; k++) {
    const [w, first, second, third] = before.map((values) => values[k]);
    if (kernel === "adamw_f32" || kernel === "adam_f32") {
      const { step: steps, w: weights, mean, square } = OPTIMIZER_BOUNDS.adam;
      const [special, beta1, beta2, rate, correction, epsilon] = settings;
      const [decay, l2] = kernel === "adamw_f32" ? [special, 0] : [1, special];
      const g = third + l2 * w;
      const m = first + (1 - beta1) * (g - first);
      const v = beta2 * second + (1 - beta2) * g * g;
      const scale = rate / (Math.sqrt(v) * correction + epsilon);
      const term = Math.max(Math.abs(first), Math.abs(g));
      see(after[1][k], m, mean * term);
      see(after[2][k], v, square * v + 2 ** -124);
      see(after[0][k], decay * w - scale * m, steps * scale * term + weights * Math.abs(w));
    } else {
      const { step: steps, w: weights, buffer } = OPTIMIZER_BOUNDS[kernel === "momentum_f32" ? "momentum" : "nesterov"];
      const [l2, momentum, share, rate] = settings;
      const h = second + l2 * w;
      const b = momentum * first + share * h;
      const term = Math.max(Math.abs(momentum * first), Math.abs(second), Math.abs(l2 * w));
      see(after[1][k], b, buffer * term);
      const along = kernel === "momentum_f32" ? b : h + momentum * b;
      see(after[0][k], w - rate * along, steps * rate * term + weights * Math.abs(w));
    }
  }
  return worst;
}

describe("clipping", () => {
  const space = linear.create();

  test.each([...Array.from({ length: 68 }, (_, n) => n), 1023, 1024, 1025, 3000])("sums of squares, %i", (length) => {
    const x = numbers(length, 5);
    const blocks = Math.ceil(length / 1024);
    const [out, at] = space.layout(8 * blocks + 8, 4 * length);
    space.f64.fill(GUARD, out / 8, out / 8 + blocks + 1);
    space.f32.set(x, at / 4);
    space.kernels.square_sums_f32(out, at, length);
    const sums = Array.from(space.f64.subarray(out / 8, out / 8 + blocks));
    expect(sums).toEqual(squareSums(x));
    expect(space.f64[out / 8 + blocks]).toBe(GUARD);
    sums.forEach((sum, n) => {
      const block = Array.from(x.subarray(1024 * n, 1024 * (n + 1)), exact);
      const truth = block.reduce((total, v) => add(total, mul(v, v)), ZERO);
      expect(Math.abs(toF64(sub(exact(sum), truth)))).toBeLessThanOrEqual(2 ** -45 * sum);
    });
  });

  test.each([0, 1, 3, 4, 7, 64, 67])("scaling has the reference's bits, %i", (length) => {
    const x = numbers(length, 6);
    const [at] = space.layout(4 * length + 4);
    space.f32.fill(GUARD, at / 4, at / 4 + length + 1);
    space.f32.set(x, at / 4);
    space.kernels.scale_f32(at, 0.3, length);
    scale(x, 0.3);
    expect(space.f32.slice(at / 4, at / 4 + length + 1)).toEqual(Float32Array.of(...x, GUARD));
  });

  test("the factor is PyTorch's", () => {
    expect([clipFactor(2, 1), clipFactor(0.5, 1), clipFactor(0, 1)]).toEqual([1 / 2.000001, 1, 1]);
  });
});

test("powers are those of repeated multiplication, as far as 1 − β^t is not 1", () => {
  let power = 1;
  for (let t = 1; t < 50_000; t++) {
    power *= 0.999;
    if (t % 997 === 0) expect(1 - powerOf(0.999, t)).toBe(1 - power);
  }
  expect([powerOf(0.9, 0), powerOf(0, 1), powerOf(0, 5)]).toEqual([1, 0, 0]);
});

test.each([
  ["adamw", { optimizer: "adamw", weightDecay: 0.5 }],
  ["adam", { optimizer: "adam", l2: 0.5 }],
  ["sgd", { optimizer: "sgd", l2: 0.5, momentum: 0.9 }],
] as const)("%s: biases are not decayed", (_, options) => {
  const network = new Network(linear.create(), layerSizes(1, [], 1), 1, 1);
  const flat = new Float32Array(network.plan.length);
  const [[weight], [bias]] = [network.plan.weights, network.plan.biases];
  flat[weight] = 1;
  flat[bias] = 1;
  network.load(flat, new Float32Array(1), new Float32Array(1));
  network.space.f32.fill(0, network.at.gradient / 4, network.at.gradient / 4 + flat.length);
  const optimizer = new Optimizer(network, options);
  optimizer.next();
  const { kernels } = network.space;
  for (const [kernel, args] of [
    optimizer.update(0.5, weight, bias, true),
    optimizer.update(0.5, bias, flat.length, false),
  ]) {
    (kernels[kernel] as (...args: readonly number[]) => void)(...args);
  }
  const after = network.save();
  // Adam's first step is the rate, whatever the gradient
  expect([after[weight], after[bias]]).toEqual([options.optimizer === "adam" ? 0.5 : 0.75, 1]);
});
