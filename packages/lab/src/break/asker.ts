import type { Analysis } from "./analysis.ts";
import type { Question } from "./worker.ts";

/** Asks the worker, one question at a time; of those that come meanwhile only the last is asked. */
export class Asker {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #answer: (analysis: Analysis) => void;
  #busy = false;
  #next: Question | undefined;

  constructor(answer: (analysis: Analysis) => void) {
    this.#answer = answer;
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Analysis>) => {
      this.#busy = false;
      const next = this.#next;
      this.#next = undefined;
      if (next) this.ask(next);
      else this.#answer(data);
    });
  }

  ask(question: Question): void {
    if (this.#busy) {
      this.#next = question;
      return;
    }
    this.#busy = true;
    this.#worker.postMessage(question);
  }
}
