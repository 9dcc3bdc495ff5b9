import * as napier from "napier";
import { createPool } from "napier/pool";
import { afterAll, describe, expect, test } from "vitest";
import { type Float16Data, type Half, type HalfName, widen } from "../src/half.ts";
import { round } from "../src/naive.ts";
import { rng } from "../src/rng.ts";

const FORMATS: HalfName[] = ["float16", "bfloat16"];
const ALL = Uint16Array.from({ length: 1 << 16 }, (_, h) => h);
const DIGITS = { float16: 10, bfloat16: 7 } as const;

/** By IEEE 754's definition. */
function numberOf(h: number, format: HalfName): number {
  const digits = DIGITS[format];
  const sign = h & 0x8000 ? -1 : 1;
  const most = (1 << (15 - digits)) - 1;
  const exponent = (h >> digits) & most;
  const fraction = h & ((1 << digits) - 1);
  if (exponent === most) return fraction === 0 ? sign * Infinity : Number.NaN;
  const significand = exponent === 0 ? fraction : fraction + 2 ** digits;
  return sign * significand * 2 ** (Math.max(exponent, 1) - (most >> 1) - digits);
}

describe.each(FORMATS)("%s", (format) => {
  const wide = new Float32Array(1 << 16);
  widen(wide, ALL, format);
  test("every pattern is its number, and every NaN the canonical one", () => {
    const bits = new Uint32Array(wide.buffer);
    wide.forEach((value, h) => {
      const expected = numberOf(h, format);
      if (!Object.is(value, expected)) throw new Error(`${h.toString(16)}: expected ${expected}, got ${value}`);
      if (Number.isNaN(value) && bits[h] !== 0x7fc00000) throw new Error(`${h.toString(16)}: ${bits[h].toString(16)}`);
    });
  });
  test("every number is one of the format's, as napier/naive rounds", () => {
    const name = format === "float16" ? "f16" : "bf16";
    for (const value of wide) if (!Object.is(round(value, name), value)) throw new Error(`${value}`);
  });
});

/** Numbers near 0 of either format; a NaN, an infinity and subnormals in the last row. */
function halves(format: HalfName, rows: number, classes: number): Uint16Array {
  const random = rng(11, rows + classes);
  const least = 1 << DIGITS[format];
  const data = Uint16Array.from({ length: rows * classes }, () => {
    const sign = random.uniform() < 0.5 ? 0x8000 : 0;
    return sign | Math.floor((format === "float16" ? 0x4c00 : 0x4180) * random.uniform() ** 0.1);
  });
  data.set([0x7fff, 0xff81, 1, 0x8000 | (least - 1), 0].slice(0, classes), (rows - 1) * classes);
  return data;
}

/** Node has Float16Array from 24 on; before, this is an array with its marks. */
function float16Array(bits: Uint16Array): Float16Data {
  const { Float16Array: own } = globalThis as { Float16Array?: new (buffer: ArrayBufferLike) => Float16Data };
  if (own) return new own(bits.buffer);
  return Object.defineProperties(new DataView(bits.buffer), {
    [Symbol.toStringTag]: { value: "Float16Array" },
    length: { value: bits.length },
  }) as unknown as Float16Data;
}

/** A value with the bytes of its arrays, and whether they are shared. */
function bits(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    const { name } = value.constructor;
    return `${name} ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")}`;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, bits(part)]));
}

type Input = napier.Logits;
type Options = { shape?: readonly number[]; axis?: number; dtype?: HalfName };
/** In a looser type than the public one: what a JavaScript caller sees. */
type Loose = Record<string, (...args: unknown[]) => unknown>;
type Call = (on: Loose, x: Input, g: Input, y: Int32Array, options: Options) => unknown;

