import { describe, expect, test } from "vitest";
import { rowsByKind, typed } from "../../../tools/hostile.ts";
import { gamma, ROWS_OF_A_SUM, UNIT } from "../src/bounds.ts";
import { exact, sub, toF64 } from "../src/exact.ts";
import {
  type CrossEntropyOptions,
  crossEntropy,
  crossEntropyWithGrad,
  type LinearCrossEntropyOptions,
} from "../src/index.ts";
import { exactDot, linearLogits } from "../src/kernels/products.ref.ts";
import {
  linearCrossEntropy,
  linearCrossEntropyWithGrad,
  linearLoss,
  linearLossWithGrad,
} from "../src/linearcrossentropy.ts";
import { planOf } from "../src/linearplan.ts";
import { rng } from "../src/rng.ts";
import { DTYPES, expectSame, type Floats, logitsOf, OPTIONS, problem, SIZES } from "./linearproblem.ts";

const SHAPES: [rows: number, features: number, classes: number][] = [
  [1, 1, 1],
  [1, 1, 2],
  [3, 2, 1],
  [5, 3, 2],
  [2, 7, 16],
  [7, 5, 17],
  [4, 4, 31],
  [97, 3, 33],
  [9, 67, 48],
  [3, 13, 300],
];

describe.each(DTYPES)("the loss has the bits of crossEntropy on the logits, in %s", (dtype) => {
  test.each(SHAPES)("%i rows, %i features, %i classes", (rows, features, classes) => {
    const given = problem(rows, features, classes, dtype);
    const logits = logitsOf(given, dtype);
    const random = rng(9);
    const mask = Uint8Array.from(logits, () => Number(random.uniform() < 0.8));
    const weight = Array.from({ length: classes }, () => 3 * random.uniform() - 0.5);
    const y = given.y.map((j, i) => (i % 5 === 4 ? -100 : j));
    for (const counting of [{}, { weight }, { mask }, { weight, mask, ignoreIndex: -100 }]) {
      for (const options of OPTIONS) {
        for (const reduction of ["mean", "sum", "none"] as const) {
          const all = { ...counting, ...options, reduction } as LinearCrossEntropyOptions & { reduction: "mean" };
          const targets = "ignoreIndex" in counting ? y : given.y;
          const expected = crossEntropy(logits, targets, { ...all, shape: [rows, classes] });
          for (const bytes of SIZES) {
            const linear = { ...all, shape: given.shape, bias: given.bias };
            const what = `${JSON.stringify(all)} in ${bytes}`;
            expectSame(linearLoss(given.x, given.w, targets, linear, bytes), expected, what);
            expectSame(linearLossWithGrad(given.x, given.w, targets, linear, bytes).loss, expected, what);
          }
        }
      }
    }
  });

  test.each([1023, 1024, 1025, 2049, 2500])("%i features: more than a strip", (features) => {
    const given = problem(3, features, 20, dtype, 4, 0.1);
    const options = { shape: given.shape, bias: given.bias, reduction: "none" } as const;
    const expected = crossEntropy(logitsOf(given, dtype), given.y, { shape: [3, 20], reduction: "none" });
    for (const bytes of SIZES) expectSame(linearLoss(given.x, given.w, given.y, options, bytes), expected, `${bytes}`);
    const plain = linearLogits(given.x, given.w, undefined, 3, features, 20, dtype) as Floats;
    const { bias, ...without } = options;
    expectSame(
      linearCrossEntropy(given.x, given.w, given.y, without),
      crossEntropy(plain, given.y, { shape: [3, 20], reduction: "none" }),
      "no bias",
    );
  });

  test("each logit is within γ(features) of the exact one", () => {
    for (const features of [1, 2, 5, 33, 500, 1500]) {
      const { x, w, bias } = problem(1, features, 3, dtype, features);
      const logits = linearLogits(x, w, bias, 1, features, 3, dtype);
      for (let j = 0; j < 3; j++) {
        const row = [...w.subarray(j * features, (j + 1) * features)];
        const { value, magnitude } = exactDot([...x], row, bias[j]);
        const error = Math.abs(toF64(sub(exact(logits[j]), value)));
        expect(error).toBeLessThanOrEqual(gamma(features + 1, dtype) * toF64(magnitude));
      }
    }
  });
});

