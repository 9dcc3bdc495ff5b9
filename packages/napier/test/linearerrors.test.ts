import { expect, test } from "vitest";
import { linearCrossEntropy, linearCrossEntropyWithGrad } from "../src/linearloss.ts";

// As a JavaScript caller would: the types would refuse most of these.
const wrong = (value: unknown) => value as never;
const [x, w] = [
  [1, 2, 3, 4],
  [1, 0, 0, 1, 1, 1],
];
const shape = [2, 2] as const;
const shared = new Float32Array(20);
const [f2, f4, f6] = [2, 4, 6].map((length) => new Float32Array(length));
const one = (out: object, more = {}) => linearCrossEntropyWithGrad(f4, f6, [0, 1], { shape, out: wrong(out), ...more });

const MESSAGES: [() => unknown, string][] = [
  // layer
  [
    () => linearCrossEntropy(x, [1, 2, 3], [0, 0], { shape }),
    "RangeError: linearCrossEntropy: weight expected a multiple of 2 elements, as many as x has features, got 3",
  ],
  [
    () => linearCrossEntropy({ data: [], shape: [2, 0] }, [], [0, 0]),
    "RangeError: linearCrossEntropy: weight expected a multiple of 0 elements, as many as x has features, got 0",
  ],
  [
    () => linearCrossEntropyWithGrad(x, { data: w, shape: [2, 3] }, [0, 0], { shape }),
    "RangeError: linearCrossEntropyWithGrad: weight.shape expected [classes, 2], got [2, 3]",
  ],
  [
    () => linearCrossEntropy(x, { data: w, dims: [6], type: "float64" }, [0, 0], { shape }),
    "RangeError: linearCrossEntropy: weight.dims expected [classes, 2], got [6]",
  ],
  [
    () => linearCrossEntropy(x, f4, [0, 0], { shape }),
    "TypeError: linearCrossEntropy: weight expected f64 as x, got f32",
  ],
  [
    () => linearCrossEntropy(x, wrong("w"), [0, 0], { shape }),
    'TypeError: linearCrossEntropy: weight expected number[], Float32Array, Float64Array or { data, shape }, got "w"',
  ],
  [
    () => linearCrossEntropy(wrong(undefined), w, [0, 0]),
    "TypeError: linearCrossEntropy: x expected number[], Float32Array, Float64Array or { data, shape }, got undefined",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape: [3, 2] }),
    "RangeError: linearCrossEntropy: x expected 6 elements for shape [3, 2], got 4",
  ],
  [
    () => linearCrossEntropy(x, [], [0, 0], { shape }),
    "RangeError: linearCrossEntropy: weight expected at least 1 class, got 0",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, bias: [1, 2] }),
    "RangeError: linearCrossEntropy: options.bias expected [3], one for each class, got [2]",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, bias: { data: [1, 2, 3], shape: [1, 3] } }),
    "RangeError: linearCrossEntropy: options.bias.shape expected [3], one for each class, got [1, 3]",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, bias: new Float32Array(3) }),
    "TypeError: linearCrossEntropy: options.bias expected f64 as x, got f32",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, dtype: "float16" }),
    'TypeError: linearCrossEntropy: options.dtype expected nothing where there is no Uint16Array, got "float16"',
  ],
  [
    () => linearCrossEntropy(new Uint16Array(4), new Uint16Array(6), [0, 0], { shape }),
    'TypeError: linearCrossEntropy: options.dtype expected "float16" or "bfloat16" for a Uint16Array, got undefined',
  ],
  // targets and the losses' options
  [
    () => linearCrossEntropy(x, w, [0, 3], { shape }),
    "RangeError: linearCrossEntropy: targets[1] expected an integer from 0 to 2, got 3",
  ],
  [
    () => linearCrossEntropy(x, w, 0, { shape }),
    "RangeError: linearCrossEntropy: targets expected 2 class indices, got 1",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, weight: w }),
    "RangeError: linearCrossEntropy: options.weight expected 3 numbers, one for each class, got 6",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, mask: [1, 0] }),
    "RangeError: linearCrossEntropy: options.mask expected 6 entries or 3, one for each class, got 2",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, mask: [1, 0, 2] }),
    "RangeError: linearCrossEntropy: options.mask[2] expected 0, 1, false or true, got 2",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, mask: { data: [1, 0], shape: [2] } }),
    "RangeError: linearCrossEntropy: options.mask.shape expected [2, 3] or a shape that broadcasts to it, got [2]; for whole rows give it the shape [2, 1]",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, temperature: 0 }),
    "RangeError: linearCrossEntropy: options.temperature expected a finite number above 0, got 0",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], wrong({ shape, axis: 0 })),
    "TypeError: linearCrossEntropy: options expected only bias, shape, dtype, reduction, weight, ignoreIndex, labelSmoothing, mask, zLoss, softcap, temperature, out, got axis",
  ],
  [
    () => linearCrossEntropyWithGrad(x, w, [0, 0], wrong({ shape, label_smoothing: 0.1 })),
    "TypeError: linearCrossEntropyWithGrad: options expected only bias, shape, dtype, reduction, weight, ignoreIndex, labelSmoothing, mask, zLoss, softcap, temperature, out, grads, got label_smoothing; did you mean labelSmoothing",
  ],
  [
    () => linearCrossEntropy(x, w, [0, 0], { shape, reduction: "none", out: wrong(f2) }),
    "TypeError: linearCrossEntropy: options.out expected number[], got a Float32Array",
  ],
  // gradients
  [
    () => linearCrossEntropyWithGrad(x, w, [0, 0], { shape, grads: wrong("x") }),
    'TypeError: linearCrossEntropyWithGrad: options.grads expected an array of "x", "weight" and "bias", got "x"',
  ],
  [
    () => linearCrossEntropyWithGrad(x, w, [0, 0], { shape, grads: wrong(["x", "w"]) }),
    'RangeError: linearCrossEntropyWithGrad: options.grads[1] expected "x" or "weight" or "bias", got "w"',
  ],
  [() => one({ x: f4 }), "TypeError: linearCrossEntropyWithGrad: options.out expected only dx, dweight, dbias, got x"],
  [() => one(wrong(null)), "TypeError: linearCrossEntropyWithGrad: options.out expected an object, got null"],
  [
    () => one({ dx: new Float32Array(4) }, { grads: ["weight"] }),
    'TypeError: linearCrossEntropyWithGrad: options.out.dx expected nothing where options.grads has no "x", got a Float32Array',
  ],
  [() => one({ dx: f6 }), "RangeError: linearCrossEntropyWithGrad: options.out.dx expected 4 elements, got 6"],
  [
    () => one({ dweight: new Float64Array(6) }),
    "TypeError: linearCrossEntropyWithGrad: options.out.dweight expected a Float32Array, got a Float64Array",
  ],
  [
    () => one({ dx: f4 }),
    "RangeError: linearCrossEntropyWithGrad: options.out.dx expected an array of its own, got one that is read or written besides",
  ],
  [
    () => one({ dx: shared.subarray(0, 4), dweight: shared.subarray(3, 9) }),
    "RangeError: linearCrossEntropyWithGrad: options.out.dweight expected an array that does not overlap an input, got one that does",
  ],
];

test.each(MESSAGES)("%#: %s", (call, message) => {
  let found = "nothing";
  try {
    call();
  } catch (error) {
    found = String(error);
  }
  expect(found).toBe(message);
});

test("nothing is written where an argument is bad", () => {
  const out = {
    dx: new Float32Array(4).fill(7),
    dweight: new Float32Array(6).fill(7),
    dbias: new Float32Array(3).fill(7),
  };
  expect(() => linearCrossEntropyWithGrad(f4, f6, [0, 9], { shape, out })).toThrow(RangeError);
  for (const array of Object.values(out)) expect(array.every((v) => v === 7)).toBe(true);
});
