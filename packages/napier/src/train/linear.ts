import type { Crew } from "../crew.ts";
import { linear } from "../linear.ts";
import type { checkFit } from "./checkfit.ts";
import type { TrainingState } from "./checkpoint.ts";
import { type Layer, layerSizes } from "./layers.ts";
import { Lbfgs, type LbfgsState } from "./lbfgs.ts";
import type { Label } from "./matrix.ts";
import { Model } from "./model.ts";
import type { Pace, Prepared, Validation } from "./prepare.ts";
import type { Reducer } from "./reducer.ts";
import { Regression } from "./regression.ts";
import { checkGoal, checkSaved, isCounter, prefixed, type Saver, savedOnAbort, unprefixed } from "./saver.ts";
import { BlockScores, type Score } from "./score.ts";
import { startLayers } from "./warmstart.ts";

/** Of the objective of the classes' shares alone: below it a gradient is measured by this. */
const LEAST_OBJECTIVE = 1e-3;

/** The parameters as a layer, rounded to f32. */
function layerOf(w: Float64Array, inputs: number, outputs: number, columns: number): Layer {
  const weight = new Float32Array(outputs * inputs);
  for (let j = 0; j < outputs; j++) for (let k = 0; k < inputs; k++) weight[j * inputs + k] = w[k * columns + j];
  const bias = Float32Array.from({ length: outputs }, (_, j) => w[inputs * columns + j]);
  return { weight, bias, inputs, outputs };
}

/** NLL and accuracy of the rows, or of those that are held. */
async function scoreModel<L extends Label>(
  model: Model<L>,
  { rows, heldOnly, blocks, range }: Validation<L>,
  reducer: Reducer | undefined,
  pace: Pace,
): Promise<Score> {
  const { inputs, classes } = model;
  const sums = new BlockScores(blocks, range.first, reducer);
  for await (const { index, x, targets, held, count } of rows.blocks()) {
    const chosen = Array.from({ length: count }, (_, i) => i).filter((i) => !heldOnly || held?.[i] === 1);
    if (chosen.length === 0) continue;
    const data = new Float32Array(chosen.length * inputs);
    chosen.forEach((row, i) => {
      data.set(x.subarray(row * inputs, (row + 1) * inputs), i * inputs);
    });
    const labels = chosen.map((row) => classes[targets[row]]);
    const score = model.evaluate({ data, shape: [chosen.length, inputs] }, labels);
    sums.add(index, score.nll * score.rows, Math.round(score.accuracy * score.rows), score.rows);
    await pace();
  }
  return sums.total();
}

/** With the tolerance that it was reached under: no iteration before it had met that. */
function saved(search: Lbfgs, tolerance: number): TrainingState {
  const { w, gradient, s, y, ...numbers } = search.save();
  const tensors = { w, gradient, ...prefixed("s", { ...s }), ...prefixed("y", { ...y }) };
  return { numbers: { ...numbers, tolerance }, text: {}, tensors };
}

/** What `saved` has put together, of so many parameters. */
function restored({ numbers, tensors }: TrainingState, length: number): LbfgsState {
  const all = tensors as Record<string, Float64Array>;
  const list = (owner: string): Float64Array[] => {
    const own = unprefixed(owner, all);
    return Object.keys(own).map((_, n) => own[n]);
  };
  const { iteration, evaluations, value, lowest, least, vain } = numbers;
  const state = { iteration, evaluations, value, lowest, least, vain };
  const { w, gradient } = all;
  const [s, y] = [list("s"), list("y")];
  const hasLength = (array: unknown): boolean => array instanceof Float64Array && array.length === length;
  const isUnmeasured = evaluations === 0 && gradient instanceof Float64Array && gradient.length === 0;
  const isWhole = [w, ...s, ...y].every(hasLength) && (isUnmeasured || hasLength(gradient));
  checkSaved(isWhole && s.length === y.length, "tensors");
  return { ...state, w, gradient, s, y };
}

/** Throws where a run would have ended before it came to this checkpoint. */
function checkReached({ numbers }: TrainingState, maxIterations: number, tolerance: number): void {
  const { iteration, evaluations, value, lowest, least: norm, vain, tolerance: there } = numbers;
  const areNumbers = [value, lowest, norm, there].every((number) => typeof number === "number");
  checkSaved([iteration, evaluations, vain].every(isCounter) && areNumbers, "counters");
  const todo = `let maxIterations be ${iteration} at least`;
  checkGoal(iteration <= maxIterations, `at most ${maxIterations} iterations`, `${iteration}`, todo);
  const least = `let tolerance be ${there} at most`;
  checkGoal(tolerance <= there, `one with a tolerance of ${tolerance} at least`, `${there}`, least);
}

