/** The best of the losses that were seen, and whether it is long enough ago to stop. */
export class EarlyStopping {
  readonly #patience: number;
  #best = Infinity;
  #since = 0;

  /** Infinity never stops. */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /** Infinity before the first. */
  get best(): number {
    return this.#best;
  }

  /** Whether so many losses in a row were no better than the best. */
  get isOver(): boolean {
    return this.#since >= this.#patience;
  }

  /** Whether it is the best so far: less than every loss before. NaN never is. */
  see(loss: number): boolean {
    const isBest = loss < this.#best;
    if (isBest) this.#best = loss;
    this.#since = isBest ? 0 : this.#since + 1;
    return isBest;
  }

  /** What `restore` goes on with; JSON has no Infinity. */
  save(): Record<string, number> {
    return this.#best === Infinity ? { since: this.#since } : { best: this.#best, since: this.#since };
  }

  restore({ best = Infinity, since }: Record<string, number>): void {
    this.#best = best;
    this.#since = since;
  }
}
