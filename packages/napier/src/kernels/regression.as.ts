// The objective of multinomial logistic regression over a piece of rows, in f64: logits x·W + b, losses and their gradient by
// cross_entropy_with_grad_f64, the gradient of W and b by gᵀ·x. Here W has a row for each input, [inputs + 1][columns], and
// the biases are those of an input that is always 1; columns are the classes rounded up to a multiple of two.

import { cross_entropy_with_grad_f64 } from "./crossentropy.as";
import { gradient_2x4, gradient_2x8, gradient_3x4, logits_2x4, logits_4x2 } from "./regressiontiles.as";

/** Rows that are in f64 at a time: 48 × 784 take 300 KB, which the second-level cache keeps from one product to the next. */
const CHUNK: i32 = 48;

/** The inputs and the 1 behind them, filled up to whole tiles. */
// @ts-ignore: decorator
@inline
function width_of(inputs: i32): usize {
  return <usize>((inputs + 4) & ~3) << 3;
}

/** Bytes from row to row: an odd number of cache lines, so that a column does not fall on one set of the cache. */
// @ts-ignore: decorator
@inline
function stride_of(inputs: i32): usize {
  return <usize>(((inputs + 8) >> 3) | 1) << 6;
}

/** Bytes that softmax_regression scribbles on. */
export function regression_scratch_bytes(inputs: i32, classes: i32): i32 {
  const columns = (classes + 1) & ~1;
  return columns * <i32>width_of(inputs) + (CHUNK + classes) * <i32>stride_of(inputs) + CHUNK * ((classes << 4) + 8);
}

/** w in panels of 4 classes and at most one of 2, as the tiles read them: [pairs of inputs][classes of the panel][2]. */
function pack(panels: usize, w: usize, inputs: i32, columns: i32): void {
  const bytes = <usize>columns << 3;
  for (let c = 0; c < columns; c += 4) {
    const lanes = <usize>min(4, columns - c) << 3;
    const end = panels + (width_of(inputs) >> 3) * lanes;
    let from = w + (<usize>c << 3);
    for (let k = 0; k <= inputs; k++, from += bytes) {
      for (let j: usize = 0; j < lanes; j += 8) store<f64>(panels + (j << 1), load<f64>(from + j));
      panels += k & 1 ? (lanes << 1) - 8 : 8;
    }
    if ((inputs & 1) == 0) {
      for (let j: usize = 0; j < lanes; j += 8) store<f64>(panels + (j << 1), 0);
      panels += (lanes << 1) - 8;
    }
    memory.fill(panels, 0, end - panels);
    panels = end;
  }
}

/** (x − center)·factor of `count` rows, each step rounded to f32, as f64; behind them 1, then zeros. */
function widen(out: usize, x: usize, center: usize, factor: usize, count: i32, inputs: i32): void {
  const bytes = <usize>inputs << 2;
  const whole = bytes & ~15;
  const stride = stride_of(inputs);
  for (let i = 0; i < count; i++, x += bytes, out += stride) {
    let o = out;
    let k: usize = 0;
    for (; k < whole; k += 16, o += 32) {
      const v = f32x4.mul(f32x4.sub(v128.load(x + k), v128.load(center + k)), v128.load(factor + k));
      v128.store(o, f64x2.promote_low_f32x4(v));
      v128.store(o, f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3)), 16);
    }
    for (; k < bytes; k += 4, o += 8) {
      store<f64>(o, <f64>((load<f32>(x + k) - load<f32>(center + k)) * load<f32>(factor + k)));
    }
    store<f64>(o, 1);
    for (o += 8; o < out + stride; o += 8) store<f64>(o, 0);
  }
}

/** Reads a word of each cache line: with loads alone memory is read ahead, with stores beside them hardly (2.1 → 1.9 µs a row of 784). */
function touch(x: usize, end: usize): void {
  for (; x < end; x += 64) load<f32>(x);
}

