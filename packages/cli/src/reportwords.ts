import type { Scorecard, Survival } from "./scorecard.ts";
import { count, some } from "./words.ts";

/** Classes that a line has room for. */
export const MOST_SHOWN = 4;

const broken = ({ overflow, underflow }: Survival): number => overflow + underflow;

/** One sentence: would log(softmax(x)), and the usual trick, have held on these logits? */
export function survivalText({ survival, rows }: Scorecard): string {
  const named = survival.filter((one) => broken(one) > 0).map((one) => `${count(broken(one))} in ${one.format}`);
  const lost = survival.filter(({ lost }) => lost > 0).map(({ format, lost }) => `${count(lost)} in ${format}`);
  const textbook =
    named.length === 0
      ? "written as it is, it would hold in every row"
      : `written as it is, it breaks in ${named.join(", ")}`;
  const usual = lost.length === 0 ? "and so would log-sum-exp" : `log-sum-exp loses the winner of ${lost.join(", ")}`;
  return `${textbook}; ${usual} (of ${some(rows, "row")})`;
}
