import { type Format, logOfSoftmax, logSumExpForm, round, softmax } from "napier/naive";
import {
  expF32,
  expNarrow,
  LEAST_NORMAL,
  LOG_OVERFLOW,
  LOG_UNDERFLOW,
  logRounded,
  narrowFormats,
  textbookSumF32,
  textbookSumNarrow,
  ulpAt,
  usualSumF32,
  usualSumNarrow,
} from "./arithmetic.ts";

/** A row of numbers, each rounded to the format already, with at least one that is finite and none that is NaN. */
export interface Row {
  x: Float64Array;
  from: number;
  to: number;
  max: number;
  /** The least that was finite before it was rounded. */
  min: number;
}

export type Verdict = "fine" | "overflow" | "underflow";

/**
 * What log(softmax(x)) as it is written makes of a row in the arithmetic of a format: "overflow" where the sum becomes
 * ∞, "underflow" where it does not, but a class with a finite logit gets −∞ or NaN.
 *
 * Most rows are settled by their ends. A sum from the left, each step rounded, is between its largest term and twice
 * the exact sum: a partial sum is a number of the format, so that adding e rounds by at most e. So its logarithm is
 * between max and max + log 2n, and that of the least probability between min − max − log 2n and min − max. SLACK
 * covers the rounding of exponentials, subnormal ones too, which are at most doubled and at least 2/3 of what they
 * were, once they are not 0.
 */
export function textbook(row: Row, format: Format): Verdict {
  const { x, from, to, max, min } = row;
  const SLACK = 1.5;
  const EDGE = 1e-6; // more than an exponential's own error at the edge of a format
  const [over, under] = [LOG_OVERFLOW[format], LOG_UNDERFLOW[format]];
  const most = max + Math.log(2 * (to - from));
  if (max > over + EDGE) return "overflow";
  const below = most + SLACK < over;
  if (below && min < under - EDGE) return "underflow";
  if (below && min > under + EDGE && min - most - SLACK > under) return "fine";
  if (below && min - max + SLACK < under) return "underflow";
  if (format === "f32" || format === "f64") {
    const steps = softmax(x.subarray(from, to), format);
    if (steps.sum === Infinity) return "overflow";
    const lost = steps.softmax.some((p, j) => !(p > 0) && x[from + j] !== -Infinity);
    return lost ? "underflow" : "fine";
  }
  const narrow = narrowFormats()[format];
  const sum = textbookSumNarrow(x, from, to, narrow);
  if (sum === Infinity) return "overflow";
  return sum > 0 && round(expNarrow(min, narrow) / sum, format) > 0 ? "fine" : "underflow";
}

/**
 * While the others sum up to less than this, no order of adding them changes the sum 1: a sum from the left is at most
 * twice the exact one, rounded exponentials of rounded differences are at most twice what they were (f64 and f32: the
 * same), and half a distance of neighbours at 1 is 2^-11, 2^-8, 2^-24 and 2^-53.
 */
const ONE_STAYS: Record<Format, number> = { f16: 2 ** -14, bf16: 2 ** -11, f32: 2 ** -26, f64: 2 ** -56 };

/**
 * The winner's log-probability by x − max − log Σ exp(x − max), each step rounded to the format: napier/naive's bits.
 *
 * @param loss  the exact answer's negative, good to a tenth at least
 */
export function usualWinner({ x, from, to, max }: Row, format: Format, loss: number): number {
  if (!Number.isFinite(max)) return Number.NaN;
  if (loss < ONE_STAYS[format]) return 0;
  let sum = Number.NaN;
  if (format === "f32") sum = usualSumF32(x, from, to, max);
  else if (format !== "f64") sum = usualSumNarrow(x, from, to, max, narrowFormats()[format]);
  if (sum === 1) return 0;
  const log = format === "f64" ? Number.NaN : logRounded(sum, format);
  if (!Number.isNaN(log)) return -log;
  const steps = logSumExpForm(x.subarray(from, to), format);
  return -steps.log;
}

/**
 * The winner's log-probability by log(softmax(x)), each step rounded to the format: napier/naive's bits.
 *
 * @param loss  the exact answer's negative, good to a tenth at least
 */
export function textbookWinner({ x, from, to, max }: Row, format: Format, loss: number): number {
  if (!Number.isFinite(max)) return Number.NaN;
  // as 1 stays, e^max does; half a distance of neighbours there is half of that at 1 at least, once e^max is normal
  const isPlain = max > LEAST_NORMAL[format] && max < LOG_OVERFLOW[format] - 1;
  if (isPlain && loss < ONE_STAYS[format] / 4) return 0;
  if (format === "f64") return winnerOf(logOfSoftmax(x.subarray(from, to), format).log, x, from, max);
  let [e, sum] = [Number.NaN, Number.NaN];
  if (format === "f32") [e, sum] = [expF32(max), textbookSumF32(x, from, to)];
  else {
    const narrow = narrowFormats()[format];
    e = max >= LOG_OVERFLOW[format] ? Infinity : expNarrow(max, narrow);
    sum = textbookSumNarrow(x, from, to, narrow);
  }
  const isKnown = !Number.isNaN(e) && !Number.isNaN(sum);
  const p = round(e / sum, format);
  if (isKnown && Number.isNaN(p)) return p;
  const log = isKnown ? logRounded(p, format) : Number.NaN;
  return Number.isNaN(log) ? winnerOf(logOfSoftmax(x.subarray(from, to), format).log, x, from, max) : log;
}

const winnerOf = (logs: readonly number[], x: Float64Array, from: number, max: number): number =>
  logs[x.indexOf(max, from) - from]!;

/**
 * How far `value` is from −loss in the format's ulps, and whether the winner counts as lost: more than 2 ulp off, or 0
 * though the format has a number nearer to the answer.
 */
export function judge(value: number, loss: number, format: Format): { lost: boolean; ulps: number } {
  if (Number.isNaN(value)) return { lost: true, ulps: Infinity };
  const ulps = Math.abs(value + loss) / ulpAt(loss, format);
  return { lost: ulps > 2 || (value === 0 && round(loss, format) !== 0), ulps };
}
