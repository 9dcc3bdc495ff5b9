import { basename } from "node:path";
import process from "node:process";
import type { Communicator } from "@napier/mpi";
import { createPool } from "napier/pool";
import type { FitSettings, Label, Model, Progress, Reducer, Score } from "napier/train";
import { batchParts, fit } from "napier/train";
import { type CheckpointFolder, checkpointError, openCheckpoints } from "./checkpoint.ts";
import type { LeftOut } from "./columns.ts";
import { CommandError, INTERRUPTED, Interruption, inputError, printable, shortName, TERMINATED } from "./errors.ts";
import type { Held } from "./hold.ts";
import { writeModel } from "./modelfile.ts";
import { checkApart, checkOutput } from "./output.ts";
import { note, trainingProgress, warn } from "./progress.ts";
import { stopQueries } from "./queries.ts";
import { beQuiet } from "./quiet.ts";
import type { Scorecard } from "./scorecard.ts";
import { agree, joinRanks, ofAllBlocks, threadsOfRank } from "./share.ts";
import { type DataOptions, loadData } from "./traindata.ts";
import { History, type Seen, scoreRows } from "./trainreport.ts";
import { type Understanding, understand, understandingText } from "./understanding.ts";
import { VERSION } from "./version.ts";
import { count, metrics, some } from "./words.ts";

type Own =
  | ("validation" | "classWeight" | "warmStart" | "features" | "pool")
  | ("checkpoint" | "signal" | "onProgress" | "reportEvery" | "loss");

export interface TrainOptions extends Omit<FitSettings, Own>, DataOptions {
  /** Says what it made of the source, and stops. */
  dryRun?: boolean;
  /** Where the HTML report goes. */
  report?: string;
  /** All cores by default. */
  threads?: number;
  /** The folder of the checkpoints. */
  checkpoint?: string;
  /** Seconds, 30 by default. */
  checkpointEvery?: number;
  /** Seconds without a sign of life of a rank, after which all end. */
  timeout?: number;
  /** The command line that goes on, for messages. */
  command?: string;
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
  /** Columns that are no features, and why. */
  leftOut: LeftOut[];
  /** What --report shows, as `evaluate --json` has it; null without it. */
  report: (Scorecard & { seen: Seen }) | null;
  seconds: number;
}

/** NLL and accuracy of all rows, block by block. */
async function evaluateAll(model: Model, data: Held, reducer: Reducer | undefined): Promise<Score & { rows: number }> {
  const losses: number[] = [];
  const hits: number[] = [];
  for await (const { x, y } of data) {
    const score = model.evaluate(x, y);
    losses.push(score.nll * score.rows);
    hits.push(Math.round(score.accuracy * score.rows));
  }
  const sum = async (own: number[]): Promise<number> =>
    (await ofAllBlocks(own, reducer)).reduce((total, each) => total + each, 0);
  const { rows } = data;
  return { rows, nll: (await sum(losses)) / rows, accuracy: (await sum(hits)) / rows };
}

/** The score of all rows without that of some of them: the rows that `fit` kept for training. */
function without(all: Score & { rows: number }, part: Score | undefined, rows: number): Score {
  if (part === undefined) return { nll: all.nll, accuracy: all.accuracy };
  const left = all.rows - rows;
  const correct = Math.round(all.accuracy * all.rows) - Math.round(part.accuracy * rows);
  return { nll: Math.max(0, all.nll * all.rows - part.nll * rows) / left, accuracy: correct / left };
}

/** fit's own words about an option; numbers that stop being finite are a failure and no wrong input. */
function fitError(error: unknown, folder = ""): unknown {
  const ofCheckpoint = checkpointError(error, folder);
  if (ofCheckpoint) return ofCheckpoint;
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
  resume?: Progress & { kind: "resume" };
  epoch?: Progress & { kind: "epoch" };
  best?: { epoch: number; validation?: Score };
  iteration?: Progress & { kind: "iteration" };
  end?: Progress & { kind: "end" };
}

/** What an interrupted training leaves: its message and hint. */
type Left = [message: string, hint?: string];

async function saveModel(out: string, { epoch, best, iteration }: Heard): Promise<Left> {
  if (iteration) {
    await writeModel(out, iteration.model());
    return [
      `interrupted after ${some(iteration.iteration, "iteration")}; the model so far is saved to ${out}`,
      "use it as it is, or run the same command again to train to the end",
    ];
  }
  if (epoch === undefined || best === undefined) {
    return ["interrupted before the first epoch was done; nothing is saved"];
  }
  await writeModel(out, epoch.model());
  const which = best.validation ? `, of epoch ${best.epoch}, validation ${metrics(best.validation)}` : "";
  return [
    `interrupted after ${some(epoch.epoch, "epoch")}; the best model so far is saved to ${out}${which}`,
    `use it as it is, or run the same command again to train all ${some(epoch.epochs, "epoch")}`,
  ];
}

const GO_ON = "this command goes on:";

