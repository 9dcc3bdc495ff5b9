import { HOSTILE } from "./rows.ts";
import { type Section, times } from "./section.ts";

/** Numbers in an array of this kind; a NaN comes in with a sign and a payload, and must leave without them. */
function typed(values: readonly number[], kind: string): number[] | Float32Array | Float64Array {
  if (kind === "number[]") return [...values];
  const numbers = kind === "f32" ? Float32Array.from(values) : Float64Array.from(values);
  const words = new Uint32Array(numbers.buffer);
  const perNumber = words.length / numbers.length;
  for (let k = 0; k < numbers.length; k++) {
    if (Number.isNaN(numbers[k])) words[perNumber * (k + 1) - 1] |= 0x8001a000;
  }
  return numbers;
}

/** The binary family, number by number: hostile values, every gap, targets hard and soft, factors of every shape. */
export function binarySection(section: Section): void {
  const { library, results, uniform, normal } = section;
  const { core } = library;
  for (const kind of ["f32", "f64", "number[]"]) {
    const dtype = kind === "f32" ? "f32" : "f64";
    const reach = kind === "f32" ? 110 : 760;
    const values = [
      ...Object.values(HOSTILE).flatMap((hostile) => section.row(hostile, 9, dtype)),
      ...times(4000, (k) => (reach * (k - 2000 + uniform())) / 2000),
      ...times(597, () => 3 * normal()),
    ];
    const shape = [values.length / 5, 5];
    const tensor = (numbers: readonly number[], sizes: readonly number[] = shape) => ({
      data: typed(numbers, kind),
      shape: sizes,
    });
    const x = tensor(values);
    const g = tensor(values.map((_, k) => (k % 7 === 0 ? values[values.length - 1 - k] : normal())));
    const below = tensor(values.map((v) => (v > 0 ? -v : v)));
    results.put(core.logSigmoid(x).data, core.log1pExp(x).data, core.log1mExp(x).data, core.log1mExp(below).data);
    results.put(core.logSigmoidBackward(g, x).data, core.log1pExpBackward(g, x).data);
    results.put(core.log1mExpBackward(g, below).data, core.log1mExpBackward(g, x).data);
    const hard = tensor(values.map(() => (uniform() < 0.5 ? 0 : 1)));
    const soft = tensor(values.map((_, k) => (k % 11 === 0 ? 3 * normal() : uniform())));
    const finite = tensor(values.map((v) => (v - v === 0 ? v : normal())));
    const weight = tensor(values.map((_, k) => (k % 13 === 0 ? 0 : normal() * normal())));
    const posWeight = tensor(times(5, uniform), [5]);
    for (const logits of [x, finite]) {
      for (const targets of [hard, soft]) {
        for (const factors of [{}, { weight }, { posWeight }, { weight: 0.3, posWeight }]) {
          const each = core.bceWithLogitsWithGrad(logits, targets, { ...factors, reduction: "none" });
          const mean = core.bceWithLogitsWithGrad(logits, targets, factors);
          results.put(each.loss.data, each.dlogits.data, mean.loss, mean.dlogits.data);
          results.put(core.bceWithLogits(logits, targets, { ...factors, reduction: "sum" }));
        }
      }
    }
  }
}
