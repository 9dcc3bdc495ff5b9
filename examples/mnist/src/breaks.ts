import { gather, openSource } from "@napier/cli";
import { type Feature, fit, type Label, type Matrix, type Progress, type Score } from "napier/train";

/**
 * Nothing unusual: the default scaling and twice the default rate. Standardised pixels of the border, seldom lit, reach
 * the hundreds, and with them some image's logits pass 88.7 one day, where e^x leaves f32.
 */
export const SETTING = {
  hidden: [128],
  scale: "standard",
  learningRate: 0.002,
  epochs: 5,
  batchSize: 128,
  seed: 1,
} as const;

export interface Run {
  /** The first step (from 1) whose loss was not a finite number. */
  died: { epoch: number; step: number; loss: number; maxLogit: number } | undefined;
  /** On the rows held back, after the last epoch. */
  validation: Score;
  seconds: number;
}

interface Rows {
  x: Matrix;
  y: Label[];
  features: Feature[];
}

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
  let validation: Score = { nll: Number.NaN, accuracy: 0 };
  const onProgress = (p: Progress): void => {
    if (p.kind === "epoch") {
      validation = p.validation ?? validation;
      onEpoch(p);
      return;
    }
    if (p.kind !== "step" || died !== undefined || Number.isFinite(p.loss)) return;
    died = { epoch: p.epoch, step: Math.ceil(p.row / SETTING.batchSize), loss: p.loss, maxLogit: p.maxLogit };
  };
  await fit({ ...rows, ...SETTING, validation: 0.1, loss, onProgress });
  return { died, validation, seconds: (performance.now() - start) / 1000 };
}