/** What is in the folder after an interruption; `fit` has written it. */
function saveState(folder: string, checkpoints: CheckpointFolder, heard: Heard, random: boolean): Left {
  if (!checkpoints.isWritten()) return ["interrupted before training began; nothing is saved", GO_ON];
  const done = (random ? heard.epoch?.epoch : heard.iteration?.iteration) ?? heard.resume?.done ?? 0;
  return [`interrupted after ${some(done, random ? "epoch" : "iteration")}; a checkpoint is saved in ${folder}`, GO_ON];
}

/** Where training goes on from, and what was refused. */
function resumeNotes(folder: string, p: Progress & { kind: "resume" }, random: boolean): void {
  for (const text of p.notes) note(`${folder}: ${text}`);
  if (!p.found) note(`${folder}: no checkpoint to go on from; training begins`);
  else note(`${folder}: goes on after ${some(p.done, random ? "epoch" : "iteration")}`);
}

function checkResume({ checkpoint, checkpointEvery, resume }: TrainOptions): void {
  if (checkpoint !== undefined) return;
  const hint = "add --checkpoint <folder>";
  if (resume) throw inputError("--resume: there is no folder to go on from", hint);
  if (checkpointEvery !== undefined) throw inputError("--checkpoint-every: there is no folder to save to", hint);
}

/** Where training came to a bad end, the best model of the epochs before it is not lost. */
async function saveDiverged(out: string, { epoch }: Heard, error: unknown): Promise<unknown> {
  if (!(error instanceof CommandError) || error.exitCode !== 1 || epoch === undefined) return error;
  await writeModel(out, epoch.model());
  const hint = `the best model of the epochs before is saved to ${out}; ${error.hint}`;
  return new CommandError(1, error.message, hint, error);
}

/** A rank that reads and writes no checkpoints: rank 0 does. */
const NO_CHECKPOINTS: CheckpointFolder = {
  store: { read: async () => undefined, write: async () => {} },
  isWritten: () => false,
};

/**
 * `napier train`: everything is checked before training begins, and `out` is written whole or not at all. Under mpirun the
 * ranks share the rows, and rank 0 alone prints and writes.
 */
export async function train(name: string, options: TrainOptions): Promise<TrainReport | Understanding> {
  const { timeout, ...own } = options;
  const communicator = await joinRanks({ ...(timeout !== undefined && { timeout }), advice: adviceOf(options) });
  if (communicator === undefined) return trainOn(name, own, undefined);
  const shared = await threadsOfRank(communicator);
  const { report, threads = shared, out, command, json, ...common } = own;
  const isFirst = communicator.rank === 0;
  if (!isFirst) beQuiet();
  await agree({ napier: VERSION, source: basename(name), ...named(common) }, communicator);
  if (report !== undefined) {
    throw inputError("--report: several ranks write none", "run napier evaluate --report on the model afterwards");
  }
  const result = await trainOn(name, { ...own, threads }, communicator);
  communicator.end();
  return result;
}

/** Says so where a mini-batch has too few rows for all ranks. */
function noteIdle(ranks: number, batchSize: number, rows: number): void {
  const parts = batchParts(batchSize, rows);
  if (parts >= ranks) return;
  note(
    `a batch of ${count(batchSize)} rows is shared by ${parts} of ${ranks} ranks: parts have 64 rows at least, up to 16 of them`,
  );
}

/** How to go on where a rank was lost. */
function adviceOf({ checkpoint }: TrainOptions): string {
  if (checkpoint === undefined) return "nothing is saved; with --checkpoint <folder> training could go on";
  return `the same command with --resume goes on from ${checkpoint}, on any number of ranks`;
}

