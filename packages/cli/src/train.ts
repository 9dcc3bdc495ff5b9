import { createPool } from "napier/pool";
import type { FitOptions, Label, Matrix, Model, Progress, Score } from "napier/train";
import { fit } from "napier/train";
import { CommandError, INTERRUPTED, inputError, interrupted, shortName } from "./errors.ts";
import { checkLabels } from "./labels.ts";
import { writeModel } from "./modelfile.ts";
import { checkOutput } from "./output.ts";
import { count, metrics, note, rowCounter, some, trainingProgress } from "./progress.ts";
import { gather, openSource, type SourceOptions } from "./source.ts";

export interface TrainOptions
  extends Pick<FitOptions, "hidden" | "epochs" | "batchSize" | "learningRate" | "weightDecay" | "scale" | "seed"> {
  target: string;
  validation?: number | string;
  exclude?: string[];
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
  train: Score;
  validation: Score | null;
  epochs: number;
  seconds: number;
}

interface Rows {
  x: Matrix;
  y: Label[];
}

async function load(name: string, options: SourceOptions, out: string, signal: AbortSignal) {
  const source = await openSource(name, options);
  try {
    checkOutput(out, source);
    const counter = rowCounter(`reading ${shortName(name)}`);
    const rows: Rows = await gather(source, (done) => {
      if (signal.aborted) throw interrupted("interrupted while reading; nothing is saved");
      counter.rows(done);
    });
    counter.end();
    return { ...rows, features: source.features };
  } finally {
    source.close();
  }
}

function classesOf(source: string, target: string, y: readonly Label[]): Label[] {
  const classes = [...new Set(y)];
  if (classes.length > 1) return classes;
  const only = `column ${JSON.stringify(target)} has one class only, ${JSON.stringify(classes[0])}`;
  throw inputError(`${source}: ${only}`, "a classifier needs two classes at least");
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
  if (argument !== "loss" && argument !== "weights") return inputError(`${argument}${text}`, todo, error);
  const hint = "lower --learning-rate, or let --scale be standard";
  return new CommandError(1, `training came to an end: ${argument}${text}`, hint, error);
}

type Epoch = Progress & { kind: "epoch" };

async function saveInterrupted(out: string, last: Epoch | undefined, best: Epoch | undefined): Promise<CommandError> {
  if (last === undefined || best === undefined) {
    return interrupted("interrupted before the first epoch was done; nothing is saved");
  }
  await writeModel(out, last.model());
  const which = best.validation ? `, of epoch ${best.epoch}, validation ${metrics(best.validation)}` : "";
  return interrupted(
    `interrupted after ${some(last.epoch, "epoch")}; the best model so far is saved to ${out}${which}`,
    `use it as it is, or run the same command again to train all ${some(last.epochs, "epoch")}`,
  );
}

/** `napier train`: everything is checked before training begins, and `out` is written whole or not at all. */
export async function train(name: string, options: TrainOptions): Promise<TrainReport> {
  const { target, exclude, validation, threads, out, json, ...training } = options;
  const interrupt = new AbortController();
  const onInterrupt = (): void => {
    if (interrupt.signal.aborted) process.exit(INTERRUPTED);
    interrupt.abort();
  };
  process.on("SIGINT", onInterrupt);
  checkOutput(out);
  const start = performance.now();
  try {
    const { x, y, features } = await load(name, { target, exclude }, out, interrupt.signal);
    const [rows, inputs] = x.shape as [number, number];
    const classes = classesOf(shortName(name), target, y);
    let held: number | Rows | undefined;
    if (typeof validation === "string") {
      held = await load(validation, { target, features }, out, interrupt.signal);
      checkLabels(shortName(validation), target, held.y, classes, 1);
    } else held = validation;
    note(`${shortName(name)}: ${some(rows, "row")}, ${some(inputs, "feature")}, ${some(classes.length, "class")}`);

    let last: Epoch | undefined;
    let best: Epoch | undefined;
    const progress = trainingProgress();
    const pool = createPool(threads === undefined ? {} : { threads });
    let model: Model;
    try {
      const onProgress = (p: Progress): void => {
        if (p.kind === "epoch") {
          last = p;
          if (p.best) best = p;
        }
        progress.show(p);
      };
      const { signal } = interrupt;
      model = await fit({ ...training, x, y, validation: held, features, pool, signal, onProgress });
    } catch (error) {
      progress.stop();
      throw interrupt.signal.aborted ? await saveInterrupted(out, last, best) : fitError(error);
    } finally {
      await pool.close();
    }
    progress.stop();

    const heldRows = typeof held === "number" ? Math.round(rows * held) : 0;
    const report: TrainReport = {
      model: out,
      sha256: await writeModel(out, model),
      rows,
      features: inputs,
      classes: model.classes,
      train: without(model.evaluate(x, y), heldRows > 0 ? best?.validation : undefined, heldRows),
      validation: best?.validation ?? null,
      epochs: last?.epochs ?? 0,
      seconds: Number(((performance.now() - start) / 1000).toFixed(3)),
    };
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : summary(report, best?.epoch ?? 0, heldRows));
    return report;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

function summary(report: TrainReport, best: number, heldRows: number): string {
  const { model, sha256, rows, features, classes, train, validation, epochs, seconds } = report;
  const lines = [
    `${model}: ${some(features, "feature")} → ${some(classes.length, "class")}, sha256 ${sha256}`,
    `  training    ${metrics(train)} (${some(rows - heldRows, "row")})`,
    ...(validation
      ? [`  validation  ${metrics(validation)} (epoch ${best}${heldRows ? `, ${count(heldRows)} rows` : ""})`]
      : []),
    `  ${some(epochs, "epoch")} in ${seconds.toFixed(1)} s`,
  ];
  return `${lines.join("\n")}\n`;
}
