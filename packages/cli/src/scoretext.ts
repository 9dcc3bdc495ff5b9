import { visible } from "./errors.ts";
import { MOST_SHOWN, survivalText } from "./reportwords.ts";
import type { Scorecard } from "./scorecard.ts";
import { count, metrics, percent, short, some } from "./words.ts";

const BAR = 24;

/** A bar of `share` of its length, with a mark where `mark` is. */
function bar(share: number, mark: number): string {
  const filled = Math.round(share * BAR);
  const at = Math.min(BAR - 1, Math.round(mark * BAR));
  return Array.from({ length: BAR }, (_, k) => (k === at ? "┃" : k < filled ? "█" : "░")).join("");
}

/** For a terminal; ends with a line break. */
export function scoreText(name: string, card: Scorecard): string {
  const { rows, nll, standardError, accuracy, topK, brier, ece, bins, perClass, recalibrated } = card;
  const error = standardError === null ? "" : ` ± ${short(standardError, 2)}`;
  const tops = topK.slice(1, 3).map((share, k) => `top-${k + 2} ${percent(share)}`);
  const after = recalibrated && ` (calibrated ${short(recalibrated.after.ece)})`;
  const weakest = perClass
    .filter(({ recall }) => recall !== null)
    .sort((a, b) => a.recall! - b.recall!)
    .slice(0, MOST_SHOWN)
    .map(({ label, recall, rows: own }) => `${visible(String(label))} ${percent(recall!)} of ${count(own)}`);
  const lines = [
    `${name}: ${metrics({ nll, accuracy })} (${some(rows, "row")})`,
    `  NLL       ${short(nll)}${error} nats`,
    `  accuracy  ${[percent(accuracy), ...tops].join(", ")}`,
    `  Brier     ${short(brier)}, ECE ${short(ece)}${after ?? ""}`,
    `  recall    ${weakest.join(", ")}${perClass.length > MOST_SHOWN ? ", … (the lowest)" : ""}`,
    `  softmax   ${survivalText(card)}`,
    `  how often it was right, by how sure it was (┃)`,
    ...bins.map(({ from, to, count: own, confidence, accuracy: right }) => {
      const range = `${Math.round(from * 100)}–${Math.round(to * 100)} %`;
      return `  ${range.padStart(9)} ${bar(right, confidence)} ${percent(right).padStart(8)}  ${some(own, "row")}`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}
