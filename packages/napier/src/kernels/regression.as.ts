// The objective of multinomial logistic regression over a piece of rows, in f64: logits x·W + b, losses and their gradient
// by cross_entropy_with_grad_f64, the gradient of W and b by gᵀ·x. W is [inputs + 1][columns], the biases last; columns are
// the classes rounded up to a multiple of two, so that ten classes cost ten columns. Every logit is a plain sum over the
// inputs and every gradient a plain sum over the piece's rows: no tile and no chunk shows in a bit.

import { cross_entropy_with_grad_f64 } from "./crossentropy.as";

/** Bytes of a chunk of rows as f64, which stay in the second-level cache between the two products. */
const CHUNK_BYTES: i32 = 1 << 18;

// @ts-ignore: decorator
@inline
function chunk_rows(inputs: i32): i32 {
  const rows = CHUNK_BYTES / max(1, inputs << 3);
  return min(128, max(8, rows & ~7));
}

/** Bytes that softmax_regression scribbles on. */
export function regression_scratch_bytes(inputs: i32, classes: i32): i32 {
  const columns = (classes + 1) & ~1;
  return chunk_rows(inputs) * (inputs + 2 * columns + 2 * classes + 1) * 8 + (inputs + 1) * columns * 8;
}

/** out[i, k] = (x[i, k] − center[k])·factor[k], each step rounded to f32, as f64. */
// @ts-ignore: decorator
@inline
function widen_rows(out: usize, x: usize, center: usize, factor: usize, rows: i32, inputs: i32): void {
  for (let i = 0; i < rows; i++) {
    let k = 0;
    for (; k <= inputs - 4; k += 4, x += 16, out += 32) {
      const at = <usize>k << 2;
      const v = f32x4.mul(f32x4.sub(v128.load(x), v128.load(center + at)), v128.load(factor + at));
      v128.store(out, f64x2.promote_low_f32x4(v));
      v128.store(out, f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)), 16);
    }
    for (; k < inputs; k++, x += 4, out += 8) {
      const at = <usize>k << 2;
      store<f64>(out, <f64>((load<f32>(x) - load<f32>(center + at)) * load<f32>(factor + at)));
    }
  }
}

// @ts-ignore: decorator
@inline
function madd(c: v128, a: v128, b: v128): v128 {
  return f64x2.add(c, f64x2.mul(a, b));
}