// With one feature that is 1, the logits are the weights and the gradient of the weights is that of the logits.
describe.each(DTYPES)("hostile rows, one feature of 1, in %s", (dtype) => {
  const one = typed([1], dtype) as Floats;
  const check = (
    row: readonly number[],
    options: CrossEntropyOptions & { reduction?: "mean" | "sum" },
    kind: string,
  ): void => {
    const logits = typed(row, dtype) as Floats;
    for (const y of new Set([0, row.length >> 1, row.indexOf(Math.max(...row)), row.length - 1])) {
      if (y < 0) continue;
      const { loss, dlogits } = crossEntropyWithGrad(logits, y, options);
      for (const bytes of SIZES) {
        const found = linearLossWithGrad(one, logits, y, options, bytes);
        const what = `${kind} of ${row.length}, target ${y} of ${row.slice(0, 5)}, ${JSON.stringify(options)}, ${bytes}`;
        expectSame(found.loss, loss, what);
        expectSame(found.dweight, dlogits, what);
        expectSame(found.dbias, dlogits, what);
        expectSame(
          linearLoss(one, logits, y, { ...options, reduction: "none" }, bytes),
          crossEntropy(logits, y, { ...options, reduction: "none" }),
          what,
        );
      }
    }
  };

  test("rows of every kind", () => {
    let some = 0;
    for (const { kind, row } of rowsByKind(dtype)) {
      check(row, {}, kind);
      if (row.length > 16) check(row, OPTIONS[1 + (some++ % 5)], kind);
    }
    expect(some).toBeGreaterThan(100);
  });

  const [nan, inf] = [Number.NaN, Infinity];
  const times = (count: number, value: number): number[] => new Array<number>(count).fill(value);
  const SPECIAL: [string, number[]][] = [
    ["NaN first", [nan, ...times(40, 1)]],
    ["NaN last", [...times(40, 1), nan]],
    ["NaN only", times(40, nan)],
    ["+∞", [...times(30, 2), inf, 3]],
    ["−∞ everywhere", times(40, -inf)],
    ["a block of −∞", [...times(16, -inf), ...times(20, 1), ...times(5, -inf)]],
    ["one that is not −∞", [...times(37, -inf), 2, ...times(5, -inf)]],
    ["first block far below", [...times(16, -1000), ...times(20, 3)]],
    ["last block far above", [...times(32, 3), 1e4, 2]],
    ["huge", [3e38, ...times(40, -3e38)]],
    ["ties over blocks", times(50, 7)],
    ["a winner on the brink", [9.349920272827148, 5.198859214782715, -9.080009460449219, ...times(126, -80)]],
    ["the same, last", [...times(126, -80), -9.080009460449219, 5.198859214782715, 9.349920272827148]],
    ["a sum that is filled up", [0, ...times(130, -62.384 - Math.log(130))]],
    ["small sums of many values", [0, ...Array.from({ length: 60 }, (_, j) => -68 - j / 3.7)]],
    ["a subnormal sum", [0, ...Array.from({ length: 60 }, (_, j) => -715 - j / 3.7)]],
    ["shifted", [173, ...times(130, 172), 100]],
    ["under m / 2", [173, ...times(130, 172), 86]],
    ["subnormal", times(40, 1e-310)],
  ];
  test.each(SPECIAL)("%s", (kind, row) => {
    for (const options of OPTIONS) check(row, options, kind);
    check(row, { weight: times(row.length, 1e300), reduction: "sum" }, kind);
    check(row, { mask: row.map((_, j) => Number(j % 3 !== 1)) }, kind);
  });
});

