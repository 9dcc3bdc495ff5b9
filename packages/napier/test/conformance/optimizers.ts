/** ONNX's optimizers on a case of its suite: the inputs are R, T, then every X, every G and every state; all is f32. */
import { exact } from "../../src/exact.ts";
import { adam, sgd } from "../../src/train/index.ts";
import { ulpError } from "../../src/ulp.ts";
import { floats, type OnnxCase } from "./load.ts";
import { type Result, worst } from "./operations.ts";

/** Off by less than 1 ulp of the exact step where f32 cancels nothing, as it does not in these cases. */
const BOUND = 1;

interface Attributes {
  readonly alpha: number;
  readonly beta: number;
  readonly epsilon?: number;
  readonly norm_coefficient: number;
  readonly mode?: "standard" | "nesterov";
}

/** What an element is after the step: in f64, whose rounding is not seen in ulps of f32. */
type Truth = (w: number, g: number, first: number, second: number) => number[];

function adamStep(rate: number, { alpha, beta, epsilon = 0, norm_coefficient: l2 }: Attributes): Truth {
  return (w, gradient, mean, square) => {
    const g = gradient + l2 * w;
    const m = alpha * mean + (1 - alpha) * g;
    const v = beta * square + (1 - beta) * g * g;
    return [w - (rate * m) / (Math.sqrt(v) + epsilon), m, v];
  };
}

function momentumStep(rate: number, step: number, { alpha, beta, norm_coefficient: l2, mode }: Attributes): Truth {
  return (w, gradient, buffer) => {
    const g = gradient + l2 * w;
    const b = alpha * buffer + (step > 0 ? beta : 1) * g;
    return [w - rate * (mode === "nesterov" ? g + alpha * b : b), b];
  };
}

/** Each output of the case: X_new, then the states. */
export function optimizer({ op, attributes, inputs }: OnnxCase): Result[] {
  const [rate, step] = inputs.slice(0, 2).map(({ data }) => Number(data[0]));
  const tensors = inputs.slice(2);
  const given = attributes as unknown as Attributes;
  const { alpha, beta, epsilon, norm_coefficient: l2 } = given;
  const arrays = op === "Adam" ? 4 : 3;
  const count = tensors.length / arrays;
  const truthOf = op === "Adam" ? adamStep(rate, given) : momentumStep(rate, step, given);
  if (op === "Adam" && step > 0) throw new Error("ONNX adds epsilon to another root than ours after step 0");
  const results: Result[][] = Array.from({ length: count }, (_, n) => {
    const [w, gradient, first, second] = Array.from(
      { length: arrays },
      (__, part) => floats(tensors[part * count + n]) as Float32Array,
    );
    const truths = Array.from(w, (v, k) => truthOf(v, gradient[k], first[k], second?.[k]));
    if (op === "Adam") {
      adam(
        { w, gradient, mean: first, square: second, step },
        { learningRate: rate, beta1: alpha, beta2: beta, epsilon, l2 },
      );
    } else {
      const options = { learningRate: rate, momentum: alpha, dampening: 1 - beta, l2 };
      sgd({ w, gradient, buffer: first, step: step + 1 }, { ...options, nesterov: given.mode === "nesterov" });
    }
    const { shape } = tensors[n];
    return [w, first, ...(second ? [second] : [])].map((data, part) => {
      const errors = Array.from(data, (v, k) => ulpError(v, exact(truths[k][part]), "f32") / BOUND);
      return { data, shape, error: worst(errors) };
    });
  });
  return results[0].flatMap((_, part) => results.map((one) => one[part]));
}
