import type { Label, Reliability, Source as Rows } from "napier/train";
import { calibrate as calibrateModel } from "napier/train";
import { type CalibrateReport, calibrationText } from "./calibratereport.ts";
import { type CommandError, inputError, printable } from "./errors.ts";
import { checkLabels } from "./labels.ts";
import { readModel, writeModel } from "./modelfile.ts";
import { checkApart, checkOutput } from "./output.ts";
import { rowCounter } from "./progress.ts";
import type { Source } from "./rows.ts";
import { openSource } from "./source.ts";
import { checkTarget } from "./traindata.ts";

export interface CalibrateOptions {
  target?: string;
  /** The file with the labels of a matrix. */
  labels?: string;
  /** The column that says how much each row counts. */
  weight?: string;
  /** `….calibrated.onnx` beside the model by default. */
  out?: string;
  bins: number;
  json?: boolean;
}

const MOST_BINS = 1000;

/** model.onnx → model.calibrated.onnx */
function beside(model: string): string {
  return `${model.replace(/\.onnx$/i, "")}.calibrated.onnx`;
}

/** Where the loss has no minimum; the model as it is is then the better one. */
function noTemperature(source: string, limit: "least" | "largest", { accuracy }: Reliability): CommandError {
  const end = limit === "least" ? "1/32768" : "32768";
  const least =
    accuracy === 1
      ? "the model is right in every row, and the surer it says so the better"
      : "the model's scores are that near to each other";
  const why = limit === "least" ? least : "the model's scores say nothing about these classes";
  const hint =
    limit === "least"
      ? "calibrate on more rows, and on none that the model was trained on"
      : "check that --target is the column that the model was trained to predict";
  return inputError(`${source}: no temperature is the best, the loss falls all the way to ${end}: ${why}`, hint);
}

/** The library's own words about the source. */
export function sourceError(source: string, error: unknown): unknown {
  const message = error instanceof Error ? error.message : "";
  const [, expected, got] = /^calibrate: source expected ([^,;]*), got ([^;]*)/.exec(message) ?? [];
  if (expected === undefined || got === undefined) return error;
  const [, loss, row] = /^(\w+) at row (\d+)$/.exec(got) ?? [];
  if (row !== undefined)
    return inputError(`${source}: row ${Number(row) + 1}: the model's loss is ${loss}`, undefined, error);
  const hint = "rows are read more than once: give sql:SELECT … an ORDER BY, or save its result to a file";
  return inputError(`${source}: expected ${expected}, got ${got}`, hint, error);
}

/** Blocks whose labels are known to be the model's. */
function labelled(source: Source, classes: readonly Label[]): Rows {
  return {
    async *[Symbol.asyncIterator]() {
      const counter = rowCounter(`calibrating on ${source.name}`);
      for await (const { x, y, weight, row } of source) {
        checkLabels(source.name, source.labelled, y, classes, row);
        yield { x, y, weight };
        counter.rows(row + y.length - 1);
      }
      counter.end();
    },
  };
}

/** `napier calibrate`: reads block by block; more logits than 256 MiB are computed anew in every pass over the source. */
export async function calibrate(path: string, name: string, options: CalibrateOptions): Promise<CalibrateReport> {
  const start = performance.now();
  const { target, labels, weight, out = beside(path), bins, json } = options;
  if (bins > MOST_BINS) throw inputError(`--bins ${bins}: at most ${MOST_BINS}`);
  checkTarget(name, { target, labels });
  checkOutput(out);
  checkApart({ "--out": out }, { "the model": path, "the file of --labels": labels });
  const model = await readModel(path);
  const source = await openSource(name, { target, labels, weight, features: model.features });
  try {
    checkApart({ "--out": out }, { "the source": source.inputs });
    const rows = labelled(source, model.classes);
    const { limit, ...found } = await calibrateModel(model, { source: rows, bins }).catch((error: unknown) => {
      throw sourceError(source.name, error);
    });
    if (limit) throw noTemperature(source.name, limit, found.after);
    const report: CalibrateReport = {
      model: out,
      sha256: await writeModel(out, found.model),
      temperature: found.model.temperature,
      before: found.before,
      after: found.after,
      seconds: Number(((performance.now() - start) / 1000).toFixed(3)),
    };
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : printable(calibrationText(report)));
    return report;
  } finally {
    source.close();
  }
}
