const { fround, sqrt } = Math;

/** The slow truth beside optimizer.as.ts: the same steps in f32, the same bits. They change all but g. */
function adamStep(mean: Float32Array, square: Float32Array, k: number, g: number, numbers: readonly number[]): number {
  const [beta1, beta2, rate, correction, epsilon] = numbers;
  const m = fround(mean[k] + fround(fround(1 - beta1) * fround(g - mean[k])));
  const v = fround(fround(fround(beta2) * square[k]) + fround(fround(1 - beta2) * fround(g * g)));
  mean[k] = m;
  square[k] = v;
  const root = fround(fround(sqrt(v)) * fround(correction));
  return fround(fround(fround(rate) * m) / fround(root + fround(epsilon)));
}

export function adamw(
  w: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  g: Float32Array,
  [decay, ...numbers]: readonly number[],
): void {
  for (let k = 0; k < w.length; k++) {
    const step = adamStep(mean, square, k, g[k], numbers);
    w[k] = fround(fround(decay) * w[k]) - step;
  }
}

export function adam(
  w: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  g: Float32Array,
  [l2, ...numbers]: readonly number[],
): void {
  for (let k = 0; k < w.length; k++) {
    const h = fround(g[k] + fround(fround(l2) * w[k]));
    w[k] -= adamStep(mean, square, k, h, numbers);
  }
}

/** What both steps of SGD begin with: h, and the new buffer. */
function momentumOf(
  w: Float32Array,
  buffer: Float32Array,
  g: Float32Array,
  k: number,
  [l2, momentum, share]: readonly number[],
): { h: number; b: number } {
  const h = fround(g[k] + fround(fround(l2) * w[k]));
  const b = fround(fround(fround(momentum) * buffer[k]) + fround(fround(share) * h));
  buffer[k] = b;
  return { h, b };
}

export function momentum(w: Float32Array, buffer: Float32Array, g: Float32Array, numbers: readonly number[]): void {
  const rate = fround(numbers[3]);
  for (let k = 0; k < w.length; k++) w[k] -= fround(rate * momentumOf(w, buffer, g, k, numbers).b);
}

export function nesterov(w: Float32Array, buffer: Float32Array, g: Float32Array, numbers: readonly number[]): void {
  const rate = fround(numbers[3]);
  for (let k = 0; k < w.length; k++) {
    const { h, b } = momentumOf(w, buffer, g, k, numbers);
    w[k] -= fround(rate * fround(h + fround(fround(numbers[1]) * b)));
  }
}
