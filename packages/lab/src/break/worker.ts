import { analyse } from "./analysis.ts";

export interface Question {
  readonly logits: readonly number[];
  readonly chosen: number | undefined;
}

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  postMessage(analyse(data.logits, data.chosen));
});
