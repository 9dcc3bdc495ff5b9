import { describe, expect, test } from "vitest";
import { linearBackwardInput, linearGradient, linear as linearReference } from "../src/kernels/matmul.ref.ts";
import { relu, reluBackward, scaleRows } from "../src/kernels/rows.ref.ts";
import { linear } from "../src/linear.ts";
import { rng } from "../src/rng.ts";
import { pack, panelsOf, unpack } from "../src/train/layers.ts";

const GUARD = -12345.678;
const space = linear.create();

/** Areas of these lengths filled with guard words, with guard words around each. */
function areas(...lengths: number[]): number[] {
  const addresses = space.layout(...lengths.flatMap((length) => [64, length * 4, 64]));
  const end = addresses[addresses.length - 1] + 64;
  space.f32.fill(GUARD, addresses[0] / 4, end / 4);
  return lengths.map((_, n) => addresses[3 * n + 1]);
}

const put = (address: number, values: Float32Array): void => space.f32.set(values, address / 4);
const take = (address: number, length: number): Float32Array => space.f32.slice(address / 4, address / 4 + length);
/** The 16 words before an area and the 16 after it. */
function expectGuards(address: number, length: number): void {
  const guards = [...take(address - 64, 16), ...take(address + length * 4, 16)];
  expect(guards.every((word) => word === Math.fround(GUARD))).toBe(true);
}

/** [rows, columns] dense, from rows that stand `stride` apart. */
const dense = (values: Float32Array, rows: number, columns: number, stride: number): Float32Array =>
  Float32Array.from({ length: rows * columns }, (_, k) => values[Math.floor(k / columns) * stride + (k % columns)]);
const spread = (values: Float32Array, rows: number, columns: number, stride: number): Float32Array => {
  const out = new Float32Array(rows * stride).fill(GUARD);
  for (let i = 0; i < rows; i++) out.set(values.subarray(i * columns, (i + 1) * columns), i * stride);
  return out;
};

/** Numbers of both signs whose magnitudes span 40 binades: a sum in another order has other bits. */
function numbers(length: number, seed: number): Float32Array {
  const random = rng(seed);
  return Float32Array.from({ length }, () => (random.uniform() - 0.5) * 2 ** (random.below(40) - 20));
}

const SIZES: [rows: number, inputs: number, outputs: number][] = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 11].map((rows): [number, number, number] => [rows, 5, 3]),
  ...Array.from({ length: 68 }, (_, inputs): [number, number, number] => [5, inputs, 9]),
  ...[1, 7, 8, 9, 15, 16, 17, 67].map((outputs): [number, number, number] => [6, 4, outputs]),
  // over the pass of 384 inner indices, forward and backward
  ...[383, 384, 385, 769].map((inputs): [number, number, number] => [5, inputs, 9]),
  ...[383, 384, 385, 769].map((rows): [number, number, number] => [rows, 5, 9]),
];

