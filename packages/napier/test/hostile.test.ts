import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BOUNDS, CANCELLATION } from "../src/bounds.ts";
import * as napier from "../src/index.ts";
import type { Dtype } from "../src/tensor.ts";
import {
  anyNumber,
  anyRow,
  check,
  checkBits,
  checkSame,
  checkSum,
  DTYPES,
  type Floats,
  fail,
  LIMITS,
  make,
  neighbour,
  places,
  RULES,
  rowKind,
  SEED,
  ulp,
} from "./hostile.ts";

console.log(`hostile tests: NAPIER_SEED=${SEED}`);
const REDUCTIONS = ["mean", "sum", "none"] as const;

// As a JavaScript caller would, for every kind of argument alike.
type Any = (...args: unknown[]) => unknown;
const api = napier as unknown as Record<string, Any>;
const { softmax, logSoftmax } = napier;
const dataOf = (result: unknown): ArrayLike<number> =>
  typeof result === "number" ? [result] : ((result as { data?: ArrayLike<number> }).data ?? (result as number[]));

const KINDS = ["flat", "shape", "dims", "number[]"] as const;
type Kind = (typeof KINDS)[number];

interface Input {
  dtype: Dtype;
  kind: Kind;
  shape: number[];
  values: number[];
  gradients: number[];
  targets: number[];
  seedNaN: boolean;
}

const anyShape = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 67 }).map((n) => [n]) },
  { weight: 3, arbitrary: fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: 40 })) },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 3, maxLength: 3 }) },
);

/** Rows along the last axis are of one kind each; along the other axes they mix. */
const anyInput: fc.Arbitrary<Input> = fc
  .record({ dtype: fc.constantFrom(...DTYPES), kind: fc.constantFrom(...KINDS), shape: anyShape })
  .map((given) => ({ ...given, dtype: given.kind === "number[]" ? ("f64" as const) : given.dtype }))
  .chain(({ dtype, kind, shape }) => {
    const size = shape.reduce((total, n) => total * n, 1);
    const length = shape[shape.length - 1];
    const { max } = LIMITS[dtype];
    return fc.record({
      dtype: fc.constant(dtype),
      kind: fc.constant(kind),
      shape: fc.constant([...shape]),
      values: fc
        .array(anyRow(dtype, length, false), { minLength: size / length, maxLength: size / length })
        .map((rows) => rows.flat()),
      // so far under the largest number that no sum of them leaves the range
      gradients: fc
        .tuple(fc.constantFrom(1, 2 ** -60, LIMITS[dtype].least, max / 256), fc.array(fc.integer({ min: -2, max: 2 })))
        .map(([unit, few]) => Array.from({ length: size }, (_, k) => unit * (few[k % few.length] ?? 1))),
      targets: fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 7 }),
      seedNaN: fc.boolean(),
    });
  });

/** Every other NaN gets foreign bits, one of them signalling. */
function foreignNaN(data: Floats): void {
  const bits = new Uint32Array(data.buffer);
  const [wide, patterns] = data instanceof Float32Array ? [1, [0xffc12345, 0x7f800001]] : [2, [0xfff81234, 0x7ff00001]];
  data.forEach((v, k) => {
    if (Number.isNaN(v)) bits[wide * k + wide - 1] = patterns[k % 2];
  });
}

function argument({ dtype, kind, shape }: Input, values: readonly number[], rows = shape): unknown {
  if (kind === "number[]") return values;
  const data = make(dtype, values);
  if (kind === "flat") return data;
  return kind === "dims" ? { data, dims: rows, type: dtype === "f32" ? "float32" : "float64" } : { data, shape: rows };
}

let calls = 0;

