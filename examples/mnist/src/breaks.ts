import { gather, openSource } from "@napier/cli";
import { type FitOptions, fit, type Progress, type Score } from "napier/train";

/** Pixels as they are, 0 to 255, and a linear model: after a few steps the logits pass 88.7, where e^x leaves f32. */
export const SETTING = { scale: "none", learningRate: 0.001, epochs: 5, batchSize: 128, seed: 1 } as const;

export interface Run {
  /** The first step (from 1) whose loss was not a finite number. */
  died: { step: number; loss: number; maxLogit: number } | undefined;
  /** The largest logit of all reported steps while they were numbers. */
  maxLogit: number;
  /** On the rows held back, after the last epoch. */
  validation: Score;
  seconds: number;
}

type Rows = Pick<FitOptions, "x" | "y" | "features">;

export async function readRows(path: string): Promise<Rows> {
  const source = await openSource(path, { target: "label" });
  try {
    const { x, y } = await gather(source);
    return { x, y, features: source.features };
  } finally {
    source.close();
  }
}

/** The setting with one loss or the other; all else is the same, down to the order of the rows. */
export async function trainWith(
  loss: "cross-entropy" | "naive-f32",
  rows: Rows,
  onEpoch: (p: Progress & { kind: "epoch" }) => void,
): Promise<Run> {
  const start = performance.now();
  let died: Run["died"];
  let maxLogit = 0;
  let validation: Score = { nll: Number.NaN, accuracy: 0 };
  const onProgress = (p: Progress): void => {
    if (p.kind === "epoch") {
      validation = p.validation ?? validation;
      onEpoch(p);
      return;
    }
    if (p.maxLogit > maxLogit) maxLogit = p.maxLogit;
    if (died !== undefined || Number.isFinite(p.loss)) return;
    const batches = Math.ceil(p.rows / SETTING.batchSize);
    const step = (p.epoch - 1) * batches + Math.ceil(p.row / SETTING.batchSize);
    died = { step, loss: p.loss, maxLogit: p.maxLogit };
  };
  await fit({ ...rows, ...SETTING, validation: 0.1, loss, onProgress });
  return { died, maxLogit, validation, seconds: (performance.now() - start) / 1000 };
}
