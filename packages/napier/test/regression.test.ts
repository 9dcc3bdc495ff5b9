import { describe, expect, test } from "vitest";
import { exact, sub, toF64 } from "../src/exact.ts";
import { type Piece, scaledRow, softmaxRegression } from "../src/kernels/regression.ref.ts";
import { linear } from "../src/linear.ts";
import { rng } from "../src/rng.ts";

const GUARD = -12345.678;
const space = linear.create();
const { kernels } = space;

/** Areas of these many bytes, guard words around each. */
function areas(...bytes: number[]): number[] {
  const addresses = space.layout(64, ...bytes.flatMap((size) => [size, 64]));
  const end = addresses[addresses.length - 1] + 64;
  space.f64.fill(GUARD, addresses[0] / 8, end / 8);
  return bytes.map((_, n) => addresses[2 * n + 1]);
}

/** From the end of an area to the start of the next. */
function expectGuard(address: number, bytes: number): void {
  const from = Math.ceil((address + bytes) / 8);
  expect(space.f64.subarray(from, from + 8).every((word) => word === GUARD)).toBe(true);
}

const columnsOf = (classes: number): number => classes + (classes % 2);

/** Twice the power of two that is not under it, as the units' bound asks for, at 2^62. */
function shiftOf(size: number): number {
  let unit = 2 ** 61;
  for (; size * unit > 2 ** 61; unit /= 2);
  for (; size > 0 && size * unit <= 2 ** 60 && unit < 2 ** 900; unit *= 2);
  return unit;
}

/** What the integers of each input are multiplied by, for some pieces together. */
function shiftsOf(pieces: readonly Piece[]): Float64Array {
  const sizes = new Float64Array(pieces[0].center.length + 1);
  for (const piece of pieces) {
    piece.weights.forEach((weight, i) => {
      if (weight === 0) return;
      scaledRow(piece, i).forEach((v, k) => {
        sizes[k] += weight * Math.abs(v);
      });
    });
  }
  return sizes.map(shiftOf);
}

interface Result {
  readonly loss: number;
  /** [inputs + 1][columns] */
  readonly sums: BigInt64Array<ArrayBufferLike>;
}

/** The kernel's loss, and its integers added to `before`. */
function run(piece: Piece, shifts: Float64Array, before?: BigInt64Array<ArrayBufferLike>): Result {
  const { x, center, factor, targets, weights, w, classes } = piece;
  const inputs = center.length;
  const length = (inputs + 1) * columnsOf(classes);
  const scratchBytes = kernels.regression_scratch_bytes(inputs, classes);
  const sizes = [
    8,
    length * 8,
    x.length * 4,
    targets.length * 4,
    weights.length * 8,
    length * 8,
    inputs * 4,
    inputs * 4,
  ];
  const [losses, sums, ...rest] = areas(...sizes, (inputs + 1) * 8, scratchBytes);
  const [xAt, targetsAt, weightsAt, wAt, centerAt, factorAt, shiftAt, scratch] = rest;
  const integers = new BigInt64Array(space.f64.buffer);
  integers.set(before ?? new BigInt64Array(length), sums / 8);
  space.f32.set(x, xAt / 4);
  space.f32.set(center, centerAt / 4);
  space.f32.set(factor, factorAt / 4);
  space.i32.set(targets, targetsAt / 4);
  space.f64.set(weights, weightsAt / 8);
  space.f64.set(w, wAt / 8);
  space.f64.set(shifts, shiftAt / 8);
  space.f64.fill(Number.NaN, scratch / 8, (scratch + scratchBytes) / 8);
  kernels.softmax_regression(
    losses,
    sums,
    ...(rest as [number, number, number, number, number, number, number, number]),
    targets.length,
    inputs,
    classes,
  );
  expectGuard(losses, 8);
  expectGuard(sums, length * 8);
  expectGuard(scratch, scratchBytes);
  return { loss: space.f64[losses / 8], sums: integers.slice(sums / 8, sums / 8 + length) };
}

type Kind = "plain" | "huge and tiny" | "saturated" | "weighted" | "cancelling";

