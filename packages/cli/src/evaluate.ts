import { printable } from "./errors.ts";
import { checkLabels } from "./labels.ts";
import { readModel } from "./modelfile.ts";
import { checkApart, checkOutput } from "./output.ts";
import { note, rowCounter } from "./progress.ts";
import { type Scorecard, Scorer } from "./scorecard.ts";
import { scoreText } from "./scoretext.ts";
import { openSource } from "./source.ts";
import { checkTarget } from "./traindata.ts";

export interface EvaluateOptions {
  target?: string;
  /** The file with the labels of a matrix. */
  labels?: string;
  /** Where the HTML report goes. */
  report?: string;
  json?: boolean;
}

/** What `evaluate --json` prints. */
export interface EvaluateReport extends Scorecard {
  model: string;
  source: string;
  seconds: number;
}

/** `napier evaluate`: reads block by block, so the source may be larger than memory. */
export async function evaluate(path: string, name: string, options: EvaluateOptions): Promise<EvaluateReport> {
  const start = performance.now();
  const { target, labels, report: file, json } = options;
  checkTarget(name, { target, labels });
  if (file !== undefined) checkOutput(file, "--report");
  checkApart({ "--report": file }, { "the model": path, "the file of --labels": labels });
  const model = await readModel(path);
  const source = await openSource(name, { target, labels, features: model.features });
  try {
    checkApart({ "--report": file }, { "the source": source.inputs });
    const counter = rowCounter(`evaluating ${source.name}`);
    const scorer = new Scorer(model);
    let rows = 0;
    for await (const { x, y, row } of source) {
      checkLabels(source.name, source.labelled, y, model.classes, row);
      scorer.add(x, y);
      rows += y.length;
      counter.rows(rows);
    }
    counter.end();
    const card = scorer.scorecard();
    const seconds = Number(((performance.now() - start) / 1000).toFixed(3));
    const report: EvaluateReport = { model: path, source: source.name, ...card, seconds };
    if (file !== undefined) {
      const { writeReport } = await import("./report.ts");
      await writeReport(file, { model: path, source: source.name, seen: "new", card });
      note(`${file}: the report`);
    }
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : printable(scoreText(source.name, card)));
    return report;
  } finally {
    source.close();
  }
}