const POOLED: Record<string, Call> = {
  logSumExp: (on, x, _, __, o) => on.logSumExp(x, o),
  softmax: (on, x, _, __, o) => on.softmax(x, o),
  logSoftmax: (on, x, _, __, o) => on.logSoftmax(x, o),
  softmaxBackward: (on, x, g, _, o) => on.softmaxBackward(g, x, o),
  logSoftmaxBackward: (on, x, g, _, o) => on.logSoftmaxBackward(g, x, o),
  crossEntropy: (on, x, _, y, o) => on.crossEntropy(x, y, o),
  'crossEntropy, "none"': (on, x, _, y, o) => on.crossEntropy(x, y, { ...o, reduction: "none" }),
  crossEntropyWithGrad: (on, x, _, y, o) => on.crossEntropyWithGrad(x, y, o),
  'crossEntropyWithGrad, "none"': (on, x, _, y, o) => on.crossEntropyWithGrad(x, y, { ...o, reduction: "none" }),
};
const PLAIN: Record<string, Call> = {
  nllLoss: (on, x, _, y, o) => on.nllLoss(x, y, o),
  'nllLoss, "none"': (on, x, _, y, o) => on.nllLoss(x, y, { ...o, reduction: "none" }),
  nllLossBackward: (on, x, _, y, o) => on.nllLossBackward(0.7, x, y, o),
};

/** How halves can come: as they are, and the same numbers as f32 in the same kind of object. */
interface Kind {
  readonly only?: HalfName;
  of(data: Uint16Array, shape: readonly number[], format: HalfName): Input;
  full(data: Float32Array, shape: readonly number[]): Input;
  readonly needs: readonly (keyof Options)[];
}
const KINDS: Record<string, Kind> = {
  "Uint16Array and dtype": { of: (data) => data, full: (data) => data, needs: ["shape", "dtype"] },
  Float16Array: { only: "float16", of: (data) => float16Array(data), full: (data) => data, needs: ["shape"] },
  "{ data, shape } and dtype": {
    of: (data, shape) => ({ data, shape }),
    full: (data, shape) => ({ data, shape }),
    needs: ["dtype"],
  },
  "{ data, dims, type }": {
    of: (data, dims, type) => ({ data, dims, type }),
    full: (data, dims) => ({ data, dims, type: "float32" }),
    needs: [],
  },
};

const pools = [1, 2].map((threads) => createPool({ threads }));
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
});

const wideOf = (data: Half, format: HalfName): Float32Array => {
  const out = new Float32Array(data.length);
  widen(out, data, format);
  return out;
};