/** Rows of a kind, [rows, inputs]. */
function pieceOf(kind: Kind, rows: number, inputs: number, classes: number, seed = 1): Piece {
  const random = rng(seed, rows + 4 * inputs);
  const some = (): number => 2 * random.uniform() - 1;
  const columns = columnsOf(classes);
  // the magnitude of an input, and of its weights
  const size = Array.from({ length: inputs + 1 }, (_, k) => (kind === "huge and tiny" ? 2 ** ((k % 61) * 4 - 120) : 1));
  const strength = kind === "saturated" ? 400 : kind === "cancelling" ? 1e6 : 1;
  const w = Float64Array.from({ length: (inputs + 1) * columns }, (_, n) => {
    const k = Math.floor(n / columns);
    return n % columns < classes ? (strength * some()) / size[k] : GUARD;
  });
  const x = Float32Array.from({ length: rows * inputs }, (_, n) => some() * size[n % inputs]);
  if (kind === "cancelling") {
    // the second half of the inputs takes back what the first half adds, but for rounding
    const half = inputs >> 1;
    for (let i = 0; i < rows; i++) for (let k = 0; k < half; k++) x[i * inputs + half + k] = x[i * inputs + k];
    for (let k = 0; k < half; k++)
      for (let j = 0; j < classes; j++) w[(half + k) * columns + j] = -w[k * columns + j] * (1 + 2 ** -30);
  }
  const isScaled = kind !== "huge and tiny";
  return {
    ...{ x, w, classes },
    center: Float32Array.from({ length: inputs }, () => (isScaled ? some() : 0)),
    factor: Float32Array.from({ length: inputs }, () => (isScaled ? 1 + random.uniform() : 1)),
    targets: Int32Array.from({ length: rows }, () => random.below(classes)),
    weights: Float64Array.from({ length: rows }, () =>
      kind !== "weighted" ? 1 : random.below(4) === 0 ? 0 : 2 ** (random.below(60) - 30) * (1 + random.uniform()),
    ),
  };
}

function expectTruth(piece: Piece): void {
  const inputs = piece.center.length;
  const { classes } = piece;
  const columns = columnsOf(classes);
  const shifts = shiftsOf([piece]);
  const { loss, sums } = run(piece, shifts);
  const truth = softmaxRegression(piece);
  expect(Math.abs(toF64(sub(exact(loss), truth.loss)))).toBeLessThanOrEqual(truth.lossError);
  let worst = 0;
  for (let k = 0; k <= inputs; k++) {
    for (let j = 0; j < columns; j++) {
      const n = k * classes + j;
      const sum = sums[k * columns + j];
      if (j === classes) {
        expect(sum).toBe(0n);
        continue;
      }
      const unit = exact(1 / shifts[k]);
      const off = Math.abs(toF64(sub({ n: sum * unit.n, e: unit.e }, truth.gradient[n])));
      // the half may be rounded up
      const error = off / (truth.errors[n] + 0.500001 / shifts[k]);
      worst = Math.max(worst, error);
    }
  }
  expect(worst).toBeLessThanOrEqual(1);
}

const KINDS: Kind[] = ["plain", "huge and tiny", "saturated", "weighted", "cancelling"];
const SHAPES: [rows: number, inputs: number, classes: number][] = [
  ...[1, 2, 3, 4, 5, 7, 8, 47, 48, 49, 51, 67, 97].map((rows): [number, number, number] => [rows, 3, 3]),
  ...Array.from({ length: 67 }, (_, n): [number, number, number] => [2, n + 1, 2 + (n % 5)]),
  ...[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 17].map((classes): [number, number, number] => [5, 6, classes]),
  [67, 67, 10],
  [4096, 2, 3],
];

describe.each(KINDS)("%s rows: loss and gradient are within their bounds of the exact ones", (kind) => {
  test.each(SHAPES)("%i rows, %i inputs, %i classes", (rows, inputs, classes) => {
    if (rows === 4096 && kind !== "plain") return expectTruth(pieceOf(kind, 512, inputs, classes));
    expectTruth(pieceOf(kind, rows, inputs, classes));
  });
});

test("the integers of pieces are the same in any order, in any number of sums", () => {
  for (const [inputs, classes] of [
    [5, 3],
    [17, 10],
  ]) {
    const shared = pieceOf("weighted", 1, inputs, classes);
    const pieces = [64, 1, 67, 33, 200, 12, 48].map((rows, n) => ({
      ...pieceOf("weighted", rows, inputs, classes, 10 + n),
      ...{ w: shared.w, center: shared.center, factor: shared.factor },
    }));
    const shifts = shiftsOf(pieces);
    const none: BigInt64Array<ArrayBufferLike> = new BigInt64Array((inputs + 1) * columnsOf(classes));
    const total = (orders: number[][]): bigint[] => {
      const each = orders.map((order) => order.reduce((sums, n) => run(pieces[n], shifts, sums).sums, none));
      return Array.from(none, (_, n) => each.reduce((sum, sums) => BigInt.asIntN(64, sum + sums[n]), 0n));
    };
    const whole = total([[0, 1, 2, 3, 4, 5, 6]]);
    expect(whole.some((sum) => sum > 1n << 53n)).toBe(true);
    expect(total([[6, 2, 4, 1, 5, 3, 0]])).toEqual(whole);
    expect(
      total([
        [0, 2, 4, 6],
        [5, 1, 3],
      ]),
    ).toEqual(whole);
    expect(total([[3], [6, 0], [1, 2], [4, 5]])).toEqual(whole);
  }
});

