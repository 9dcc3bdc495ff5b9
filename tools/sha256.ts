/** SHA-256 (FIPS 180-4) of bytes, in hex: plain JavaScript, because node:crypto is not everywhere and crypto.subtle asks for https. */

/** The first 32 bits of the fractional part of a root: floor((root − floor(root))·2^32). */
const fraction = (root: number): number => Math.floor((root % 1) * 4294967296) | 0;

const primes: number[] = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);

/** ∛p by Newton's steps: Math.cbrt may differ in the last bit from machine to machine. */
function cubeRoot(p: number): number {
  let root = p;
  for (let i = 0; i < 60; i++) root = (2 * root + p / (root * root)) / 3;
  return root;
}

const K = Int32Array.from(primes, (p) => fraction(cubeRoot(p)));
const START = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));

export function sha256(bytes: Uint8Array): string {
  const blocks = Math.ceil((bytes.length + 9) / 64);
  const end = new Uint8Array(128);
  const whole = Math.floor(bytes.length / 64) * 64;
  end.set(bytes.subarray(whole));
  end[bytes.length - whole] = 0x80;
  const input = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const last = new DataView(end.buffer);
  const lengthAt = blocks * 64 - whole - 8;
  last.setUint32(lengthAt, Math.floor(bytes.length / 0x20000000));
  last.setUint32(lengthAt + 4, bytes.length << 3);

  const state = START.slice();
  const w = new Int32Array(64);
  for (let block = 0; block < blocks * 64; block += 64) {
    const view = block < whole ? input : last;
    const from = block < whole ? block : block - whole;
    for (let t = 0; t < 16; t++) w[t] = view.getInt32(from + 4 * t);
    for (let t = 16; t < 64; t++) {
      const x = w[t - 15];
      const y = w[t - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let t = 0; t < 64; t++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => {
      state[i] += value;
    });
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