describe.each(FORMATS)("%s gives what its numbers give as f32", (format) => {
  const kinds = Object.entries(KINDS).filter(([, { only }]) => only === undefined || only === format);
  describe.each(kinds)("%s", (_, { of, full, needs }) => {
    const choose = (options: Options): Options =>
      Object.fromEntries(Object.entries(options).filter(([key]) => needs.includes(key as keyof Options)));
    for (const [name, call] of Object.entries({ ...PLAIN, ...POOLED })) {
      test(name, async () => {
        for (const shape of [
          [7, 5],
          [300, 130],
        ]) {
          const [rows, classes] = shape;
          const x = halves(format, rows, classes);
          const g = halves(format, rows, classes).map((v) => v ^ 3);
          const y = Int32Array.from({ length: rows }, (__, i) => i % classes);
          const plain = napier as unknown as Loose;
          const [xs, gs] = [x, g].map((data) => full(wideOf(data, format), shape));
          const expected = bits(call(plain, xs, gs, y, needs.includes("shape") ? { shape } : {}));
          const options = choose({ shape, dtype: format });
          expect(bits(call(plain, of(x, shape, format), of(g, shape, format), y, options))).toEqual(expected);
          if (!(name in POOLED)) continue;
          for (const pool of pools) {
            const on = pool as unknown as Loose;
            const result = await call(on, of(x, shape, format), of(g, shape, format), y, options);
            expect(bits(result), `${pool.threads} threads`).toEqual(expected);
          }
        }
      });
    }
    test("along axis 0", () => {
      const shape = [5, 7];
      const x = halves(format, 5, 7);
      const options = { ...choose({ shape, dtype: format }), axis: 0 };
      const plain = napier as unknown as Loose;
      const expected = plain.logSoftmax({ data: wideOf(x, format), shape }, { axis: 0 }) as napier.Tensor;
      const result = plain.logSoftmax(of(x, shape, format), options) as napier.Tensor | Float32Array;
      expect(bits("data" in result ? result.data : result)).toBe(bits(expected.data));
    });
  });

  test("a gradient for each row, in 16 or 32 bits", () => {
    const shape = [7, 5] as const;
    const x = halves(format, 7, 5);
    const d = halves(format, 1, 7);
    const [wide, dwide] = [x, d].map((data) => wideOf(data, format));
    const y = [0, 1, 2, 3, 4, 0, 1];
    const dtype = format;
    const dx = bits(napier.logSumExpBackward(dwide, wide, { shape }));
    expect(bits(napier.logSumExpBackward(d, x, { shape, dtype }))).toBe(dx);
    expect(bits(napier.logSumExpBackward(dwide, x, { shape, dtype }))).toBe(dx);
    expect(bits(napier.logSumExpBackward(d, wide, { shape, dtype }))).toBe(dx);
    const tensors = [{ data: d, dims: [7], type: format } as const, { data: x, dims: shape, type: format }] as const;
    expect(bits(napier.logSumExpBackward(...tensors).data)).toBe(dx);
    const none = { shape, reduction: "none" } as const;
    const dp = bits(napier.nllLossBackward(dwide, wide, y, none));
    expect(bits(napier.nllLossBackward(d, x, y, { ...none, dtype }))).toBe(dp);
    expect(bits(napier.nllLossBackward(d, wide, y, { ...none, dtype }))).toBe(dp);
  });

  test("a gradient of 32 bits beside logits of 16", () => {
    const shape = [7, 5] as const;
    const x = halves(format, 7, 5);
    const g = Float32Array.from(x, (_, k) => k / 7);
    const expected = bits(napier.softmaxBackward(g, wideOf(x, format), { shape }));
    expect(bits(napier.softmaxBackward(g, x, { shape, dtype: format }))).toBe(expected);
    const tensor = { data: x, dims: shape, type: format };
    expect(bits(napier.softmaxBackward({ data: g, dims: shape, type: "float32" }, tensor).data)).toBe(expected);
  });

  test("a stream's blocks", async () => {
    const shape = [7, 5];
    const data = halves(format, 7, 5);
    const expected = napier.logSoftmax({ data: wideOf(data, format), shape });
    for (const pool of [undefined, pools[1]]) {
      const seen: napier.Tensor<Float32Array>[] = [];
      const rows = await napier.logSoftmaxStream([{ data, shape }], (block) => seen.push(block), {
        dtype: format,
        ...(pool && { pool }),
      });
      expect(rows).toBe(7);
      expect(bits(seen)).toEqual(bits([expected]));
    }
  });

  test("out is a Float32Array, and may lie where the halves did", () => {
    const x = halves(format, 7, 5);
    const room = new Float32Array(35);
    const expected = bits(napier.softmax(wideOf(x, format), { shape: [7, 5] }));
    const inside = new Uint16Array(room.buffer, 0, 35);
    inside.set(x);
    const result = napier.softmax(inside, { shape: [7, 5], dtype: format, out: room });
    expect(result).toBe(room);
    expect(bits(room)).toBe(expected);
  });

  test("halves stay as they are; what is shared gives what is shared", () => {
    const x = halves(format, 7, 5);
    const before = x.slice();
    napier.logSoftmax(x, { dtype: format });
    expect(x).toEqual(before);
    const shared = new Uint16Array(new SharedArrayBuffer(x.byteLength));
    shared.set(x);
    const result = napier.logSoftmax(shared, { dtype: format });
    expect(result.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...result]).toEqual([...napier.logSoftmax(x, { dtype: format })]);
  });
});

