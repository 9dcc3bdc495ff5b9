import { createPool } from "napier/pool";
import type { FitSettings, Label, Model, Progress, Score } from "napier/train";
import { fit } from "napier/train";
import { CommandError, INTERRUPTED, inputError, interrupted, nearest, shortName } from "./errors.ts";
import { type Held, hold } from "./hold.ts";
import { checkLabels } from "./labels.ts";
import { writeModel } from "./modelfile.ts";
import { checkOutput } from "./output.ts";
import { count, metrics, note, rowCounter, some, trainingProgress } from "./progress.ts";
import { openSource, type SourceOptions } from "./source.ts";

type Own = "validation" | "classWeight" | "warmStart" | "features" | "pool" | "signal" | "onProgress" | "loss";

export interface TrainOptions extends Omit<FitSettings, Own> {
  target: string;
  /** A column that says how much each row counts. */
  weight?: string;
  validation?: number | string;
  exclude?: string[];
  classWeight?: "balanced" | Record<string, number>;
  /** All cores by default. */
  threads?: number;
  out: string;
  json?: boolean;
}

/** What `train --json` prints. */
export interface TrainReport {
  model: string;
  sha256: string;
  rows: number;
  features: number;
  classes: readonly Label[];
  optimizer: string;
  train: Score;
  validation: Score | null;
  /** What L-BFGS minimised: mean NLL and penalty; null with mini-batches. */
  objective: number | null;
  iterations: number | null;
  converged: boolean | null;
  /** null with L-BFGS. */
  epochs: number | null;
  seconds: number;
}

async function load(
  name: string,
  options: SourceOptions,
  random: boolean,
  out: string,
  signal: AbortSignal,
): Promise<Held> {
  const source = await openSource(name, options);
  try {
    checkOutput(out, source);
  } catch (error) {
    source.close();
    throw error;
  }
  const counter = rowCounter(`reading ${shortName(name)}`);
  const onRows = (done: number): void => {
    if (signal.aborted) throw interrupted("interrupted while reading; nothing is saved");
    counter.rows(done);
  };
  const held = await hold(source, { random, onRows });
  counter.end();
  return held;
}

function checkClasses(source: string, target: string, { labels }: Held): void {
  if (labels.size > 1) return;
  const [only] = labels.keys();
  const text = `column ${JSON.stringify(target)} has one class only, ${JSON.stringify(only)}`;
  throw inputError(`${source}: ${text}`, "a classifier needs two classes at least");
}

/** Throws where a weight is given to a class that the rows do not have. */
function checkClassWeight(classWeight: TrainOptions["classWeight"], { labels }: Held): void {
  if (classWeight === undefined || classWeight === "balanced") return;
  const known = [...labels.keys()].map(String);
  for (const name of Object.keys(classWeight)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? undefined : `did you mean ${JSON.stringify(near)}?`;
    throw inputError(`--class-weight: no class ${JSON.stringify(name)}`, hint);
  }
}

/** NLL and accuracy of all rows, block by block. */
async function evaluateAll(model: Model, rows: Held): Promise<Score & { rows: number }> {
  let done = 0;
  let loss = 0;
  let correct = 0;
  for await (const { x, y } of rows) {
    const score = model.evaluate(x, y);
    done += score.rows;
    loss += score.nll * score.rows;
    correct += Math.round(score.accuracy * score.rows);
  }
  return { rows: done, nll: loss / done, accuracy: correct / done };
}

/** The score of all rows without that of some of them: the rows that `fit` kept for training. */
function without(all: Score & { rows: number }, part: Score | undefined, rows: number): Score {
  if (part === undefined) return { nll: all.nll, accuracy: all.accuracy };
  const left = all.rows - rows;
  const correct = Math.round(all.accuracy * all.rows) - Math.round(part.accuracy * rows);
  return { nll: Math.max(0, all.nll * all.rows - part.nll * rows) / left, accuracy: correct / left };
}

