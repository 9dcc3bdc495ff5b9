/**
 * One AdamW step, in place, in f32 (Loshchilov & Hutter 2019, arXiv:1711.05101, as PyTorch orders it):
 *   m += (1 − β1)·(g − m)    v = β2·v + (1 − β2)·g²    w = decay·w − rate·m / (√v·correction + ε)
 * decay = 1 − learning rate·weight decay, rate = learning rate / (1 − β1^t), correction = 1 / √(1 − β2^t).
 */
export function adamw_f32(
  w: usize, mean: usize, square: usize, g: usize, count: i32,
  decay: f64, beta1: f64, beta2: f64, rate: f64, correction: f64, epsilon: f64,
): void {
  const d = <f32>decay;
  const r1 = <f32>(1.0 - beta1);
  const b2 = <f32>beta2;
  const r2 = <f32>(1.0 - beta2);
  const r = <f32>rate;
  const c = <f32>correction;
  const e = <f32>epsilon;
  const dd = f32x4.splat(d);
  const rr1 = f32x4.splat(r1);
  const bb2 = f32x4.splat(b2);
  const rr2 = f32x4.splat(r2);
  const rr = f32x4.splat(r);
  const cc = f32x4.splat(c);
  const ee = f32x4.splat(e);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = <usize>k << 2;
    const gg = v128.load(g + at);
    let m = v128.load(mean + at);
    m = f32x4.add(m, f32x4.mul(rr1, f32x4.sub(gg, m)));
    const v = f32x4.add(f32x4.mul(bb2, v128.load(square + at)), f32x4.mul(rr2, f32x4.mul(gg, gg)));
    v128.store(mean + at, m);
    v128.store(square + at, v);
    const step = f32x4.div(f32x4.mul(rr, m), f32x4.add(f32x4.mul(f32x4.sqrt(v), cc), ee));
    v128.store(w + at, f32x4.sub(f32x4.mul(dd, v128.load(w + at)), step));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    const gg = load<f32>(g + at);
    let m = load<f32>(mean + at);
    m = m + r1 * (gg - m);
    const v = b2 * load<f32>(square + at) + r2 * (gg * gg);
    store<f32>(mean + at, m);
    store<f32>(square + at, v);
    store<f32>(w + at, d * load<f32>(w + at) - r * m / (sqrt<f32>(v) * c + e));
  }
}
