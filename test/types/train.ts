// Labels come back as they were given: package.test.ts has tsc check this file beside the packed library.
import { createPool } from "napier/pool";
import {
  adam,
  adamW,
  type Calibration,
  calibrate,
  type FoundTemperature,
  type Label,
  Model,
  type Reliability,
  reliability,
  type Score,
  type Source,
  sgd,
  temperatureScaling,
  fit as train,
} from "napier/train";
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

is<Calibration<"low" | "high">>()(await calibrate(model, { x, y: ["low", "high"], sampleWeight: [1, 2], bins: 5 }));
declare const source: Source<"low" | "high">;
is<Model<"low" | "high">>()((await calibrate(model, { source, signal: AbortSignal.timeout(1000) })).model);
is<Reliability>()((await calibrate(model, { source })).before);
is<Reliability>()(model.reliability(x, ["low", "high"], { bins: 5, strategy: "quantile", sampleWeight: [1, 2] }));
is<number>()(model.temperature);
is<FoundTemperature>()(temperatureScaling(model.logits(x), [0, 1], { sampleWeight: new Float32Array(2) }));
is<"least" | "largest" | undefined>()(temperatureScaling([1, 0], 0).limit);
const tensor = { data: new Float32Array(4), dims: [2, 2], type: "float32" };
is<Reliability>()(reliability(tensor, [0, 1], { temperature: 2 }));
is<number>()(reliability([1, 0], 0, { strategy: "uniform" }).bins[0].confidence);
// @ts-expect-error no label of this model
await calibrate(model, { x, y: ["middle", "high"] });
// @ts-expect-error either rows or a source
await calibrate(model, { x, y: ["low", "high"], source });
// @ts-expect-error the model's own temperature
model.reliability(x, ["low", "high"], { temperature: 2 });
