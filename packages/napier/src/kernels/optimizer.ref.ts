const { fround, sqrt } = Math;

/** The slow truth beside optimizer.as.ts: the same steps in f32, the same bits. Changes w, mean and square. */
export function adamw(
  w: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  g: Float32Array,
  [decay, beta1, beta2, rate, correction, epsilon]: readonly number[],
): void {
  const [d, r1, b2, r2, r, c, e] = [decay, 1 - beta1, beta2, 1 - beta2, rate, correction, epsilon].map(fround);
  for (let k = 0; k < w.length; k++) {
    const m = fround(mean[k] + fround(r1 * fround(g[k] - mean[k])));
    const v = fround(fround(b2 * square[k]) + fround(r2 * fround(g[k] * g[k])));
    mean[k] = m;
    square[k] = v;
    const step = fround(fround(r * m) / fround(fround(fround(sqrt(v)) * c) + e));
    w[k] = fround(d * w[k]) - step;
  }
}