test("the types say what comes out", () => {
  const flat = new Uint16Array(6);
  const shape = [2, 3] as const;
  const dtype = "float16";
  const y = [0, 0];
  const onnx = { data: flat, dims: shape, type: "float16" };
  const tensor = { data: flat, shape };
  const arrays: Float32Array[] = [
    napier.softmax(flat, { dtype }),
    napier.softmaxBackward(flat, flat, { dtype }),
    napier.logSumExp(flat, { shape, dtype }),
    napier.crossEntropy(flat, y, { shape, dtype, reduction: "none" }),
    napier.crossEntropyWithGrad(flat, y, { shape, dtype }).dlogits,
    napier.nllLossBackward(1, flat, y, { shape, dtype }),
  ];
  const tensors: napier.Tensor<Float32Array>[] = [
    napier.softmax(tensor, { dtype }),
    napier.softmaxBackward(tensor, tensor, { dtype }),
    napier.logSumExp(tensor, { dtype }),
    napier.crossEntropy(tensor, y, { dtype, reduction: "none" }),
    napier.crossEntropyWithGrad(tensor, y, { dtype, reduction: "none" }).loss,
    napier.nllLossBackward(1, tensor, y, { dtype }),
  ];
  const onnxTensors: napier.OnnxTensor<Float32Array>[] = [
    napier.softmax(onnx),
    napier.softmaxBackward(onnx, onnx),
    napier.logSumExp(onnx),
    napier.crossEntropy(onnx, y, { reduction: "none" }),
    napier.crossEntropyWithGrad(onnx, y).dlogits,
    napier.nllLossBackward(1, onnx, y),
  ];
  for (const data of [...arrays, ...[...tensors, ...onnxTensors].map(({ data }) => data)]) {
    expect(data).toBeInstanceOf(Float32Array);
  }
  expect(new Set(onnxTensors.map(({ type }) => type))).toEqual(new Set(["float32"]));
});

const wrong = (value: unknown) => value as never;
const bytes = new Uint16Array(2);
test.each<[() => unknown, string]>([
  [
    () => napier.logSoftmax(bytes),
    'TypeError: logSoftmax: options.dtype expected "float16" or "bfloat16" for a Uint16Array, got undefined',
  ],
  [
    () => napier.logSumExp({ data: bytes, shape: [2] }),
    'TypeError: logSumExp: options.dtype expected "float16" or "bfloat16" for a Uint16Array, got undefined',
  ],
  [
    () => napier.softmax(bytes, { dtype: wrong("f16") }),
    'RangeError: softmax: options.dtype expected "float16" or "bfloat16", got "f16"',
  ],
  [
    () => napier.softmax(bytes, { dtype: wrong(null) }),
    'RangeError: softmax: options.dtype expected "float16" or "bfloat16", got null',
  ],
  [
    () => napier.softmax(float16Array(bytes), { dtype: "bfloat16" }),
    'RangeError: softmax: options.dtype expected "float16" as logits has it, got "bfloat16"',
  ],
  [
    () => napier.softmax({ data: bytes, dims: [2], type: "bfloat16" }, { dtype: "float16" }),
    'RangeError: softmax: options.dtype expected "bfloat16" as logits has it, got "float16"',
  ],
  [
    () => napier.softmax({ data: bytes, dims: [2], type: "uint16" }),
    'TypeError: softmax: logits.type expected "float16" or "bfloat16" for its data, got "uint16"',
  ],
  [
    () => napier.softmax({ data: float16Array(bytes), dims: [2], type: "bfloat16" }),
    'TypeError: softmax: logits.type expected "float16" for its data, got "bfloat16"',
  ],
  [
    () => napier.softmax({ data: new Float32Array(2), dims: [2], type: "float16" }),
    'TypeError: softmax: logits.type expected "float32" for its data, got "float16"',
  ],
  [
    () => napier.softmax(new Float32Array(2), { dtype: "float16" }),
    'TypeError: softmax: options.dtype expected nothing where there is no Uint16Array, got "float16"',
  ],
  [
    () => napier.crossEntropy([1, 2], 0, { dtype: "float16" }),
    'TypeError: crossEntropy: options.dtype expected nothing where there is no Uint16Array, got "float16"',
  ],
  [
    () => napier.softmax(bytes, { dtype: "float16", out: wrong(bytes) }),
    "TypeError: softmax: options.out expected number[], Float32Array or Float64Array, got a Uint16Array",
  ],
  [
    () => napier.softmax(bytes, { dtype: "float16", out: new Float64Array(2) }),
    "TypeError: softmax: options.out expected a Float32Array, got a Float64Array",
  ],
  [
    () => napier.softmaxBackward(wrong([1, 2]), bytes, { dtype: "float16" }),
    "TypeError: softmaxBackward: probs expected f64 as the argument before, got f32",
  ],
])("%s", (call, message) => {
  let text = "no error";
  try {
    call();
  } catch (error) {
    text = String(error);
  }
  expect(text).toBe(message);
});