describe("the products of a linear layer have the bits of the plain sums", () => {
  test.each(SIZES)("%i rows, %i inputs, %i outputs", (rows, inputs, outputs) => {
    const panels = panelsOf(outputs);
    const [xStride, outStride] = [inputs + 3, panels * 8 + 5];
    const x = numbers(rows * inputs, 1);
    const g = numbers(rows * outputs, 2);
    const layer = { weight: numbers(outputs * inputs, 3), bias: numbers(outputs, 4), inputs, outputs };
    const flat = pack([layer]);
    const { kernels } = space;

    const [out, at, w] = areas(rows * outStride, rows * xStride, flat.length);
    put(at, spread(x, rows, inputs, xStride));
    put(w, flat);
    const bias = w + panels * 8 * inputs * 4;
    kernels.linear_f32(out, at, w, bias, rows, inputs, panels, xStride, outStride);
    const logits = take(out, rows * outStride);
    expect(dense(logits, rows, outputs, outStride)).toEqual(linearReference(x, layer.weight, layer.bias, rows, inputs));
    expectGuards(out, rows * outStride);
    // between the panels' end and the stride nothing is written
    for (let i = 0; i < rows; i++) {
      expect(logits.slice(i * outStride + panels * 8, (i + 1) * outStride)).toEqual(new Float32Array(5).fill(GUARD));
    }
    // a row alone
    if (rows > 0) {
      const [one, from, weights] = areas(outStride, inputs, flat.length);
      put(weights, flat);
      put(from, x.slice((rows - 1) * inputs));
      const start = weights + panels * 8 * inputs * 4;
      kernels.linear_f32(one, from, weights, start, 1, inputs, panels, inputs, outStride);
      expect(take(one, outputs)).toEqual(logits.slice((rows - 1) * outStride, (rows - 1) * outStride + outputs));
    }

    const gStride = outStride;
    const padded = new Float32Array(rows * gStride);
    for (let i = 0; i < rows; i++) padded.set(g.subarray(i * outputs, (i + 1) * outputs), i * gStride);
    const width = panels * 8;
    const [dw, db, gAt, xAt, ones, sums, more, counts, cx, one, cg] = areas(
      ...[width * inputs, width, rows * gStride, rows * xStride, 1],
      ...[width * inputs * 2, width * 2, 4, inputs * 2, 2, width * 2],
    );
    put(gAt, padded);
    put(xAt, spread(x, rows, inputs, xStride));
    put(ones, Float32Array.of(1));
    // units of their own for inputs and outputs, coarse enough to be seen
    const unit = (j: number, k: number): number => 2 ** (2 - (j % 3) - (k % 5));
    const f64 = (values: ArrayLike<number>): Float32Array => new Float32Array(Float64Array.from(values).buffer);
    put(cx, f64(Array.from({ length: inputs }, (_, k) => 2 ** -(k % 5))));
    put(one, f64([1]));
    put(cg, f64(Array.from({ length: width }, (_, j) => 1.5 * 2 ** (52 + 2 - (j % 3)))));
    for (const pieces of [[rows], [rows >> 1, rows - (rows >> 1)], [0, rows >> 2, 0, rows - (rows >> 2)]]) {
      put(counts, new Float32Array(Int32Array.from(pieces).buffer));
      const whole = [counts, pieces.length, inputs, panels, gStride, xStride, cx, cg] as const;
      const biases = [counts, pieces.length, 1, panels, gStride, 0, one, cg] as const;
      kernels.gradient_f32(dw, sums, gAt, xAt, ...whole);
      kernels.gradient_f32(db, more, gAt, ones, ...biases);
      expectGuards(dw, width * inputs);
      expectGuards(db, width);
      const read = (): ReturnType<typeof unpack>[number] =>
        unpack(Float32Array.from([...take(dw, width * inputs), ...take(db, width)]), [{ inputs, outputs }])[0];
      const found = read();
      const truth = linearGradient(g, x, pieces, inputs, outputs, unit);
      expect(found.weight).toEqual(truth.dw);
      expect(found.bias).toEqual(
        linearGradient(g, new Float32Array(rows).fill(1), pieces, 1, outputs, (j) => unit(j, 0)).dw,
      );
      // by way of the integers, which ranks add
      kernels.gradient_sums_f32(sums, gAt, xAt, ...whole);
      kernels.gradient_sums_f32(more, gAt, ones, ...biases);
      expectGuards(sums, width * inputs * 2);
      expectGuards(more, width * 2);
      const words = new BigInt64Array(take(sums, width * inputs * 2).buffer);
      const integers = truth.sums.map((_, n) => {
        const [j, k] = [Math.floor(n / inputs), n % inputs];
        return words[((j >> 3) * inputs + k) * 8 + (j & 7)];
      });
      expect(integers).toEqual(truth.sums);
      kernels.gradient_of_sums_f32(dw, sums, inputs, panels, cx, cg);
      kernels.gradient_of_sums_f32(db, more, 1, panels, one, cg);
      expect(read()).toEqual(found);
    }

    const [sizes] = areas(width);
    kernels.column_sizes_f32(sizes, gAt, rows, width, gStride);
    expectGuards(sizes, width);
    const largest = Array.from({ length: width }, (_, j) =>
      Math.max(0, ...Array.from({ length: rows }, (_, i) => Math.abs(padded[i * gStride + j]))),
    );
    expect(take(sizes, width)).toEqual(Float32Array.from(largest));

    const wide = panelsOf(inputs);
    const dxStride = wide * 8 + 1;
    const [dx, gIn, wIn, wt, zeros] = areas(rows * dxStride, rows * gStride, flat.length, wide * 8 * outputs, wide * 8);
    put(gIn, padded);
    put(wIn, flat);
    put(zeros, new Float32Array(wide * 8));
    kernels.transpose_panels_f32(wt, wIn, inputs, outputs);
    expectGuards(wt, wide * 8 * outputs);
    kernels.linear_f32(dx, gIn, wt, zeros, rows, outputs, wide, gStride, dxStride);
    expectGuards(dx, rows * dxStride);
    const gradient = dense(take(dx, rows * dxStride), rows, inputs, dxStride);
    expect(gradient).toEqual(linearBackwardInput(g, layer.weight, rows, inputs, outputs));
  });

  test("pack and unpack are each other's inverse, and padding is zero", () => {
    const sizes = [
      { inputs: 5, outputs: 11 },
      { inputs: 11, outputs: 3 },
    ];
    const layers = sizes.map(({ inputs, outputs }, l) => ({
      weight: numbers(inputs * outputs, l),
      bias: numbers(outputs, l + 9),
      inputs,
      outputs,
    }));
    const flat = pack(layers);
    expect(unpack(flat, sizes)).toEqual(layers);
    expect(flat.filter((w) => w !== 0)).toHaveLength(5 * 11 + 11 + 11 * 3 + 3);
  });
});

