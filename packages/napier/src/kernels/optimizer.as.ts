// Steps of the optimizers, in place and in f32. Every weight is the same sequence of operations alone or in any range.

/** m += (1 − β1)·(g − m), v = β2·v + (1 − β2)·g²; what the weight moves by: rate·m / (√v·correction + ε). */
// @ts-ignore: decorator
@inline
function adam4(
  mean: usize, square: usize, g: v128, r1: v128, b2: v128, r2: v128, rate: v128, correction: v128, epsilon: v128,
): v128 {
  let m = v128.load(mean);
  m = f32x4.add(m, f32x4.mul(r1, f32x4.sub(g, m)));
  const v = f32x4.add(f32x4.mul(b2, v128.load(square)), f32x4.mul(r2, f32x4.mul(g, g)));
  v128.store(mean, m);
  v128.store(square, v);
  return f32x4.div(f32x4.mul(rate, m), f32x4.add(f32x4.mul(f32x4.sqrt(v), correction), epsilon));
}

// @ts-ignore: decorator
@inline
function adam1(
  mean: usize, square: usize, g: f32, r1: f32, b2: f32, r2: f32, rate: f32, correction: f32, epsilon: f32,
): f32 {
  let m = load<f32>(mean);
  m = m + r1 * (g - m);
  const v = b2 * load<f32>(square) + r2 * (g * g);
  store<f32>(mean, m);
  store<f32>(square, v);
  return rate * m / (sqrt<f32>(v) * correction + epsilon);
}

/**
 * One AdamW step (Loshchilov & Hutter 2019, arXiv:1711.05101, as PyTorch orders it): w = decay·w − Adam's step along g.
 * decay = 1 − learning rate·weight decay, rate = learning rate / (1 − β1^t), correction = 1 / √(1 − β2^t).
 */
export function adamw_f32(
  w: usize, mean: usize, square: usize, g: usize,
  decay: f64, beta1: f64, beta2: f64, rate: f64, correction: f64, epsilon: f64, count: i32,
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
    const step = adam4(mean + at, square + at, v128.load(g + at), rr1, bb2, rr2, rr, cc, ee);
    v128.store(w + at, f32x4.sub(f32x4.mul(dd, v128.load(w + at)), step));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    const step = adam1(mean + at, square + at, load<f32>(g + at), r1, b2, r2, r, c, e);
    store<f32>(w + at, d * load<f32>(w + at) - step);
  }
}

/** One Adam step (Kingma & Ba 2015, arXiv:1412.6980): w −= Adam's step along g + l2·w; the numbers are AdamW's. */
export function adam_f32(
  w: usize, mean: usize, square: usize, g: usize,
  l2: f64, beta1: f64, beta2: f64, rate: f64, correction: f64, epsilon: f64, count: i32,
): void {
  const l = <f32>l2;
  const r1 = <f32>(1.0 - beta1);
  const b2 = <f32>beta2;
  const r2 = <f32>(1.0 - beta2);
  const r = <f32>rate;
  const c = <f32>correction;
  const e = <f32>epsilon;
  const ll = f32x4.splat(l);
  const rr1 = f32x4.splat(r1);
  const bb2 = f32x4.splat(b2);
  const rr2 = f32x4.splat(r2);
  const rr = f32x4.splat(r);
  const cc = f32x4.splat(c);
  const ee = f32x4.splat(e);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = <usize>k << 2;
    const ww = v128.load(w + at);
    const gg = f32x4.add(v128.load(g + at), f32x4.mul(ll, ww));
    v128.store(w + at, f32x4.sub(ww, adam4(mean + at, square + at, gg, rr1, bb2, rr2, rr, cc, ee)));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    const ww = load<f32>(w + at);
    const gg = load<f32>(g + at) + l * ww;
    store<f32>(w + at, ww - adam1(mean + at, square + at, gg, r1, b2, r2, r, c, e));
  }
}

/** One step of SGD with momentum, as PyTorch and ONNX have it: h = g + l2·w, b = momentum·b + share·h, w −= rate·b. */
export function momentum_f32(
  w: usize, buffer: usize, g: usize, l2: f64, momentum: f64, share: f64, rate: f64, count: i32,
): void {
  const l = <f32>l2;
  const m = <f32>momentum;
  const s = <f32>share;
  const r = <f32>rate;
  const ll = f32x4.splat(l);
  const mm = f32x4.splat(m);
  const ss = f32x4.splat(s);
  const rr = f32x4.splat(r);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = <usize>k << 2;
    const ww = v128.load(w + at);
    const h = f32x4.add(v128.load(g + at), f32x4.mul(ll, ww));
    const b = f32x4.add(f32x4.mul(mm, v128.load(buffer + at)), f32x4.mul(ss, h));
    v128.store(buffer + at, b);
    v128.store(w + at, f32x4.sub(ww, f32x4.mul(rr, b)));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    const ww = load<f32>(w + at);
    const b = m * load<f32>(buffer + at) + s * (load<f32>(g + at) + l * ww);
    store<f32>(buffer + at, b);
    store<f32>(w + at, ww - r * b);
  }
}

/** The same with Nesterov's step: w −= rate·(h + momentum·b). */
export function nesterov_f32(
  w: usize, buffer: usize, g: usize, l2: f64, momentum: f64, share: f64, rate: f64, count: i32,
): void {
  const l = <f32>l2;
  const m = <f32>momentum;
  const s = <f32>share;
  const r = <f32>rate;
  const ll = f32x4.splat(l);
  const mm = f32x4.splat(m);
  const ss = f32x4.splat(s);
  const rr = f32x4.splat(r);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = <usize>k << 2;
    const ww = v128.load(w + at);
    const h = f32x4.add(v128.load(g + at), f32x4.mul(ll, ww));
    const b = f32x4.add(f32x4.mul(mm, v128.load(buffer + at)), f32x4.mul(ss, h));
    v128.store(buffer + at, b);
    v128.store(w + at, f32x4.sub(ww, f32x4.mul(rr, f32x4.add(h, f32x4.mul(mm, b)))));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    const ww = load<f32>(w + at);
    const h = load<f32>(g + at) + l * ww;
    const b = m * load<f32>(buffer + at) + s * h;
    store<f32>(buffer + at, b);
    store<f32>(w + at, ww - r * (h + m * b));
  }
}