/** 1. z[rows][classes] = x·W + b; what tiles read beyond the last row is not stored as one of its logits. */
function logits_of(
  z: usize, v: usize, x: usize, center: usize, factor: usize, panels: usize, rows: i32, inputs: i32, classes: i32,
): void {
  const width = width_of(inputs);
  const stride = stride_of(inputs);
  const zBytes = <usize>classes << 3;
  touch(x, x + ((<usize>rows * <usize>inputs) << 2));
  for (let c = 0; c < classes; c += 4) {
    const left = classes - c;
    for (let i = 0; i < rows; i += 4) {
      const from = v + <usize>i * stride;
      const to = z + <usize>i * zBytes + (<usize>c << 3);
      if (c == 0) widen(from, x + ((<usize>i * <usize>inputs) << 2), center, factor, min(4, rows - i), inputs);
      if (left > 2) {
        logits_2x4(to, zBytes, from, stride, panels, from + width, left);
        const next = from + 2 * stride;
        if (i + 2 < rows) logits_2x4(to + 2 * zBytes, zBytes, next, stride, panels, next + width, left);
      } else {
        logits_4x2(to, zBytes, from, stride, panels, from + width, left);
      }
    }
    panels += width << 2;
  }
}

/** 3. dw[classes][inputs + 1] += gᵀ·x */
function add_gradient(dw: usize, g: usize, v: usize, rows: i32, inputs: i32, classes: i32): void {
  const width = width_of(inputs);
  const stride = stride_of(inputs);
  const gBytes = <usize>classes << 3;
  const end = g + <usize>rows * gBytes;
  const pairs = classes & 1 ? classes - 3 : classes;
  for (let k: usize = 0; k < width; k += 64) {
    const isWhole = k + 64 <= width;
    let to = dw + k;
    let at = g;
    for (let c = 0; c < pairs; c += 2, to += stride << 1, at += 16) {
      if (isWhole) gradient_2x8(to, stride, at, gBytes, end, v + k, stride);
      else gradient_2x4(to, stride, at, gBytes, end, v + k, stride);
    }
    if (pairs < classes) {
      gradient_3x4(to, stride, at, gBytes, end, v + k, stride);
      if (isWhole) gradient_3x4(to + 32, stride, at, gBytes, end, v + k + 32, stride);
    }
  }
}

/**
 * losses[0] = Σ_i weight_i·loss_i of the piece's rows; sums[k, j] += round(shift[k]·Σ_i weight_i·g_ij·x_ik), as int64, g =
 * softmax − onehot. x [rows, inputs] f32 before scaling, shift [inputs + 1] powers of two, 2 classes or more. |g_ij| ≤ 1, so
 * the integers cannot overflow where 1 / shift[k] is at least 2^-62·Σ_i weight_i·|x_ik| over all pieces. A row of weight 0
 * counts nowhere, whatever it holds.
 *
 * u = 2^-53. A logit is off by (inputs/2 + 2)·u·(|b| + Σ|x·w|) at most: half of the products in each lane, and both lanes
 * added. With δ the largest error of a row's logits, its loss is off by 2·δ, and each entry of its gradient by 2·δ of itself
 * (|dp| ≤ 2·δ·p·(1 − p), to the first order); cross_entropy_with_grad_f64 adds 4 ulp of the loss and 8 ulp of the gradient.
 * The losses' sum is compensated. Gradients are summed over the rows of a chunk, then over the chunks: sums[k, j] / shift[k]
 * is off by Σ_i weight_i·|x_ik·g_ij|·(2·δ_i + (16 + CHUNK + rows/CHUNK)·u) at most, and half a unit of the integers.
 */
