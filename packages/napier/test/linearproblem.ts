import { expect } from "vitest";
import { normals, typed } from "../../../tools/hostile.ts";
import type { CrossEntropyOptions } from "../src/index.ts";
import { linearLogits } from "../src/kernels/products.ref.ts";
import { rng } from "../src/rng.ts";

export type Dtype = "f32" | "f64";
export type Floats = Float32Array;
export const DTYPES = ["f32", "f64"] as const;

/** Workspaces: the usual one, one in which a block has 16 classes and a group one strip. */
export const SIZES = [undefined, 1] as const;

const same = (a: unknown, b: unknown): boolean => {
  const [p, q] = [a, b].map((v) => (typeof v === "number" ? [v] : Array.from(v as number[])));
  return p.length === q.length && p.every((v, k) => Object.is(v, q[k]));
};
export const expectSame = (a: unknown, b: unknown, what: string): void => {
  expect(same(a, b), `${what}: ${String(a).slice(0, 200)}, not ${String(b).slice(0, 200)}`).toBe(true);
};

export const OPTIONS: (CrossEntropyOptions & { reduction?: "mean" | "sum" })[] = [
  {},
  { labelSmoothing: 0.1 },
  { zLoss: 0.01 },
  { softcap: 4 },
  { temperature: 0.7 },
  { labelSmoothing: 0.2, zLoss: 1e-3, softcap: 30, temperature: 3 },
];

interface Problem {
  readonly rows: number;
  readonly features: number;
  readonly classes: number;
  readonly x: Floats;
  readonly w: Floats;
  readonly bias: Floats;
  readonly y: Int32Array;
  readonly shape: readonly [number, number];
}

export function problem(rows: number, features: number, classes: number, dtype: Dtype, seed = 1, spread = 1): Problem {
  const normal = normals(seed);
  const random = rng(seed, 3);
  const make = (length: number, by: number) =>
    typed(
      Array.from({ length }, () => by * normal()),
      dtype,
    ) as Floats;
  return {
    ...{ rows, features, classes },
    x: make(rows * features, 1),
    w: make(classes * features, spread),
    bias: make(classes, 1),
    y: Int32Array.from({ length: rows }, () => random.below(classes)),
    shape: [rows, features],
  };
}

export const logitsOf = ({ x, w, bias, rows, features, classes }: Problem, dtype: Dtype): Floats =>
  linearLogits(x, w, bias, rows, features, classes, dtype) as Floats;
