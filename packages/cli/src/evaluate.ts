import type { Label } from "napier/train";
import { checkLabels } from "./labels.ts";
import { readModel } from "./modelfile.ts";
import { rowCounter } from "./progress.ts";
import { openSource } from "./source.ts";
import { metrics, some } from "./words.ts";

export interface EvaluateOptions {
  target: string;
  json?: boolean;
}

/** What `evaluate --json` prints. */
export interface EvaluateReport {
  model: string;
  rows: number;
  nll: number;
  accuracy: number;
  classes: readonly Label[];
  seconds: number;
}

/** `napier evaluate`: reads block by block, so the source may be larger than memory. */
export async function evaluate(path: string, name: string, { target, json }: EvaluateOptions): Promise<EvaluateReport> {
  const start = performance.now();
  const model = await readModel(path);
  const source = await openSource(name, { target, features: model.features });
  try {
    const counter = rowCounter(`evaluating ${source.name}`);
    let rows = 0;
    let loss = 0;
    let correct = 0;
    for await (const { x, y, row } of source) {
      checkLabels(source.name, target, y, model.classes, row);
      const score = model.evaluate(x, y);
      rows += score.rows;
      loss += score.nll * score.rows;
      correct += Math.round(score.accuracy * score.rows);
      counter.rows(rows);
    }
    counter.end();
    const seconds = Number(((performance.now() - start) / 1000).toFixed(3));
    const report = { model: path, rows, nll: loss / rows, accuracy: correct / rows, classes: model.classes, seconds };
    const text = `${source.name}: ${metrics(report)} (${some(rows, "row")})`;
    process.stdout.write(`${json ? JSON.stringify(report) : text}\n`);
    return report;
  } finally {
    source.close();
  }
}
