/** Numbers in [0, 1), the same from the same seed (mulberry32). */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal numbers to three decimals: browsers differ in the last bits of Math.log and Math.cos. */
export function normals(seed: number): () => number {
  const uniform = uniforms(seed);
  return () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return Math.round(1000 * radius * Math.cos(2 * Math.PI * uniform())) / 1000;
  };
}
