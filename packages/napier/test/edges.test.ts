import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { edgesPage } from "../../../tools/edges.ts";
import {
  BCE_TABLE,
  BINARY_TABLE,
  DIVERGENCES,
  LOSS_TABLE,
  MASK_TABLE,
  PICKED,
  TABLE,
} from "../../../tools/edgetable.ts";
import { typed } from "../../../tools/hostile.ts";
import {
  bceWithLogits,
  bceWithLogitsWithGrad,
  crossEntropy,
  crossEntropyWithGrad,
  entropy,
  entropyBackward,
  klDiv,
  klDivBackward,
  log1mExp,
  log1mExpBackward,
  log1pExp,
  log1pExpBackward,
  logSigmoid,
  logSigmoidBackward,
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  logSumExpBackward,
  nllLoss,
  perplexity,
  sample,
  softCrossEntropy,
  softCrossEntropyWithGrad,
  softmax,
  softmaxBackward,
  topLogProbs,
} from "../src/index.ts";

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];

/** As a row alone, as the middle one of a batch, and along axis 0 of a matrix. */
const PLACES = ["alone", "batch", "axis 0"] as const;

function place(
  row: readonly number[],
  where: (typeof PLACES)[number],
  other: readonly number[] = row.map((_, j) => 0.5 * j),
): { data: number[]; shape: number[]; axis: number } {
  if (where === "alone") return { data: [...row], shape: [row.length], axis: -1 };
  if (where === "batch") return { data: [...other, ...row, ...other], shape: [3, row.length], axis: 1 };
  return { data: row.flatMap((v, j) => [other[j], v, other[j]]), shape: [row.length, 3], axis: 0 };
}

function pick(data: ArrayLike<number>, classes: number, where: (typeof PLACES)[number]): number[] {
  const values = Array.from(data);
  if (where === "alone") return values;
  return where === "batch"
    ? values.slice(classes, 2 * classes)
    : Array.from({ length: classes }, (_, j) => values[3 * j + 1]);
}

function same(actual: readonly number[], expected: readonly number[], what: string): void {
  expect(actual.length, what).toBe(expected.length);
  actual.forEach((value, j) => {
    expect(Object.is(value, expected[j]), `${what}[${j}]: expected ${expected[j]}, got ${value}`).toBe(true);
  });
}