describe("rows between the products", () => {
  const hostile = Float32Array.of(Number.NaN, -0, 0, Infinity, -Infinity, 2 ** -149, -(2 ** -149), 3e38, -3e38);
  const lengths = Array.from({ length: 68 }, (_, length) => length);

  test.each(lengths)("relu and its gradient, %i elements", (length) => {
    const x = Float32Array.from({ length }, (_, k) => (k % 3 ? hostile[k % hostile.length] : k - 9));
    const [at, out, dx] = areas(length, length, length);
    put(at, x);
    space.kernels.relu_f32(out, at, length);
    expect(take(out, length)).toEqual(relu(x));
    expect(take(out, length).some((v) => Object.is(v, -0))).toBe(false);
    expectGuards(out, length);
    put(dx, numbers(length, 5));
    space.kernels.relu_backward_f32(dx, dx, out, length);
    expect(take(dx, length)).toEqual(reluBackward(numbers(length, 5), relu(x)));
    expectGuards(dx, length);
  });

  test.each(lengths)("scaling, %i features", (features) => {
    const rows = 3;
    const stride = features + 2;
    const [out, x, center, factor] = areas(rows * stride, rows * features, features, features);
    put(x, numbers(rows * features, 6));
    put(center, numbers(features, 7));
    put(factor, numbers(features, 8));
    space.kernels.scale_rows_f32(out, x, center, factor, rows, features, stride);
    const scaled = dense(take(out, rows * stride), rows, features, stride);
    expect(scaled).toEqual(scaleRows(numbers(rows * features, 6), numbers(features, 7), numbers(features, 8)));
    expectGuards(out, rows * stride);
  });

  test("rows move from stride to stride, and what is left over becomes 0", () => {
    const [wide, x, narrow] = areas(12, 9, 6);
    put(x, Float32Array.of(1, 2, 8, 3, 4, 8, 5, 6, 8));
    space.kernels.move_rows_f32(wide, x, 3, 2, 4, 3);
    expect([...take(wide, 12)]).toEqual([1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0]);
    space.kernels.move_rows_f32(narrow, x, 3, 2, 2, 3);
    expect([...take(narrow, 6)]).toEqual([1, 2, 3, 4, 5, 6]);
    expectGuards(wide, 12);
    expectGuards(narrow, 6);
  });
});
