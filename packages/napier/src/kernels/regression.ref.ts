import { add, compare, div, type Exact, exact, exp, log1p, mul, ONE, sub, toF64, ZERO } from "../exact.ts";

/** The arguments of softmax_regression. */
export interface Piece {
  /** [rows, inputs] before scaling */
  readonly x: Float32Array;
  readonly center: Float32Array;
  readonly factor: Float32Array;
  readonly targets: Int32Array;
  readonly weights: Float64Array;
  /** [inputs + 1][columns], the biases last */
  readonly w: Float64Array;
  readonly classes: number;
}

/** Exact sums, and how far the kernel's may be from them, its integers apart. */
export interface Truth {
  readonly loss: Exact;
  readonly lossError: number;
  /** [inputs + 1][classes] */
  readonly gradient: readonly Exact[];
  readonly errors: readonly number[];
}

const U = 2 ** -53;
const CHUNK = 48;
/** e^-4000 counts as 0. */
const LEAST = exact(-4000);

const magnitude = (a: Exact): Exact => (a.n < 0n ? { n: -a.n, e: a.e } : a);

/** The scaled features of a row, each step rounded to f32, and 1. */
export function scaledRow({ x, center, factor }: Piece, i: number): number[] {
  const inputs = center.length;
  const row = Array.from(center, (c, k) => Math.fround(Math.fround(x[i * inputs + k] - c) * factor[k]));
  return [...row, 1];
}

/** Losses and gradients of rows with finite logits. */
export function softmaxRegression(piece: Piece): Truth {
  const { center, targets, weights, w, classes } = piece;
  const inputs = center.length;
  const columns = classes + (classes % 2);
  const rows = targets.length;
  let loss = ZERO;
  let lossError = 0;
  const gradient: Exact[] = Array.from({ length: (inputs + 1) * classes }, () => ZERO);
  const errors = gradient.map(() => 0);
  for (let i = 0; i < rows; i++) {
    if (weights[i] === 0) continue;
    const v = scaledRow(piece, i);
    const weight = exact(weights[i]);
    // 1. the logits, and the bound of their errors
    const logits: Exact[] = [];
    let delta = 0;
    for (let j = 0; j < classes; j++) {
      let z = ZERO;
      let size = 0;
      v.forEach((value, k) => {
        const coefficient = w[k * columns + j];
        z = add(z, mul(exact(value), exact(coefficient)));
        size += Math.abs(value * coefficient);
      });
      logits.push(z);
      delta = Math.max(delta, (inputs / 2 + 2) * U * size);
    }
    // 2. the loss and its gradient, without the largest logit
    const at = logits.reduce((best, z, j) => (compare(z, logits[best]) > 0 ? j : best), 0);
    const e = logits.map((z) => {
      const d = sub(z, logits[at]);
      return compare(d, LEAST) < 0 ? ZERO : exp(d);
    });
    const sumOf = (without: number): Exact => e.reduce((sum, term, j) => (j === without ? sum : add(sum, term)), ZERO);
    const s = sumOf(at);
    const y = targets[i];
    const own = mul(weight, add(log1p(s), sub(logits[at], logits[y])));
    loss = add(loss, own);
    lossError += 2 * delta * weights[i] + 10 * U * toF64(own);
    // 3. its products with the features
    e.forEach((term, j) => {
      const others = sumOf(y);
      const share = mul(weight, div(j === y ? { n: -others.n, e: others.e } : term, add(ONE, s)));
      v.forEach((value, k) => {
        const product = mul(share, exact(value));
        const n = k * classes + j;
        gradient[n] = add(gradient[n], product);
        errors[n] += toF64(magnitude(product)) * (2 * delta * (1 + 4 * delta) + (16 + CHUNK + rows / CHUNK) * U);
      });
    });
  }
  return { loss, lossError, gradient, errors };
}
