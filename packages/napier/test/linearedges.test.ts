import { describe, expect, test } from "vitest";
import { crossEntropy, crossEntropyWithGrad } from "../src/index.ts";
import {
  linearCrossEntropy,
  linearCrossEntropyWithGrad,
  linearLoss,
  linearLossWithGrad,
} from "../src/linearcrossentropy.ts";
import { expectSame, type Floats, problem, SIZES } from "./linearproblem.ts";

describe("what is left out adds nothing", () => {
  const { x, w, bias, y } = problem(8, 5, 40, "f32", 3);
  const shape = [8, 5] as const;

  test("ignored rows are as if they were not there, whatever they hold", () => {
    const bad = x.slice();
    bad.fill(Number.NaN, 10, 20);
    const targets = y.map((j, i) => (i === 2 || i === 3 ? -1 : j));
    const rest = {
      x: Float32Array.from([...x.subarray(0, 10), ...x.subarray(20)]),
      y: y.filter((_, i) => i !== 2 && i !== 3),
    };
    for (const options of [{}, { zLoss: 0.1 }]) {
      for (const bytes of SIZES) {
        const found = linearLossWithGrad(bad, w, targets, { shape, bias, ignoreIndex: -1, ...options }, bytes);
        const expected = linearLossWithGrad(rest.x, w, rest.y, { shape: [6, 5], bias, ...options }, bytes);
        expect(found.loss).toBe(expected.loss);
        expectSame(found.dweight, expected.dweight, "dweight");
        expectSame(found.dbias, expected.dbias, "dbias");
        const dx = [...(expected.dx as Floats)];
        expectSame(found.dx, [...dx.slice(0, 10), ...new Array(10).fill(0), ...dx.slice(10)], "dx");
      }
    }
  });

  test("no row counts, and no rows", () => {
    const out = {
      dx: new Float32Array(40).fill(7),
      dweight: new Float32Array(200).fill(7),
      dbias: new Float32Array(40).fill(7),
    };
    const none = linearCrossEntropyWithGrad(x, w, new Int32Array(8).fill(-1), { shape, ignoreIndex: -1, out });
    expect(none.loss).toBe(0);
    for (const gradient of [none.dx, none.dweight, none.dbias])
      expect(gradient.every((v) => Object.is(v, 0))).toBe(true);
    const empty = linearCrossEntropyWithGrad(new Float32Array(0), w, [], { shape: [0, 5] });
    expect([empty.loss, empty.dx.length, empty.dweight.every((v) => v === 0)]).toEqual([0, 0, true]);
    expect(linearCrossEntropy(new Float32Array(0), w, [], { shape: [0, 5], reduction: "none" })).toEqual(
      new Float32Array(0),
    );
  });

  test("a masked class adds nothing to dx, whatever its weights are; nor does it get anything of a bad row", () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      for (const classes of [10, 40]) {
        const weights = w.slice(0, classes * 5);
        const bad = weights.slice();
        bad[5 * (classes - 2) + 1] = value;
        const mask = Array.from({ length: classes }, (_, j) => Number(j !== classes - 2));
        const targets = y.map((j) => (j % classes === classes - 2 ? 0 : j % classes));
        for (const bytes of SIZES) {
          const found = linearLossWithGrad(x, bad, targets, { shape, mask }, bytes);
          const expected = linearLossWithGrad(x, weights, targets, { shape, mask }, bytes);
          expect(found.loss).toBe(expected.loss);
          expectSame(found.dx, expected.dx, "dx");
          expectSame(found.dweight, expected.dweight, "dweight");
        }
      }
    }
    const bad = x.slice();
    bad[7] = Number.NaN;
    const mask = Array.from({ length: 40 }, (_, j) => Number(j !== 20));
    const targets = y.map((j) => (j === 20 ? 0 : j));
    const { dweight, dx } = linearCrossEntropyWithGrad(bad, w, targets, { shape, mask });
    dweight.forEach((v, k) => {
      if (k >= 100 && k < 105) expect(v).toBe(0);
      else expect(v).toBeNaN();
    });
    dx.forEach((v, k) => {
      if (k >= 5 && k < 10) expect(v).toBeNaN();
      else expect(v).not.toBeNaN();
    });
  });

  test("a class of weight −∞ has probability 0, and adds nothing", () => {
    const weights = Float32Array.of(1, -Infinity, 2);
    const { loss, dx, dweight } = linearCrossEntropyWithGrad(Float32Array.of(1), weights, 0);
    const rest = linearCrossEntropyWithGrad(Float32Array.of(1), Float32Array.of(1, 2), 0);
    expect([loss, dx[0], ...dweight]).toEqual([rest.loss, rest.dx[0], rest.dweight[0], 0, rest.dweight[1]]);
    const mixed = Float32Array.of(1, 5, -Infinity, 3, 2, 4);
    expect([...linearCrossEntropyWithGrad(Float32Array.of(1, 0.5), mixed, 0).dx].some(Number.isNaN)).toBe(false);
  });

  test("NaN and ∞ in x make the row NaN and its gradients, with the canonical NaN", () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const bad = x.slice();
      bad[12] = value;
      for (const bytes of SIZES) {
        const losses = linearLoss(bad, w, y, { shape, reduction: "none" }, bytes) as unknown as Floats;
        expect([...losses].map(Number.isNaN)).toEqual([0, 0, 1, 0, 0, 0, 0, 0].map(Boolean));
        const found = linearLossWithGrad(bad, w, y, { shape, reduction: "sum" }, bytes);
        expect(found.loss).toBeNaN();
        for (const name of ["dx", "dweight", "dbias"] as const) {
          const gradient = found[name] as Floats;
          const words = new Uint32Array(gradient.buffer);
          gradient.forEach((v, k) => {
            if (Number.isNaN(v)) expect(words[k]).toBe(0x7fc00000);
          });
          if (name !== "dx") expect(gradient.every(Number.isNaN)).toBe(true);
        }
      }
    }
  });
});

