import { reportText } from "../../../cli/src/checkreport.ts";
import { CommandError, inputError } from "../../../cli/src/errors.ts";
import { examine } from "../../../cli/src/examine.ts";
import type { Findings } from "../../../cli/src/findings.ts";
import { scoresOf } from "../../../cli/src/scorearray.ts";
import type { Scores } from "../../../cli/src/scores.ts";
import { type CsvFile, csvOf } from "./csvfile.ts";
import { describeModel } from "./modelfile.ts";
import { npyOf } from "./npyfile.ts";

export interface Request {
  readonly file: File;
  /** The column with the true classes. */
  readonly target: string | undefined;
}

export type Reply =
  | { kind: "rows"; rows: number }
  | { kind: "report"; findings: Findings; text: string; columns: readonly string[] }
  | { kind: "model"; facts: readonly [label: string, text: string][] }
  | { kind: "error"; message: string; hint: string | undefined };

const LISTED = 10;
/** The CSV file that was read last: another target does not read it again. */
let last: { file: File; csv: CsvFile } | undefined;

async function open({ file, target }: Request): Promise<{ scores: Scores; columns: readonly string[] }> {
  if (/\.npy$/i.test(file.name)) return { scores: await scoresOf(await npyOf(file)), columns: [] };
  if (!/\.csv$/i.test(file.name)) {
    throw inputError(
      `${file.name}: expected a .npy, .csv or .onnx file`,
      "napier check reads Parquet, JSON lines and more",
    );
  }
  if (last?.file.name !== file.name || last.file.lastModified !== file.lastModified || last.file.size !== file.size) {
    last = { file, csv: await csvOf(file) };
  }
  return { scores: last.csv.scores(target), columns: last.csv.numeric };
}

const post = (reply: Reply): void => postMessage(reply);

export async function handle(data: Request): Promise<void> {
  try {
    if (/\.onnx$/i.test(data.file.name)) {
      post({ kind: "model", facts: await describeModel(data.file) });
      return;
    }
    const { scores, columns } = await open(data);
    const { name, dtype } = scores;
    const targets = `${name}, column ${JSON.stringify(data.target)}`;
    const settings = { dtype, logProbs: false, list: LISTED, targets };
    const findings = await examine(scores, settings, (rows) => post({ kind: "rows", rows }));
    const exitCode = findings.broken.rows > 0 ? 3 : 0;
    const text = reportText({ source: name, dtype, ...findings, strict: false, exitCode, seconds: 0 });
    post({ kind: "report", findings, text, columns });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    post({ kind: "error", message, hint: error instanceof CommandError ? error.hint : undefined });
  }
}
