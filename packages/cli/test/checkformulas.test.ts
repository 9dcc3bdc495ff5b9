import { crossEntropy, logSoftmax } from "napier";
import { type Format, logOfSoftmax, logSumExpForm, round } from "napier/naive";
import { describe, expect, test } from "vitest";
import { type Exact, exact, neg, toF64 } from "../../napier/src/exact.ts";
import { logSoftmaxRow } from "../../napier/src/kernels/softmax.ref.ts";
import { rng } from "../../napier/src/rng.ts";
import { narrowFormats, roundAll } from "../src/arithmetic.ts";
import { Examiner, type Findings } from "../src/findings.ts";
import { judge, textbook, textbookWinner, usualWinner } from "../src/formulas.ts";

const FORMATS = ["f16", "bf16", "f32", "f64"] as const;

/** Logarithms of the numbers about which exponentials overflow and underflow, and about which 1 swallows a term. */
const SEAMS: Record<Format, number[]> = {
  f16: [11.0898, 10.4, -16.6355, -17.3287, -7.6246, -9.704],
  bf16: [88.7228, 88.0, -92.1888, -92.8819, -5.5452, -7.6],
  f32: [88.7228, 87.0, -103.2789, -103.972, -16.6355, -18.0],
  f64: [709.7827, 708, -744.4401, -745.1332, -36.7368, -38.8],
};

const random = rng(11, 3);
const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());

/** Rows at every seam of every format, and rows as models and accidents make them. */
function* hostileRows(): Generator<number[]> {
  for (let i = 0; i < 1500; i++) {
    const deviation = [0.01, 1, 3, 8, 20, 100, 400][i % 7]!;
    const offset = [0, 0, 30, -80, 1000, -1e6][i % 6]!;
    yield Array.from({ length: 1 + random.below(i % 50 === 0 ? 3000 : 60) }, () => offset + deviation * normal());
  }
  for (let i = 0; i < 300; i++) yield new Array<number>(1 + random.below(5000)).fill(normal());
  for (let i = 0; i < 1000; i++) yield [random.uniform() * [12, 40, 104, 746][i % 4]!, 0];
  for (const format of FORMATS) {
    for (const seam of SEAMS[format]) {
      for (let i = 0; i < 80; i++) {
        const near = seam + normal() * [1e-12, 1e-6, 1e-3, 0.05, 1][i % 5]!;
        const classes = 1 + random.below(40);
        yield [near];
        yield [near, 0];
        yield [0, near, near, near];
        yield Array.from({ length: classes }, (_, j) => (j === 0 ? near : near + normal() / 100));
        yield Array.from({ length: classes }, (_, j) => (j % 3 === 0 ? near : j % 3 === 1 ? 0 : -Infinity));
        yield [near / 2, -near / 2, ...Array.from({ length: classes }, () => normal())];
      }
    }
  }
  for (let i = 0; i < 300; i++) {
    // terms before and after the winner that only matter together
    const depth = 4 + 34 * random.uniform();
    const others = Array.from({ length: random.below(200) }, () => -depth - random.uniform());
    others.splice(random.below(others.length + 1), 0, 0);
    yield others;
  }
  for (const big of [65503, 65519.9, 65520, 65535, 7e4, 3.38e38, 3.4e38, 3.41e38, 1e39, 1.7e308]) {
    yield [big, 0];
    yield [-big, 0];
    yield [-big, -big];
    yield [big, -big, 1];
  }
}

function prepared(row: readonly number[], format: Format) {
  const x = Float64Array.from(row, (v) => round(v, format));
  const finite = row.filter((v) => v !== -Infinity);
  const [max, min] = [Math.max(...row), Math.min(...finite)].map((v) => round(v, format));
  return { x, from: 0, to: row.length, max: max!, min: min! };
}

const rows = [...hostileRows()].filter((row) => row.some((v) => v !== -Infinity));

/** napier/naive takes the sum ∞ of a row apart from what is lost without it. */
function textbookTruth(row: readonly number[], format: Format): string {
  const { sum, log } = logOfSoftmax(row, format);
  if (sum === Infinity) return "overflow";
  return row.some((v, j) => v !== -Infinity && !Number.isFinite(log[j])) ? "underflow" : "fine";
}