describe("kinds", () => {
  const { x, w, bias, y } = problem(3, 2, 5, "f32", 6);
  const expected = linearCrossEntropyWithGrad(x, w, y, { shape: [3, 2], bias });

  test("tensors of both kinds, numbers, and what comes back", () => {
    const shaped = linearCrossEntropyWithGrad({ data: x, shape: [3, 2] }, { data: w, shape: [5, 2] }, y, { bias });
    expect(shaped).toEqual({
      loss: expected.loss,
      dx: { data: expected.dx, shape: [3, 2] },
      dweight: { data: expected.dweight, shape: [5, 2] },
      dbias: { data: expected.dbias, shape: [5] },
    });
    const onnx = (data: Floats, dims: number[]) => ({ data, dims, type: "float32" });
    const found = linearCrossEntropyWithGrad(
      onnx(x, [1, 3, 2]),
      onnx(w, [5, 2]),
      { data: y, shape: [1, 3] },
      { bias: onnx(bias, [5]), reduction: "none" },
    );
    expect((found.loss as { dims: readonly number[] }).dims).toEqual([1, 3]);
    expect([found.dx.dims, found.dweight.dims, found.dbias.dims]).toEqual([[1, 3, 2], [5, 2], [5]]);
    const lists = linearCrossEntropyWithGrad([...x], [...w], y, { shape: [3, 2], bias: [...bias] });
    const wide = linearCrossEntropyWithGrad(Float64Array.from(x), Float64Array.from(w), y, {
      shape: [3, 2],
      bias: Float64Array.from(bias),
    });
    expect(Array.isArray(lists.dx) && Array.isArray(lists.dweight) && Array.isArray(lists.dbias)).toBe(true);
    expect(lists).toEqual({ loss: wide.loss, dx: [...wide.dx], dweight: [...wide.dweight], dbias: [...wide.dbias] });
  });

  test("16 bits: the numbers that they are", () => {
    const bits = (values: ArrayLike<number>) =>
      Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (word) => word >>> 16);
    const floats = (values: Uint16Array) => new Float32Array(Uint32Array.from(values, (word) => word << 16).buffer);
    const [a, b, c] = [x, w, bias].map(bits);
    const narrow = linearCrossEntropyWithGrad(a, b, y, { shape: [3, 2], bias: c, dtype: "bfloat16" });
    expect(narrow).toEqual(linearCrossEntropyWithGrad(floats(a), floats(b), y, { shape: [3, 2], bias: floats(c) }));
    const mixed = linearCrossEntropyWithGrad(x, { data: b, dims: [5, 2], type: "bfloat16" }, y, { shape: [3, 2] });
    const { dx, dweight } = linearCrossEntropyWithGrad(x, floats(b), y, { shape: [3, 2] });
    expect([mixed.dx, mixed.dweight]).toEqual([dx, { data: dweight, dims: [5, 2], type: "float32" }]);
  });

  test("one row, one number", () => {
    expect(linearCrossEntropy([1, 2], [3, 1, -1, 0.5], 0, { reduction: "none" })).toBe(crossEntropy([5, 0], 0));
    expect(
      linearCrossEntropy({ data: [1, 2], shape: [2] }, { data: [3, 1, -1, 0.5], shape: [2, 2] }, 0, {
        reduction: "none",
      }),
    ).toEqual({ data: [crossEntropy([5, 0], 0)], shape: [] });
  });

  test("no features: the logits are the biases", () => {
    const nothing = { data: new Float32Array(0), shape: [2, 0] };
    const found = linearCrossEntropyWithGrad(nothing, { data: new Float32Array(0), shape: [3, 0] }, [0, 1], {
      bias: Float32Array.of(1, 2, 3),
    });
    const { loss, dlogits } = crossEntropyWithGrad(Float32Array.of(1, 2, 3, 1, 2, 3), [0, 1], { shape: [2, 3] });
    expect(found.loss).toBe(loss);
    expect([...found.dbias.data]).toEqual([0, 1, 2].map((j) => Math.fround(dlogits[j] + dlogits[j + 3])));
    expect(linearCrossEntropy(nothing, { data: new Float32Array(0), shape: [2, 0] }, [0, 1])).toBe(
      Math.fround(Math.LN2),
    );
  });

  test("masks that broadcast, of any rank", () => {
    const { x, w, y } = problem(6, 3, 20, "f32", 8);
    const tensor = { data: x, shape: [2, 3, 3] };
    const masks = [
      { shape: [20], data: (_: number, j: number) => j % 3 !== 2 },
      { shape: [3, 1], data: (i: number) => i % 3 !== 1 },
      { shape: [2, 1, 20], data: (i: number, j: number) => (i < 3 ? j % 2 === 0 : j % 3 !== 0) },
      { shape: [2, 3, 20], data: (i: number, j: number) => (i + j) % 4 !== 0 },
      { shape: [1], data: () => true },
    ];
    for (const { shape, data } of masks) {
      const full = Uint8Array.from({ length: 120 }, (_, k) => Number(data(Math.floor(k / 20), k % 20)));
      const sizes = [1, 1, 1].map((_, d) => shape[d - 3 + shape.length] ?? 1);
      const small = { data: [] as number[], shape };
      for (let a = 0; a < sizes[0]; a++)
        for (let b = 0; b < sizes[1]; b++)
          for (let c = 0; c < sizes[2]; c++) small.data.push(full[(a * 3 + b) * 20 + c]);
      for (const bytes of SIZES) {
        const found = linearLossWithGrad(tensor, w, { data: y, shape: [2, 3] }, { mask: small }, bytes);
        expect(found).toEqual(linearLossWithGrad(tensor, w, { data: y, shape: [2, 3] }, { mask: full }, bytes));
      }
    }
  });
});

