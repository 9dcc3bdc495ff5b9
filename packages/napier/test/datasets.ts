import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import type { FitSettings, Label, Matrix, Model } from "../src/train/index.ts";

export const DATASETS = ["digits", "iris", "wine", "breast_cancer"] as const;
export type Dataset = (typeof DATASETS)[number];

/** What scikit-learn's LogisticRegression was asked, and its optimum; see tools/datasets.py. */
export interface Case {
  scale: "none" | "standard";
  C: number;
  classWeight: "balanced" | Record<string, number> | null;
  weighted: boolean;
  objective: number;
  coef: number[][];
  intercept: number[];
  /** A digit a row: the index of its class. */
  predictions: string;
  /** By row, the difference of its two largest logits where that is under 1e-3. */
  close: Record<string, number>;
}

export interface Vectors {
  classes: Label[];
  /** A digit a row: what it counts in a weighted case. */
  weights: string;
  cases: Case[];
}

export const tablePath = (name: Dataset): string =>
  fileURLToPath(new URL(`../../../data/${name}.parquet`, import.meta.url));

export function readVectors(name: Dataset): Vectors {
  return JSON.parse(readFileSync(new URL(`sklearn/${name}.json`, import.meta.url), "utf8")) as Vectors;
}

export async function readTable(name: Dataset): Promise<{ x: Matrix & { data: Float32Array }; y: Label[] }> {
  const db = await DuckDBInstance.create(":memory:");
  const reader = await (await db.connect()).runAndReadAll(`SELECT * FROM '${tablePath(name)}'`);
  const rows = reader.getRows();
  db.closeSync();
  const features = reader.columnCount - 1;
  const data = Float32Array.from(rows.flatMap((row) => row.slice(0, features) as number[]));
  return { x: { data, shape: [rows.length, features] }, y: rows.map((row) => row[features] as Label) };
}

/** What fit is asked, to have scikit-learn's objective. */
export function optionsOf(
  { scale, C, classWeight, weighted }: Case,
  weights: string,
): FitSettings & { sampleWeight?: number[] } {
  return {
    ...{ optimizer: "lbfgs", scale, C },
    ...(classWeight && { classWeight }),
    ...(weighted && { sampleWeight: Array.from(weights, Number) }),
  };
}

export const nameOf = ({ scale, C, classWeight, weighted }: Case): string =>
  [
    ...[`scale ${scale}`, `C ${C}`],
    ...(classWeight ? [`class weights ${JSON.stringify(classWeight)}`] : []),
    ...(weighted ? ["weights of the rows"] : []),
  ].join(", ");

/** What each row counts; balanced: total / (classes · weight of the row's class), as scikit-learn has it. */
function rowWeights(y: readonly Label[], { classWeight, weighted }: Case, weights: string): number[] {
  const own = y.map((_, i) => (weighted ? Number(weights[i]) : 1));
  if (!classWeight) return own;
  const total = own.reduce((sum, w) => sum + w, 0);
  const sums = new Map<Label, number>();
  y.forEach((label, i) => {
    sums.set(label, (sums.get(label) ?? 0) + own[i]);
  });
  const factor = (label: Label): number =>
    classWeight === "balanced" ? total / (sums.size * sums.get(label)!) : classWeight[label];
  return own.map((w, i) => w * factor(y[i]));
}

/**
 * Σ w·NLL / Σ w + ‖W‖² / (2·C·Σ w) of a linear model, in f64 from its f32 weights; with two classes ‖W‖² is that of the one
 * row w₁ − w₀.
 */
export function objectiveOf(
  model: Pick<Model, "classes" | "scaling" | "layers">,
  x: Matrix,
  y: readonly Label[],
  asked: Case,
  weights: string,
): number {
  const [{ weight, bias, inputs, outputs }] = model.layers;
  const { center, factor } = model.scaling;
  const rowWeight = rowWeights(y, asked, weights);
  const total = rowWeight.reduce((sum, w) => sum + w, 0);
  let loss = 0;
  for (let i = 0; i < y.length; i++) {
    const z = Array.from(bias, (b, j) => {
      let sum = b;
      for (let k = 0; k < inputs; k++) {
        const centred = Math.fround(x.data[i * inputs + k] - center[k]);
        sum += Math.fround(centred * factor[k]) * weight[j * inputs + k];
      }
      return sum;
    });
    const largest = Math.max(...z);
    const lse = largest + Math.log(z.reduce((sum, v) => sum + Math.exp(v - largest), 0));
    loss += rowWeight[i] * (lse - z[model.classes.indexOf(y[i])]);
  }
  const penalised = Array.from(weight.subarray(outputs === 2 ? inputs : 0), (w, k) =>
    outputs === 2 ? w - weight[k] : w,
  );
  const squares = penalised.reduce((sum, w) => sum + w * w, 0);
  return (loss + squares / (2 * asked.C)) / total;
}