/** Every operation on one input along one axis, against every rule. */
function allOperations(input: Input, axis: number): void {
  const { dtype, kind, shape } = input;
  const rows = places(shape, axis);
  const classes = shape[axis];
  const perRow = shape.filter((_, d) => d !== axis);
  const isFlat = kind === "flat" || kind === "number[]";
  const options = { ...(isFlat && { shape }), axis };
  const logits = argument(input, input.values);
  if (input.seedNaN && kind !== "number[]") foreignNaN(dataOf(logits) as Floats);
  const x = dataOf(logits);
  const before = Array.from(x);
  const targets = rows.map((_, i) => input.targets[i % input.targets.length] % Math.max(classes, 1));
  const run = (name: string, ...args: unknown[]): unknown => {
    calls++;
    return api[name](...args);
  };
  const pick = (data: ArrayLike<number>, i: number): number[] => Array.from(rows[i], (k) => data[k]);
  const each = (
    name: string,
    out: ArrayLike<number>,
    rule: (values: number[], row: number[], y: number) => boolean,
  ) => {
    checkBits(out, name);
    rows.forEach((_, i) => {
      const values = pick(out, i);
      if (!rule(values, pick(x, i), targets[i])) fail(`${name} of row ${i} is [${values}], y = ${targets[i]}`);
    });
  };

  const lse = dataOf(run("logSumExp", logits, options));
  checkBits(lse, "logSumExp");
  rows.forEach((_, i) => {
    if (!RULES.logSumExp(lse[i], pick(x, i))) fail(`logSumExp of row ${i} is ${lse[i]}`);
  });
  const probs = run("softmax", logits, options);
  each("softmax", dataOf(probs), RULES.softmax);
  const logProbs = run("logSoftmax", logits, options);
  each("logSoftmax", dataOf(logProbs), RULES.logSoftmax);
  rows.forEach((_, i) => {
    if (rowKind(pick(x, i)) === "finite") checkSum(pick(dataOf(probs), i), 1, "softmax", dtype, "softmax");
  });

  for (const reduction of REDUCTIONS) {
    const result = run("crossEntropy", logits, targets, { ...options, reduction });
    const loss = dataOf(result);
    checkBits(loss, "crossEntropy");
    const both = run("crossEntropyWithGrad", logits, targets, { ...options, reduction }) as Record<string, unknown>;
    const gradient = dataOf(both.dlogits);
    each(`gradient (${reduction})`, gradient, RULES.gradient);
    rows.forEach((_, i) => {
      if (rowKind(pick(x, i)) === "finite")
        checkSum(pick(gradient, i), 0, "gradient", dtype, `gradient (${reduction})`);
    });
    const kinds = rows.map((_, i) => rowKind(pick(x, i)));
    if (reduction === "none") {
      rows.forEach((_, i) => {
        if (!RULES.crossEntropy(loss[i], pick(x, i), targets[i])) fail(`crossEntropy of row ${i} is ${loss[i]}`);
      });
    } else if (kinds.every((one) => one === "finite") ? !(loss[0] >= 0) : !Number.isNaN(loss[0])) {
      fail(`crossEntropy (${reduction}) is ${loss[0]}`);
    }
    const nll = dataOf(run("nllLoss", logProbs, targets, { ...options, reduction }));
    checkBits(nll, "nllLoss");
    Array.from(loss).forEach((v, i) => {
      if (!Object.is(v, dataOf(both.loss)[i])) fail(`crossEntropyWithGrad has another loss (${reduction}, ${i})`);
      if (reduction === "none" && !Object.is(v, nll[i])) fail(`nllLoss(logSoftmax) is another loss in row ${i}`);
    });
    // on whatever it is given
    const raw = dataOf(run("nllLoss", logits, targets, { ...options, reduction }));
    checkBits(raw, "nllLoss");
    const picked = targets.map((y, i) => x[rows[i][y]]);
    if (reduction === "none") {
      checkSame(
        raw,
        picked.map((v) => 0 - v),
        "nllLoss",
      );
    } else if (picked.every(Number.isFinite) && Number.isNaN(raw[0])) {
      fail("nllLoss of finite numbers is NaN");
    }
    const dloss = reduction === "none" ? argument(input, before.slice(0, rows.length), perRow) : (before[0] ?? 1);
    const scalar = isFlat && shape.length === 1;
    const back = dataOf(
      run("nllLossBackward", scalar ? dataOf(dloss)[0] : dloss, logits, targets, { ...options, reduction }),
    );
    checkBits(back, "nllLossBackward");
    rows.forEach((at, i) => {
      const g = reduction === "none" ? before[i] : reduction === "sum" ? before[0] : before[0] / rows.length;
      at.forEach((k, j) => {
        const expected = j === targets[i] ? 0 - (dtype === "f32" ? Math.fround(g) : g) : 0;
        if (!Object.is(back[k], expected)) fail(`nllLossBackward (${reduction}) of ${g} is ${back[k]}`);
      });
    });
  }

  // finite gradients of finite rows: no NaN
  const finite = rows.map((_, i) => rowKind(pick(x, i)) === "finite");
  const noNaN = (name: string, out: ArrayLike<number>) => {
    for (let k = 0; k < out.length; k++) if (out[k] === 0 && 1 / out[k] < 0) fail(`${name}[${k}] is −0`);
    rows.forEach((_, i) => {
      if (finite[i] && pick(out, i).some(Number.isNaN)) fail(`${name} of row ${i} is [${pick(out, i)}]`);
    });
  };
  const g = argument(input, input.gradients);
  noNaN("softmaxBackward", dataOf(run("softmaxBackward", g, probs, options)));
  noNaN("logSoftmaxBackward", dataOf(run("logSoftmaxBackward", g, logProbs, options)));
  const dlse = argument(input, input.gradients.slice(0, rows.length), perRow);
  const few = dlse as Parameters<Any>[0];
  noNaN("logSumExpBackward", dataOf(run("logSumExpBackward", few, logits, options)));

  checkSame(x, before, "logits, which nobody may write,");
}

