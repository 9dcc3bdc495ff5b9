// The inputs of the tables of the whole surface: seeded, and representable in the dtype, so that every library has the same.
import { logSoftmax, softmax } from "napier";
import { rng } from "../packages/napier/dist/rng.js";
import { normals, rounded, rowsByKind, typed } from "../tools/dist/hostile.js";

/** Every `step`th of the hostile rows, of fewer than `most` classes. */
export function rows(dtype, step, most = 400) {
  return [...rowsByKind(dtype, 1)].map(({ row }) => row).filter((row, i) => i % step === 0 && row.length < most);
}

/** A row's case by its place, with numbers rounded to the dtype. */
export const each = (dtype, step, most, make) => {
  const one = (value) => rounded([value], dtype)[0];
  return rows(dtype, step, most).map((x, i) => make(x, i, one));
};

function neighbour(value, step, dtype) {
  const [float, bits, one] =
    dtype === "f32"
      ? [new Float32Array([value]), Int32Array, step]
      : [new Float64Array([value]), BigInt64Array, BigInt(step)];
  new bits(float.buffer)[0] += one;
  return float[0];
}

/** Of every magnitude, dense near 0, where results leave the range, and beside every threshold and power of 2. */
export function numbers(dtype, count, seed) {
  const { uniform } = rng(seed, dtype === "f32" ? 1 : 2);
  const sign = () => (uniform() < 0.5 ? -1 : 1);
  const [reach, most, least] = dtype === "f32" ? [104, 127, -149] : [746, 1023, -1074];
  const kinds = [
    () => 6 * (uniform() - 0.5),
    () => sign() * reach * uniform(),
    () => sign() * uniform() * 2 ** (-60 * uniform()),
    () => sign() * reach * (0.93 + 0.08 * uniform()),
    () => sign() * (0.5 + uniform() / 2) * 2 ** (least + (most - least) * uniform()),
  ];
  const drawn = Array.from({ length: count }, (_, i) => kinds[i % kinds.length]());
  const seams = [Math.LN2, Math.LN2 / 2, 20, 40, 700, 709.78, 745.13, 87.3, 88.72, 103.97];
  for (let e = least; e <= most; e += e < -20 || e > 12 ? 13 : 1) seams.push(2 ** e);
  for (const seam of rounded(seams, dtype)) {
    for (const step of [-1, 0, 1]) {
      if (seam !== 0) drawn.push(neighbour(seam, step, dtype), -neighbour(seam, step, dtype));
    }
  }
  return rounded(drawn, dtype).filter((v) => Number.isFinite(v) && v !== 0);
}

/** Pairs out of hostile rows, all pairs of numbers near a border, and pairs whose result is about 0. */
export function pairs(dtype) {
  const ends = dtype === "f32" ? [87, 88.8, 103, 104, 110, 3.4e38] : [708, 709.8, 744, 745.5, 750, 1.7e308];
  const grid = [0, 1e-30, 0.5, Math.LN2, 1, 20, 36, 37, 40, ...ends].flatMap((v) => [v, -v]);
  const all = [
    ...rows(dtype, 1)
      .filter(({ length }) => length > 1)
      .map(([a, b]) => [a, b]),
    ...grid.flatMap((a) => grid.map((b) => [a, b])),
    ...Array.from({ length: 200 }, (_, i) => {
      const a = rounded([Math.log1p(-(i + 1) / 201)], dtype)[0];
      return [a, Math.log(-Math.expm1(a))];
    }),
  ].map((pair) => rounded(pair, dtype));
  return { a: all.map(([a]) => a), b: all.map(([, b]) => b) };
}

/** Probabilities of one class, of few, of all, and peaked ones; the class need not be the logits'. */
export function probabilities(kind, length, y, uniform, dtype) {
  const raw = Array.from({ length }, (_, j) => {
    if (kind === 0) return j === y ? 1 : 0;
    if (kind === 1) return j === y ? 1 : j === (y + 1) % length ? 2 ** -60 * uniform() : 0;
    return kind === 2 ? uniform() : uniform() ** 12;
  });
  const sum = raw.reduce((total, v) => total + v, 0);
  return rounded(
    raw.map((v) => v / sum),
    dtype,
  );
}

/** Log-probabilities and targets near them and far from them, 0 and tiny ones too. */
export function divergences(dtype) {
  const normal = normals(dtype === "f32" ? 41 : 42);
  return Array.from({ length: 400 }, (_, i) => {
    const logits = Array.from({ length: 1 + (i % 30) }, () => [0.1, 1, 5, 40][i % 4] * normal());
    const other = logits.map((v) => v + [1e-9, 0.01, 1, 20][(i >> 2) % 4] * normal());
    const t = [...softmax(typed(other, dtype))].map((v, j) => {
      if (i % 5 === 1 && j % 3 === 1) return 0;
      return i % 7 === 2 && j % 4 === 1 ? 2 ** -100 : v;
    });
    return { x: [...logSoftmax(typed(logits, dtype))], t, g: [rounded([normal()], dtype)[0]] };
  });
}
