import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logSoftmax, topLogProbs } from "../src/index.ts";
import { topRow } from "../src/kernels/top.ref.ts";
import { anyRow, check, DTYPES, make, rowKind } from "./hostile.ts";

const bits = (data: ArrayLike<number>): number[] => [...new Uint32Array(Float64Array.from(data).buffer)];

/** Classes as the reference has them, log-probabilities as logSoftmax has them, to the bit. */
function compare(x: Float64Array, shape: readonly [number, number], k: number): void {
  const [rows, classes] = shape;
  const before = x.slice();
  const all = logSoftmax(x, { shape });
  const { indices, logProbs } = topLogProbs(x, k, { shape });
  expect(logProbs.constructor).toBe(x.constructor);
  for (let i = 0; i < rows; i++) {
    const row = [...x.subarray(i * classes, (i + 1) * classes)];
    const expected = topRow(row, k);
    const where = `row ${i} of [${row.slice(0, 20)}], k = ${k}`;
    expect([...indices.subarray(i * k, (i + 1) * k)], where).toEqual(expected);
    const bitsOf = bits(expected.map((j) => all[i * classes + j]));
    expect(bits(logProbs.subarray(i * k, (i + 1) * k)), where).toEqual(bitsOf);
    if (rowKind(row) !== "finite") expect(expected, where).toEqual(Array.from({ length: k }, (_, j) => j));
  }
  expect(bits(x)).toEqual(bits(before));
}

describe.each(DTYPES)("topLogProbs in %s", (dtype) => {
  test("hostile rows of 1 to 67 classes in batches, every k", () => {
    const inputs = fc.integer({ min: 1, max: 67 }).chain((classes) =>
      fc.record({
        rows: fc.array(anyRow(dtype, classes, false), { minLength: 1, maxLength: 6 }),
        k: fc.integer({ min: 1, max: classes }),
      }),
    );
    check(3000, inputs, ({ rows, k }) => {
      compare(make(dtype, rows.flat()) as Float64Array, [rows.length, rows[0].length], k);
    });
  });

  test.each(["rising", "falling", "ties", "few values", "−∞ but three"])("long rows: %s", (kind) => {
    for (const classes of [1000, 4099, 20_000]) {
      const value = {
        rising: (j: number) => j / 500,
        falling: (j: number) => -j / 500,
        ties: () => 3,
        "few values": (j: number) => (j * 7919) % 5,
        "−∞ but three": (j: number) => (j % 333 === 5 && j < 1000 ? j : -Infinity),
      }[kind] as (j: number) => number;
      const x = make(
        dtype,
        Array.from({ length: 2 * classes }, (_, k) => value(k % classes)),
      ) as Float64Array;
      for (const k of [1, 2, 20, 999, classes]) compare(x, [2, classes], k);
    }
  });

  test("a NaN or +∞ anywhere in a long row", () => {
    for (const at of [0, 19, 20, 21, 500, 995, 999]) {
      for (const value of [Number.NaN, Infinity]) {
        const x = make(
          dtype,
          Array.from({ length: 1000 }, (_, j) => (j === at ? value : (j * 7919) % 1000)),
        ) as Float64Array;
        compare(x, [1, 1000], 20);
      }
    }
  });

  test("zeros of both signs are equal", () => {
    const x = make(dtype, [-0, 0, -0, 0, -1]) as Float64Array;
    expect([...topLogProbs(x, 3).indices]).toEqual([0, 1, 2]);
  });

  test("an axis in the middle has the rows' classes", () => {
    const shape = [3, 11, 2];
    const data = make(
      dtype,
      Array.from({ length: 66 }, (_, k) => (k * 37) % 23),
    ) as Float64Array;
    const { indices, logProbs } = topLogProbs({ data, shape }, 4, { axis: 1 });
    expect([indices.shape, logProbs.shape]).toEqual([
      [3, 4, 2],
      [3, 4, 2],
    ]);
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b < 2; b++) {
        const one = topLogProbs(
          make(
            dtype,
            Array.from({ length: 11 }, (_, j) => data[(a * 11 + j) * 2 + b]),
          ),
          4,
        );
        for (let j = 0; j < 4; j++) {
          expect(indices.data[(a * 4 + j) * 2 + b]).toBe(one.indices[j]);
          expect(logProbs.data[(a * 4 + j) * 2 + b]).toBe(one.logProbs[j]);
        }
      }
    }
  });
});

test("what comes in comes out", () => {
  expect(topLogProbs([0, 0, 5], 2)).toEqual({ indices: [2, 0], logProbs: logSoftmax([5, 0, 0]).slice(0, 2) });
  const { indices, logProbs } = topLogProbs(Float32Array.of(0, 1), 1);
  expect([indices, logProbs]).toEqual([Int32Array.of(1), expect.any(Float32Array)]);
  const onnx = topLogProbs({ data: new Float32Array(6), dims: [1, 2, 3], type: "float32" }, 2);
  expect(onnx).toEqual({
    indices: { data: Int32Array.of(0, 1, 0, 1), dims: [1, 2, 2], type: "int32" },
    logProbs: { data: expect.any(Float32Array), dims: [1, 2, 2], type: "float32" },
  });
  const tensor = topLogProbs({ data: [1, 2, 3, 4], shape: [2, 2] }, 1);
  expect(tensor.indices).toEqual({ data: [1, 1], shape: [2, 1] });
  expect(topLogProbs({ data: new Float64Array(0), shape: [0, 3] }, 2)).toEqual({
    indices: { data: new Int32Array(0), shape: [0, 2] },
    logProbs: { data: new Float64Array(0), shape: [0, 2] },
  });
});
