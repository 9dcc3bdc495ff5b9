/** Hostile inputs for fast-check, and the rules of the numeric contract that every result must keep. */
import fc from "fast-check";
import { BOUNDS } from "../src/bounds.ts";
import type { Dtype } from "../src/tensor.ts";

/** The same inputs in every run, so that a red run means a change; NAPIER_SEED=… draws others. Printed with every failure. */
export const SEED = Number(process.env.NAPIER_SEED ?? 20261123);

export const DTYPES = ["f32", "f64"] as const;

/** A failure prints its seed, its path and the smallest input that fast-check found. */
export const check = <T>(runs: number, inputs: fc.Arbitrary<T>, property: (input: T) => void): void =>
  fc.assert(fc.property(inputs, property), { seed: SEED, numRuns: runs });

export const LIMITS = {
  f32: { max: 3.4028234663852886e38, least: 2 ** -149, digits: 24 },
  f64: { max: Number.MAX_VALUE, least: Number.MIN_VALUE, digits: 53 },
} as const;

export type Floats = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
export const make = (dtype: Dtype, values: number | readonly number[]): Floats =>
  (dtype === "f32" ? Float32Array : Float64Array).from(
    typeof values === "number" ? new Array<number>(values).fill(0) : values,
  );

/** The neighbour `steps` floats away. */
export function neighbour(x: number, steps: number, dtype: Dtype): number {
  if (dtype === "f32") {
    const f32 = Float32Array.of(x);
    new Int32Array(f32.buffer)[0] += steps;
    return f32[0];
  }
  const f64 = Float64Array.of(x);
  new BigInt64Array(f64.buffer)[0] += BigInt(steps);
  return f64[0];
}

/** One unit of the last place at |x|, the larger one at the edge of a binade. */
export function ulp(x: number, dtype: Dtype): number {
  const { digits, least, max } = LIMITS[dtype];
  const magnitude = Math.min(Math.abs(x), max);
  return Math.max(2 ** (Math.floor(Math.log2(Math.max(magnitude, least))) + 1 - digits), least);
}

/** Any number of the dtype: huge, subnormal, ±0, ±∞, NaN, or ordinary. */
export function anyNumber(dtype: Dtype): fc.Arbitrary<number> {
  const { max, least } = LIMITS[dtype];
  const normal = dtype === "f32" ? 2 ** -126 : 2 ** -1022;
  const reach = dtype === "f32" ? [87, 88, 88.7, 103, 104] : [708, 709, 709.7, 745, 746];
  const special = [0, least, normal, normal - least, max, max / 2, Infinity, 1, 20, 40, 1e6, 2 ** 24, ...reach];
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(Number.NaN, ...special, ...special.map((v) => -v)) },
    { weight: 2, arbitrary: dtype === "f32" ? fc.float() : fc.double() },
    { weight: 2, arbitrary: fc.double({ min: -50, max: 50, noNaN: true }) },
  );
}

/** Rows by what makes them hostile; `finite` leaves out NaN, ±∞. */
export function anyRow(dtype: Dtype, length: number, finite: boolean): fc.Arbitrary<number[]> {
  const { max } = LIMITS[dtype];
  const array = (entry: fc.Arbitrary<number>) => fc.array(entry, { minLength: length, maxLength: length });
  const small = fc.double({ min: -12, max: 12, noNaN: true });
  const kinds: fc.Arbitrary<number[]>[] = [
    array(small),
    array(fc.double({ min: -max, max, noNaN: true })),
    array(fc.double({ min: -(2 ** -100), max: 2 ** -100, noNaN: true })),
    // equal, and near-equal: a few floats apart, at any offset
    fc
      .tuple(fc.oneof(small, fc.constantFrom(0, 1e6, -1e6, max, -max)), array(fc.integer({ min: -3, max: 0 })))
      .map(([base, steps]) =>
        steps.map((step) => (Math.abs(base) < 1e-30 ? -step * LIMITS[dtype].least : neighbour(base, step, dtype))),
      ),
    fc.tuple(fc.constantFrom(0, 7, -0.1, 1e8, max, -max), array(fc.constant(0))).map(([v, row]) => row.map(() => v)),
    fc
      .tuple(fc.constantFrom(30, 1e3, -1e5, 1e6, 1e15), array(small))
      .map(([offset, row]) => row.map((v) => v + offset)),
    // one wins by up to the whole reach of exp
    fc
      .tuple(fc.nat(), fc.double({ min: 0, max: dtype === "f32" ? 110 : 760, noNaN: true }), array(small))
      .map(([at, gap, row]) => row.map((v, j) => (j === at % length ? v + gap : v))),
  ];
  const infinite: fc.Arbitrary<number[]>[] = [
    array(anyNumber(dtype)),
    array(fc.oneof({ weight: 3, arbitrary: small }, { weight: 2, arbitrary: fc.constant(-Infinity) })),
    array(fc.constant(-Infinity)),
    fc
      .tuple(fc.nat(), fc.constantFrom(Number.NaN, Infinity), array(small))
      .map(([at, v, row]) => row.map((old, j) => (j === at % length ? v : old))),
  ];
  const rounded = dtype === "f32" ? (row: number[]) => row.map(Math.fround) : (row: number[]) => row;
  const clamp = (row: number[]) => row.map((v) => Math.max(-max, Math.min(max, v)));
  return finite ? fc.oneof(...kinds).map((row) => clamp(rounded(row))) : fc.oneof(...kinds, ...infinite).map(rounded);
}

