const WORD = new DataView(new ArrayBuffer(8));

/** f64 numbers added without rounding: in any order, in parts or whole, the same sum to the bit. */
export class ExactSum {
  /** In units of 2^-1074. */
  #sum = 0n;
  /** What is not finite is added as f64 does. */
  #special = 0;

  /** About 0.5 µs. */
  add(value: number): void {
    if (!Number.isFinite(value)) {
      this.#special += value;
      return;
    }
    WORD.setFloat64(0, value);
    const bits = WORD.getBigUint64(0);
    const exponent = (bits >> 52n) & 0x7ffn;
    const fraction = bits & 0xfffffffffffffn;
    const magnitude = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n);
    this.#sum += value < 0 ? -magnitude : magnitude;
  }

  /** A finite sum as text. */
  save(): string {
    const text = this.#sum.toString(16);
    const digits = text.replace(/0+$/, "");
    return `${digits}:${text.length - digits.length}`;
  }

  /** Adds what `save` has written. */
  merge(saved: string): void {
    const [, sign, digits, zeros] = /^(-?)(.*):(.*)$/.exec(saved) as unknown as string[];
    const size = BigInt(`0x0${digits}`) << BigInt(4 * Number(zeros));
    this.#sum += sign === "-" ? -size : size;
  }

  /** The sum rounded once; results below 2^-1022 may be rounded twice. */
  value(): number {
    if (this.#special !== 0) return this.#special; // NaN too
    const sum = this.#sum < 0n ? -this.#sum : this.#sum;
    const shift = Math.max(0, sum.toString(16).length * 4 - 64);
    let high = sum >> BigInt(shift);
    // a sticky bit: what is cut off only decides ties
    if (high << BigInt(shift) !== sum) high |= 1n;
    let result = Number(high);
    for (let left = shift - 1074; left !== 0; ) {
      const step = Math.max(-1000, Math.min(1000, left));
      WORD.setBigUint64(0, BigInt(step + 1023) << 52n);
      result *= WORD.getFloat64(0);
      left -= step;
    }
    return this.#sum < 0n ? -result : result;
  }
}
