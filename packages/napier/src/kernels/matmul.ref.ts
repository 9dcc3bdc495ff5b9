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

/** dw[j, k] = Σ_i g[i, j]·x[i, k]: a sum for each piece of rows, in multiples of unit(j, k), a power of two; the multiples are integers. */
export function linearGradient(
  g: Float32Array,
  x: Float32Array,
  pieces: readonly number[],
  inputs: number,
  outputs: number,
  unit: (j: number, k: number) => number,
): { dw: Float32Array; sums: bigint[] } {
  const sums: bigint[] = [];
  for (let j = 0; j < outputs; j++) {
    for (let k = 0; k < inputs; k++) {
      let total = 0n;
      let i = 0;
      for (const rows of pieces) {
        let sum = 0;
        for (const end = i + rows; i < end; i++) {
          sum = Math.fround(sum + Math.fround(x[i * inputs + k] * g[i * outputs + j]));
        }
        const multiple = sum / unit(j, k);
        const below = Math.floor(multiple);
        const rest = multiple - below;
        total += BigInt(below + (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? 1 : 0));
      }
      sums.push(total);
    }
  }
  const dw = sums.map((sum, n) => Number(sum) * unit(Math.floor(n / inputs), n % inputs));
  return { dw: Float32Array.from(dw), sums };
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
