import { logSoftmax } from "napier";
import { type Format, logOfSoftmax, logSumExpForm, round } from "napier/naive";
import { add, type Exact, exact, exp, log1p, sub, toF64, ZERO } from "../../../napier/src/exact.ts";
import { toDecimal } from "./decimal.ts";

export const FORMATS = ["f16", "bf16", "f32", "f64"] as const satisfies readonly Format[];
/** Significant bits, and the exponent of the least normal number. */
const LIMITS = { f16: [11, -14], bf16: [8, -126], f32: [24, -126], f64: [53, -1022] } as const;
const DIGITS = 30;

export interface Step {
  readonly value: number;
  /** Why the result is lost from here on. */
  readonly fault?: string;
}

/** What a formula makes of one class, in one format. */
export interface Trace {
  /** One for each of the formula's steps. */
  readonly steps: readonly Step[];
  /** The result's distance from the exact answer for the logits as the format holds them. */
  readonly ulps: number;
}

export interface Analysis {
  readonly winner: number;
  readonly chosen: number;
  /** The exact log-probability of the chosen class, for the logits as they were given. */
  readonly exact: string;
  readonly textbook: Readonly<Record<Format, Trace>>;
  readonly lse: Readonly<Record<Format, Trace>>;
  readonly napier: Readonly<Record<Format, Trace>>;
}

/** log-softmax of class j, exactly: (z[j] − m) − log1p(Σ without the first maximum). */
function exactLogProb(z: readonly number[], j: number, winner: number): Exact {
  const m = exact(z[winner]);
  let s = ZERO;
  for (let k = 0; k < z.length; k++) if (k !== winner) s = add(s, exp(sub(exact(z[k]), m)));
  return sub(sub(exact(z[j]), m), log1p(s));
}

function ulpsOf(value: number, truth: number, format: Format): number {
  if (Number.isNaN(truth)) return Number.NaN;
  if (!Number.isFinite(value)) return Infinity;
  const [digits, least] = LIMITS[format];
  const exponent = truth === 0 ? least : Math.max(Math.floor(Math.log2(Math.abs(truth))), least);
  return Math.abs(value - truth) / 2 ** (exponent - digits + 1);
}

/** The first fault is the one that is told: what follows is its consequence. */
function firstFault(steps: readonly Step[]): Step[] {
  const first = steps.findIndex(({ fault }) => fault !== undefined);
  return steps.map(({ value, fault }, k) => (k === first ? { value, fault } : { value }));
}

/** The logit as the format holds it. */
const held = (z: number): Step => at(z, !Number.isFinite(z), "overflow");

/** A result farther off than this has lost digits. */
export const MOST_ULPS = 2;
const DIGITS_LOST = "loses digits";

const at = (value: number, isFault: boolean, fault: string): Step => (isFault ? { value, fault } : { value });

function textbookOf(z: readonly number[], j: number, truth: number, format: Format): Trace {
  const { exp, sum, softmax, log } = logOfSoftmax(z, format);
  const ulps = ulpsOf(log[j], truth, format);
  const isLost = softmax[j] === 1 && round(truth, format) !== 0;
  const ratio = isLost ? "loses the winner" : DIGITS_LOST;
  const steps = [
    held(z[j]),
    exp[j] === Infinity ? { value: exp[j], fault: "overflow" } : at(exp[j], exp[j] === 0, "underflow"),
    sum === Infinity ? { value: sum, fault: "overflow" } : at(sum, sum === 0, "underflow"),
    softmax[j] === 0 ? { value: 0, fault: "underflow" } : at(softmax[j], ulps > MOST_ULPS, ratio),
    { value: log[j] },
  ];
  return { steps: firstFault(steps), ulps };
}

function lseOf(z: readonly number[], j: number, truth: number, format: Format): Trace {
  const { max, shifted, exp, sum, log, logSoftmax: all } = logSumExpForm(z, format);
  const result = all[j];
  const ulps = ulpsOf(result, truth, format);
  const isLost = result === 0 && round(truth, format) !== 0;
  // the winner's digits go where the others are added to its 1; another class's in the last difference
  const isBad = ulps > MOST_ULPS;
  const fault = isLost ? "loses the winner" : DIGITS_LOST;
  const atSum = isBad && shifted[j] === 0;
  const steps = [
    held(z[j]),
    ...[max, shifted[j], exp[j]].map((value): Step => ({ value })),
    at(sum, atSum, fault),
    { value: log },
    at(result, isBad, fault),
  ];
  return { steps: firstFault(steps), ulps };
}

/** The kernel's own result; its steps in f64, in which it computes them for f64 and, where a row asks for it, for f32. */
function napierOf(z: readonly number[], j: number, winner: number, truth: number, format: Format): Trace {
  const data = format === "f64" ? Float64Array.from(z) : Float32Array.from(z);
  const result = round((logSoftmax(data) as Float32Array | Float64Array)[j], format);
  let s = 0;
  for (let k = 0; k < z.length; k++) if (k !== winner) s += Math.exp(z[k] - z[winner]);
  const steps = [z[winner], z[j] - z[winner], s, Math.log1p(s), result].map((value): Step => ({ value }));
  return { steps: [held(z[j]), ...steps], ulps: ulpsOf(result, truth, format) };
}

/** Every step of the three formulas for one class of a row: the winner where none is chosen. */
export function analyse(logits: readonly number[], chosen?: number): Analysis {
  const winner = logits.indexOf(logits.reduce((a, b) => Math.max(a, b), -Infinity));
  const j = chosen ?? winner;
  const truth = exactLogProb(logits, j, winner);
  const all = FORMATS.map((format) => {
    const z = logits.map((value) => round(value, format));
    const finite = z.every(Number.isFinite);
    const own = z.indexOf(z.reduce((a, b) => Math.max(a, b), -Infinity));
    // of the narrow formats' rows napier's f64 result is the truth, to 2 ulp of f64
    const answer =
      format === "f64" ? toF64(truth) : finite ? (logSoftmax(Float64Array.from(z)) as Float64Array)[j] : Number.NaN;
    return [
      format,
      textbookOf(z, j, answer, format),
      lseOf(z, j, answer, format),
      napierOf(z, j, own, answer, format),
    ] as const;
  });
  const column = (n: 1 | 2 | 3) => Object.fromEntries(all.map((row) => [row[0], row[n]])) as Record<Format, Trace>;
  return { winner, chosen: j, exact: toDecimal(truth, DIGITS), textbook: column(1), lse: column(2), napier: column(3) };
}
