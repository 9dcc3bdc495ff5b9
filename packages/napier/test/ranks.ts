import type { Reducer } from "../src/train/reducer.ts";

/** As many reducers as ranks, in this process: a call is done when all ranks have made it. */
export function ranks(size: number): Reducer[] {
  type Array = BigInt64Array | Int32Array;
  let waiting: { kind: string; values: Array; go: () => void }[] = [];
  const meet = (kind: string, values: Array, join: (all: Array[]) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ kind, values, go: resolve });
      const all = waiting;
      if (all.some((other) => other.kind !== kind || other.values.length !== values.length)) {
        reject(new Error(`ranks differ: ${all.map((other) => `${other.kind} of ${other.values.length}`).join(", ")}`));
      }
      if (all.length < size) return;
      waiting = [];
      join(all.map((other) => other.values));
      for (const { go } of all) go();
    });
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    sum: (values) =>
      meet("sum", values, (all) => {
        const sums = values.map((_, k) => (all as BigInt64Array[]).reduce((sum, each) => sum + each[k], 0n));
        for (const each of all as BigInt64Array[]) each.set(sums);
      }),
    max: (values) =>
      meet("max", values, (all) => {
        const largest = values.map((_, k) => Math.max(...(all as Int32Array[]).map((each) => each[k])));
        for (const each of all as Int32Array[]) each.set(largest);
      }),
  }));
}
