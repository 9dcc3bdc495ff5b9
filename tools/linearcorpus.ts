import { HOSTILE } from "./rows.ts";
import { type Section, times, typed } from "./section.ts";

/** Losses straight from a layer: one block of classes and several, one strip of features and several. */
export function linearSection(section: Section): void {
  const { linear } = section.library;
  const { results, uniform, normal } = section;
  const OPTIONS = [
    {},
    { labelSmoothing: 0.1 },
    { zLoss: 1e-3, temperature: 0.7 },
    { softcap: 5 },
    { labelSmoothing: 0.2, zLoss: 1e-4, softcap: 30, temperature: 3 },
  ];
  for (const dtype of ["f32", "f64"] as const) {
    for (const [rows, features, classes] of [
      [1, 1, 1],
      [3, 2, 2],
      [7, 5, 17],
      [100, 20, 70],
      [5, 1100, 40],
      [9, 8, 3000],
      [5, 600, 700],
    ]) {
      const spread = 6 / Math.sqrt(features);
      const x = typed(dtype, times(rows * features, normal));
      const w = typed(
        dtype,
        times(classes * features, () => spread * (uniform() - 0.5)),
      );
      const bias = typed(dtype, times(classes, normal));
      const y = Int32Array.from({ length: rows }, (_, i) => (i % 9 === 8 ? -100 : (5 * i) % classes));
      const weight = times(classes, (j) => (j % 6 === 5 ? 0 : 4 * uniform() - 0.5));
      const mask = { data: Uint8Array.from({ length: classes }, () => Number(uniform() < 0.9)), shape: [classes] };
      const shape = [rows, features] as const;
      for (const options of OPTIONS) {
        for (const counting of [{}, { weight, mask, bias }]) {
          const all = { shape, ignoreIndex: -100, ...options, ...counting };
          const both = linear.linearCrossEntropyWithGrad(x, w, y, all);
          const each = linear.linearCrossEntropy(x, w, y, { ...all, reduction: "none" });
          results.put(both.loss, both.dx, both.dweight, both.dbias, each);
        }
      }
    }
    // logits of every kind: those of one feature that is 1
    for (const classes of [2, 17, 300, 3000]) {
      for (const make of Object.values(HOSTILE)) {
        const row = typed(dtype, section.row(make, classes, dtype));
        for (const y of [0, classes - 1]) {
          const { loss, dx, dweight } = linear.linearCrossEntropyWithGrad(typed(dtype, [1]), row, y);
          results.put(loss, dx, dweight);
        }
      }
    }
  }
}