/** Options as the user knows them; folders may be others on other machines. */
const named = (options: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      const option = `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`).replace("---c", "--C")}`;
      if (key === "checkpoint") return [option, "kept"];
      return [option, key === "validation" && typeof value === "string" ? basename(value) : value];
    }),
  );

async function trainOn(
  name: string,
  options: TrainOptions,
  reducer: Communicator | undefined,
): Promise<TrainReport | Understanding> {
  const {
    threads,
    out,
    report: page,
    json,
    dryRun,
    checkpoint: folder,
    checkpointEvery: every,
    command,
    ...others
  } = options;
  const { target, labels, weight, features: _, exclude, keep, validation: __, validationLabels, ...settings } = others;
  const optimizer = settings.optimizer ?? ((settings.hidden ?? []).length > 0 ? "adamw" : "lbfgs");
  const random = optimizer !== "lbfgs";
  const isFirst = reducer === undefined || reducer.rank === 0;
  const print = (text: string): void => void (isFirst && process.stdout.write(text));
  const interrupt = new AbortController();
  const { signal } = interrupt;
  let exitCode = INTERRUPTED;
  let asked = false;
  let isReading = true;
  const onSignal = (name: NodeJS.Signals): void => {
    exitCode = name === "SIGTERM" ? TERMINATED : INTERRUPTED;
    if (asked) process.exit(exitCode);
    asked = true;
    if (isReading) stopQueries(name);
    // rank 0 saves and ends, and the launcher ends the others, which work until then
    if (!isFirst) return;
    reducer?.release();
    interrupt.abort();
  };
  const interruption = ([message, hint]: Left): Interruption =>
    new Interruption(exitCode, message, hint, folder === undefined ? undefined : command);
  const onRow = (): void => {
    if (!signal.aborted) return;
    throw interruption(["interrupted while reading; nothing is saved", folder === undefined ? undefined : GO_ON]);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const start = performance.now();
  const opened: Held[] = [];
  try {
    if (isFirst) checkOutput(out);
    if (page !== undefined) checkOutput(page, "--report");
    const outputs = { "--out": out, "--report": page };
    checkApart(outputs, { "the file of --labels": labels, "the file of --validation-labels": validationLabels });
    checkResume(options);
    const foldersOf = (at: string): CheckpointFolder =>
      isFirst ? openCheckpoints(at, settings.resume === true) : NO_CHECKPOINTS;
    const checkpoints = folder === undefined || dryRun ? undefined : foldersOf(folder);
    const batchSize = random ? (settings.batchSize ?? 128) : undefined;
    const loaded = await loadData(name, options, { random, outputs, onRow, reducer, batchSize }, opened).catch(
      (error) => {
        onRow();
        throw error;
      },
    );
    isReading = false;
    const { rows: data, validation: own } = loaded;
    const { features } = data;
    const found = understand(shortName(name), data, own, weight);
    if (dryRun) {
      print(json ? `${JSON.stringify(found)}\n` : printable(understandingText(found)));
      return found;
    }
    note(understandingText(found).trimEnd());
    if (reducer && batchSize !== undefined) noteIdle(reducer.size, batchSize, data.rows);

    const heard: Heard = {};
    const history = new History();
    const progress = trainingProgress();
    const pool = createPool(threads === undefined ? {} : { threads });
    let model: Model;
    try {
      const onProgress = (p: Progress): void => {
        if (p.kind === "epoch") {
          heard.epoch = p;
          if (p.best) heard.best = p;
        } else if (p.kind === "iteration") heard.iteration = p;
        else if (p.kind === "resume") {
          heard.resume = p;
          if (p.best) heard.best = p.best;
          resumeNotes(folder ?? "", p, random);
        } else if (p.kind === "end") heard.end = p;
        history.add(p);
        progress.show(p);
      };
      const given = {
        ...settings,
        optimizer,
        validation: own,
        features,
        pool,
        signal,
        onProgress,
        ...(reducer && { reducer }),
      };
      const checkpoint = checkpoints && { store: checkpoints.store, ...(every !== undefined && { every }) };
      model = await fit({ ...given, ...(checkpoint && { checkpoint }), source: data });
    } catch (error) {
      progress.stop();
      // a checkpoint that could not be written is another error than the signal's
      if (!signal.aborted || (checkpoints && error !== signal.reason))
        throw await saveDiverged(out, heard, fitError(error, folder));
      throw interruption(
        checkpoints ? saveState(folder ?? "", checkpoints, heard, random) : await saveModel(out, heard),
      );
    } finally {
      await pool.close();
    }
    progress.stop();

    const heldRows = typeof own === "number" ? Math.round(data.rows * own) : 0;
    const score = (heard.end ?? heard.best)?.validation;
    const { end } = heard;
    const report: TrainReport = {
      model: out,
      sha256: isFirst ? await writeModel(out, model) : "",
      rows: data.rows,
      features: found.inputs,
      classes: model.classes,
      optimizer,
      train: without(await evaluateAll(model, data, reducer), heldRows > 0 ? score : undefined, heldRows),
      validation: score ?? null,
      objective: end?.objective ?? null,
      iterations: end?.iterations ?? null,
      converged: end?.converged ?? null,
      epochs: heard.epoch?.epoch ?? (random ? (heard.resume?.done ?? null) : null),
      leftOut: found.leftOut,
      report: null,
      seconds: Number(((performance.now() - start) / 1000).toFixed(3)),
    };
    if (isFirst && end && !end.converged) {
      warn(`not converged: gradient ${end.gradientNorm.toExponential(1)} after ${some(end.iterations, "iteration")}`);
    }
    if (page !== undefined) {
      const { writeReport } = await import("./report.ts");
      const scored = await scoreRows(model, loaded, settings.seed ?? 0, random);
      const source = typeof own === "object" ? own.source.name : found.source;
      const parts = { ...scored, model: out, source, curves: history.curve(), understanding: understandingText(found) };
      await writeReport(page, parts);
      report.report = { seen: scored.seen, ...scored.card };
      note(`${page}: the report`);
    }
    print(json ? `${JSON.stringify(report)}\n` : printable(summary(report, heard.best?.epoch, heldRows)));
    return report;
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
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