test("the integers reach 2^61 and leave room for their sum", () => {
  // one row all wrong: its gradient is as large as the bound
  const piece: Piece = {
    ...pieceOf("plain", 1, 3, 2),
    x: Float32Array.of(1.5, -3, 0.75),
    center: new Float32Array(3),
    factor: new Float32Array(3).fill(1),
    targets: Int32Array.of(0),
    w: Float64Array.of(-1000, 1000, 0, 0, 0, 0, 0, 0),
  };
  const { sums, loss } = run(piece, shiftsOf([piece]));
  expect(loss).toBe(3000);
  expect([...sums]).toEqual([
    -3n << 59n,
    3n << 59n,
    3n << 59n,
    -3n << 59n,
    -3n << 59n,
    3n << 59n,
    -1n << 61n,
    1n << 61n,
  ]);
});

test("a row of weight 0 counts nowhere, whatever it holds", () => {
  const piece = pieceOf("weighted", 150, 9, 5);
  const shifts = shiftsOf([piece]);
  const plain = run(piece, shifts);
  for (const value of [Number.NaN, Infinity, -Infinity, 3e38]) {
    const x = piece.x.map((v, n) => (piece.weights[Math.floor(n / 9)] === 0 ? value : v));
    expect(run({ ...piece, x }, shifts)).toEqual(plain);
  }
  const zeros = run({ ...piece, weights: new Float64Array(150) }, shifts);
  expect(zeros).toEqual({ loss: 0, sums: new BigInt64Array(60) });
});

test("logits that are out of range make the loss NaN or ∞, and leave the memory alone", () => {
  const piece = pieceOf("plain", 7, 4, 3);
  const shifts = shiftsOf([piece]);
  const losses = [1e308, -1e308, Infinity, Number.NaN].map(
    (value) => run({ ...piece, w: piece.w.map((v) => v * value) }, shifts).loss,
  );
  for (const loss of losses) expect(Number.isNaN(loss) || loss === Infinity).toBe(true);
  // the target's logit alone is −∞, in one row of many
  const w = new Float64Array(20);
  w[1] = -1e308;
  const far = {
    ...piece,
    w,
    targets: new Int32Array(7).fill(1),
    x: new Float32Array(28).map((_, n) => (n === 12 ? 100 : 0)),
  };
  const center = new Float32Array(4);
  expect(run({ ...far, center }, shifts).loss).toBe(Infinity);
});

test.each([0, 1, 2, 3, 4, 5, 8, 11, 67])("sizes and squares of %i inputs", (inputs) => {
  const rows = 13;
  const piece = pieceOf("weighted", rows, inputs, 2);
  piece.x.forEach((_, n) => {
    if (piece.weights[Math.floor(n / inputs)] === 0) piece.x[n] = Number.NaN;
  });
  const [sizes, squares, totals, x, weights, center, factor] = areas(
    inputs * 8,
    inputs * 8,
    inputs * 8,
    rows * inputs * 4,
    rows * 8,
    inputs * 4,
    inputs * 4,
  );
  space.f64.fill(0.5, sizes / 8, sizes / 8 + inputs);
  space.f64.fill(0.25, squares / 8, squares / 8 + inputs);
  space.f64.fill(0.125, totals / 8, totals / 8 + inputs);
  space.f32.set(piece.x, x / 4);
  space.f64.set(piece.weights, weights / 8);
  space.f32.set(piece.center, center / 4);
  space.f32.set(piece.factor, factor / 4);
  kernels.regression_moments(sizes, squares, totals, x, weights, center, factor, rows, inputs);
  const truth = [0.5, 0.25, 0.125].map((start) => new Float64Array(inputs).fill(start));
  piece.weights.forEach((weight, i) => {
    if (weight === 0) return;
    scaledRow(piece, i)
      .slice(0, inputs)
      .forEach((v, k) => {
        truth[0][k] += weight * Math.abs(v);
        truth[1][k] += weight * v * v;
        truth[2][k] += weight * v;
      });
  });
  expect(space.f64.slice(sizes / 8, sizes / 8 + inputs)).toEqual(truth[0]);
  expect(space.f64.slice(squares / 8, squares / 8 + inputs)).toEqual(truth[1]);
  expect(space.f64.slice(totals / 8, totals / 8 + inputs)).toEqual(truth[2]);
  expectGuard(sizes, inputs * 8);
  expectGuard(squares, inputs * 8);
  expectGuard(totals, inputs * 8);
});
