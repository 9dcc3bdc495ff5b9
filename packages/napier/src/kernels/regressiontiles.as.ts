// The two products of softmax regression in f64, by tiles of 8 sums. A lane sums the even inputs, the other the odd ones: with
// lanes of two classes, the last two of ten classes had a tile to themselves, which took a third longer for each of them.
//
// V8 loads all operands of a loop's body before the first product, so sums, operands and one product must fit into its 15
// registers: 2 × 4 does (8 + 6 + 1; 22 GFLOP/s on a Zen 4 at 3.6 GHz). 3 × 3 and 2 × 5 spill sums (11 and 12), and so do
// 8 × 1 (10) and 2 × 4 unrolled twice (15).

// @ts-ignore: decorator
@inline
function madd(c: v128, a: v128, b: v128): v128 {
  return f64x2.add(c, f64x2.mul(a, b));
}

/** out[j] = the sum of both lanes. */
// @ts-ignore: decorator
@inline
function put(out: usize, c: v128): void {
  store<f64>(out, f64x2.extract_lane(c, 0) + f64x2.extract_lane(c, 1));
}

/** z[2 rows][`count` of 4 classes] = x·wᵀ; w as [columns/2][4 classes][2], x0 until `end`. */
export function logits_2x4(z: usize, zBytes: usize, x0: usize, xBytes: usize, w: usize, end: usize, count: i32): void {
  let x1 = x0 + xBytes;
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c02 = c00;
  let c03 = c00;
  let c10 = c00;
  let c11 = c00;
  let c12 = c00;
  let c13 = c00;
  for (; x0 < end; x0 += 16, x1 += 16, w += 64) {
    const b0 = v128.load(w);
    const b1 = v128.load(w, 16);
    const b2 = v128.load(w, 32);
    const b3 = v128.load(w, 48);
    const a0 = v128.load(x0);
    c00 = madd(c00, a0, b0);
    c01 = madd(c01, a0, b1);
    c02 = madd(c02, a0, b2);
    c03 = madd(c03, a0, b3);
    const a1 = v128.load(x1);
    c10 = madd(c10, a1, b0);
    c11 = madd(c11, a1, b1);
    c12 = madd(c12, a1, b2);
    c13 = madd(c13, a1, b3);
  }
  const z1 = z + zBytes;
  put(z, c00);
  put(z + 8, c01);
  put(z + 16, c02);
  put(z1, c10);
  put(z1 + 8, c11);
  put(z1 + 16, c12);
  if (count < 4) return;
  put(z + 24, c03);
  put(z1 + 24, c13);
}

/** z[4 rows][`count` of 2 classes] = x·wᵀ; w as [columns/2][2 classes][2]. */
export function logits_4x2(z: usize, zBytes: usize, x0: usize, xBytes: usize, w: usize, end: usize, count: i32): void {
  let x1 = x0 + xBytes;
  let x2 = x1 + xBytes;
  let x3 = x2 + xBytes;
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (; x0 < end; x0 += 16, x1 += 16, x2 += 16, x3 += 16, w += 32) {
    const b0 = v128.load(w);
    const b1 = v128.load(w, 16);
    let a = v128.load(x0);
    c00 = madd(c00, a, b0);
    c01 = madd(c01, a, b1);
    a = v128.load(x1);
    c10 = madd(c10, a, b0);
    c11 = madd(c11, a, b1);
    a = v128.load(x2);
    c20 = madd(c20, a, b0);
    c21 = madd(c21, a, b1);
    a = v128.load(x3);
    c30 = madd(c30, a, b0);
    c31 = madd(c31, a, b1);
  }
  const z1 = z + zBytes;
  const z2 = z1 + zBytes;
  const z3 = z2 + zBytes;
  put(z, c00);
  put(z1, c10);
  put(z2, c20);
  put(z3, c30);
  if (count < 2) return;
  put(z + 8, c01);
  put(z1 + 8, c11);
  put(z2 + 8, c21);
  put(z3 + 8, c31);
}

// @ts-ignore: decorator
@inline
function add_to(out: usize, c: v128): void {
  v128.store(out, f64x2.add(v128.load(out), c));
}

/** dw[2 classes][8 columns] += gᵀ·x over the rows whose gradients end at `end`. */
export function gradient_2x8(dw: usize, dwBytes: usize, g: usize, gBytes: usize, end: usize, x: usize, xBytes: usize): void {
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c02 = c00;
  let c03 = c00;
  let c10 = c00;
  let c11 = c00;
  let c12 = c00;
  let c13 = c00;
  for (; g < end; g += gBytes, x += xBytes) {
    const b0 = v128.load(x);
    const b1 = v128.load(x, 16);
    const b2 = v128.load(x, 32);
    const b3 = v128.load(x, 48);
    const a0 = v128.load64_splat(g);
    c00 = madd(c00, a0, b0);
    c01 = madd(c01, a0, b1);
    c02 = madd(c02, a0, b2);
    c03 = madd(c03, a0, b3);
    const a1 = v128.load64_splat(g, 8);
    c10 = madd(c10, a1, b0);
    c11 = madd(c11, a1, b1);
    c12 = madd(c12, a1, b2);
    c13 = madd(c13, a1, b3);
  }
  add_to(dw, c00);
  add_to(dw + 16, c01);
  add_to(dw + 32, c02);
  add_to(dw + 48, c03);
  dw += dwBytes;
  add_to(dw, c10);
  add_to(dw + 16, c11);
  add_to(dw + 32, c12);
  add_to(dw + 48, c13);
}

/** dw[2 classes][4 columns] += gᵀ·x */
export function gradient_2x4(dw: usize, dwBytes: usize, g: usize, gBytes: usize, end: usize, x: usize, xBytes: usize): void {
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  for (; g < end; g += gBytes, x += xBytes) {
    const b0 = v128.load(x);
    const b1 = v128.load(x, 16);
    const a0 = v128.load64_splat(g);
    c00 = madd(c00, a0, b0);
    c01 = madd(c01, a0, b1);
    const a1 = v128.load64_splat(g, 8);
    c10 = madd(c10, a1, b0);
    c11 = madd(c11, a1, b1);
  }
  add_to(dw, c00);
  add_to(dw + 16, c01);
  dw += dwBytes;
  add_to(dw, c10);
  add_to(dw + 16, c11);
}

/** dw[3 classes][4 columns] += gᵀ·x, for the last three of an odd number of classes. */
export function gradient_3x4(dw: usize, dwBytes: usize, g: usize, gBytes: usize, end: usize, x: usize, xBytes: usize): void {
  let c00 = f64x2.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  for (; g < end; g += gBytes, x += xBytes) {
    const b0 = v128.load(x);
    const b1 = v128.load(x, 16);
    const a0 = v128.load64_splat(g);
    c00 = madd(c00, a0, b0);
    c01 = madd(c01, a0, b1);
    const a1 = v128.load64_splat(g, 8);
    c10 = madd(c10, a1, b0);
    c11 = madd(c11, a1, b1);
    const a2 = v128.load64_splat(g, 16);
    c20 = madd(c20, a2, b0);
    c21 = madd(c21, a2, b1);
  }
  add_to(dw, c00);
  add_to(dw + 16, c01);
  dw += dwBytes;
  add_to(dw, c10);
  add_to(dw + 16, c11);
  dw += dwBytes;
  add_to(dw, c20);
  add_to(dw + 16, c21);
}
