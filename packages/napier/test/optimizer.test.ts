import { expect, test } from "vitest";
import { adamw } from "../src/kernels/optimizer.ref.ts";
import { linear } from "../src/linear.ts";
import { rng } from "../src/rng.ts";
import { layerSizes } from "../src/train/layers.ts";
import { Network } from "../src/train/mlp.ts";
import { AdamW } from "../src/train/optimizer.ts";

function numbers(length: number, seed: number): Float32Array {
  const random = rng(seed);
  return Float32Array.from({ length }, () => (random.uniform() - 0.5) * 2 ** (random.below(60) - 30));
}

test.each(Array.from({ length: 68 }, (_, length) => length))(
  "the kernel has the reference's bits, %i weights",
  (length) => {
    const space = linear.create();
    const guard = 77;
    const places = space.layout(...Array.from({ length: 4 }, () => length * 4 + 64));
    const state = [1, 2, 3, 4].map((seed) => numbers(length, seed));
    state[2].forEach((v, k) => {
      state[2][k] = Math.abs(v);
    });
    state.forEach((values, n) => {
      space.f32.fill(guard, places[n] / 4, places[n] / 4 + length + 16);
      space.f32.set(values, places[n] / 4);
    });
    const settings = [0.999, 0.9, 0.999, 0.01, 1.5, 1e-8];
    const [w, mean, square, g] = places;
    const [decay, beta1, beta2, rate, correction, epsilon] = settings;
    for (let step = 0; step < 3; step++) {
      space.kernels.adamw_f32(w, mean, square, g, length, decay, beta1, beta2, rate, correction, epsilon);
      adamw(state[0], state[1], state[2], state[3], settings);
    }
    state.forEach((values, n) => {
      const from = places[n] / 4;
      expect(space.f32.slice(from, from + length)).toEqual(values);
      expect(space.f32.slice(from + length, from + length + 16)).toEqual(new Float32Array(16).fill(guard));
    });
  },
);

/** torch.optim.AdamW([w], lr=0.01, weight_decay=0.1), PyTorch 2.13, f64, five steps. */
const TORCH = {
  w: [0.5, -1.25, 0.0, 3.0, 0.0010000000474974513, -9.99999993922529e-9, 100.0],
  g: [
    [
      1.5409960746765137, -0.00029342889320105314, -2.1787893772125244, 56.8431282043457, -1.0845222959687817e-6,
      -1.3985954061546124e-10, 0,
    ],
    [
      0.8380263447761536, -0.0007192575722001493, -0.40334352850914, -59.663536071777344, 1.820364872173741e-7,
      -8.566745923754837e-11, 0,
    ],
    [
      -1.0711873769760132, 0.0001227012398885563, -0.5663174986839294, 37.31146240234375, -8.919953415897908e-7,
      -1.509107699915191e-10, 0,
    ],
    [
      1.4565025568008423, 0.0009398098918609321, 0.7748488187789917, 19.18694305419922, 1.2637947293114848e-6,
      -1.2904351198717023e-10, 0,
    ],
    [
      -0.02087947353720665, -0.0007184800342656672, 0.5186367630958557, -131.252197265625, 1.9199507050871034e-7,
      5.4277134869940014e-11, 0,
    ],
  ],
  after1: [
    0.4895000000648931, -1.2387503407864544, 0.009999999954102952, 2.987000000001759, 0.010907635988107985,
    0.00013792046165498782, 99.9,
  ],
  after5: [
    0.4655161707569705, -1.2175467962950461, 0.031506608971605475, 2.973919021519091, 0.023778546186587673,
    0.0005779503011866318, 99.50099900049992,
  ],
};

test("five steps agree with PyTorch's AdamW", () => {
  // 7 weights of a layer with one output: every eighth entry of the panel
  const sizes = layerSizes(7, [], 1);
  const network = new Network(linear.create(), sizes, 1, true);
  const flat = new Float32Array(network.plan.length);
  TORCH.w.forEach((w, k) => {
    flat[8 * k] = w;
  });
  network.load(flat, new Float32Array(7), new Float32Array(7));
  const optimizer = new AdamW(network, 0.01, 0.1);
  const weights = (): number[] => TORCH.w.map((_, k) => network.save()[8 * k]);
  const expectNear = (truth: number[]): void => {
    weights().forEach((w, k) => {
      // a step has 8 roundings on a term of size rate (≤ 0.01, two of them when the mean cancels) and 2 on the weight
      const bound = 5 * (16 * 0.01 + 2 * Math.abs(truth[k])) * 2 ** -24;
      expect(Math.abs(w - truth[k]), `weight ${k}`).toBeLessThanOrEqual(bound);
    });
  };
  TORCH.g.forEach((gradient, step) => {
    gradient.forEach((g, k) => {
      network.space.f32[network.at.gradient / 4 + 8 * k] = g;
    });
    optimizer.step();
    if (step === 0) expectNear(TORCH.after1);
  });
  expectNear(TORCH.after5);
});

test("biases are not decayed", () => {
  const network = new Network(linear.create(), layerSizes(1, [], 1), 1, true);
  const flat = new Float32Array(network.plan.length);
  flat[network.plan.weights[0]] = 1;
  flat[network.plan.biases[0]] = 1;
  network.load(flat, new Float32Array(1), new Float32Array(1));
  network.space.f32.fill(0, network.at.gradient / 4, network.at.gradient / 4 + flat.length);
  new AdamW(network, 0.5, 0.5).step();
  const after = network.save();
  expect([after[network.plan.weights[0]], after[network.plan.biases[0]]]).toEqual([0.75, 1]);
});
