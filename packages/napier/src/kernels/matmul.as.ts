// Two products of a linear layer, x·Wᵀ and g·W; the third, gᵀ·x, is in gradients.as.ts. Weights stand in panels of 8 outputs, [outputs/8][inputs][8],
// filled up with zeros: a panel is read in one stream, and gradients come out in the same layout, ready for a flat step.
// Every output is a plain sequential f32 sum over the inner index, so its bits depend neither on the tile nor on the batch.

// 4 rows × 8 columns: 8 sums, 2 of w, 1 of x fit V8's 15 registers; 5 × 8 spills and halves the speed (44 → 22 GFLOP/s).
// Reading w in passes that fit L1 gained nothing, up to 4,096 inputs.

// @ts-ignore: decorator
@inline
function madd(c: v128, s: v128, b: v128): v128 {
  return f32x4.add(c, f32x4.mul(s, b));
}

/** out[4 rows][8] = bias[8] + x[4 rows][inner]·w[inner][8] */
// @ts-ignore: decorator
@inline
function tile_4x8(out: usize, outBytes: usize, x: usize, xBytes: usize, w: usize, bias: usize, inner: i32): void {
  let c00 = v128.load(bias);
  let c01 = v128.load(bias, 16);
  let c10 = c00;
  let c11 = c01;
  let c20 = c00;
  let c21 = c01;
  let c30 = c00;
  let c31 = c01;
  let x1 = x + xBytes;
  let x2 = x1 + xBytes;
  let x3 = x2 + xBytes;
  let b0 = c00;
  let b1 = c00;
  let s = c00;
  const end = w + (<usize>inner << 5);
  // two steps in one basic block would spill, see products.as.ts
  while (w < end) {
    b0 = v128.load(w);
    b1 = v128.load(w, 16);
    s = v128.load32_splat(x);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.load32_splat(x1);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.load32_splat(x2);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.load32_splat(x3);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
    w += 32;
    x += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
    if (w >= end) break;
    b0 = v128.load(w);
    b1 = v128.load(w, 16);
    s = v128.load32_splat(x);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.load32_splat(x1);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.load32_splat(x2);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.load32_splat(x3);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
    w += 32;
    x += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  out += outBytes;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  out += outBytes;
  v128.store(out, c20);
  v128.store(out, c21, 16);
  out += outBytes;
  v128.store(out, c30);
  v128.store(out, c31, 16);
}

/** As tile_4x8, for a row that four do not divide. */
// @ts-ignore: decorator
@inline
function tile_1x8(out: usize, x: usize, w: usize, bias: usize, inner: i32): void {
  let c0 = v128.load(bias);
  let c1 = v128.load(bias, 16);
  for (const end = w + (<usize>inner << 5); w < end; w += 32, x += 4) {
    const s = v128.load32_splat(x);
    c0 = madd(c0, s, v128.load(w));
    c1 = madd(c1, s, v128.load(w, 16));
  }
  v128.store(out, c0);
  v128.store(out, c1, 16);
}

/**
 * out[i, j] = bias[j] + Σ_k x[i, k]·w[j, k], for all 8·panels columns j; bias has 8·panels entries.
 * w in panels; rows of x and out are xStride and outStride elements apart.
 */
export function linear_f32(
  out: usize, x: usize, w: usize, bias: usize,
  rows: i32, inputs: i32, panels: i32, xStride: i32, outStride: i32,
): void {
  const xBytes = <usize>xStride << 2;
  const outBytes = <usize>outStride << 2;
  for (let p = 0; p < panels; p++, w += <usize>inputs << 5, bias += 32, out += 32) {
    let o = out;
    let a = x;
    let i = 0;
    for (; i <= rows - 4; i += 4, o += outBytes << 2, a += xBytes << 2) {
      tile_4x8(o, outBytes, a, xBytes, w, bias, inputs);
    }
    for (; i < rows; i++, o += outBytes, a += xBytes) tile_1x8(o, a, w, bias, inputs);
  }
}

/** wt = Wᵀ: panels of 8 inputs, [inputs/8][outputs][8], filled up with zeros, from panels of 8 outputs. */
export function transpose_panels_f32(wt: usize, w: usize, inputs: i32, outputs: i32): void {
  for (let p = 0; p < inputs; p += 8) {
    for (let j = 0; j < outputs; j++, wt += 32) {
      const from = w + ((<usize>(j & ~7) * <usize>inputs) << 2) + (<usize>(j & 7) << 2);
      for (let k = 0; k < 8; k++) {
        store<f32>(wt + (<usize>k << 2), p + k < inputs ? load<f32>(from + (<usize>(p + k) << 5)) : 0);
      }
    }
  }
}
