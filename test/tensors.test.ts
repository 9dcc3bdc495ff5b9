import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as napier from "napier";
import { createPool } from "napier/pool";
import * as onnxruntime from "onnxruntime-web";
import { beforeAll, describe, expect, test } from "vitest";
import { describeOutside, OUTSIDE } from "./outside.ts";

type Numbers = Float32Array | Float64Array | Uint16Array;
/** What the tensors of both libraries have in common. */
type TensorClass = new (type: string, data: Numbers | Int32Array | BigInt64Array, dims: number[]) => napier.OnnxTensor;

/** The bits of a float16, for numbers that it has and that are not subnormal. */
function float16Bits(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer);
  return value === 0 ? 0 : ((bits >>> 16) & 0x8000) | (((bits >>> 13) & 0x3ffff) - (112 << 10));
}

const { Float16Array: Halves } = globalThis as { Float16Array?: { from(values: number[]): Uint16Array } };

interface Type {
  /** A tensor's data. */
  make(values: number[]): Numbers;
  /** The plain array with the same results. */
  same(values: number[]): Float32Array | Float64Array;
  /** The results' type. */
  readonly result: string;
}
const TYPES: Record<string, Type> = {
  float32: {
    make: (values) => Float32Array.from(values),
    same: (values) => Float32Array.from(values),
    result: "float32",
  },
  float64: {
    make: (values) => Float64Array.from(values),
    same: (values) => Float64Array.from(values),
    result: "float64",
  },
  float16: {
    // ONNX Runtime takes what the runtime has
    make: (values) => Halves?.from(values) ?? Uint16Array.from(values, float16Bits),
    same: (values) => Float32Array.from(values),
    result: "float32",
  },
};

// float16 has them all
const VALUES = [40, 0, -3, 1.5, 1000, 0, -1000, 999, 0.25, 0.5, 0.75, 0.25];
const Y = [0, 3, 2];

function testTensors(load: () => Promise<TensorClass>): void {
  let Tensor: TensorClass;
  beforeAll(async () => {
    Tensor = await load();
  });
  const targets = () =>
    [
      new Tensor("int64", BigInt64Array.from(Y, BigInt), [3]),
      new Tensor("int32", Int32Array.from(Y), [3]),
    ] as unknown as napier.Targets[];

  describe.each(Object.keys(TYPES))("%s", (type) => {
    const { make, same, result } = TYPES[type];
    const shape = [3, 4] as const;
    const flat = same(VALUES);
    const x = () => new Tensor(type, make(VALUES), [...shape]);
    const like = (data: unknown, dims: number[]) => ({ data, dims, type: result });

    test.each([napier.logSoftmax, napier.softmax])(
      "logSoftmax and softmax give the numbers of the flat array, in a tensor of this type",
      (operation) => {
        const found = operation(x());
        expect(found).toEqual(like(operation(flat as Float32Array, { shape }), [3, 4]));
        // back into the library
        expect(new Tensor(found.type, found.data as Numbers, [...found.dims]).dims).toEqual([3, 4]);
      },
    );

    test("classes on another axis", () => {
      const options = { shape: [1, 3, 4], axis: 1 };
      const found = napier.logSoftmax(new Tensor(type, make(VALUES), [1, 3, 4]), { axis: 1 });
      expect(found).toEqual(like(napier.logSoftmax(flat as Float32Array, options), [1, 3, 4]));
    });

    test("logSumExp leaves the class axis out", () => {
      expect(napier.logSumExp(x())).toEqual(like(napier.logSumExp(flat as Float32Array, { shape }), [3]));
    });

    test("crossEntropy takes targets in int64 and int32 tensors", () => {
      for (const y of targets()) {
        expect(napier.crossEntropy(x(), y)).toBe(napier.crossEntropy(flat, Y, { shape }));
        const none = napier.crossEntropy(x(), y, { reduction: "none" });
        expect(none).toEqual(like(napier.crossEntropy(flat as Float32Array, Y, { shape, reduction: "none" }), [3]));
        expect(napier.nllLoss(napier.logSoftmax(x()), y, { reduction: "none" })).toEqual(none);
      }
    });

    test("crossEntropyWithGrad: the gradient in a tensor of this type", () => {
      const { loss, dlogits } = napier.crossEntropyWithGrad(flat as Float32Array, Y, { shape });
      for (const y of targets()) {
        expect(napier.crossEntropyWithGrad(x(), y)).toEqual({ loss, dlogits: like(dlogits, [3, 4]) });
      }
    });

    test("a pool takes them too", async () => {
      const pool = createPool({ threads: 2 });
      expect(await pool.crossEntropyWithGrad(x(), targets()[0])).toEqual(
        napier.crossEntropyWithGrad(x(), targets()[0]),
      );
      await pool.close();
    });

    test("what came out goes in again, as a tensor of the library's own class", () => {
      const own = ({ data, dims, type }: napier.OnnxTensor) => new Tensor(type, data as Numbers, [...dims]);
      const [y] = targets();
      const logProbs = own(napier.logSoftmax(x()));
      const losses = own(napier.nllLoss(logProbs, y, { reduction: "none" }));
      const dlogProbs = own(napier.nllLossBackward(losses, logProbs, y, { reduction: "none" }));
      expect(napier.logSoftmaxBackward(dlogProbs, logProbs).dims).toEqual([3, 4]);
      expect(napier.logSumExpBackward(losses, x()).dims).toEqual([3, 4]);
      // one row of rank 1 reduces to rank 0
      const row = new Tensor(type, make([1000, 1000]), [2]);
      const lse = own(napier.logSumExp(row));
      expect(lse.dims).toEqual([]);
      expect(napier.logSumExpBackward(new Tensor(result, same([2]), []), row)).toEqual(like(same([1, 1]), [2]));
    });
  });
}

describe("tensors of onnxruntime-web", () => testTensors(async () => onnxruntime.Tensor as unknown as TensorClass));

describeOutside("tensors of @huggingface/transformers", () => {
  testTensors(async () => {
    const entry = createRequire(join(OUTSIDE, "x.js")).resolve("@huggingface/transformers");
    const { Tensor } = await import(pathToFileURL(entry.replace(/\.cjs$/, ".mjs")).href);
    return Tensor;
  });
});
