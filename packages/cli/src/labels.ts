import type { Label } from "napier/train";
import { inputError, listOf } from "./errors.ts";

/** Throws at the first label that is no class; `row` is the 1-based row of the first label, `labelled` where labels are. */
export function checkLabels(
  source: string,
  labelled: string,
  labels: readonly Label[],
  classes: readonly Label[],
  row: number,
): void {
  const known = new Set(classes);
  const i = labels.findIndex((label) => !known.has(label));
  if (i < 0) return;
  const label = labels[i]!;
  const kind = typeof classes[0];
  const kinds = typeof label === kind ? "" : `; they are ${kind}s and this is a ${typeof label}`;
  throw inputError(
    `${source}: row ${row + i}, ${labelled}: ${JSON.stringify(label)} is no class of the model`,
    `its classes are ${listOf(classes)}${kinds}`,
  );
}
