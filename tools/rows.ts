/** The rows of the digest's corpus, made with + − × ÷ only, so that they are the same in every runtime. */
interface Draw {
  readonly classes: number;
  readonly dtype: "f32" | "f64";
  uniform(): number;
  normal(): number;
}

export type Row = (draw: Draw) => number[];

const row = (classes: number, value: (j: number) => number): number[] =>
  Array.from({ length: classes }, (_, j) => value(j));

/** 2^e, |e| ≤ 1074 */
function power(e: number): number {
  let x = 1;
  for (let i = 0; i < Math.abs(e); i++) x = e < 0 ? x / 2 : x * 2;
  return x;
}

/** log y by Newton's steps on the series of e^x, for y from 1/1000 to 2: near enough, and the same everywhere. */
function log(y: number): number {
  let x = 0;
  for (let i = 0; i < 40; i++) {
    let exp = 1;
    for (let n = 1, term = x; n < 60; n++, term = (term * x) / n) exp += term;
    x += y / exp - 1;
  }
  return x;
}

const normalRow =
  (deviation: number, offset = 0): Row =>
  ({ classes, normal }) =>
    row(classes, () => offset + deviation * normal());
const constant =
  (value: number): Row =>
  ({ classes }) =>
    row(classes, () => value);
/** A normal row in which some values are replaced. */
const spoilt =
  (replace: (j: number, draw: Draw) => number | undefined): Row =>
  (draw) =>
    row(draw.classes, (j) => replace(j, draw) ?? 3 * draw.normal());
/** One winner, by a gap up to the whole range of exp, at any place. */
const peaked: Row = (draw) => {
  const winner = Math.floor(draw.uniform() * draw.classes);
  const gap = draw.uniform() * (draw.dtype === "f32" ? 110 : 760);
  return row(draw.classes, (j) => (j === winner ? 3 + gap : draw.normal()));
};

export const HOSTILE: Record<string, Row> = {
  ...Object.fromEntries(
    [0.01, 0.3, 1, 3, 8, 20, 100].map((deviation) => [`normal ${deviation}`, normalRow(deviation)]),
  ),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`peaked ${i}`, peaked])),
  nan: spoilt((j, { classes }) => (j === classes >> 1 ? Number.NaN : undefined)),
  "nan first, then infinity": spoilt((j, { classes }) =>
    j === 0 ? Number.NaN : j === classes - 1 ? Infinity : undefined,
  ),
  "nan beside masked": spoilt((j) => (j === 0 ? Number.NaN : -Infinity)),
  infinity: spoilt((j, { classes }) => (j === classes >> 1 ? Infinity : undefined)),
  "two infinities": spoilt((j, { classes }) => (j === 0 || j === classes - 1 ? Infinity : undefined)),
  "all masked": constant(-Infinity),
  "all but one masked": spoilt((j, { classes }) => (j === classes >> 1 ? undefined : -Infinity)),
  "every other masked": spoilt((j) => (j % 2 === 0 ? -Infinity : undefined)),
  "some masked": spoilt((_, { uniform }) => (uniform() < 0.3 ? -Infinity : undefined)),
  zeros: constant(0),
  "minus zeros": constant(-0),
  "zeros of both signs": spoilt((j) => (j % 2 === 0 ? 0 : -0)),
  ties: constant(7.3),
  "ties far away": constant(-1e6),
  "two winners": spoilt((j, { classes }) => (j === 0 || j === classes - 1 ? 30 : undefined)),
  "far up": normalRow(5, 1e6),
  "far down": normalRow(5, -1e6),
  "farther up": normalRow(3, 16777216),
  "subnormal logits": ({ classes, dtype, normal }) =>
    row(classes, () => normal() * power(dtype === "f32" ? -147 : -1071)),
  "subnormal results": ({ classes, dtype, uniform }) =>
    row(classes, (j) => (j === 0 ? 0 : -(dtype === "f32" ? 80 : 690) - uniform() * (dtype === "f32" ? 26 : 60))),
  "any magnitude": ({ classes, dtype, normal, uniform }) =>
    row(classes, () => normal() * power(Math.floor((uniform() - 0.5) * (dtype === "f32" ? 250 : 2040)))),
  "moderate magnitudes": ({ classes, normal, uniform }) =>
    row(classes, () => normal() * power(Math.floor(uniform() * 24) - 16)),
  huge: ({ classes, dtype, uniform }) =>
    row(classes, () => (2 * uniform() - 1) * (dtype === "f32" ? 3.4e38 : 1.79e308)),
  "log-probabilities": ({ classes, uniform }) => row(classes, (j) => -3 - uniform() * (j % 5)),
  "cancelling log-sum-exp": ({ classes, normal }) => row(classes, () => log(1 / classes) + 1e-6 * normal()),
  rising: ({ classes }) => row(classes, (j) => j),
  falling: ({ classes }) => row(classes, (j) => -j * 0.37),
};

/** Long rows: flat, between, dominated, all equal, masked. */
export const ROWS: Row[] = [
  normalRow(1),
  normalRow(4),
  normalRow(12),
  constant(-11.5),
  HOSTILE["some masked"],
  normalRow(1, 1000),
];

/** About a border: a little below, at it, a little above; the steps are an ulp of f32, of f64, and more. */
const AROUND = [-1e-3, -7.63e-6, -1e-15, 0, 1e-15, 7.63e-6, 1e-3];

/**
 * About the borders of kernels/flat.as.ts and sum.as.ts that decide how an f32 row is summed: the number of classes (the
 * corpus runs each row at many), the maximum at ±40 and ±2^20, the spread at 87, the sum at 4, and the first 128 classes' share.
 */
export const BORDERS: Row[] = [
  ...[40, -40, 1048576, -1048576, 2097152].flatMap((largest) =>
    AROUND.map(
      (step): Row =>
        ({ classes, uniform }) =>
          row(classes, (j) => (largest + (j === classes >> 1 ? 0 : -2 * uniform())) * (1 + step)),
    ),
  ),
  ...[0, 39.5, 41, -41, 1000, -1e6].flatMap((largest) =>
    AROUND.map(
      (step): Row =>
        ({ classes, uniform }) =>
          row(classes, (j) =>
            j === 0
              ? largest
              : largest - (j === classes - 1 ? (largest === 39.5 ? 126.5 : 87) * (1 + step) : uniform()),
          ),
    ),
  ),
  // with no shift the least argument is −87 itself
  ...AROUND.map(
    (step): Row =>
      ({ classes, uniform }) =>
        row(classes, (j) => (j === 3 ? -87 * (1 + step) : uniform())),
  ),
  // Σ about 4: half of the others at log(8 / classes) below, the other half far below
  ...[0, 30, 45].flatMap((largest) =>
    AROUND.map(
      (step): Row =>
        ({ classes }) =>
          row(classes, (j) => largest + (j === 5 ? 0 : j % 2 === 0 ? log(8 / classes) * (1 + step) : -60)),
    ),
  ),
  // the first 128 classes hold about a quarter of their share of a sum of 4, the rest nothing or much
  ...[-80, 0].flatMap((rest) =>
    AROUND.map(
      (step): Row =>
        ({ classes }) =>
          row(classes, (j) => 1 + (j === classes - 1 ? 0 : j < 128 ? log(1 / classes) * (1 + step) : rest)),
    ),
  ),
  normalRow(0.5),
  normalRow(2, 39),
  normalRow(2, -42),
  normalRow(3, 1e5),
  peaked,
];
