/** A compensated sum (TwoSum) of finite numbers, off by less than an ulp; what becomes of the rest follows IEEE 754. */
export class Sum {
  #sum = 0;
  #lost = 0;

  add(value: number): void {
    const next = this.#sum + value;
    const v = next - this.#sum;
    const error = this.#sum - (next - v) + (value - v);
    if (!Number.isNaN(error)) this.#lost += error; // nothing infinite has a rounding error
    this.#sum = next;
  }

  get value(): number {
    return this.#sum + this.#lost;
  }
}
