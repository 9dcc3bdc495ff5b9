/** Bytes that are gathered before they are mixed: a multiple of 16. */
const STAGE = 65536;

const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** Each makes of a word of the block what joins the state; a bijection. */
const first = (k: number): number => Math.imul(rotate(Math.imul(k, 0x239b961b), 15), 0xab0e9789);
const second = (k: number): number => Math.imul(rotate(Math.imul(k, 0xab0e9789), 16), 0x38b34ae5);
const third = (k: number): number => Math.imul(rotate(Math.imul(k, 0x38b34ae5), 17), 0xa1e38b93);
const fourth = (k: number): number => Math.imul(rotate(Math.imul(k, 0xa1e38b93), 18), 0x239b961b);

function last(h: number): number {
  let x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/**
 * MurmurHash3_x86_128 with seed 0, of bytes that come in pieces. It finds accidents, not forgers.
 *
 * The state after a block is a bijection of the state before, and of the block: contents of one length that differ only
 * within 16 bytes from a multiple of 16 never have the same hash, so one flipped bit is always found.
 *
 * Source: Austin Appleby, MurmurHash3.cpp (public domain)
 */
export class Hash {
  readonly #bytes = new Uint8Array(STAGE);
  readonly #words = new Int32Array(this.#bytes.buffer);
  #filled = 0;
  #length = 0;
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** Begins anew. */
  reset(): this {
    this.#filled = this.#length = this.#a = this.#b = this.#c = this.#d = 0;
    return this;
  }

  add(bytes: Uint8Array): this {
    for (let from = 0; from < bytes.length; ) {
      const end = Math.min(bytes.length, from + STAGE - this.#filled);
      this.#bytes.set(bytes.subarray(from, end), this.#filled);
      this.#filled += end - from;
      from = end;
      if (this.#filled < STAGE) break;
      this.#mix(STAGE / 4);
      this.#filled = 0;
    }
    this.#length += bytes.length;
    return this;
  }

  #mix(count: number): void {
    const words = this.#words;
    let [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    for (let k = 0; k < count; k += 4) {
      a = (Math.imul(rotate(a ^ first(words[k]), 19) + b, 5) + 0x561ccd1b) | 0;
      b = (Math.imul(rotate(b ^ second(words[k + 1]), 17) + c, 5) + 0x0bcaa747) | 0;
      c = (Math.imul(rotate(c ^ third(words[k + 2]), 15) + d, 5) + 0x96cd1c35) | 0;
      d = (Math.imul(rotate(d ^ fourth(words[k + 3]), 13) + a, 5) + 0x32ac3b17) | 0;
    }
    [this.#a, this.#b, this.#c, this.#d] = [a, b, c, d];
  }

  /** 32 hexadecimal digits; nothing may be added after. */
  hex(): string {
    const whole = Math.floor(this.#filled / 16) * 4;
    this.#mix(whole);
    this.#bytes.fill(0, this.#filled); // a word of zeros changes nothing below
    const words = this.#filled < STAGE ? this.#words.subarray(whole, whole + 4) : [];
    let a = this.#a ^ first(words[0] ?? 0) ^ this.#length;
    let b = this.#b ^ second(words[1] ?? 0) ^ this.#length;
    let c = this.#c ^ third(words[2] ?? 0) ^ this.#length;
    let d = this.#d ^ fourth(words[3] ?? 0) ^ this.#length;
    const spread = (): void => {
      a = (a + b + c + d) | 0;
      b = (b + a) | 0;
      c = (c + a) | 0;
      d = (d + a) | 0;
    };
    spread();
    [a, b, c, d] = [last(a), last(b), last(c), last(d)];
    spread();
    return [a, b, c, d].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
