/** loss[i] = −logp[i, y[i]] */
export function nllRow(logProbs: readonly number[], y: number): number {
  return 0 - logProbs[y];
}
