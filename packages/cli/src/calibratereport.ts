import type { Reliability, ReliabilityBin } from "napier/train";
import { count, percent, short, some } from "./words.ts";

/** What `calibrate --json` prints. */
export interface CalibrateReport {
  /** The calibrated model's file. */
  model: string;
  sha256: string;
  temperature: number;
  /** The given model on these rows, and the calibrated one. */
  before: Reliability;
  after: Reliability;
  seconds: number;
}

const line = (label: string, ...cells: string[]): string =>
  `  ${label.padEnd(15)}${cells.map((cell) => cell.padStart(12)).join("")}`.trimEnd();

/** Cells of a bin; a bin without rows has none. */
function cells(bin: ReliabilityBin | undefined): string[] {
  return bin ? [count(bin.count), percent(bin.confidence), percent(bin.accuracy)] : ["", "", ""];
}

/** A line for each bin that has rows before or after. */
function binLines(before: Reliability, after: Reliability): string[] {
  const from = (bins: readonly ReliabilityBin[]) => new Map(bins.map((bin) => [bin.from, bin]));
  const [old, now] = [from(before.bins), from(after.bins)];
  const all = new Map([...old, ...now]);
  return [...all.values()]
    .sort((a, b) => a.from - b.from)
    .map((bin) =>
      line(`${bin.from.toFixed(3)}–${bin.to.toFixed(3)}`, ...cells(old.get(bin.from)), ...cells(now.get(bin.from))),
    );
}

/** The report for people; ends with a line break. */
export function calibrationText({ model, sha256, temperature, before, after }: CalibrateReport): string {
  const lines = [
    `${model}: temperature ${short(temperature)}, sha256 ${sha256}`,
    line("", "before", "after"),
    line("NLL", short(before.nll), short(after.nll)),
    line("Brier score", short(before.brier), short(after.brier)),
    line("ECE", short(before.ece), short(after.ece)),
    line("accuracy", percent(before.accuracy), percent(after.accuracy)),
    `how sure the model was of its winner, and how often it was right (${some(after.rows, "row")})`,
    line("", "before", "", "", "after"),
    line("bin", "rows", "confidence", "accuracy", "rows", "confidence", "accuracy"),
    ...binLines(before, after),
  ];
  return `${lines.join("\n")}\n`;
}
