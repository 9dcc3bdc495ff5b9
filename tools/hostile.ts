import { rng } from "#napier/rng";

/** Normal numbers, seeded. */
export function normals(seed: number): () => number {
  const random = rng(seed, 77);
  return () => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

export type Dtype = "f32" | "f64";

/** Rounded to the dtype, in a plain array. */
export function rounded(row: readonly number[], dtype: Dtype): number[] {
  return dtype === "f32" ? row.map(Math.fround) : [...row];
}

export function typed(row: readonly number[], dtype: Dtype): Float32Array | Float64Array {
  return dtype === "f32" ? Float32Array.from(row) : Float64Array.from(row);
}

/** Hostile rows by kind: every budget holds on every one of them. */
export function* rowsByKind(dtype: Dtype, scale = 1): Generator<{ kind: string; row: number[] }> {
  const normal = normals(scale * 1000 + 1);
  const random = rng(5, scale);
  const reach = dtype === "f32" ? 104 : 746;
  const each = (kind: string, row: number[]) => ({ kind, row: rounded(row, dtype) });
  const times = (n: number): number => Math.round(n * scale);

  for (let deviation = 1; deviation <= 20; deviation++) {
    for (let i = 0; i < times(6); i++) {
      const classes = 2 + random.below(60);
      yield each(
        "normal",
        Array.from({ length: classes }, () => deviation * normal()),
      );
    }
  }
  for (let i = 0; i < times(150); i++) {
    // one winner by a gap up to the whole range of exp
    const row = Array.from({ length: 2 + random.below(20) }, () => normal());
    row[random.below(row.length)] = 3 + random.uniform() * reach;
    yield each("peaked", row);
  }
  for (let i = 0; i < times(300); i++) yield each("two logits", [random.uniform() * reach, 0]);
  for (let i = 0; i < times(60); i++) yield each("two close logits", [random.uniform() / 2 ** random.below(60), 0]);
  for (let i = 0; i < times(60); i++) {
    const offset = (random.uniform() - 0.5) * 2e6;
    yield each(
      "offset",
      Array.from({ length: 2 + random.below(30) }, () => offset + 5 * normal()),
    );
  }
  for (let i = 0; i < times(150); i++) {
    // undominated rows of many classes, about both borders of the shift (±40) and far away
    const offset = [0, 30, 39, 41, -38, -42, 1000, -1e5, 1e6, -2e6][i % 10];
    const deviation = 0.1 + 2 * random.uniform();
    yield each(
      "flat",
      Array.from({ length: 33 + random.below(300) }, () => offset + deviation * normal()),
    );
  }
  for (let i = 0; i < times(20); i++) {
    // many terms at one value: their errors have one sign
    const depth = 6 * random.uniform();
    const count = Math.ceil(5 * Math.exp(depth));
    yield each("flat, one value", [0, ...new Array<number>(count).fill(-depth)]);
  }
  for (let i = 0; i < times(60); i++) {
    const row = Array.from({ length: 2 + random.below(30) }, () => 4 * normal());
    const sum = row.reduce((total, v) => total + Math.exp(v), 0);
    yield each(
      "log-probabilities",
      row.map((v) => v - Math.log(sum)),
    );
  }
  for (let i = 0; i < times(40); i++) {
    // the maximum is about −log of the rest of the sum
    const tail = Array.from({ length: 1 + random.below(i % 3 === 0 ? 60 : 6) }, () => -7 * random.uniform());
    const l = Math.log1p(tail.reduce((sum, v) => sum + Math.exp(v), 0));
    const m = -l * (0.3 + 1.4 * random.uniform());
    yield each("cancelling", [m, ...tail.map((v) => m + v)]);
  }
  for (let i = 0; i < times(40); i++) {
    // many classes near a maximum that is shifted away, and some far below it
    const m = [41, 60, 100, 173, 175, 1000, -41, -90][i % 8];
    const row = Array.from({ length: 100 }, (_, j) => (j < 20 ? m - 0.01 * j : m - 86 * random.uniform()));
    yield each("flat, far entries", row);
  }
  for (const classes of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 50, 1000]) {
    yield each("ties", new Array<number>(classes).fill(0.1 * classes));
  }
  for (let i = 0; i < times(40); i++) {
    // a result in or near the subnormal range
    const edge = dtype === "f32" ? 80 + random.uniform() * 25 : 690 + random.uniform() * 57;
    yield each("subnormal", [0, -edge, -edge - random.uniform()]);
  }
  for (let i = 0; i < times(20); i++) {
    const huge = dtype === "f32" ? 3e38 : 1.7e308;
    yield each("huge", [huge * random.uniform(), -huge * random.uniform(), huge * (random.uniform() - 0.5)]);
  }
  yield each(
    "many classes",
    Array.from({ length: times(4000) }, () => 3 * normal()),
  );
}
