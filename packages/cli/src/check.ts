import type { Format } from "napier/naive";
import { type CheckReport, reportText } from "./checkreport.ts";
import { printable, shortName } from "./errors.ts";
import { examine } from "./examine.ts";
import type { Findings } from "./findings.ts";
import { rowCounter } from "./progress.ts";
import { openScoreArray } from "./scorearrayfile.ts";
import { openScoreTable } from "./scoretable.ts";

export interface CheckOptions {
  targets?: string;
  exclude?: string[];
  logProbs?: boolean;
  strict?: boolean;
  list: number;
  json?: boolean;
}

/** Rows that a formula loses in the file's own dtype, or whose log-probabilities lost their winner. */
function lost({ textbook, usual, logProbs }: Findings, dtype: Format): number {
  return (
    (textbook?.[dtype]?.rows ?? 0) +
    (usual?.[dtype]?.lost ?? 0) +
    (logProbs ? logProbs.winnerLost + logProbs.unnormalized.rows : 0)
  );
}

const asText = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;

/** `napier check`: reads tile by tile, so the logits may be larger than memory. */
export async function check(source: string, options: CheckOptions): Promise<CheckReport> {
  const start = performance.now();
  const { targets, logProbs = false, strict = false, list } = options;
  const array = /\.npy$/i.test(source);
  const scores = await (array ? openScoreArray(source, options) : openScoreTable(source, shortName(source), options));
  try {
    const { name, dtype } = scores;
    const counter = rowCounter(`checking ${name}`);
    const label = array ? targets : `${name}, column ${JSON.stringify(targets)}`;
    const findings = await examine(scores, { dtype, logProbs, list, targets: label ?? "" }, counter.rows);
    counter.end();
    const broken = findings.broken.rows > 0 || (strict && lost(findings, dtype) > 0);
    const seconds = Number(((performance.now() - start) / 1000).toFixed(3));
    const report: CheckReport = { source: name, dtype, ...findings, strict, exitCode: broken ? 3 : 0, seconds };
    process.stdout.write(options.json ? `${JSON.stringify(report, asText)}\n` : printable(reportText(report)));
    return report;
  } finally {
    await scores.close();
  }
}
