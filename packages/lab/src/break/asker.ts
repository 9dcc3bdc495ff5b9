import { startWorker } from "../work.ts";
import type { Analysis } from "./analysis.ts";
import type { Question } from "./worker.ts";

/** Asks the worker, one question at a time; of those that come meanwhile only the last is asked. */
export class Asker {
  readonly #post: (question: Question) => void;
  #busy = false;
  #next: Question | undefined;

  constructor(answer: (analysis: Analysis) => void) {
    this.#post = startWorker("break", (analysis: Analysis) => {
      this.#busy = false;
      const next = this.#next;
      this.#next = undefined;
      if (next) this.ask(next);
      else answer(analysis);
    });
  }

  ask(question: Question): void {
    if (this.#busy) {
      this.#next = question;
      return;
    }
    this.#busy = true;
    this.#post(question);
  }
}
