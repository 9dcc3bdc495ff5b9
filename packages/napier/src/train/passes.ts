import { rangeError, stateError } from "../check.ts";
import type { Labelled } from "./labelled.ts";
import type { Pace } from "./prepare.ts";

/** Bytes of logits that are kept; of more, every pass reads the rows again and computes them anew. */
const KEPT = 268435456; // 2^28

/** Logits that are gone through again and again: from memory where they fit, else from x or the source. */
export class Passes {
  readonly #caller: string;
  readonly #argument: string;
  readonly #read: () => Iterable<Labelled> | AsyncIterable<Labelled>;
  readonly #pace: Pace;
  readonly #most: number;
  #kept: Labelled[] | undefined = [];
  #bytes = 0;
  #rows: number | undefined;

  constructor(
    caller: string,
    argument: string,
    read: () => Iterable<Labelled> | AsyncIterable<Labelled>,
    pace: Pace,
    most = KEPT,
  ) {
    this.#caller = caller;
    this.#argument = argument;
    this.#read = read;
    this.#pace = pace;
    this.#most = most;
  }

  #keep(rows: Labelled): void {
    this.#bytes += rows.logits.length * 4 + rows.targets.length * 12;
    if (this.#bytes > this.#most) this.#kept = undefined;
    this.#kept?.push(rows);
  }

  async each(visit: (rows: Labelled, first: number) => void): Promise<void> {
    const isFirst = this.#rows === undefined;
    let first = 0;
    for await (const rows of isFirst ? this.#read() : (this.#kept ?? this.#read())) {
      visit(rows, first);
      first += rows.targets.length;
      if (isFirst) this.#keep(rows);
      await this.#pace();
    }
    if (first === 0 && isFirst) throw rangeError(this.#caller, this.#argument, "at least 1 row", 0);
    if (!isFirst && first !== this.#rows) {
      const todo = "a generator is read only once: pass an object whose [Symbol.asyncIterator] begins anew";
      throw stateError(this.#caller, this.#argument, `${this.#rows} rows as in the first pass`, String(first), todo);
    }
    this.#rows = first;
  }
}