describe.each(DTYPES)("gradients in %s", (dtype) => {
  test.each([
    [1, 1, 1],
    [5, 3, 2],
    [100, 5, 20],
    [3, 9, 70],
    [7, 11, 33],
  ])("%i rows, %i features, %i classes: within γ of the exact sums", (rows, features, classes) => {
    const given = problem(rows, features, classes, dtype, 7);
    const { x, w, bias, y, shape } = given;
    for (const options of [{}, { labelSmoothing: 0.1 }]) {
      const { dlogits } = crossEntropyWithGrad(logitsOf(given, dtype), y, { ...options, shape: [rows, classes] });
      const column = (all: Floats, width: number, at: number) =>
        Array.from({ length: all.length / width }, (_, n) => all[n * width + at]);
      for (const bytes of SIZES) {
        const found = linearLossWithGrad(x, w, y, { ...options, shape, bias }, bytes);
        const check = (name: "dx" | "dweight" | "dbias", k: number, a: number[], b: number[], allowed: number) => {
          const { value, magnitude } = exactDot(a, b);
          const error = Math.abs(toF64(sub(exact((found[name] as Floats)[k]), value)));
          expect(error, `${name}[${k}] in ${bytes}`).toBeLessThanOrEqual(allowed * toF64(magnitude));
        };
        for (let i = 0; i < rows; i++) {
          const g = [...dlogits.subarray(i * classes, (i + 1) * classes)];
          for (let k = 0; k < features; k++)
            check("dx", i * features + k, g, column(w, features, k), gamma(classes, dtype));
        }
        for (let j = 0; j < classes; j++) {
          const g = column(dlogits, classes, j);
          const summed = dtype === "f32" ? Math.min(rows, ROWS_OF_A_SUM) + 2 : rows + 1;
          for (let k = 0; k < features; k++)
            check("dweight", j * features + k, g, column(x, features, k), gamma(summed, dtype));
          const ones = new Array<number>(rows).fill(1);
          check("dbias", j, g, ones, gamma(rows, "f64") + UNIT[dtype]);
        }
      }
    }
  });

  test("dweight and dbias have the same bits whatever the blocks are", () => {
    for (const features of [5, 1100]) {
      const { x, w, bias, y, shape } = problem(200, features, 50, dtype, 2, 0.3);
      const whole = linearCrossEntropyWithGrad(x, w, y, { shape, bias });
      for (const bytes of [1, 300_000, 1_400_000]) {
        const found = linearLossWithGrad(x, w, y, { shape, bias }, bytes);
        expectSame(found.dweight, whole.dweight, `dweight in ${bytes}`);
        expectSame(found.dbias, whole.dbias, `dbias in ${bytes}`);
      }
    }
  });

  test("a row's loss and dx are the same alone and in any batch", () => {
    const { x, w, y, rows, features, shape } = problem(131, 6, 40, dtype, 5, 4);
    const options = { reduction: "sum" } as const;
    for (const bytes of SIZES) {
      const all = linearLossWithGrad(x, w, y, { shape, ...options }, bytes).dx as Floats;
      const losses = linearLoss(x, w, y, { shape, reduction: "none" }, bytes) as unknown as Floats;
      for (const i of [0, 1, 50, 95, 96, 97, 130]) {
        const row = x.slice(i * features, (i + 1) * features);
        const alone = linearLossWithGrad(row, w, y[i], options, bytes);
        expectSame(alone.dx, all.slice(i * features, (i + 1) * features), `row ${i} of ${rows}`);
        expect(alone.loss).toBe(losses[i]);
      }
    }
  });
});

test("central differences", () => {
  const { x, w, bias, y, shape } = problem(6, 4, 19, "f64", 11);
  const mask = Uint8Array.from({ length: 6 * 19 }, (_, k) => Number(k % 7 !== 3));
  const weight = Array.from({ length: 19 }, (_, j) => 0.5 + (j % 4));
  const step = 1e-6;
  for (const options of [...OPTIONS, { mask, weight }, { weight, labelSmoothing: 0.3, mask }]) {
    const targets = y.map((j, i) => (mask[i * 19 + j] === 1 ? j : (j + 1) % 19));
    for (const bytes of SIZES) {
      const all = { shape, bias, ...options };
      const { dx, dweight, dbias } = linearLossWithGrad(x, w, targets, all, bytes);
      for (const [array, gradient] of [
        [x, dx],
        [w, dweight],
        [bias, dbias],
      ] as [Floats, Floats][]) {
        for (let k = 0; k < array.length; k += 3) {
          const kept = array[k];
          const at = (value: number): number => {
            array[k] = value;
            return linearLoss(x, w, targets, all, bytes) as number;
          };
          const slope = (at(kept + step) - at(kept - step)) / (2 * step);
          array[k] = kept;
          expect(Math.abs(gradient[k] - slope)).toBeLessThan(1e-7);
        }
      }
    }
  }
});

test("a plan fits its workspace: classes by 16, groups of whole strips", () => {
  for (const dtype of DTYPES) {
    for (const features of [1, 10, 512, 1024, 1025, 4096, 9001, 20_000, 65_536, 1_000_000]) {
      for (const isBackward of [false, true]) {
        const { rows, classes, strip, group } = planOf(features, 1_000_000, dtype, isBackward);
        expect([rows % 4, classes % 16, group % strip]).toEqual([0, 0, 0]);
        expect(group).toBeGreaterThanOrEqual(Math.min(features, strip));
      }
    }
  }
});
