import { analyse } from "./analysis.ts";

export interface Question {
  readonly logits: readonly number[];
  readonly chosen: number | undefined;
}

export function handle({ logits, chosen }: Question): void {
  postMessage(analyse(logits, chosen));
}
