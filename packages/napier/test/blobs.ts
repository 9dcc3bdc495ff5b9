import { normals } from "../../../tools/hostile.ts";
import type { Matrix } from "../src/train/index.ts";

export const matrix = (values: ArrayLike<number>, columns: number): Matrix & { data: Float32Array } => ({
  data: Float32Array.from(values),
  shape: [values.length / columns, columns],
});

/** Classes "a", "b", … in turn, each a round cloud around a centre of its own; the centres are the same for every seed. */
export function blobs(
  rows: number,
  features: number,
  classes: number,
  seed: number,
  deviation = 1,
): { x: Matrix & { data: Float32Array }; y: string[] } {
  const place = normals(12345);
  const centres = Array.from({ length: classes * features }, () => 3 * place());
  const normal = normals(seed);
  const data = new Float32Array(rows * features);
  for (let k = 0; k < data.length; k++) {
    const label = Math.floor(k / features) % classes;
    data[k] = centres[label * features + (k % features)] + deviation * normal();
  }
  return { x: { data, shape: [rows, features] }, y: Array.from({ length: rows }, (_, i) => "abcdefgh"[i % classes]) };
}
