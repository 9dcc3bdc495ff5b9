/** The slow truth beside matmul.as.ts: same sums in the same order, so the same bits. Weights here are plain [outputs, inputs]. */

/** out[i, j] = bias[j] + Σ_k x[i, k]·w[j, k] */
export function linear(
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array,
  rows: number,
  inputs: number,
): Float32Array {
  const outputs = bias.length;
  const out = new Float32Array(rows * outputs);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < outputs; j++) {
      let sum = bias[j];
      for (let k = 0; k < inputs; k++) sum = Math.fround(sum + Math.fround(x[i * inputs + k] * w[j * inputs + k]));
      out[i * outputs + j] = sum;
    }
  }
  return out;
}

/** dw[j, k] = Σ_i g[i, j]·x[i, k] */
export function linearBackwardWeight(
  g: Float32Array,
  x: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
): Float32Array {
  const dw = new Float32Array(outputs * inputs);
  for (let j = 0; j < outputs; j++) {
    for (let k = 0; k < inputs; k++) {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum = Math.fround(sum + Math.fround(x[i * inputs + k] * g[i * outputs + j]));
      dw[j * inputs + k] = sum;
    }
  }
  return dw;
}

/** dx[i, k] = Σ_j g[i, j]·w[j, k] */
export function linearBackwardInput(
  g: Float32Array,
  w: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
): Float32Array {
  const dx = new Float32Array(rows * inputs);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inputs; k++) {
      let sum = 0;
      for (let j = 0; j < outputs; j++) sum = Math.fround(sum + Math.fround(g[i * outputs + j] * w[j * inputs + k]));
      dx[i * inputs + k] = sum;
    }
  }
  return dx;
}
