import { describe, expect, test } from "vitest";
import * as ref from "../src/kernels/optimizer.ref.ts";
import { linear } from "../src/linear.ts";
import { rng } from "../src/rng.ts";
import { type AdamState, adam, adamW, type SgdState, sgd } from "../src/train/index.ts";
import { layerSizes } from "../src/train/layers.ts";
import { call, Network } from "../src/train/mlp.ts";
import { Optimizer, type OptimizerOptions } from "../src/train/optimizer.ts";

function numbers(length: number, seed: number): Float32Array {
  const random = rng(seed);
  return Float32Array.from({ length }, () => random.uniform() - 0.5);
}

const adamState = (length: number, step = 1): AdamState => ({
  w: numbers(length, 1),
  gradient: numbers(length, 2),
  mean: new Float32Array(length),
  square: new Float32Array(length),
  step,
});

const sgdState = (length: number, step = 1): SgdState => ({
  w: numbers(length, 1),
  gradient: numbers(length, 2),
  buffer: new Float32Array(length),
  step,
});

/** toEqual looks at 600,001 numbers one by one. */
function expectSameBits(ours: readonly Float32Array[], theirs: readonly Float32Array[]): void {
  ours.forEach(({ buffer }, n) => {
    expect(Buffer.compare(Buffer.from(buffer), Buffer.from(theirs[n].buffer))).toBe(0);
  });
}

describe("arrays longer than a tile have the reference's bits", () => {
  // 16,384 numbers are a tile, 32 tiles are copied out at once
  test.each([0, 1, 16_384, 16_387, 600_001])("%i weights", (length) => {
    for (const nesterov of [false, true]) {
      const state = sgdState(length, 3);
      const truth = sgdState(length);
      const kept = state.gradient.slice();
      const out = sgd(state, { learningRate: 0.1, momentum: 0.75, dampening: 0.5, l2: 0.25, nesterov });
      (nesterov ? ref.nesterov : ref.momentum)(truth.w, truth.buffer, truth.gradient, [0.25, 0.75, 0.5, 0.1]);
      expect(out).toBe(state.w);
      expectSameBits([state.w, state.buffer, state.gradient], [truth.w, truth.buffer, kept]);
    }
    const [state, truth] = [adamState(length, 2), adamState(length)];
    expect(adamW(state, { learningRate: 0.1, weightDecay: 0.5 })).toBe(state.w);
    const moments = [0.9, 0.999, 0.1 / (1 - 0.9 * 0.9), 1 / Math.sqrt(1 - 0.999 * 0.999), 1e-8];
    ref.adamw(truth.w, truth.mean, truth.square, truth.gradient, [1 - 0.1 * 0.5, ...moments]);
    expectSameBits([state.w, state.mean, state.square], [truth.w, truth.mean, truth.square]);
  });
});

describe("the functions have fit's bits", () => {
  test.each<[string, OptimizerOptions, (step: number, gradient: Float32Array, state: AdamState & SgdState) => void]>([
    [
      "adamW",
      { optimizer: "adamw", weightDecay: 0.1 },
      (step, gradient, state) => adamW({ ...state, gradient, step }, { learningRate: 0.05, weightDecay: 0.1 }),
    ],
    [
      "adam",
      { optimizer: "adam", l2: 0.1, beta1: 0.8, beta2: 0.95, epsilon: 1e-3 },
      (step, gradient, state) => {
        const options = { learningRate: 0.05, l2: 0.1, beta1: 0.8, beta2: 0.95, epsilon: 1e-3 };
        adam({ ...state, gradient, step }, options);
      },
    ],
    [
      "sgd",
      { optimizer: "sgd", l2: 0.1, momentum: 0.9, nesterov: true },
      (step, gradient, state) => sgd({ ...state, gradient, step }, { learningRate: 0.05, l2: 0.1, nesterov: true }),
    ],
  ])("%s", (_, options, step) => {
    const network = new Network(linear.create(), layerSizes(7, [], 8), 1, 1);
    const { space, at, plan } = network;
    const count = plan.biases[0];
    const optimizer = new Optimizer(network, options);
    const state = { ...adamState(count), ...sgdState(count) };
    space.f32.set(state.w, at.parameters / 4);
    for (let t = 1; t <= 20; t++) {
      const gradient = numbers(count, t);
      space.f32.set(gradient, at.gradient / 4);
      optimizer.next();
      call(space, [optimizer.update(0.05, 0, count, true)]);
      step(t, gradient, state);
      expect(network.save().subarray(0, count)).toEqual(state.w);
    }
  });
});

test("step 0 leaves the bias of the moments as it is", () => {
  const state = { ...adamState(1, 0), w: Float32Array.of(1), gradient: Float32Array.of(2) };
  adam(state, { learningRate: 1, beta1: 0.5, beta2: 0.75, epsilon: 1 });
  expect(state.w[0]).toBe(1 - 1 / (1 + 1));
});