/** The places of each row's entries along an axis. */
export function places(shape: readonly number[], axis: number): Int32Array[] {
  const size = (sizes: readonly number[]): number => sizes.reduce((total, n) => total * n, 1);
  const inner = size(shape.slice(axis + 1));
  return Array.from({ length: size(shape.slice(0, axis)) * inner }, (_, i) =>
    Int32Array.from({ length: shape[axis] }, (_, j) => (Math.floor(i / inner) * shape[axis] + j) * inner + (i % inner)),
  );
}

export type RowKind = "finite" | "NaN" | "+∞" | "all −∞" | "empty";

/** By precedence: NaN, +∞, −∞. */
export function rowKind(row: ArrayLike<number>): RowKind {
  let m = -Infinity;
  for (let j = 0; j < row.length; j++) {
    if (Number.isNaN(row[j])) return "NaN";
    m = Math.max(m, row[j]);
  }
  if (m === Infinity) return "+∞";
  return row.length === 0 ? "empty" : m === -Infinity ? "all −∞" : "finite";
}

export function fail(what: string): never {
  throw new Error(what);
}

/** The very same numbers. */
export function checkSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  for (let k = 0; k < expected.length; k++) {
    if (!Object.is(actual[k], expected[k])) fail(`${what}[${k}] is ${actual[k]}, not ${expected[k]}`);
  }
}

/** Zeros are +0; a NaN in a typed array has the canonical bits. */
export function checkBits(out: ArrayLike<number>, what: string): void {
  for (let k = 0; k < out.length; k++) {
    if (out[k] === 0 && 1 / out[k] < 0) fail(`${what}[${k}] is −0`);
    if (Number.isNaN(out[k])) checkNaN(out, k, what);
  }
}

function checkNaN(out: ArrayLike<number>, k: number, what: string): void {
  if (out instanceof Float32Array) {
    const bits = new Uint32Array(out.buffer, out.byteOffset + 4 * k, 1)[0];
    if (bits !== 0x7fc00000) fail(`${what}[${k}] is the NaN ${bits.toString(16)}`);
  } else if (out instanceof Float64Array) {
    const [low, high] = new Uint32Array(out.buffer, out.byteOffset + 8 * k, 2);
    if (high !== 0x7ff80000 || low !== 0) fail(`${what}[${k}] is the NaN ${high.toString(16)} ${low.toString(16)}`);
  }
}

/** A sum and what its additions lost. */
export function compensated(terms: Iterable<number>): number {
  let sum = 0;
  let lost = 0;
  for (const term of terms) {
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** |Σ entries − total| within the sum of the entries' bounds. */
export function checkSum(
  entries: readonly number[],
  total: number,
  bound: keyof typeof BOUNDS,
  dtype: Dtype,
  what: string,
) {
  const allowed = entries.reduce((sum, v) => sum + BOUNDS[bound][dtype] * ulp(v, dtype), 0);
  const off = Math.abs(compensated([...entries, -total]));
  if (!(off <= allowed)) fail(`${what} sums to ${total} but for ${off}, allowed ${allowed}`);
}

/** A row of the contract's table for each function: what a result must be, whatever the numbers. */
export const RULES = {
  logSumExp(value: number, row: ArrayLike<number>): boolean {
    const kind = rowKind(row);
    if (kind === "NaN") return Number.isNaN(value);
    if (kind === "+∞") return value === Infinity;
    return kind === "finite" ? Number.isFinite(value) : value === -Infinity;
  },
  softmax(p: ArrayLike<number>, row: ArrayLike<number>): boolean {
    const finite = rowKind(row) === "finite";
    return Array.from(p).every((v, j) =>
      finite ? (row[j] === -Infinity ? v === 0 : v >= 0 && v <= 1) : Number.isNaN(v),
    );
  },
  logSoftmax(logp: ArrayLike<number>, row: ArrayLike<number>): boolean {
    const finite = rowKind(row) === "finite";
    return Array.from(logp).every((v, j) =>
      finite ? (row[j] === -Infinity ? v === -Infinity : v <= 0) : Number.isNaN(v),
    );
  },
  crossEntropy(loss: number, row: ArrayLike<number>, y: number): boolean {
    if (rowKind(row) !== "finite") return Number.isNaN(loss);
    return row[y] === -Infinity ? loss === Infinity : loss >= 0;
  },
  gradient(g: ArrayLike<number>, row: ArrayLike<number>, y: number): boolean {
    const finite = rowKind(row) === "finite";
    return Array.from(g).every((v, j) => {
      if (!finite) return Number.isNaN(v);
      if (j === y) return v <= 0 && v >= -1;
      return row[j] === -Infinity ? v === 0 : v >= 0 && v <= 1;
    });
  },
} as const;
