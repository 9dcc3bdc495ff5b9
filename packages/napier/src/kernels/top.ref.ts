/** The classes of the k largest logits, larger first and equal ones by class; 0 … k − 1 where a NaN or +∞ is in the row. */
export function topRow(x: readonly number[], k: number): number[] {
  const classes = x.map((_, j) => j);
  if (x.every((v) => v < Infinity)) classes.sort((a, b) => (x[a] === x[b] ? a - b : x[b] > x[a] ? 1 : -1));
  return classes.slice(0, k);
}
