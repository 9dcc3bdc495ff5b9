import type { Findings, Some, Textbook, Usual } from "./findings.ts";
import type { Dtype } from "./scores.ts";
import { count, percent, some } from "./words.ts";

/** What `check --json` prints; numbers that are not finite are the strings "NaN", "Infinity", "-Infinity". */
export interface CheckReport extends Findings {
  source: string;
  dtype: Dtype;
  strict: boolean;
  exitCode: 0 | 3;
  seconds: number;
}

const short = (value: number): string => String(Number(value.toPrecision(5)));
const line = (label: string, text: string): string => `  ${label.padEnd(10)}${text}\n`;

/** "NaN in 2 rows: 4, 9" */
function listed(what: string, { rows, first }: Some): string[] {
  if (rows === 0) return [];
  const rest = rows > first.length && first.length > 0 ? " …" : "";
  return [`${what} in ${some(rows, "row")}${first.length > 0 ? `: ${first.join(", ")}${rest}` : ""}`];
}

function winnersText({ lost, zero }: { lost: number; zero: number }, rows: number): string {
  const zeros = zero > 0 ? `, ${count(zero)} of them 0` : "";
  return lost === 0 ? "no winner lost" : `${some(lost, "winner")} lost (${percent(lost / rows)})${zeros}`;
}

function textbookText({ overflow, underflow, lost, zero }: Textbook, rows: number): string {
  const breaks = `breaks in ${some(overflow + underflow, "row")}: ${count(overflow)} overflow, ${count(underflow)} underflow`;
  const winners = lost === null || zero === null ? "" : `; ${winnersText({ lost, zero }, rows)}`;
  return `${overflow + underflow === 0 ? "no row breaks" : breaks}${winners}`;
}

function usualText({ lost, zero, worst }: Usual, rows: number): string {
  const winners = winnersText({ lost, zero }, rows);
  if (worst === null) return winners;
  const ulps = worst.ulps < 1e5 ? short(worst.ulps) : worst.ulps.toExponential(2);
  const far = Number.isFinite(worst.ulps) ? `${ulps} ulp off` : "no number";
  const [value, exact] = [worst.value, worst.exact].map((v) => Number(v.toPrecision(10)));
  const example = `row ${worst.row}: ${value}, exact ${exact}, ${far}`;
  return `${winners}; worst in ${example}`;
}

/** The report for people; ends with a line break. */
export function reportText(report: CheckReport): string {
  const { source, dtype, rows, classes, min, max, broken, masked, textbook, usual, logProbs, targets } = report;
  const range = min === null || max === null ? "no finite value" : `finite values from ${short(min)} to ${short(max)}`;
  const kinds = [
    ...listed("NaN", broken.nan),
    ...listed("+∞", broken.infinite),
    ...listed("nothing but −∞", broken.allMinusInfinity),
    ...(broken.aboveZero ? listed("a log-probability above 0", broken.aboveZero) : []),
  ];
  let text = `${source}: ${some(rows, "row")}, ${some(classes, "class")}, ${dtype}, ${range}\n`;
  text += line("broken", kinds.length === 0 ? "no row" : kinds.join("; "));
  if (masked > 0) text += line("masked", `−∞ beside finite values in ${some(masked, "row")}, which is fine`);
  if (textbook) {
    text += "log(softmax(x)) as it is written\n";
    for (const [format, found] of Object.entries(textbook)) text += line(format, textbookText(found, rows));
  }
  if (usual) {
    text += "the usual x − max − log Σ exp(x − max)\n";
    for (const [format, found] of Object.entries(usual)) text += line(format, usualText(found, rows));
  }
  if (logProbs) {
    const { tolerance, unnormalized, winnerLost } = logProbs;
    const { worst } = unnormalized;
    const sum = worst && `${some(unnormalized.rows, "row")}; worst in row ${worst.row}: ${short(worst.logSumExp)}`;
    text += line("log Σ exp", worst ? `beyond ±${tolerance} in ${sum}` : `0 within ${tolerance} in every row`);
    text += line(
      "winner",
      winnerLost === 0 ? "none is 0 that should not be" : `lost, exactly 0, in ${some(winnerLost, "row")}`,
    );
  }
  if (targets) {
    const error = targets.standardError === null ? "" : ` ± ${short(targets.standardError)}`;
    const left = targets.rows < rows ? ` (${some(targets.rows, "row")} that are not broken)` : "";
    const perplexity = `perplexity ${short(targets.perplexity)}`;
    text += line(
      "targets",
      `NLL ${short(targets.nll)}${error}, ${perplexity}, accuracy ${percent(targets.accuracy)}${left}`,
    );
  }
  return text;
}
