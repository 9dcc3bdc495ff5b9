import type { Scorecard, Survival } from "./scorecard.ts";
import { count, some } from "./words.ts";

/** Classes that a line has room for. */
export const MOST_SHOWN = 4;

/** "12 in f16, 3 in bf16" of what is not 0 */
function inFormats(survival: readonly Survival[], of: (one: Survival) => number): string {
  const named = survival.filter((one) => of(one) > 0);
  return named.map((one) => `${count(of(one))} in ${one.format}`).join(", ");
}

/** One sentence: would log(softmax(x)), and the usual trick, have held on these logits? */
export function survivalText({ survival, rows }: Scorecard): string {
  const breaks = inFormats(survival, ({ textbook }) => textbook.overflow + textbook.underflow);
  const loses = inFormats(survival, ({ textbook }) => textbook.lost);
  const lost = inFormats(survival, ({ usual }) => usual.lost);
  const ways = [...(breaks ? [`breaks ${breaks}`] : []), ...(loses ? [`loses the winner of ${loses}`] : [])];
  const textbook = ways.length === 0 ? "would hold in every one" : ways.join(", and ");
  const usual = lost === "" ? "would hold in every one" : `loses the winner of ${lost}`;
  return `of ${some(rows, "row")} log(softmax(x)) ${textbook}; log-sum-exp ${usual}`;
}
