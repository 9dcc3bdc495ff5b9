/** Mean and spread of numbers that come one by one (Welford). */
export class Mean {
  count = 0;
  mean = 0;
  #squares = 0;
  add(value: number): void {
    this.count++;
    if (value === Infinity || this.mean === Infinity) {
      this.mean = Infinity;
      return;
    }
    const difference = value - this.mean;
    this.mean += difference / this.count;
    this.#squares += difference * (value - this.mean);
  }
  /** The standard error; null of a single number. */
  error(): number | null {
    if (this.count < 2) return null;
    if (this.mean === Infinity) return Infinity;
    return Math.sqrt(this.#squares / (this.count - 1) / this.count);
  }
}
