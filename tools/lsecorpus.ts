import { HOSTILE, ROWS } from "./rows.ts";
import { type Section, times, typed } from "./section.ts";

/** The log-sum-exp family: weights, masks, means, pairs and running sums, on rows of every kind. */
export function lseSection(section: Section): void {
  const { library, results, uniform, normal } = section;
  const { core } = library;
  for (const dtype of ["f32", "f64"] as const) {
    for (const classes of [1, 2, 3, 5, 8, 17, 40, 67, 300]) {
      const rows = [...Object.values(HOSTILE), ...ROWS].map((kind) => section.row(kind, classes, dtype));
      const size = rows.length * classes;
      const x = { data: typed(dtype, rows.flat()), shape: [rows.length, classes] };
      const d = { ...x, data: typed(dtype, times(size, normal)) };
      const g = { data: typed(dtype, times(rows.length, normal)), shape: [rows.length] };
      const mask = { data: times(size, () => (uniform() < 0.8 ? 1 : 0)), shape: x.shape };
      const signed = { weights: { ...x, data: typed(dtype, times(size, normal)) }, returnSign: true } as const;
      const wild = { weights: { ...x, data: times(size, () => 2 ** Math.floor(1800 * (uniform() - 0.5))) } };
      results.put(core.logSumExp(x, signed), core.logSumExp(x, wild), core.logSumExp(x, { mask }));
      results.put(core.logSumExp(x, { ...wild, mask }), core.logMeanExp(x), core.logMeanExp(x, { mask }));
      results.put(core.logSumExpBackward(g, x, { weights: signed.weights }), core.logSumExpBackward(g, x, { mask }));
      results.put(core.logMeanExpBackward(g, x, { mask }));
      results.put(core.logAddExp(x, d), core.logAddExp(x, { data: d.data.slice(0, classes), shape: [classes] }));
      results.put(core.logAddExpBackward(d, x, { data: d.data.slice(0, classes), shape: [classes] }));
      for (const reverse of [false, true]) {
        results.put(core.logCumSumExp(x, { reverse }), core.logCumSumExpBackward(d, x, { reverse }));
        results.put(core.logCumSumExp(x, { reverse, axis: 0 }));
      }
    }
  }
}
