import { type Caller, checkNumber, checkOneOf, rangeError, typeError, words } from "../check.ts";
import { ABOVE_0, BELOW_1, FROM_0, integerFrom, type Range } from "./ranges.ts";
import type { Schedule } from "./schedule.ts";
import type { StepsOptions } from "./steps.ts";

/** Options of `fit` for training on mini-batches. */
export interface MiniBatchOptions {
  /** 0.001 by default, with "sgd" 0.01. */
  learningRate?: number;
  /** Of "adamw": how fast weights, not biases, shrink; 0.01 by default. */
  weightDecay?: number;
  /** Of "adam" and "sgd": l2·w joins the gradient of weights, not of biases; 0 by default. */
  l2?: number;
  /** Of "sgd", 0.9 by default. */
  momentum?: number;
  /** Of "sgd": Nesterov's momentum, false by default. */
  nesterov?: boolean;
  /** How the learning rate goes on after the warm-up; "constant" by default. */
  schedule?: Schedule["schedule"];
  /** Steps in which the learning rate grows from 0, 0 by default. */
  warmup?: number;
  /** A step's gradient is shortened to this norm over all parameters; by default it is not. */
  clipNorm?: number;
  /** Stops after so many epochs without a better validation NLL; by default it does not. */
  patience?: number;
}

/** What training on mini-batches needs to know. */
export interface MiniBatchPlan {
  readonly steps: StepsOptions;
  readonly schedule: Schedule;
  /** Infinity never stops. */
  readonly patience: number;
}

export const MINI_BATCH_NAMES = [
  "learningRate",
  "weightDecay",
  "l2",
  "momentum",
  "nesterov",
  "schedule",
  "warmup",
  "clipNorm",
  "patience",
] as const satisfies readonly (keyof MiniBatchOptions)[];

const NUMBERS: Readonly<Partial<Record<keyof MiniBatchOptions, Range>>> = {
  learningRate: ABOVE_0,
  weightDecay: FROM_0,
  l2: FROM_0,
  momentum: BELOW_1,
  warmup: integerFrom(0),
  clipNorm: ABOVE_0,
  patience: integerFrom(1),
};

type Optimizer = StepsOptions["optimizer"];

/** Whose option it is, where it is not every optimizer's. */
const OWNERS: Partial<Record<keyof MiniBatchOptions, readonly Optimizer[]>> = {
  weightDecay: ["adamw"],
  l2: ["adam", "sgd"],
  momentum: ["sgd"],
  nesterov: ["sgd"],
};

/** The options with their defaults. `validates` says whether there is a validation, which patience looks at. */
export function checkMiniBatch(
  caller: Caller,
  optimizer: Optimizer,
  options: MiniBatchOptions,
  validates: boolean,
): MiniBatchPlan {
  for (const [name, range] of Object.entries(NUMBERS)) {
    checkNumber(caller, name, options[name as keyof MiniBatchOptions], ...range);
  }
  for (const [name, owners] of Object.entries(OWNERS)) {
    if (options[name as keyof MiniBatchOptions] === undefined || owners.includes(optimizer)) continue;
    const expected = `the optimizer ${owners.map((owner) => `"${owner}"`).join(" or ")}`;
    throw rangeError(caller, name, expected, optimizer);
  }
  const { weightDecay = 0.01, l2 = 0, momentum = 0.9, nesterov = false } = options;
  const { schedule = "constant", warmup = 0, clipNorm, patience = Infinity } = options;
  const { learningRate = optimizer === "sgd" ? 0.01 : 1e-3 } = options;
  if (typeof nesterov !== "boolean") throw typeError(caller, "nesterov", "true or false", nesterov);
  if (nesterov && momentum === 0) throw rangeError(caller, "nesterov", "momentum above 0", words("momentum 0"));
  checkOneOf(caller, "schedule", schedule, ["constant", "cosine"]);
  if (patience < Infinity && !validates) {
    throw rangeError(caller, "patience", "validation, whose NLL it looks at", words("none"));
  }
  const common = { learningRate, ...(clipNorm !== undefined && { clipNorm }) };
  const rules = {
    adamw: { optimizer: "adamw", weightDecay },
    adam: { optimizer: "adam", l2 },
    sgd: { optimizer: "sgd", l2, momentum, nesterov },
  } as const;
  return { steps: { ...rules[optimizer], ...common }, schedule: { schedule, learningRate, warmup }, patience };
}