test("ONNX's Adam at T = 3, whose epsilon joins the root before its correction", () => {
  const [rate, alpha, beta, epsilon, T] = [0.1, 0.9, 0.75, 0.5, 3];
  const state = { ...adamState(9), mean: numbers(9, 3), square: numbers(9, 4).map(Math.abs), step: T };
  const adjusted = (rate * Math.sqrt(1 - beta ** T)) / (1 - alpha ** T);
  const truth = Array.from(state.w, (w, k) => {
    const g = state.gradient[k];
    const root = Math.sqrt(beta * state.square[k] + (1 - beta) * g * g);
    return w - (adjusted * (alpha * state.mean[k] + (1 - alpha) * g)) / (root + epsilon);
  });
  const options = { learningRate: rate, beta1: alpha, beta2: beta };
  adam(state, { ...options, epsilon: epsilon / Math.sqrt(1 - beta ** T) });
  truth.forEach((w, k) => {
    expect(Math.abs(state.w[k] - w)).toBeLessThanOrEqual(2 ** -24 * 4 * Math.max(rate, Math.abs(w)));
  });
});

test("plain gradient descent", () => {
  const state = { ...sgdState(2), w: Float32Array.of(1, 2), gradient: Float32Array.of(2, -4) };
  expect(sgd(state, { learningRate: 0.25, momentum: 0 })).toEqual(Float32Array.of(0.5, 3));
});

describe("wrong arguments", () => {
  const state = adamState(3);
  test.each<[string, () => unknown, ErrorConstructor]>([
    [
      "adam: state expected { w, gradient, mean, square, step }, got undefined",
      () => adam(undefined as never),
      TypeError,
    ],
    ["sgd: state expected { w, gradient, buffer, step }, got null", () => sgd(null as never), TypeError],
    ["adam: w expected a Float32Array, got an array", () => adam({ ...state, w: [1, 2, 3] as never }), TypeError],
    [
      "adamW: gradient expected a Float32Array, got a Float64Array",
      () => adamW({ ...state, gradient: new Float64Array(3) as never }),
      TypeError,
    ],
    [
      "adamW: square expected 3 numbers, one for each of w, got 2",
      () => adamW({ ...state, square: new Float32Array(2) }),
      RangeError,
    ],
    ["sgd: buffer expected a Float32Array, got undefined", () => sgd(state as never), TypeError],
    [
      "adam: step expected an integer from 0, got undefined",
      () => adam({ ...state, step: undefined as never }),
      TypeError,
    ],
    ["adam: step expected an integer from 0, got -1", () => adam({ ...state, step: -1 }), RangeError],
    ["adam: step expected an integer from 0, got 1.5", () => adam({ ...state, step: 1.5 }), RangeError],
    ["adam: options expected an object, got 3", () => adam(state, 3 as never), TypeError],
    [
      "adam: options expected only learningRate, beta1, beta2, epsilon, l2, got weightDecay",
      () => adam(state, { weightDecay: 0.1 } as never),
      TypeError,
    ],
    [
      "adamW: options expected only learningRate, beta1, beta2, epsilon, weightDecay, got weight_decay; did you mean weightDecay",
      () => adamW(state, { weight_decay: 0.1 } as never),
      TypeError,
    ],
    [
      "adam: learningRate expected a finite number from 0, got -0.1",
      () => adam(state, { learningRate: -0.1 }),
      RangeError,
    ],
    ["adam: beta1 expected a number from 0, below 1, got 1", () => adam(state, { beta1: 1 }), RangeError],
    ["adam: beta2 expected a number from 0, below 1, got NaN", () => adam(state, { beta2: Number.NaN }), RangeError],
    [
      "adam: epsilon expected a finite number from 0, got Infinity",
      () => adam(state, { epsilon: Infinity }),
      RangeError,
    ],
    ['adam: l2 expected a finite number from 0, got "0"', () => adam(state, { l2: "0" as never }), TypeError],
    ["adamW: weightDecay expected a finite number from 0, got -1", () => adamW(state, { weightDecay: -1 }), RangeError],
    ["sgd: momentum expected a number from 0, below 1, got 1", () => sgd(sgdState(1), { momentum: 1 }), RangeError],
    ["sgd: dampening expected a number from 0 to 1, got 2", () => sgd(sgdState(1), { dampening: 2 }), RangeError],
    ["sgd: nesterov expected true or false, got 1", () => sgd(sgdState(1), { nesterov: 1 as never }), TypeError],
  ])("%s", (message, run, Kind) => {
    const before = structuredClone(state);
    expect(run).toThrow(new Kind(message));
    expect(state).toEqual(before);
  });

  test("options that are undefined are not given", () => {
    const [one, other] = [sgdState(3, 2), sgdState(3, 2)];
    sgd(one);
    sgd(other, {
      learningRate: undefined,
      momentum: undefined,
      dampening: undefined,
      nesterov: undefined,
      l2: undefined,
    } as never);
    expect(other).toEqual(one);
    const [first, second] = [adamState(3, 2), adamState(3, 2)];
    adamW(first);
    adamW(second, { learningRate: undefined, beta1: undefined, beta2: undefined, weightDecay: undefined } as never);
    expect(second).toEqual(first);
  });
});
