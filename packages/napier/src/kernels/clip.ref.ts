/** The slow truth beside clip.as.ts, the same bits: Σ x² over each 1,024 numbers. */
export function squareSums(x: Float32Array): number[] {
  const sums: number[] = [];
  for (let first = 0; first < x.length; first += 1024) {
    const block = x.subarray(first, first + 1024);
    const whole = block.length - (block.length % 4);
    const lanes = [0, 0, 0, 0];
    for (let k = 0; k < whole; k++) lanes[k % 4] += block[k] * block[k];
    let sum = lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
    for (let k = whole; k < block.length; k++) sum += block[k] * block[k];
    sums.push(sum);
  }
  return sums;
}

export function scale(x: Float32Array, factor: number): void {
  for (let k = 0; k < x.length; k++) x[k] *= Math.fround(factor);
}
