/** The slow truth beside rows.as.ts, bit for bit. */

export function scaleRows(x: Float32Array, center: Float32Array, factor: Float32Array): Float32Array {
  const features = center.length;
  return x.map((v, k) => Math.fround(v - center[k % features]) * factor[k % features]);
}

export function relu(x: Float32Array): Float32Array {
  return x.map((v) => (v < 0 ? 0 : v + 0));
}

export function reluBackward(g: Float32Array, out: Float32Array): Float32Array {
  return g.map((v, k) => (out[k] > 0 ? v : 0));
}