/** Trains a linear model to the optimum by L-BFGS. */
export async function fitLinear<L extends Label>(
  plan: ReturnType<typeof checkFit<L>>,
  prepared: Prepared<L>,
  crew: Crew | undefined,
  pace: Pace,
  saver: Saver | undefined,
): Promise<Model<L>> {
  const { C, maxIterations, onProgress, warmStart, seed, signal, resume, reducer } = plan;
  if (saver?.state) checkReached(saver.state, maxIterations, plan.tolerance);
  const { classes, features, columns: inputs, training, range, weight, classWeight, validation, scaling } = prepared;
  const began = performance.now();
  const shares = classWeight.map((sum) => sum / weight);
  // two classes are one row in scikit-learn, the difference: its square is twice the sum of both rows' squares
  const penalty = (classes.length === 2 ? 2 : 1) / (C * weight);
  const regression = new Regression(crew, training, {
    inputs,
    classes: classes.length,
    scaling,
    blocks: prepared.counts.length,
    ownBlocks: range.end - range.first,
    reducer,
    weight,
    shares,
    penalty,
  });
  try {
    const scale = await regression.prepare(pace);
    const { columns } = regression;
    const { log_f64 } = linear.space().kernels;
    const w = new Float64Array((inputs + 1) * columns);
    // with these biases alone the loss is the shares' entropy
    shares.forEach((share, j) => {
      w[inputs * columns + j] = share > 0 ? log_f64(share) : -20;
    });
    const entropy = shares.reduce((sum, share) => sum - (share > 0 ? share * log_f64(share) : 0), 0);
    if (warmStart) {
      const sizes = layerSizes(inputs, [], classes.length);
      const [{ weight: rowsOf, bias }] = startLayers(warmStart, sizes, classes, scaling, seed);
      for (let j = 0; j < classes.length; j++) {
        for (let k = 0; k < inputs; k++) w[k * columns + j] = rowsOf[j * inputs + k];
        w[inputs * columns + j] = bias[j];
      }
    }
    /** Near the optimum the curvature goes with the objective, and so must the gradient; separable classes without a penalty have none. */
    const tolerance = (): number => plan.tolerance * Math.max(search.value, entropy * LEAST_OBJECTIVE);
    const search = new Lbfgs(saver?.state ? restored(saver.state, w.length) : regression.shifted(w, 1), { scale });
    const objective = (at: Float64Array) => regression.evaluate(at, pace);
    const modelAt = (at: Float64Array): Model<L> =>
      new Model({
        classes,
        features,
        scaling,
        layers: [layerOf(regression.shifted(at, -1), inputs, classes.length, columns)],
      });
    const state = (): { objective: number; gradientNorm: number; seconds: number; model: () => Model<L> } => {
      const at = search.w;
      const seconds = (performance.now() - began) / 1000;
      return { objective: search.value, gradientNorm: search.gradientNorm, seconds, model: () => modelAt(at) };
    };
    if (resume) {
      const { notes = [], state: found } = saver ?? {};
      const { model } = state();
      onProgress?.({ kind: "resume", found: found !== undefined, notes, done: search.iteration, model });
    }
    const save = (): TrainingState => saved(search, plan.tolerance);
    const run = async (): Promise<void> => {
      await search.start(objective);
      while (search.gradientNorm > tolerance() && search.iteration < maxIterations) {
        const outcome = await search.step(objective);
        if (outcome !== "moved") break;
        const { iteration } = search;
        onProgress?.({ kind: "iteration", iteration, maxIterations, tolerance: tolerance(), ...state() });
        await saver?.saveIfDue(save);
        await pace();
      }
      await saver?.save(save());
    };
    await savedOnAbort(saver, signal, save, run);
    const model = modelAt(search.w);
    const held = validation && (await scoreModel(model, validation, reducer, pace));
    onProgress?.({
      ...{ kind: "end", iterations: search.iteration, converged: search.gradientNorm <= tolerance() },
      ...state(),
      ...(held && { validation: held }),
    });
    return model;
  } finally {
    regression.end();
  }
}
