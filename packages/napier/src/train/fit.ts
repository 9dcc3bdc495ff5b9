import { crewOf } from "../crew.ts";
import { checkFit } from "./checkfit.ts";
import { commonOf } from "./identity.ts";
import { fitLinear } from "./linear.ts";
import type { Label } from "./matrix.ts";
import { fitBatches } from "./minibatch.ts";
import type { Model } from "./model.ts";
import type { FitOptions } from "./options.ts";
import { pacer, prepare } from "./prepare.ts";
import { checkSame } from "./reducer.ts";
import { Saver } from "./saver.ts";

/**
 * Trains a classifier: a linear model (multinomial logistic regression) to its optimum by L-BFGS, or with `hidden` an MLP
 * with ReLU by AdamW on mini-batches.
 *
 *   lbfgs: minimises Σ w_i·NLL_i / Σ w_i + ‖W‖² / (2·C·Σ w_i), biases free; two classes are scikit-learn's one row w₁ − w₀
 *
 * Mini-batches give the weights of the epoch with the least validation NLL; without validation, the last ones.
 *
 * @param options.x  [rows, features], finite; numbers are rounded to f32
 * @param options.y  the class of each row: strings or numbers, at least 2 different ones
 * @returns the trained model, its classes in order
 * @throws {RangeError} a value of the options, of x or of y cannot be used, or the loss stops being finite
 * @throws {Error} the checkpoints are damaged, or of another training
 * @throws {TypeError} an option has the wrong type, or does not exist
 *
 * Same options and data give the same bits on every machine and, with `pool`, on any number of threads. Abort with
 * `signal`: rejects with its reason. With `checkpoint` and `resume` a training that was interrupted, or killed, goes on to
 * the very bits of one that was not.
 *
 * @example
 * const x = { data: [0, 1, 2, 3], shape: [4, 1] };
 * const model = await fit({ x, y: ["low", "low", "high", "high"] });
 * model.predict(x); // ["low", "low", "high", "high"]
 */
export async function fit<L extends Label>(options: FitOptions<L>): Promise<Model<L>> {
  const plan = checkFit(options);
  const crew = crewOf("fit", plan.pool);
  const pace = pacer(plan.signal);
  if (plan.reducer) await checkSame(commonOf(plan), plan.reducer);
  const prepared = await prepare(plan, pace);
  const { checkpoint, resume = false } = plan;
  const { identity } = prepared;
  const saver = checkpoint && identity && (await Saver.open(checkpoint, identity, resume, plan.reducer));
  return (plan.optimizer === "lbfgs" ? fitLinear : fitBatches)(plan, prepared, crew, pace, saver);
}