export function softmax_regression(
  losses: usize, sums: usize, x: usize, targets: usize, weights: usize, w: usize, center: usize, factor: usize,
  shift: usize, scratch: usize, rows: i32, inputs: i32, classes: i32,
): void {
  const columns = (classes + 1) & ~1;
  const stride = stride_of(inputs);
  const zBytes = <usize>classes << 3;
  const panels = scratch;
  const part = panels + <usize>columns * width_of(inputs);
  const v = part + <usize>classes * stride;
  const z = v + <usize>CHUNK * stride;
  const g = z + <usize>CHUNK * zBytes;
  const each = g + <usize>CHUNK * zBytes;
  pack(panels, w, inputs, columns);
  memory.fill(part, 0, <usize>classes * stride);
  let sum: f64 = 0;
  let lost: f64 = 0;
  for (let first = 0; first < rows; first += CHUNK) {
    const count = min(CHUNK, rows - first);
    logits_of(z, v, x + ((<usize>first * <usize>inputs) << 2), center, factor, panels, count, inputs, classes);
    // 2. the losses and their gradient
    const c = weights + (<usize>first << 3);
    cross_entropy_with_grad_f64(each, g, z, targets + (<usize>first << 2), c, count, classes);
    for (let i: usize = 0; i < <usize>count; i++) {
      const weight = load<f64>(c + (i << 3));
      if (weight == 0) {
        // the product of its features and its gradient may be NaN otherwise
        memory.fill(g + i * zBytes, 0, zBytes);
        memory.fill(v + i * stride, 0, stride);
        continue;
      }
      const term = weight * load<f64>(each + (i << 3));
      const next = sum + term;
      const back = next - sum;
      lost += (sum - (next - back)) + (term - back);
      sum = next;
    }
    add_gradient(part, g, v, count, inputs, classes);
  }
  store<f64>(losses, lost == lost ? sum + lost : sum);
  // 4. the integers
  for (let k: usize = 0; k <= <usize>inputs; k++, sums += <usize>columns << 3) {
    const unit = load<f64>(shift + (k << 3));
    let from = part + (k << 3);
    for (let j: usize = 0; j < zBytes; j += 8, from += stride) {
      store<i64>(sums + j, load<i64>(sums + j) + <i64>nearest(load<f64>(from) * unit));
    }
  }
}

/** out[2] += c[2] */
// @ts-ignore: decorator
@inline
function add_to(out: usize, c: v128): void {
  v128.store(out, f64x2.add(v128.load(out), c));
}

/** sizes[k] += Σ_i weight_i·|x_ik|, squares[k] += Σ_i weight_i·x_ik², totals[k] += Σ_i weight_i·x_ik, of scaled x in f64, without rows of weight 0. */
export function regression_moments(
  sizes: usize, squares: usize, totals: usize, x: usize, weights: usize, center: usize, factor: usize, rows: i32, inputs: i32,
): void {
  const bytes = <usize>inputs << 2;
  const whole = bytes & ~15;
  for (let i = 0; i < rows; i++, weights += 8, x += bytes) {
    const weight = load<f64>(weights);
    if (weight == 0) continue;
    const c = f64x2.splat(weight);
    let k: usize = 0;
    for (; k < whole; k += 16) {
      const v = f32x4.mul(f32x4.sub(v128.load(x + k), v128.load(center + k)), v128.load(factor + k));
      const low = f64x2.promote_low_f32x4(v);
      const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3));
      const size = sizes + (k << 1);
      const square = squares + (k << 1);
      const total = totals + (k << 1);
      add_to(size, f64x2.mul(c, f64x2.abs(low)));
      add_to(size + 16, f64x2.mul(c, f64x2.abs(high)));
      add_to(square, f64x2.mul(f64x2.mul(c, low), low));
      add_to(square + 16, f64x2.mul(f64x2.mul(c, high), high));
      add_to(total, f64x2.mul(c, low));
      add_to(total + 16, f64x2.mul(c, high));
    }
    for (; k < bytes; k += 4) {
      const value = <f64>((load<f32>(x + k) - load<f32>(center + k)) * load<f32>(factor + k));
      const size = sizes + (k << 1);
      const square = squares + (k << 1);
      store<f64>(size, load<f64>(size) + weight * abs(value));
      const total = totals + (k << 1);
      store<f64>(square, load<f64>(square) + weight * value * value);
      store<f64>(total, load<f64>(total) + weight * value);
    }
  }
}
