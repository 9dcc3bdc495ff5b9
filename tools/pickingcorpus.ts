import { HOSTILE } from "./rows.ts";
import { type Section, times, typed } from "./section.ts";

/** Picking and divergence, on rows of every kind. */
export function pickingSection(section: Section): void {
  const { core } = section.library;
  const { results } = section;
  for (const dtype of ["f32", "f64"] as const) {
    for (const classes of [1, 2, 3, 8, 16, 17, 67, 300, 2000]) {
      const rows = Object.values(HOSTILE).map((row) => section.row(row, classes, dtype));
      const shape = [rows.length, classes] as const;
      const x = typed(dtype, rows.flat());
      for (const k of [1, (classes + 1) >> 1, classes]) {
        const { indices, logProbs } = core.topLogProbs(x, k, { shape });
        results.put([...indices], logProbs);
      }
      for (const [seed, filters] of [
        [1, {}],
        [4294967295, { temperature: 0.7, topP: 0.9 }],
        [77, { topK: 5, topP: 0.999, temperature: 2 }],
      ] as const) {
        results.put([...core.sample(x, { shape, seed, ...filters })]);
      }
      const g = typed(dtype, times(rows.length, section.normal));
      results.put(core.entropy(x, { shape }), core.entropyBackward(g, x, { shape }));
      const y = times(rows.length, (i) => (7 * i) % classes);
      results.put(core.perplexity(x, y, { shape }));
      rows.forEach((row, i) => {
        results.put(core.perplexity(typed(dtype, row), y[i]));
      });
      const logProbs = core.logSoftmax(x, { shape });
      const other = typed(
        dtype,
        times(x.length, () => 3 * section.normal()),
      );
      for (const logTarget of [false, true]) {
        const targets = (logTarget ? core.logSoftmax : core.softmax)(other, { shape });
        for (const reduction of ["mean", "batchmean", "sum"] as const) {
          results.put(core.klDiv(logProbs, targets, { shape, logTarget, reduction }));
        }
        results.put(core.klDiv(logProbs, targets, { shape, logTarget, reduction: "none" }));
        results.put(core.klDiv(other, x, { shape, logTarget, reduction: "none" }));
        results.put(core.klDivBackward(section.normal(), logProbs, targets, { shape, logTarget }));
      }
    }
  }
}
