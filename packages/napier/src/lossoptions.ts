import type { Mask, Weights } from "./broadcast.ts";
import { checkNumber } from "./check.ts";
import type { LossOptions } from "./reduction.ts";

export interface NllOptions extends LossOptions {
  /** a finite number for each class: a row counts as much as its class */
  weight?: Weights;
  /** rows with this target are left out, whatever their logits are */
  ignoreIndex?: number;
}

export interface SoftCrossEntropyOptions extends LossOptions {
  /** a finite number for each class: its terms are multiplied by it */
  weight?: Weights;
  /** ε from 0 to 1: this part of a row's target goes to all classes alike */
  labelSmoothing?: number;
  /** 1 keeps a class of a row, 0 leaves it out */
  mask?: Mask;
  /** adds this factor times lse² to each row's loss */
  zLoss?: number;
  /** c > 0: the logits become c·tanh(x / c) */
  softcap?: number;
  /** T > 0: the logits, after softcap, are divided by it */
  temperature?: number;
}

export interface CrossEntropyOptions extends SoftCrossEntropyOptions {
  /** rows with this target are left out, whatever their logits are */
  ignoreIndex?: number;
}

export const SOFT_OPTIONS = [
  "shape",
  "axis",
  "dtype",
  "out",
  "reduction",
  "weight",
  "labelSmoothing",
  "mask",
  "zLoss",
  "softcap",
  "temperature",
] as const;
export const HARD_OPTIONS = [...SOFT_OPTIONS, "ignoreIndex"] as const;
export const NLL_OPTIONS = ["shape", "axis", "dtype", "out", "reduction", "weight", "ignoreIndex"] as const;

const isFromZero = (v: number): boolean => v >= 0 && v < Infinity;
const isPositive = (v: number): boolean => v > 0 && v < Infinity;

export function checkIgnoreIndex(caller: string, { ignoreIndex }: { ignoreIndex?: number }): void {
  checkNumber(caller, "options.ignoreIndex", ignoreIndex, "an integer", Number.isSafeInteger);
}

export function checkTemperature(caller: string, { temperature }: { temperature?: number }): void {
  checkNumber(caller, "options.temperature", temperature, "a finite number above 0", isPositive);
}

/** What changes the logits or adds terms to the loss. */
export function checkTerms(caller: string, options: SoftCrossEntropyOptions): void {
  const { labelSmoothing, zLoss, softcap } = options;
  checkNumber(caller, "options.labelSmoothing", labelSmoothing, "a number from 0 to 1", (v) => v >= 0 && v <= 1);
  checkNumber(caller, "options.zLoss", zLoss, "a finite number from 0", isFromZero);
  checkNumber(caller, "options.softcap", softcap, "a finite number above 0", isPositive);
  checkTemperature(caller, options);
}
