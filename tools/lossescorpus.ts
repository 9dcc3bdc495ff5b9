import { HOSTILE } from "./rows.ts";
import { type Section, times, typed } from "./section.ts";

/** Every option of the losses, and temperature. */
export function lossesSection(section: Section): void {
  const { core } = section.library;
  const { results, uniform, normal } = section;
  const OPTIONS = [
    { labelSmoothing: 0.1 },
    { zLoss: 1e-3 },
    { softcap: 30 },
    { temperature: 0.7 },
    { labelSmoothing: 0.2, zLoss: 1e-4, softcap: 5, temperature: 3 },
  ];
  for (const dtype of ["f32", "f64"] as const) {
    for (const classes of [1, 2, 3, 5, 16, 17, 64, 67, 300]) {
      const rows = Object.values(HOSTILE).map((row) => section.row(row, classes, dtype));
      const shape = [rows.length, classes] as const;
      const x = typed(dtype, rows.flat());
      const y = Int32Array.from({ length: rows.length }, (_, i) => (i % 9 === 8 ? -100 : (5 * i) % classes));
      const q = core.softmax(typed(dtype, Array.from(x, normal)), { shape });
      const weight = times(classes, (j) => (j % 6 === 5 ? 0 : 4 * uniform() - 0.5));
      const mask = { data: Uint8Array.from(x, () => Number(uniform() < 0.9)), shape };
      const none = { shape, reduction: "none" } as const;
      const hard = { shape, ignoreIndex: -100 };
      for (const counting of [{}, { weight }, { mask }, { weight, mask }]) {
        for (const options of [{}, ...OPTIONS]) {
          const both = core.crossEntropyWithGrad(x, y, { ...hard, ...counting, ...options });
          const each = core.crossEntropy(x, y, { ...none, ...hard, ...counting, ...options, reduction: "none" });
          results.put(both.loss, both.dlogits, each);
          const soft = core.softCrossEntropyWithGrad(x, q, { ...none, ...counting, ...options });
          results.put(soft.loss, soft.dlogits, core.softCrossEntropy(x, q, { shape, ...counting, ...options }));
        }
      }
      results.put(core.nllLoss(q, y, { ...hard, weight }), core.nllLossBackward(0.3, q, y, { ...hard, weight }));
      for (const masked of [
        { shape, mask },
        { shape, mask, temperature: 0.7 },
      ]) {
        const [logProbs, probs] = [core.logSoftmax(x, masked), core.softmax(x, masked)];
        results.put(logProbs, probs, core.logSumExp(x, { shape, mask }));
        results.put(core.logSoftmaxBackward(q, logProbs, masked), core.softmaxBackward(q, probs, masked));
      }
      for (const temperature of [0.3, 1 / 3, 7, 1e-3, 1e4]) {
        const options = { shape, temperature };
        const [logProbs, probs] = [core.logSoftmax(x, options), core.softmax(x, options)];
        results.put(logProbs, probs);
        results.put(core.logSoftmaxBackward(q, logProbs, options), core.softmaxBackward(q, probs, options));
      }
    }
  }
}