test("only the gradients that are asked for, the same bits; arrays to write to, and nothing beside them", () => {
  const { x, w, bias, y, shape } = problem(5, 3, 37, "f32", 12);
  const all = linearCrossEntropyWithGrad(x, w, y, { shape, bias });
  const lengths = { dx: 15, dweight: 111, dbias: 37 } as const;
  for (const bytes of SIZES) {
    const whole = linearLossWithGrad(x, w, y, { shape, bias }, bytes);
    for (const grads of [["x"], ["weight"], ["bias"], ["x", "bias"], []] as ("x" | "weight" | "bias")[][]) {
      const room = new Float32Array(400).fill(7);
      let end = 8;
      const out = Object.fromEntries(
        grads.map((one) => {
          const start = end;
          end += lengths[`d${one}`] + 8;
          return [`d${one}`, room.subarray(start, end - 8)];
        }),
      );
      const found = linearLossWithGrad(x, w, y, { shape, bias, grads, out }, bytes);
      expect(Object.keys(found)).toEqual(["loss", ...grads.map((one) => `d${one}`)]);
      expect(found.loss).toBe(all.loss);
      for (const one of grads) {
        expect(found[`d${one}`]).toBe(out[`d${one}`]);
        expectSame(out[`d${one}`], whole[`d${one}`], one);
        room.fill(7, out[`d${one}`].byteOffset / 4, out[`d${one}`].byteOffset / 4 + lengths[`d${one}`]);
      }
      expect(room.every((v) => v === 7)).toBe(true);
    }
  }
  const losses = new Float32Array(5);
  expect(linearCrossEntropy(x, w, y, { shape, reduction: "none", out: losses })).toBe(losses);
});