describe.each(["f32", "f64", "number[]"] as const)("edges in %s", (kind) => {
  const make = (data: readonly number[]) => (kind === "number[]" ? [...data] : typed(data, kind)) as Float64Array;
  const long = (row: readonly number[]) => [...row, ...new Array<number>(row.length === 1 ? 0 : 20).fill(-inf)];

  for (const where of PLACES) {
    for (const entry of TABLE) {
      for (const padded of [false, true]) {
        test(`${entry.name}, ${where}${padded ? ", 20 classes of −∞ more" : ""}`, () => {
          const grow = (row: readonly number[], fill: number) =>
            padded && row.length > 1
              ? [...row, ...new Array<number>(20).fill(row.every(Number.isNaN) ? nan : fill)]
              : [...row];
          const row = padded ? long(entry.row) : [...entry.row];
          const { data, shape, axis } = place(row, where);
          const x = { data: make(data), shape };
          const rowCount = where === "alone" ? 1 : 3;
          const targets = new Array<number>(rowCount).fill(entry.y);
          const one = where === "alone" ? 0 : 1;
          const own = (out: { data: ArrayLike<number> }) => pick(out.data, row.length, where);

          same([logSumExp(x, { axis }).data[one]], [entry.lse], "logSumExp");
          same(own(softmax(x, { axis })), grow(entry.softmax, 0), "softmax");
          same(own(logSoftmax(x, { axis })), grow(entry.logSoftmax, -inf), "logSoftmax");
          same(
            [
              crossEntropy(
                x,
                { data: targets, shape: shape.filter((_, d) => d !== (axis + shape.length) % shape.length) },
                { axis, reduction: "none" },
              ).data[one],
            ],
            [entry.loss],
            "crossEntropy",
          );
          const { loss, dlogits } = crossEntropyWithGrad(x, targets, { axis, reduction: "none" });
          same([loss.data[one]], [entry.loss], "crossEntropyWithGrad loss");
          same(own(dlogits), grow(entry.grad, 0), "crossEntropyWithGrad gradient");
          same(
            [nllLoss(logSoftmax(x, { axis }), targets, { axis, reduction: "none" }).data[one]],
            [entry.loss],
            "nllLoss(logSoftmax)",
          );
          const dlse = make(new Array<number>(rowCount).fill(1));
          same(own(logSumExpBackward(dlse, x, { axis })), grow(entry.softmax, 0), "logSumExpBackward");
        });
      }
    }
  }

  for (const where of PLACES) {
    for (const entry of PICKED) {
      test(`picking and entropy: ${entry.name}, ${where}`, () => {
        const { data, shape, axis } = place(entry.row, where);
        const x = { data: make(data), shape };
        const one = where === "alone" ? 0 : 1;
        const k = entry.indices.length;
        const { indices, logProbs } = topLogProbs(x, k, { axis });
        same(pick(indices.data, k, where), entry.indices, "indices");
        if (entry.logProbs) same(pick(logProbs.data, k, where), entry.logProbs, "logProbs");
        for (const filters of [{}, { topK: 2, topP: 0.9 }]) {
          const drawn = sample(x, { axis, seed: 9, ...filters }).data[one];
          if (entry.drawn !== null) expect(drawn).toBe(entry.drawn);
          else expect(entry.row[drawn]).toBe(7);
        }
        if (entry.entropy !== null) same([entropy(x, { axis }).data[one]], [entry.entropy], "entropy");
        const g = make(new Array<number>(where === "alone" ? 1 : 3).fill(1));
        same(pick(entropyBackward(g, x, { axis }).data, entry.row.length, where), entry.grad, "entropyBackward");
      });
    }
  }

  test.each(DIVERGENCES)("klDiv: $name", ({ logProb, target, term, grad }) => {
    const [x, t] = [make([logProb, 0]), make([target, 1])];
    same([...klDiv(x, t, { reduction: "none" })], [term, 0], "klDiv");
    same([klDiv(x, t, { reduction: "sum" })], [term], "the sum");
    same([...klDivBackward(1, x, t, { reduction: "sum" })], [grad, -1], "klDivBackward");
    if (target !== 0 && target !== 1) return;
    const logTarget = make([target === 0 ? -inf : 0, 0]);
    same([...klDiv(x, logTarget, { reduction: "none", logTarget: true })], [term, 0], "with logTarget");
    same(
      [...klDivBackward(make([1, 1]), x, logTarget, { reduction: "none", logTarget: true })],
      [grad, -1],
      "its gradient",
    );
  });

  test("klDiv and entropy of nothing, a negative target, perplexity", () => {
    same([klDiv(make([]), make([]))], [0], "klDiv");
    same([klDiv(make([-1]), make([-0.5]))], [nan], "negative target");
    same([entropy(make([]))], [nan], "entropy");
    same([perplexity(make([0, nan]), 0), perplexity(make([0, -inf]), 1)], [nan, inf], "perplexity");
    same([perplexity({ data: make([]), shape: [0, 2] }, [])], [1], "perplexity of no rows");
    expect(() => sample(make([]), { seed: 1 })).toThrow("sample: logits expected at least 1 class, got 0");
    expect(() => topLogProbs(make([]), 1)).toThrow("topLogProbs: logits expected at least 1 class, got 0");
  });

  // in f32 rounded once: both parts are correctly rounded in f64
  const own = (values: readonly number[]) => Array.from(make(values));
  const FUNCTIONS = {
    logSigmoid: [logSigmoid, logSigmoidBackward],
    log1pExp: [log1pExp, log1pExpBackward],
    log1mExp: [log1mExp, log1mExpBackward],
  } as const;

  for (const [name, [f, back]] of Object.entries(FUNCTIONS)) {
    test(`${name}: the table, alone and beside any other number`, () => {
      for (const entry of BINARY_TABLE) {
        const [value, gradient] = own(entry[name as keyof typeof FUNCTIONS]);
        same([...f(make([entry.x]))], [value], `${name}(${entry.x})`);
        same([...back(make([1]), make([entry.x]))], [gradient], `${name}Backward(1, ${entry.x})`);
        for (const { x } of BINARY_TABLE) {
          same([f(make([x, entry.x]))[1], f(make([entry.x, x]))[0]], [value, value], `${name} beside ${x}`);
        }
      }
    });
  }

  test("gradients of ±∞ and 0", () => {
    same([...logSigmoidBackward(make([inf, -inf, inf]), make([1000, 0, inf]))], [inf, -inf, nan], "logSigmoidBackward");
    same([...log1pExpBackward(make([inf, 0, inf]), make([-1000, 3, -inf]))], [inf, 0, nan], "log1pExpBackward");
    same([...log1mExpBackward(make([inf, inf, 0]), make([-1000, -inf, 0]))], [-inf, nan, nan], "log1mExpBackward");
    same([...log1mExpBackward(make([0, nan]), make([-1, -1]))], [0, nan], "log1mExpBackward");
  });

  test("bceWithLogits: the table, alone and beside any other number", () => {
    const factors = (entry: object) => {
      const { weight = 1, posWeight = 1 } = entry as { weight?: number; posWeight?: number };
      return [weight, posWeight];
    };
    for (const entry of BCE_TABLE) {
      const expected = own([entry.loss, entry.grad]);
      for (const other of [entry, ...BCE_TABLE]) {
        const [weight, posWeight] = factors(entry).map((factor, n) => [factor, factors(other)[n]]);
        const args = [make([entry.x, other.x]), make([entry.t, other.t])] as const;
        const options = { weight, posWeight, reduction: "none" } as const;
        const { loss, dlogits } = bceWithLogitsWithGrad(...args, options);
        same([loss[0], dlogits[0]], expected, `x ${entry.x}, t ${entry.t}, weights ${weight[0]} and ${posWeight[0]}`);
        same([bceWithLogits(...args, options)[0]], [expected[0]], `bceWithLogits of ${entry.x}, ${entry.t}`);
      }
      const { x, t } = entry;
      const [weight, posWeight] = factors(entry);
      expect(bceWithLogits(make([x]), make([t]), { weight, posWeight })).toBe(expected[0]);
    }
    expect(bceWithLogits(make([]), make([]))).toBe(0);
    expect(bceWithLogitsWithGrad(make([]), make([]))).toEqual({ loss: 0, dlogits: make([]) });
  });

  for (const where of PLACES) {
    test.each(MASK_TABLE)(`masks, ${where}: $name`, ({ row, mask: kept, lse, softmax: p, logSoftmax: logp }) => {
      const { data, shape, axis } = place(row, where);
      const mask = { data: place(kept, where, [1, 1, 1].slice(0, kept.length)).data, shape };
      const x = { data: make(data), shape };
      const one = where === "alone" ? 0 : 1;
      same([logSumExp(x, { mask, axis }).data[one]], [...make([lse])], "logSumExp");
      for (const temperature of [1, 2]) {
        // halving leaves what the table has
        const options = { mask, axis, temperature };
        const [probs, logProbs] = [softmax(x, options), logSoftmax(x, options)];
        same(pick(probs.data, row.length, where), [...make(p)], "softmax");
        same(pick(logProbs.data, row.length, where), [...make(logp)], "logSoftmax");
        const g = { data: make(data.map(() => nan)), shape };
        for (const dx of [logSoftmaxBackward(g, logProbs, options), softmaxBackward(g, probs, options)]) {
          const out = pick(dx.data, row.length, where);
          same(out, [...make(kept.map((keeps) => (keeps === 1 ? nan : 0)))], "a gradient");
        }
      }
    });

    test.each(LOSS_TABLE)(`options of the losses, ${where}: $name`, (entry) => {
      const { row, target, loss, grad } = entry;
      const count = where === "alone" ? 1 : 3;
      const one = where === "alone" ? 0 : 1;
      const { data, shape, axis } = place(row, where);
      const kept = entry.options?.mask;
      // the rows beside it are kept
      const mask = kept && {
        data: place(
          kept,
          where,
          kept.map(() => 1),
        ).data,
        shape,
      };
      const options = { ...entry.options, mask, axis, reduction: "none" } as const;
      const x = { data: make(data), shape };
      const expected = [make([loss])[0], ...make(grad)];
      const own = ({ loss, dlogits }: { loss: { data: ArrayLike<number> }; dlogits: { data: ArrayLike<number> } }) => [
        loss.data[one],
        ...pick(dlogits.data, row.length, where),
      ];
      if (typeof target === "number") {
        const y = new Array<number>(count).fill(0);
        y[one] = target;
        same(own(crossEntropyWithGrad(x, y, options)), expected, "crossEntropyWithGrad");
        same([crossEntropy(x, y, options).data[one]], expected.slice(0, 1), "crossEntropy");
      } else {
        const q = { data: make(place(target, where).data), shape };
        same(own(softCrossEntropyWithGrad(x, q, options)), expected, "softCrossEntropyWithGrad");
        same([softCrossEntropy(x, q, options).data[one]], expected.slice(0, 1), "softCrossEntropy");
      }
    });
  }

  test("an empty row", () => {
    same([logSumExp(make([]))], [-inf], "logSumExp");
    same([...logSoftmax(make([]))], [], "logSoftmax");
    same([...softmax(make([]))], [], "softmax");
    expect(() => crossEntropy(make([]), 0)).toThrow("crossEntropy: logits expected at least 1 class, got 0");
  });

  test("no rows", () => {
    const x = { data: make([]), shape: [0, 3] };
    expect(logSumExp(x)).toEqual({ data: make([]), shape: [0] });
    expect(crossEntropy(x, [])).toBe(0);
    expect(crossEntropyWithGrad(x, []).dlogits).toEqual({ data: make([]), shape: [0, 3] });
  });

  test("backward functions", () => {
    same([...logSoftmaxBackward(make([1, 2]), make([0, -inf]))], [1 - 3, 2], "−∞ in logProbs leaves the gradient");
    same([...logSoftmaxBackward(make([nan, 2]), make([-1, -1]))], [nan, nan], "NaN in dlogProbs");
    same([...softmaxBackward(make([1, 5]), make([1, 0]))], [0, 0], "p of 1 and 0");
    same([...softmaxBackward(make([nan, 5]), make([0.5, 0.5]))], [nan, nan], "NaN in dprobs");
    same([...logSumExpBackward(-2, make([0, -inf]))], [-2, 0], "−∞ gets +0, not −0");
    same([...logSumExpBackward(inf, make([0, -1]))], [inf, inf], "dlse of +∞");
    same([...logSumExpBackward(inf, make([0, -1000]))], [inf, nan], "0·∞");
    same([...logSumExpBackward(nan, make([0, -1000]))], [nan, nan], "dlse NaN");
  });

  test("zeros are +0 where a result underflows", () => {
    const tiny = kind === "f32" ? -110 : -800;
    same([...logSoftmax(make([0, tiny]))], [0, make([tiny])[0]], "logSoftmax");
    same([...crossEntropyWithGrad(make([0, tiny]), 0).dlogits], [0, 0], "gradient");
    same([...logSumExpBackward(-1, make([0, tiny]))], [-1, 0], "logSumExpBackward");
  });
});

test("a mean is NaN or ∞ when a row's loss is, and both dtypes say so", () => {
  for (const dtype of ["f32", "f64"] as const) {
    const x = typed([0, -inf, 0, 1], dtype) as Float64Array;
    expect(crossEntropy(x, [1, 0], { shape: [2, 2] })).toBe(inf);
    expect(crossEntropy(typed([0, nan, 0, 1], dtype), [1, 0], { shape: [2, 2], reduction: "sum" })).toBeNaN();
  }
});

test("docs/edges.md is what its program makes of the table", () => {
  expect(readFileSync(new URL("../../../docs/edges.md", import.meta.url), "utf8")).toBe(edgesPage());
});