/** −logSoftmax of the winner in 224 bits; NaN where the format cannot hold the row. */
function exactLoss(x: Float64Array, max: number): Exact | number {
  const found = Number.isFinite(max) ? logSoftmaxRow([...x])[x.indexOf(max)]! : Number.NaN;
  return typeof found === "number" ? Number.NaN : neg(found);
}

describe.each(FORMATS)("%s", (format) => {
  test("the textbook verdicts are those of napier/naive, step by step", () => {
    expect(rows.length).toBeGreaterThan(10_000);
    const seen = { fine: 0, overflow: 0, underflow: 0 };
    for (const row of rows) {
      const truth = textbookTruth(row, format);
      const got = textbook(prepared(row, format), format);
      if (got !== truth) expect({ row, got }).toEqual({ row, got: truth });
      seen[got]++;
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(500);
  });

  test("the usual formula's winner has the bits of napier/naive", () => {
    let zeros = 0;
    for (const row of rows) {
      const steps = logSumExpForm(row, format);
      const truth = steps.logSoftmax[row.indexOf(Math.max(...row))]!;
      const input = prepared(row, format);
      const loss = Number.isFinite(input.max) ? crossEntropy(input.x, input.x.indexOf(input.max)) : Number.NaN;
      const got = usualWinner(input, format, loss);
      if (!Object.is(got + 0, truth + 0)) expect({ row, got }).toEqual({ row, got: truth });
      if (got === 0) zeros++;
    }
    expect(zeros).toBeGreaterThan(1000);
  });
});

test.each(FORMATS)("%s: the winner by log(softmax(x)) has the bits of napier/naive", (format) => {
  const seen = { zero: 0, lost: 0, held: 0 };
  for (const row of rows) {
    const truth = logOfSoftmax(row, format).log[row.indexOf(Math.max(...row))]!;
    const input = prepared(row, format);
    const loss = Number.isFinite(input.max) ? crossEntropy(input.x, input.x.indexOf(input.max)) : Number.NaN;
    const got = textbookWinner(input, format, loss);
    if (!Object.is(got + 0, truth + 0)) expect({ row, got }).toEqual({ row, got: truth });
    seen[got === 0 ? "zero" : Number.isFinite(got) ? "held" : "lost"]++;
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(500);
});

test("rounding to f16 and bf16 is napier/naive's, every seam of the format included", () => {
  const bits = new DataView(new ArrayBuffer(8));
  const values: number[] = [0, -0, Infinity, -Infinity, 65519.999, 65520, -65520, 3.3953e38, 3.4e38, 1e300];
  for (let i = 0; i < 40_000; i++) {
    bits.setUint32(0, random.next());
    bits.setUint32(4, i % 2 === 0 ? 0 : random.next());
    values.push(bits.getFloat64(0), bits.getFloat32(0));
    const power = 2 ** (random.below(170) - 140);
    // a half between neighbours, and a hair beside it
    const half = power * (1 + (random.below(2048) + 0.5) / (i % 2 ? 1024 : 128));
    values.push(half, -half, half * (1 + 2 ** -40), half * (1 - 2 ** -40), power * (1 - 2 ** -30));
  }
  const finite = values.filter((v) => !Number.isNaN(v));
  for (const format of ["f16", "bf16"] as const) {
    const out = new Float64Array(finite.length);
    roundAll(finite, narrowFormats()[format], out);
    const wrong = finite.filter((v, k) => out[k]! + 0 !== round(v, format) + 0);
    expect(wrong).toEqual([]);
  }
});

test("a winner is judged in ulps of the exact answer", () => {
  expect(judge(-1, 1, "f32")).toEqual({ lost: false, ulps: 0 });
  expect(judge(-1 - 2 ** -22, 1, "f32")).toEqual({ lost: false, ulps: 2 });
  expect(judge(-1 - 3 * 2 ** -23, 1, "f32")).toEqual({ lost: true, ulps: 3 });
  expect(judge(-1 - 3 * 2 ** -10, 1, "f16")).toEqual({ lost: true, ulps: 3 });
  expect(judge(-1 - 3 * 2 ** -7, 1, "bf16")).toEqual({ lost: true, ulps: 3 });
  expect(judge(-1 - 3 * 2 ** -52, 1, "f64")).toEqual({ lost: true, ulps: 3 });
  expect(judge(0, 0, "f32")).toEqual({ lost: false, ulps: 0 });
  // e^-1000 is 0 in f32; one subnormal is not
  expect(judge(0, 1e-46, "f32").lost).toBe(false);
  expect(judge(0, 2 ** -149, "f32")).toEqual({ lost: true, ulps: 1 });
  expect(judge(Number.NaN, 1, "f16")).toEqual({ lost: true, ulps: Infinity });
});

/** Findings about one tile that is one row after the other. */
function findings(tiles: readonly (readonly number[])[], dtype: "f32" | "f64"): Findings[] {
  return tiles.map((row) => {
    const examiner = new Examiner({ dtype, logProbs: false, list: 0, targets: "" });
    const data = dtype === "f32" ? Float32Array.from(row) : Float64Array.from(row);
    const own = new Float64Array(data);
    examiner.add({ data, rows: 1, classes: row.length, row: 1, targets: null }, own, logSoftmax(own));
    return examiner.findings();
  });
}

test.each(["f32", "f64"] as const)("winners counted lost in a %s file are lost against 224 bits", (dtype) => {
  const inputs = rows
    .filter((row, i) => i % 8 === 0 && row.length < 100)
    .map((row) => row.map((v) => round(v, dtype)))
    .filter((row) => Number.isFinite(Math.max(...row)));
  let counted = 0;
  findings(inputs, dtype).forEach(({ usual }, i) => {
    for (const [format, found] of Object.entries(usual!) as [Format, { lost: number }][]) {
      const { x, max } = prepared(inputs[i]!, format);
      const loss = exactLoss(x, max);
      const value = logSumExpForm(inputs[i]!, format).logSoftmax[inputs[i]!.indexOf(Math.max(...inputs[i]!))]!;
      const truth = judge(value, typeof loss === "number" ? loss : toF64(loss), format);
      // napier's own f64 answer may be an ulp off, which only matters where f64 itself is judged
      if (format === "f64" && Math.abs(truth.ulps - 2) <= 1) continue;
      counted++;
      if ((found.lost === 1) !== truth.lost) expect({ row: inputs[i], format, lost: found.lost }).toEqual(truth);
    }
  });
  expect(counted).toBeGreaterThan(3000);
});

test("log(softmax(x)) was said to hold where it gives the winner 0", () => {
  const [peaked, over, zeros] = findings(
    [
      [20, 0],
      [1000, 0],
      [0, -200],
    ],
    "f32",
  );
  expect(peaked!.textbook).toEqual({
    f16: { overflow: 1, underflow: 0, lost: 1, zero: 0, rows: 1 },
    bf16: { overflow: 0, underflow: 0, lost: 1, zero: 1, rows: 1 },
    f32: { overflow: 0, underflow: 0, lost: 1, zero: 1, rows: 1 },
    f64: { overflow: 0, underflow: 0, lost: null, zero: null, rows: 0 },
  });
  for (const format of ["bf16", "f32"] as const) expect(peaked!.usual![format]).toMatchObject({ lost: 1, zero: 1 });
  expect(over!.textbook!.f32).toEqual({ overflow: 1, underflow: 0, lost: 1, zero: 0, rows: 1 });
  // e^-200 is 0 in f32, and so is the exact answer: the other class is lost, and the winner is not
  expect(zeros!.textbook!.f32).toEqual({ overflow: 0, underflow: 1, lost: 0, zero: 0, rows: 1 });
});

test("exact answers of rounded rows, not of the file's", () => {
  // 20.004 is 20 in f16 and bf16: in those the row is [20, 19]
  const [found] = findings([[20.004, 19]], "f64");
  const loss = toF64(exactLoss(Float64Array.of(20, 19), 20) as Exact);
  for (const format of ["f16", "bf16"] as const) {
    const value = logSumExpForm([20, 19], format).logSoftmax[0]!;
    expect(judge(value, loss, format).lost).toBe(found!.usual![format]!.lost === 1);
  }
  expect(exact(20).n).toBeGreaterThan(0n);
});
