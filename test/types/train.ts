// Labels come back as they were given: package.test.ts has tsc check this file beside the packed library.
import { createPool } from "napier/pool";
import { adam, adamW, type Label, Model, type Score, sgd, fit as train } from "napier/train";
import { is } from "./is.js";

const x = { data: [0, 1], shape: [2, 1] };
const model = await train({ x, y: ["low", "high"] as const, pool: createPool(), signal: AbortSignal.timeout(1000) });
is<Model<"low" | "high">>()(model);
is<("low" | "high")[]>()(model.predict(x));
is<("low" | "high")[][]>()(model.top(x, 1).classes);
is<Float32Array>()(model.logits(x).data);
is<Float32Array>()(model.logProbs(x).data);
is<Float32Array>()(model.probs(x).data);
is<Score & { rows: number }>()(model.evaluate(x, ["low", "high"]));
is<Model<Label>>()(await train({ x, y: Int32Array.of(0, 1) }));
const own: Model<Label> = new Model<Label>(model);
is<Label[]>()(own.predict(x));
// @ts-expect-error no label of this model
model.evaluate(x, ["middle", "high"]);
const w = new Float32Array(1);
const moments = { w, gradient: w, mean: w, square: w, step: 1 };
is<Float32Array>()(adam(moments, { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, l2: 0 }));
is<Float32Array>()(adamW(moments, { learningRate: 0.1, weightDecay: 0.01 }));
is<Float32Array>()(sgd({ w, gradient: w, buffer: w, step: 1 }, { momentum: 0.9, dampening: 0, nesterov: true, l2: 0 }));
// @ts-expect-error adam has no decay of its own
adam(moments, { weightDecay: 0.01 });
