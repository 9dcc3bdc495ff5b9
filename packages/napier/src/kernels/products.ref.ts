/** The slow truth beside products.as.ts: same sums in the same order, so the same bits. */
import { add, type Exact, exact, mul, neg } from "../exact.ts";

type Dtype = "f32" | "f64";

/** Bytes of the features whose part of a logit is summed at once. */
const STRIP_BYTES = 4096;

const rounding = (dtype: Dtype): ((v: number) => number) => (dtype === "f32" ? Math.fround : (v) => v);

/** Σ_k a[k]·b[k]: as many sums as a vector has lanes, then s0 + s2 and s1 + s3, then their sum. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>, dtype: Dtype): number {
  const round = rounding(dtype);
  const lanes = dtype === "f32" ? 4 : 2;
  let sums = new Array<number>(lanes).fill(0);
  for (let k = 0; k < a.length; k++) sums[k % lanes] = round(sums[k % lanes] + round(a[k] * b[k]));
  for (; sums.length > 1; sums = sums.slice(0, sums.length / 2))
    for (let l = 0; l < sums.length / 2; l++) sums[l] = round(sums[l] + sums[l + sums.length / 2]);
  return sums[0];
}

/** x·Wᵀ + b, the bias first, then the sums of strips of features. */
export function linearLogits(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  rows: number,
  features: number,
  classes: number,
  dtype: Dtype,
): Float32Array | Float64Array {
  const round = rounding(dtype);
  const out = dtype === "f32" ? new Float32Array(rows * classes) : new Float64Array(rows * classes);
  const strip = STRIP_BYTES / (dtype === "f32" ? 4 : 8);
  const part = (all: ArrayLike<number>, from: number, to: number): number[] => {
    const some: number[] = [];
    for (let k = from; k < to; k++) some.push(all[k]);
    return some;
  };
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < classes; j++) {
      let sum = bias?.[j];
      for (let k = 0; k === 0 || k < features; k += strip) {
        const end = Math.min(features, k + strip);
        const [a, b] = [part(x, i * features + k, i * features + end), part(w, j * features + k, j * features + end)];
        const more = dot(a, b, dtype);
        sum = sum === undefined ? more : round(sum + more);
      }
      out[i * classes + j] = sum as number;
    }
  }
  return out;
}

/** Σ_i g[i, j]·x[i, k]: so many rows in the dtype itself, their sums in f64, rounded once. */
export function weightGradient(
  g: ArrayLike<number>,
  x: ArrayLike<number>,
  rows: number,
  classes: number,
  features: number,
  pass: number,
  dtype: Dtype,
): number[] {
  const round = rounding(dtype);
  return Array.from({ length: classes * features }, (_, n) => {
    const [j, k] = [Math.floor(n / features), n % features];
    let total = 0;
    for (let first = 0; first < rows; first += pass) {
      let sum = 0;
      for (let i = first; i < Math.min(rows, first + pass); i++)
        sum = round(sum + round(x[i * features + k] * g[i * classes + j]));
      total += sum;
    }
    return round(total);
  });
}

/** A sum of products, and that of their magnitudes. */
export function exactDot(a: readonly number[], b: readonly number[], start = 0): { value: Exact; magnitude: Exact } {
  const size = (v: Exact): Exact => (v.n < 0n ? neg(v) : v);
  let value = exact(start);
  let magnitude = size(value);
  for (let k = 0; k < a.length; k++) {
    const term = mul(exact(a[k]), exact(b[k]));
    value = add(value, term);
    magnitude = add(magnitude, size(term));
  }
  return { value, magnitude };
}