/** out[4 rows][4] = b[4] + x[4 rows]·w[inputs][4] */
// @ts-ignore: decorator
@inline
function logits_4x4(out: usize, x: usize, w: usize, inputs: i32, xBytes: usize, wBytes: usize): void {
  const end = w + <usize>inputs * wBytes;
  let c00 = v128.load(end);
  let c01 = v128.load(end, 16);
  let c10 = c00;
  let c11 = c01;
  let c20 = c00;
  let c21 = c01;
  let c30 = c00;
  let c31 = c01;
  let x1 = x + xBytes;
  let x2 = x1 + xBytes;
  let x3 = x2 + xBytes;
  for (; w < end; w += wBytes, x += 8, x1 += 8, x2 += 8, x3 += 8) {
    const b0 = v128.load(w);
    const b1 = v128.load(w, 16);
    let s = v128.load64_splat(x);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.load64_splat(x1);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.load64_splat(x2);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.load64_splat(x3);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  out += wBytes;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  out += wBytes;
  v128.store(out, c20);
  v128.store(out, c21, 16);
  out += wBytes;
  v128.store(out, c30);
  v128.store(out, c31, 16);
}

/** out[8 rows][2] = b[2] + x[8 rows]·w[inputs][2]: eight sums, so that no addition waits for the one before. */
// @ts-ignore: decorator
@inline
function logits_8x2(out: usize, x: usize, w: usize, inputs: i32, xBytes: usize, wBytes: usize): void {
  const end = w + <usize>inputs * wBytes;
  let c0 = v128.load(end);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  let c4 = c0;
  let c5 = c0;
  let c6 = c0;
  let c7 = c0;
  let x1 = x + xBytes;
  let x2 = x1 + xBytes;
  let x3 = x2 + xBytes;
  let x4 = x3 + xBytes;
  let x5 = x4 + xBytes;
  let x6 = x5 + xBytes;
  let x7 = x6 + xBytes;
  for (let k: usize = 0; w < end; w += wBytes, k += 8) {
    const b = v128.load(w);
    c0 = madd(c0, v128.load64_splat(x + k), b);
    c1 = madd(c1, v128.load64_splat(x1 + k), b);
    c2 = madd(c2, v128.load64_splat(x2 + k), b);
    c3 = madd(c3, v128.load64_splat(x3 + k), b);
    c4 = madd(c4, v128.load64_splat(x4 + k), b);
    c5 = madd(c5, v128.load64_splat(x5 + k), b);
    c6 = madd(c6, v128.load64_splat(x6 + k), b);
    c7 = madd(c7, v128.load64_splat(x7 + k), b);
  }
  v128.store(out, c0);
  v128.store(out + wBytes, c1);
  v128.store(out + 2 * wBytes, c2);
  v128.store(out + 3 * wBytes, c3);
  v128.store(out + 4 * wBytes, c4);
  v128.store(out + 5 * wBytes, c5);
  v128.store(out + 6 * wBytes, c6);
  v128.store(out + 7 * wBytes, c7);
}

/** out[1][2], for what is left over. */
// @ts-ignore: decorator
@inline
function logits_1x2(out: usize, x: usize, w: usize, inputs: i32, wBytes: usize): void {
  const end = w + <usize>inputs * wBytes;
  let c = v128.load(end);
  for (; w < end; w += wBytes, x += 8) c = madd(c, v128.load64_splat(x), v128.load(w));
  v128.store(out, c);
}

/** out[rows][columns] = b + x·W */
function logits_of(out: usize, x: usize, w: usize, rows: i32, inputs: i32, columns: i32): void {
  const xBytes = <usize>inputs << 3;
  const wBytes = <usize>columns << 3;
  let i = 0;
  for (; i <= rows - 8; i += 8, out += wBytes << 3, x += xBytes << 3) {
    let j = 0;
    for (; j <= columns - 4; j += 4) {
      const at = <usize>j << 3;
      logits_4x4(out + at, x, w + at, inputs, xBytes, wBytes);
      logits_4x4(out + (wBytes << 2) + at, x + (xBytes << 2), w + at, inputs, xBytes, wBytes);
    }
    if (j < columns) logits_8x2(out + (<usize>j << 3), x, w + (<usize>j << 3), inputs, xBytes, wBytes);
  }
  for (; i < rows; i++, out += wBytes, x += xBytes) {
    for (let j = 0; j < columns; j += 2) logits_1x2(out + (<usize>j << 3), x, w + (<usize>j << 3), inputs, wBytes);
  }
}

/** dw[4][4] += Σ_i x[i][4]·g[i][4] */
// @ts-ignore: decorator
@inline
function outer_4x4(dw: usize, x: usize, g: usize, rows: i32, xBytes: usize, gBytes: usize): void {
  const d1 = dw + gBytes;
  const d2 = d1 + gBytes;
  const d3 = d2 + gBytes;
  let c00 = v128.load(dw);
  let c01 = v128.load(dw, 16);
  let c10 = v128.load(d1);
  let c11 = v128.load(d1, 16);
  let c20 = v128.load(d2);
  let c21 = v128.load(d2, 16);
  let c30 = v128.load(d3);
  let c31 = v128.load(d3, 16);
  for (const end = g + <usize>rows * gBytes; g < end; g += gBytes, x += xBytes) {
    const b0 = v128.load(g);
    const b1 = v128.load(g, 16);
    let s = v128.load64_splat(x);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.load64_splat(x, 8);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.load64_splat(x, 16);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.load64_splat(x, 24);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
  }
  v128.store(dw, c00);
  v128.store(dw, c01, 16);
  v128.store(d1, c10);
  v128.store(d1, c11, 16);
  v128.store(d2, c20);
  v128.store(d2, c21, 16);
  v128.store(d3, c30);
  v128.store(d3, c31, 16);
}

/** dw[8][2] += Σ_i x[i][8]·g[i][2] */
// @ts-ignore: decorator
@inline
function outer_8x2(dw: usize, x: usize, g: usize, rows: i32, xBytes: usize, gBytes: usize): void {
  let c0 = v128.load(dw);
  let c1 = v128.load(dw + gBytes);
  let c2 = v128.load(dw + 2 * gBytes);
  let c3 = v128.load(dw + 3 * gBytes);
  let c4 = v128.load(dw + 4 * gBytes);
  let c5 = v128.load(dw + 5 * gBytes);
  let c6 = v128.load(dw + 6 * gBytes);
  let c7 = v128.load(dw + 7 * gBytes);
  for (const end = g + <usize>rows * gBytes; g < end; g += gBytes, x += xBytes) {
    const b = v128.load(g);
    c0 = madd(c0, v128.load64_splat(x), b);
    c1 = madd(c1, v128.load64_splat(x, 8), b);
    c2 = madd(c2, v128.load64_splat(x, 16), b);
    c3 = madd(c3, v128.load64_splat(x, 24), b);
    c4 = madd(c4, v128.load64_splat(x, 32), b);
    c5 = madd(c5, v128.load64_splat(x, 40), b);
    c6 = madd(c6, v128.load64_splat(x, 48), b);
    c7 = madd(c7, v128.load64_splat(x, 56), b);
  }
  v128.store(dw, c0);
  v128.store(dw + gBytes, c1);
  v128.store(dw + 2 * gBytes, c2);
  v128.store(dw + 3 * gBytes, c3);
  v128.store(dw + 4 * gBytes, c4);
  v128.store(dw + 5 * gBytes, c5);
  v128.store(dw + 6 * gBytes, c6);
  v128.store(dw + 7 * gBytes, c7);
}

/** dw[1][2], for what is left over. */
// @ts-ignore: decorator
@inline
function outer_1x2(dw: usize, x: usize, g: usize, rows: i32, xBytes: usize, gBytes: usize): void {
  let c = v128.load(dw);
  for (const end = g + <usize>rows * gBytes; g < end; g += gBytes, x += xBytes) {
    c = madd(c, v128.load64_splat(x), v128.load(g));
  }
  v128.store(dw, c);
}

/** dw[inputs + 1][columns] += gᵀ·x, the biases' x being 1. */
function add_gradient(dw: usize, x: usize, g: usize, rows: i32, inputs: i32, columns: i32): void {
  const xBytes = <usize>inputs << 3;
  const gBytes = <usize>columns << 3;
  let k = 0;
  for (; k <= inputs - 8; k += 8, dw += gBytes << 3, x += 64) {
    let j = 0;
    for (; j <= columns - 4; j += 4) {
      const at = <usize>j << 3;
      outer_4x4(dw + at, x, g + at, rows, xBytes, gBytes);
      outer_4x4(dw + (gBytes << 2) + at, x + 32, g + at, rows, xBytes, gBytes);
    }
    if (j < columns) outer_8x2(dw + (<usize>j << 3), x, g + (<usize>j << 3), rows, xBytes, gBytes);
  }
  for (; k < inputs; k++, dw += gBytes, x += 8) {
    for (let j = 0; j < columns; j += 2) {
      outer_1x2(dw + (<usize>j << 3), x, g + (<usize>j << 3), rows, xBytes, gBytes);
    }
  }
  for (let j = 0; j < columns; j += 2) {
    let c = v128.load(dw + (<usize>j << 3));
    let a = g + (<usize>j << 3);
    for (let i = 0; i < rows; i++, a += gBytes) c = f64x2.add(c, v128.load(a));
    v128.store(dw + (<usize>j << 3), c);
  }
}

/** Rows of `from` elements to rows of `to`; what is left over becomes 0. */
// @ts-ignore: decorator
@inline
function restride(out: usize, x: usize, rows: i32, from: i32, to: i32): void {
  const count = <usize>min(from, to) << 3;
  for (let i = 0; i < rows; i++, out += <usize>to << 3, x += <usize>from << 3) {
    memory.copy(out, x, count);
    if (to > from) memory.fill(out + count, 0, <usize>(to - from) << 3);
  }
}

/**
 * losses[0] = Σ_i weight_i·loss_i of the piece's rows; sums[k, j] += round(Σ_i weight_i·g_ij·x_ik · shift[k]), as int64.
 * x [rows, inputs] f32 before scaling, shift [inputs + 1] powers of two. Each loss is within 4 ulp of the logits' own;
 * the sum of losses is compensated; |g_ij| ≤ weight_i, so the integers cannot overflow where 1 / shift[k] is at least
 * 2^-62·Σ_i weight_i·|x_ik|.
 */
export function softmax_regression(
  losses: usize, sums: usize, x: usize, targets: usize, weights: usize, w: usize, center: usize, factor: usize,
  shift: usize, scratch: usize, rows: i32, inputs: i32, classes: i32,
): void {
  const columns = (classes + 1) & ~1;
  const chunk = chunk_rows(inputs);
  const wide = scratch;
  const logits = wide + <usize>(chunk * inputs << 3);
  const g = logits + <usize>(chunk * columns << 3);
  const denseLogits = g + <usize>(chunk * columns << 3);
  const denseG = denseLogits + <usize>(chunk * classes << 3);
  const each = denseG + <usize>(chunk * classes << 3);
  const part = each + <usize>(chunk << 3);
  const isDense = columns == classes;
  const length = (inputs + 1) * columns;
  memory.fill(part, 0, <usize>length << 3);
  let sum: f64 = 0;
  let lost: f64 = 0;
  for (let i = 0; i < rows; i += chunk) {
    const count = min(chunk, rows - i);
    widen_rows(wide, x + (<usize>(i * inputs) << 2), center, factor, count, inputs);
    logits_of(logits, wide, w, count, inputs, columns);
    const y = targets + (<usize>i << 2);
    const c = weights + (<usize>i << 3);
    if (isDense) cross_entropy_with_grad_f64(each, g, logits, y, c, count, classes);
    else {
      restride(denseLogits, logits, count, columns, classes);
      cross_entropy_with_grad_f64(each, denseG, denseLogits, y, c, count, classes);
      restride(g, denseG, count, classes, columns);
    }
    for (let r = 0; r < count; r++) {
      const weight = load<f64>(c + (<usize>r << 3));
      if (weight == 0) continue;
      const term = weight * load<f64>(each + (<usize>r << 3));
      const next = sum + term;
      const part = next - sum;
      lost += sum - (next - part) + (term - part);
      sum = next;
    }
    add_gradient(part, wide, g, count, inputs, columns);
  }
  store<f64>(losses, sum + (lost == lost ? lost : 0));
  for (let k = 0, at: usize = 0; k <= inputs; k++) {
    const unit = load<f64>(shift + (<usize>k << 3));
    for (let j = 0; j < columns; j++, at += 8) {
      store<i64>(sums + at, load<i64>(sums + at) + <i64>nearest(load<f64>(part + at) * unit));
    }
  }
}

/** sizes[k] += Σ_i weight_i·|x_ik|, squares[k] += Σ_i weight_i·x_ik², totals[k] += Σ_i weight_i·x_ik, of scaled x in f64. */
export function regression_moments(
  sizes: usize, squares: usize, totals: usize, x: usize, weights: usize, center: usize, factor: usize, rows: i32, inputs: i32,
): void {
  for (let i = 0; i < rows; i++, weights += 8) {
    const weight = load<f64>(weights);
    for (let k = 0; k < inputs; k++, x += 4) {
      const at = <usize>k << 2;
      const value = <f64>((load<f32>(x) - load<f32>(center + at)) * load<f32>(factor + at));
      const a = sizes + (<usize>k << 3);
      const b = squares + (<usize>k << 3);
      store<f64>(a, load<f64>(a) + weight * abs(value));
      const c = totals + (<usize>k << 3);
      store<f64>(b, load<f64>(b) + weight * value * value);
      store<f64>(c, load<f64>(c) + weight * value);
    }
  }
}