describe("rules", () => {
  test("200,000 random calls break none of the contract", () => {
    check(6500, anyInput, (input) => {
      for (let axis = 0; axis < input.shape.length; axis++) if (input.shape[axis] > 0) allOperations(input, axis);
    });
    console.log(`hostile tests: ${calls} calls`);
    expect(calls).toBeGreaterThanOrEqual(200_000);
  });
});

describe.each(DTYPES)("properties in %s", (dtype) => {
  const rowOf = (finite: boolean, max = 67) =>
    fc.integer({ min: 1, max }).chain((length) => anyRow(dtype, length, finite));

  test("a permutation of a row permutes its results, within the bounds", () => {
    const inputs = rowOf(true).chain((row) =>
      fc.shuffledSubarray([...row.keys()], { minLength: row.length }).map((order) => ({ row, order })),
    );
    check(4000, inputs, ({ row, order }) => {
      const x = make(dtype, row) as Float64Array;
      const moved = make(
        dtype,
        order.map((j) => row[j]),
      ) as Float64Array;
      const near = (a: number, b: number, bound: number, what: string) => {
        const allowed = 2 * bound * ulp(Math.max(Math.abs(a), Math.abs(b)), dtype);
        if (!(a === b || Math.abs(a - b) <= allowed)) fail(`${what}: ${a} and ${b}`);
      };
      for (const [name, f] of Object.entries({ softmax, logSoftmax })) {
        const [plain, permuted] = [f(x), f(moved)];
        order.forEach((j, i) => {
          near(plain[j], permuted[i], BOUNDS[name as "softmax"][dtype], name);
        });
      }
      const [a, b] = [napier.logSumExp(x), napier.logSumExp(moved)];
      if (Math.abs(a - b) > 2 * CANCELLATION[dtype] * Math.abs(Math.max(...row))) {
        near(a, b, BOUNDS.logSumExp[dtype], "logSumExp");
      }
      const [p, q] = [napier.crossEntropyWithGrad(x, order[0]), napier.crossEntropyWithGrad(moved, 0)];
      near(p.loss, q.loss, BOUNDS.crossEntropy[dtype], "crossEntropy");
      order.forEach((j, i) => {
        near(p.dlogits[j], q.dlogits[i], BOUNDS.gradient[dtype], "gradient");
      });
    });
  });

  test("more of one logit is more of its class: never less by more than the bounds", () => {
    const inputs = rowOf(true, 40).chain((row) =>
      fc.record({ row: fc.constant(row), at: fc.nat({ max: row.length - 1 }) }),
    );
    check(1500, inputs, ({ row, at }) => {
      const x = make(dtype, row) as Float64Array;
      const next = x.slice();
      next[at] = x[at] === 0 ? LIMITS[dtype].least : neighbour(x[at], x[at] > 0 ? 1 : -1, dtype);
      if (!Number.isFinite(next[at])) return;
      for (const [name, f] of Object.entries({ softmax, logSoftmax })) {
        const [a, b] = [f(x)[at], f(next)[at]];
        if (b < a && a - b > 2 * BOUNDS[name as "softmax"][dtype] * ulp(a, dtype)) fail(`${name}: ${a}, then ${b}`);
      }
    });
  });

  test("lengths 0 to 67, guard words around out, no input written", () => {
    for (let classes = 0; classes <= 67; classes++) {
      check(6, anyRow(dtype, 3 * classes, false), (values) => {
        const shape = [3, classes] as const;
        const [x, g] = [make(dtype, values), make(dtype, values).reverse()];
        const copies = [x.slice(), g.slice()];
        const y = values.length === 0 ? [] : [0, classes - 1, classes >> 1];
        const operations: [string, number, unknown[]][] = [
          ["softmax", 3 * classes, [x]],
          ["logSoftmax", 3 * classes, [x]],
          ["logSumExp", 3, [x]],
          ["softmaxBackward", 3 * classes, [g, x]],
          ["logSoftmaxBackward", 3 * classes, [g, x]],
          ["logSumExpBackward", 3 * classes, [make(dtype, [1, -2, 3]), x]],
        ];
        if (classes > 0) {
          operations.push(
            ["crossEntropyWithGrad", 3 * classes, [x, y]],
            ["crossEntropy", 3, [x, y]],
            ["nllLoss", 3, [x, y]],
            ["nllLossBackward", 3 * classes, [2, x, y]],
          );
        }
        for (const [name, length, args] of operations) {
          const room = make(dtype, length + 16).fill(123);
          const out = room.subarray(7, 7 + length);
          const isLoss = name === "crossEntropy" || name === "nllLoss";
          const options = { shape, ...(isLoss && { reduction: "none" }) };
          const plain = api[name](...args, options);
          api[name](...args, { ...options, out });
          const expected = name === "crossEntropyWithGrad" ? (plain as { dlogits: Floats }).dlogits : dataOf(plain);
          expect([...out], name).toEqual(Array.from(expected));
          const guards = [...room.subarray(0, 7), ...room.subarray(7 + length)];
          if (guards.some((v) => v !== 123)) fail(`${name} wrote beside out`);
          [x, g].forEach((input, i) => {
            checkSame(input, copies[i], `after ${name} its input ${i}`);
          });
        }
      });
    }
  });

  test("out is untouched when a call throws", () => {
    const wrongOptions = [{ axis: 2 }, { axis: 0.5 }, { shape: [2, 2] }, { shape: [-1] }, { weight: [1] }];
    const inputs = fc.record({
      row: rowOf(false, 20),
      wrong: fc.constantFrom(...wrongOptions),
      by: fc.integer({ min: 1, max: 9 }),
    });
    check(1000, inputs, ({ row, wrong, by }) => {
      const x = make(dtype, row.length === 4 ? [...row, 1] : row);
      const longer = make(dtype, x.length + by);
      const out = make(dtype, x.length).fill(123);
      const one = make(dtype, 1).fill(123);
      const wrongCalls: [string, unknown[]][] = [
        ...["softmax", "logSoftmax"].flatMap((name): [string, unknown[]][] => [
          [name, [x, { ...wrong, out }]],
          [name, [longer, { out }]],
          [name, ["logits", { out }]],
        ]),
        ["logSumExp", [x, { ...wrong, out: one }]],
        ["softmaxBackward", [x, longer, { out }]],
        ["softmaxBackward", [x, x, { ...wrong, out }]],
        ["logSoftmaxBackward", [longer, x, { out }]],
        ["logSumExpBackward", [longer, x, { out }]],
        ["logSumExpBackward", [1, x, { ...wrong, out }]],
        ["crossEntropyWithGrad", [x, x.length, { out }]],
        ["crossEntropyWithGrad", [x, -by, { out }]],
        ["crossEntropyWithGrad", [x, 0.5, { out }]],
        ["crossEntropyWithGrad", [x, 0, { reduction: "avg", out }]],
        ["crossEntropy", [x, x.length, { reduction: "none", out: one }]],
        ["nllLoss", [x, [0, 0], { reduction: "none", out: one }]],
        ["nllLossBackward", [1, x, x.length, { out }]],
        ["nllLossBackward", [longer, x, 0, { reduction: "none", out: make(dtype, x.length) }]],
        ["nllLossBackward", ["1", x, 0, { out }]],
      ];
      for (const [name, args] of wrongCalls) {
        expect(() => api[name](...args), name).toThrow(new RegExp(`^${name}: `));
        if (out.some((v) => v !== 123) || one[0] !== 123) fail(`${name} wrote to out and threw`);
      }
    });
  });
});

test("any number alone is certain", () => {
  for (const dtype of DTYPES) {
    check(2000, anyNumber(dtype), (v) => {
      const [x] = make(dtype, [v]);
      const expected = Number.isFinite(x) ? [1, 0] : [Number.NaN, Number.NaN];
      const row = make(dtype, [x]) as Float64Array;
      expect([napier.softmax(row)[0], napier.logSoftmax(row)[0]]).toEqual(expected);
      expect(Object.is(napier.logSumExp(row), x + 0)).toBe(true);
    });
  }
});
