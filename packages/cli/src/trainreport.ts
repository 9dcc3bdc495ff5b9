import { heldRows, type Model, type Progress } from "napier/train";
import type { Curve } from "./charts.ts";
import type { Held } from "./hold.ts";
import type { Block } from "./rows.ts";
import { type Scorecard, Scorer } from "./scorecard.ts";
import type { Data } from "./traindata.ts";

/** Losses as they come in. */
export class History {
  readonly #training: { x: number; y: number }[] = [];
  readonly #validation: { x: number; y: number }[] = [];
  #unit = "";

  add(p: Progress): void {
    if (p.kind === "epoch") {
      this.#unit = "epoch";
      this.#training.push({ x: p.epoch, y: p.train.nll });
      if (p.validation) this.#validation.push({ x: p.epoch, y: p.validation.nll });
    } else if (p.kind === "iteration") {
      this.#unit = "iteration";
      this.#training.push({ x: p.iteration, y: p.objective });
    }
  }

  /** Undefined where nothing was trained. */
  curve(): Curve | undefined {
    if (this.#training.length === 0) return undefined;
    const training = { name: this.#unit === "epoch" ? "training" : "objective", points: this.#training };
    const validation = { name: "validation", points: this.#validation };
    return { unit: this.#unit, lines: this.#validation.length > 0 ? [training, validation] : [training] };
  }
}

/** The rows of a block that are held for validation. */
function heldOf({ x: { data, shape }, y, row }: Block, fraction: number, seed: number): Pick<Block, "x" | "y"> {
  const [rows, inputs] = shape;
  const held = heldRows(Math.floor((row - 1) / 4096), rows, fraction, seed);
  const chosen = Array.from({ length: rows }, (_, i) => i).filter((i) => held[i] === 1);
  const part = new Float32Array(chosen.length * inputs);
  for (const [k, i] of chosen.entries()) part.set(data.subarray(i * inputs, (i + 1) * inputs), k * inputs);
  return { x: { data: part, shape: [chosen.length, inputs] }, y: chosen.map((i) => y[i]!) };
}

/** Rows that training did not see, those that chose its epoch, or its own. */
export type Seen = "held" | "validation" | "training";

/** The model on the rows for validation, which may have chosen its epoch; on all where there are none. */
export async function scoreRows(
  model: Model,
  { rows, validation }: Data,
  seed: number,
  isChosen: boolean,
): Promise<{ card: Scorecard; seen: Seen }> {
  const scorer = new Scorer(model);
  const from: Held = typeof validation === "object" ? validation : rows;
  for await (const block of from) {
    const { x, y } = typeof validation === "number" ? heldOf(block, validation, seed) : block;
    if (y.length > 0) scorer.add(x, y);
  }
  return { card: scorer.scorecard(), seen: validation === undefined ? "training" : isChosen ? "validation" : "held" };
}