/** fit's own words about an option; numbers that stop being finite are a failure and no wrong input. */
function fitError(error: unknown): unknown {
  const message = error instanceof Error ? error.message : "";
  const [, argument, text, todo] = /^fit: (\w+)([^;]*)(?:; (.*))?$/.exec(message) ?? [];
  if (argument === undefined) return error;
  if (argument !== "loss" && argument !== "weights") {
    return inputError(
      `--${argument.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`).replace("---c", "--C")}${text}`,
      todo,
      error,
    );
  }
  const hint = "lower --learning-rate, set --clip-norm, or let --scale be standard";
  const why = todo === undefined ? "" : `; ${todo}`;
  return new CommandError(1, `training came to an end: ${argument}${text}${why}`, hint, error);
}

/** What training said last, of each kind. */
interface Heard {
  epoch?: Progress & { kind: "epoch" };
  best?: Progress & { kind: "epoch" };
  iteration?: Progress & { kind: "iteration" };
  end?: Progress & { kind: "end" };
}

async function saveInterrupted(out: string, { epoch, best, iteration }: Heard): Promise<CommandError> {
  if (iteration) {
    await writeModel(out, iteration.model());
    return interrupted(
      `interrupted after ${some(iteration.iteration, "iteration")}; the model so far is saved to ${out}`,
      "use it as it is, or run the same command again to train to the end",
    );
  }
  if (epoch === undefined || best === undefined) {
    return interrupted("interrupted before the first epoch was done; nothing is saved");
  }
  await writeModel(out, epoch.model());
  const which = best.validation ? `, of epoch ${best.epoch}, validation ${metrics(best.validation)}` : "";
  return interrupted(
    `interrupted after ${some(epoch.epoch, "epoch")}; the best model so far is saved to ${out}${which}`,
    `use it as it is, or run the same command again to train all ${some(epoch.epochs, "epoch")}`,
  );
}

/** Where training came to a bad end, the best model of the epochs before it is not lost. */
async function saveDiverged(out: string, { epoch }: Heard, error: unknown): Promise<unknown> {
  if (!(error instanceof CommandError) || error.exitCode !== 1 || epoch === undefined) return error;
  await writeModel(out, epoch.model());
  const hint = `the best model of the epochs before is saved to ${out}; ${error.hint}`;
  return new CommandError(1, error.message, hint, error);
}

/** `napier train`: everything is checked before training begins, and `out` is written whole or not at all. */
export async function train(name: string, options: TrainOptions): Promise<TrainReport> {
  const { target, weight, exclude, validation, classWeight, threads, out, json, ...settings } = options;
  const optimizer = settings.optimizer ?? ((settings.hidden ?? []).length > 0 ? "adamw" : "lbfgs");
  const random = optimizer !== "lbfgs";
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const onInterrupt = (): void => {
    if (signal.aborted) process.exit(INTERRUPTED);
    interrupt.abort();
  };
  process.on("SIGINT", onInterrupt);
  checkOutput(out);
  const start = performance.now();
  const opened: Held[] = [];
  try {
    const data = await load(name, { target, weight, exclude }, random, out, signal);
    opened.push(data);
    const { features } = data;
    const inputs = features.reduce((sum, { size }) => sum + size, 0);
    checkClasses(shortName(name), target, data);
    checkClassWeight(classWeight, data);
    let own: number | Held | undefined;
    if (typeof validation === "string") {
      own = await load(validation, { target, features }, random, out, signal);
      opened.push(own);
      for (const [label, row] of own.labels)
        checkLabels(shortName(validation), target, [label], [...data.labels.keys()], row);
    } else own = validation;
    note(
      `${shortName(name)}: ${some(data.rows, "row")}, ${some(inputs, "feature")}, ${some(data.labels.size, "class")}`,
    );

    const heard: Heard = {};
    const progress = trainingProgress();
    const pool = createPool(threads === undefined ? {} : { threads });
    let model: Model;
    try {
      const onProgress = (p: Progress): void => {
        if (p.kind === "epoch") {
          heard.epoch = p;
          if (p.best) heard.best = p;
        } else if (p.kind === "iteration") heard.iteration = p;
        else if (p.kind === "end") heard.end = p;
        progress.show(p);
      };
      const given = { ...settings, optimizer, validation: own, classWeight, features, pool, signal, onProgress };
      model = await fit({ ...given, source: data });
    } catch (error) {
      progress.stop();
      throw signal.aborted ? await saveInterrupted(out, heard) : await saveDiverged(out, heard, fitError(error));
    } finally {
      await pool.close();
    }
    progress.stop();

    const heldRows = typeof own === "number" ? Math.round(data.rows * own) : 0;
    const score = (heard.end ?? heard.best)?.validation;
    const { end } = heard;
    const report: TrainReport = {
      model: out,
      sha256: await writeModel(out, model),
      rows: data.rows,
      features: inputs,
      classes: model.classes,
      optimizer,
      train: without(await evaluateAll(model, data), heldRows > 0 ? score : undefined, heldRows),
      validation: score ?? null,
      objective: end?.objective ?? null,
      iterations: end?.iterations ?? null,
      converged: end?.converged ?? null,
      epochs: heard.epoch?.epoch ?? null,
      seconds: Number(((performance.now() - start) / 1000).toFixed(3)),
    };
    if (end && !end.converged) {
      note(`not converged: gradient ${end.gradientNorm.toExponential(1)} after ${some(end.iterations, "iteration")}`);
    }
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : summary(report, heard.best?.epoch, heldRows));
    return report;
  } finally {
    process.off("SIGINT", onInterrupt);
    for (const held of opened) await held.close();
  }
}

function summary(report: TrainReport, best: number | undefined, heldRows: number): string {
  const { model, sha256, rows, features, classes, train, validation, epochs, seconds } = report;
  const { objective, iterations } = report;
  const where = [best === undefined ? "" : `epoch ${best}`, heldRows ? `${count(heldRows)} rows` : ""].filter(Boolean);
  const lines = [
    `${model}: ${some(features, "feature")} → ${some(classes.length, "class")}, sha256 ${sha256}`,
    `  training    ${metrics(train)} (${some(rows - heldRows, "row")})`,
    ...(validation ? [`  validation  ${metrics(validation)}${where.length > 0 ? ` (${where.join(", ")})` : ""}`] : []),
    ...(objective === null ? [] : [`  objective   ${objective.toPrecision(8)}`]),
    `  ${iterations === null ? some(epochs ?? 0, "epoch") : some(iterations, "iteration")} in ${seconds.toFixed(1)} s`,
  ];
  return `${lines.join("\n")}\n`;
}
