// The products of a loss on a linear layer, x·Wᵀ, g·W and gᵀ·x, on blocks of rows and classes that fit the cache. Operands
// are packed first (packing.as.ts), so that a tile reads each of them in one stream: a loop with two pointers instead of six is a fifth
// faster (37 → 45 GFLOP/s, f32). V8 loads whatever a basic block needs before it computes: more than 4 × 2 sums spill, and so
// do two steps in one block; with a way out between them they don't, which is another tenth (45 → 49).
//
// Every sum has a fixed order that depends on its own length only.

import { up } from "./packing.as";

// @ts-ignore: decorator
@inline
function madd<T>(c: v128, s: v128, b: v128): v128 {
  return v128.add<T>(c, v128.mul<T>(s, b));
}

/** The sums of two vectors each of two rows: [row][2], with `two` false the first of each row only. */
// @ts-ignore: decorator
@inline
function put<T>(out: usize, outBytes: usize, a0: v128, a1: v128, b0: v128, b1: v128, adds: bool, two: bool): void {
  const next = out + outBytes;
  if (sizeof<T>() == 4) {
    const a = f32x4.add(v128.shuffle<f32>(a0, a1, 0, 1, 4, 5), v128.shuffle<f32>(a0, a1, 2, 3, 6, 7));
    const b = f32x4.add(v128.shuffle<f32>(b0, b1, 0, 1, 4, 5), v128.shuffle<f32>(b0, b1, 2, 3, 6, 7));
    let sums = f32x4.add(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7));
    if (two) {
      if (adds) sums = f32x4.add(v128.load64_lane(next, v128.load64_zero(out), 1), sums);
      v128.store64_lane(out, sums, 0);
      v128.store64_lane(next, sums, 1);
    } else {
      if (adds) sums = f32x4.add(v128.load32_lane(next, v128.load32_zero(out), 2), sums);
      v128.store32_lane(out, sums, 0);
      v128.store32_lane(next, sums, 2);
    }
  } else {
    let a = f64x2.add(v128.shuffle<f64>(a0, a1, 0, 2), v128.shuffle<f64>(a0, a1, 1, 3));
    let b = f64x2.add(v128.shuffle<f64>(b0, b1, 0, 2), v128.shuffle<f64>(b0, b1, 1, 3));
    if (two) {
      if (adds) {
        a = f64x2.add(v128.load(out), a);
        b = f64x2.add(v128.load(next), b);
      }
      v128.store(out, a);
      v128.store(next, b);
    } else {
      if (adds) {
        a = f64x2.add(v128.load64_zero(out), a);
        b = f64x2.add(v128.load64_zero(next), b);
      }
      v128.store64_lane(out, a, 0);
      v128.store64_lane(next, b, 0);
    }
  }
}

/** out[4 rows][2] = or += x[4 rows]·w[2]; `bytes` of w */
// @ts-ignore: decorator
@inline
function dot_4x2<T>(out: usize, outBytes: usize, x: usize, w: usize, bytes: usize, adds: bool, two: bool): void {
  const zero = v128.splat<T>(0);
  let a0 = zero;
  let a1 = zero;
  let b0 = zero;
  let b1 = zero;
  let c0 = zero;
  let c1 = zero;
  let d0 = zero;
  let d1 = zero;
  const end = w + bytes;
  const last1 = end - 32;
  const last2 = end - 64;
  const last3 = end - 96;
  let p = zero;
  let q = zero;
  let v = zero;
  while (w < end) {
    p = v128.load(w);
    q = v128.load(w, 16);
    v = v128.load(x);
    a0 = madd<T>(a0, v, p);
    a1 = madd<T>(a1, v, q);
    v = v128.load(x, 16);
    b0 = madd<T>(b0, v, p);
    b1 = madd<T>(b1, v, q);
    v = v128.load(x, 32);
    c0 = madd<T>(c0, v, p);
    c1 = madd<T>(c1, v, q);
    v = v128.load(x, 48);
    d0 = madd<T>(d0, v, p);
    d1 = madd<T>(d1, v, q);
    if (w >= last1) break;
    p = v128.load(w, 32);
    q = v128.load(w, 48);
    v = v128.load(x, 64);
    a0 = madd<T>(a0, v, p);
    a1 = madd<T>(a1, v, q);
    v = v128.load(x, 80);
    b0 = madd<T>(b0, v, p);
    b1 = madd<T>(b1, v, q);
    v = v128.load(x, 96);
    c0 = madd<T>(c0, v, p);
    c1 = madd<T>(c1, v, q);
    v = v128.load(x, 112);
    d0 = madd<T>(d0, v, p);
    d1 = madd<T>(d1, v, q);
    if (w >= last2) break;
    p = v128.load(w, 64);
    q = v128.load(w, 80);
    v = v128.load(x, 128);
    a0 = madd<T>(a0, v, p);
    a1 = madd<T>(a1, v, q);
    v = v128.load(x, 144);
    b0 = madd<T>(b0, v, p);
    b1 = madd<T>(b1, v, q);
    v = v128.load(x, 160);
    c0 = madd<T>(c0, v, p);
    c1 = madd<T>(c1, v, q);
    v = v128.load(x, 176);
    d0 = madd<T>(d0, v, p);
    d1 = madd<T>(d1, v, q);
    if (w >= last3) break;
    p = v128.load(w, 96);
    q = v128.load(w, 112);
    v = v128.load(x, 192);
    a0 = madd<T>(a0, v, p);
    a1 = madd<T>(a1, v, q);
    v = v128.load(x, 208);
    b0 = madd<T>(b0, v, p);
    b1 = madd<T>(b1, v, q);
    v = v128.load(x, 224);
    c0 = madd<T>(c0, v, p);
    c1 = madd<T>(c1, v, q);
    v = v128.load(x, 240);
    d0 = madd<T>(d0, v, p);
    d1 = madd<T>(d1, v, q);
    w += 128;
    x += 256;
  }
  put<T>(out, outBytes, a0, a1, b0, b1, adds, two);
  put<T>(out + 2 * outBytes, outBytes, c0, c1, d0, d1, adds, two);
}

/**
 * out[i, j] = or += Σ_k x[i, k]·w[j, k]: x in lanes of 4 rows, w in lanes of 2; out has a multiple of four rows, `stride` apart.
 * LANES sums of every LANES-th product, then s0 + s2 and s1 + s3, then their sum.
 */
// @ts-ignore: decorator
@inline
function dots<T>(out: usize, x: usize, w: usize, rows: i32, columns: i32, n: i32, stride: i32, adds: bool): void {
  const bytes = up(<usize>n * sizeof<T>(), 16) << 1;
  const outBytes = <usize>stride * sizeof<T>();
  for (let j = 0; j < columns; j += 2, w += bytes, out += 2 * sizeof<T>()) {
    const two = j + 1 < columns;
    let a = x;
    let o = out;
    for (let i = 0; i < rows; i += 4, a += bytes << 1, o += outBytes << 2) dot_4x2<T>(o, outBytes, a, w, bytes, adds, two);
  }
}

/** Adds to numbers in f64. */
// @ts-ignore: decorator
@inline
function add_wide<T>(out: usize, c: v128): void {
  if (sizeof<T>() == 8) {
    v128.store(out, f64x2.add(v128.load(out), c));
    return;
  }
  v128.store(out, f64x2.add(v128.load(out), f64x2.promote_low_f32x4(c)));
  const upper = f64x2.promote_low_f32x4(v128.shuffle<f32>(c, c, 2, 3, 2, 3));
  v128.store(out, f64x2.add(v128.load(out, 16), upper), 16);
}

/** out[4][32 bytes of T], in f64, += Σ_i a[i][4]·b[i][32 bytes] */
// @ts-ignore: decorator
@inline
function outer_tile<T>(out: usize, a: usize, b: usize, count: i32): void {
  const zero = v128.splat<T>(0);
  let c00 = zero;
  let c01 = zero;
  let c10 = zero;
  let c11 = zero;
  let c20 = zero;
  let c21 = zero;
  let c30 = zero;
  let c31 = zero;
  const end = b + (<usize>count << 5);
  while (b < end) {
    let p = v128.load(b);
    let q = v128.load(b, 16);
    let s = v128.load_splat<T>(a);
    c00 = madd<T>(c00, s, p);
    c01 = madd<T>(c01, s, q);
    s = v128.load_splat<T>(a, sizeof<T>());
    c10 = madd<T>(c10, s, p);
    c11 = madd<T>(c11, s, q);
    s = v128.load_splat<T>(a, 2 * sizeof<T>());
    c20 = madd<T>(c20, s, p);
    c21 = madd<T>(c21, s, q);
    s = v128.load_splat<T>(a, 3 * sizeof<T>());
    c30 = madd<T>(c30, s, p);
    c31 = madd<T>(c31, s, q);
    if (b + 32 >= end) break;
    p = v128.load(b, 32);
    q = v128.load(b, 48);
    s = v128.load_splat<T>(a, 4 * sizeof<T>());
    c00 = madd<T>(c00, s, p);
    c01 = madd<T>(c01, s, q);
    s = v128.load_splat<T>(a, 5 * sizeof<T>());
    c10 = madd<T>(c10, s, p);
    c11 = madd<T>(c11, s, q);
    s = v128.load_splat<T>(a, 6 * sizeof<T>());
    c20 = madd<T>(c20, s, p);
    c21 = madd<T>(c21, s, q);
    s = v128.load_splat<T>(a, 7 * sizeof<T>());
    c30 = madd<T>(c30, s, p);
    c31 = madd<T>(c31, s, q);
    b += 64;
    a += 8 * sizeof<T>();
  }
  const half: usize = sizeof<T>() == 4 ? 32 : 16;
  add_wide<T>(out, c00);
  add_wide<T>(out + half, c01);
  add_wide<T>(out + 2 * half, c10);
  add_wide<T>(out + 3 * half, c11);
  add_wide<T>(out + 4 * half, c20);
  add_wide<T>(out + 5 * half, c21);
  add_wide<T>(out + 6 * half, c30);
  add_wide<T>(out + 7 * half, c31);
}

/**
 * sums[j, k] += Σ_i g[i, j]·x[i, k] over the rows of a pass, the sum of a pass in T: g in panels of 4 numbers, x in panels of
 * 32 bytes. The sums are f64 in tiles of 4 classes and 32 bytes of T: [features / (32 / sizeof<T>)][classes / 4][4][…]
 */
// @ts-ignore: decorator
@inline
function outer<T>(sums: usize, g: usize, x: usize, rows: i32, classes: i32, features: i32): void {
  const across = 32 / <i32>sizeof<T>();
  const quadBytes = <usize>rows * 4 * sizeof<T>();
  const tileBytes = <usize>across << 5;
  for (let k = 0; k < features; k += across, x += <usize>rows << 5) {
    let a = g;
    for (let j = 0; j < classes; j += 4, a += quadBytes, sums += tileBytes) outer_tile<T>(sums, a, x, rows);
  }
}

/** The sums of `outer`, rounded to T, as rows of `features` numbers; zeros leave as +0, NaN is the canonical one. */
// @ts-ignore: decorator
@inline
function sums_rows<T>(out: usize, sums: usize, classes: i32, features: i32): void {
  const across = 32 / <i32>sizeof<T>();
  for (let k = 0; k < features; k += across, out += 32) {
    const end = min(across, features - k);
    // each tile has four classes, also the last one
    for (let j = 0; j < (classes + 3 & ~3); j++, sums += <usize>across << 3) {
      const o = out + <usize>j * <usize>features * sizeof<T>();
      for (let n = 0; j < classes && n < end; n++) {
        const v = load<f64>(sums + (<usize>n << 3));
        store<T>(o + <usize>n * sizeof<T>(), v == v ? <T>v + 0 : <T>NaN);
      }
    }
  }
}

/** sums[j] += Σ_i g[i, j], in f64 */
// @ts-ignore: decorator
@inline
function column_sums<T>(sums: usize, g: usize, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < classes; j++, g += sizeof<T>()) {
      const at = sums + (<usize>j << 3);
      store<f64>(at, load<f64>(at) + <f64>load<T>(g));
    }
  }
}

/** Makes every NaN the canonical one. */
// @ts-ignore: decorator
@inline
function canonical<T>(x: usize, count: i32): void {
  for (const end = x + <usize>count * sizeof<T>(); x < end; x += sizeof<T>()) {
    const v = load<T>(x);
    if (v != v) store<T>(x, <T>NaN);
  }
}

/** out[i, k] += g[i]·x[k] where g[i] is not 0; g is `gStride` numbers apart. What cleared rows add, one at a time. */
// @ts-ignore: decorator
@inline
function add_bad_row<T>(out: usize, g: usize, x: usize, rows: i32, n: i32, gStride: i32): void {
  const bytes = <usize>n * sizeof<T>();
  for (let i = 0; i < rows; i++, g += <usize>gStride * sizeof<T>(), out += bytes) {
    const by = load<T>(g);
    if (by == 0) continue;
    for (let k: usize = 0; k < bytes; k += sizeof<T>()) store<T>(out + k, load<T>(out + k) + by * load<T>(x + k));
  }
}

/** The same to the sums of `outer`: those of class j += g[j]·x */
// @ts-ignore: decorator
@inline
function add_bad_sums<T>(sums: usize, g: usize, x: usize, classes: i32, n: i32): void {
  const across = 32 / <i32>sizeof<T>();
  for (let k = 0; k < n; k += across) {
    for (let j = 0; j < (classes + 3 & ~3); j++, sums += <usize>across << 3) {
      const by = j < classes ? load<T>(g + <usize>j * sizeof<T>()) : <T>0;
      if (by == 0) continue;
      for (let l = 0; l < across && k + l < n; l++) {
        const at = sums + (<usize>l << 3);
        store<f64>(at, load<f64>(at) + <f64>by * <f64>load<T>(x + <usize>(k + l) * sizeof<T>()));
      }
    }
  }
}

export function dots_f32(out: usize, x: usize, w: usize, rows: i32, columns: i32, n: i32, stride: i32, adds: bool): void {
  dots<f32>(out, x, w, rows, columns, n, stride, adds);
}

export function dots_f64(out: usize, x: usize, w: usize, rows: i32, columns: i32, n: i32, stride: i32, adds: bool): void {
  dots<f64>(out, x, w, rows, columns, n, stride, adds);
}

export function outer_f32(sums: usize, g: usize, x: usize, rows: i32, classes: i32, features: i32): void {
  outer<f32>(sums, g, x, rows, classes, features);
}

export function outer_f64(sums: usize, g: usize, x: usize, rows: i32, classes: i32, features: i32): void {
  outer<f64>(sums, g, x, rows, classes, features);
}

export function sums_rows_f32(out: usize, sums: usize, classes: i32, features: i32): void {
  sums_rows<f32>(out, sums, classes, features);
}

export function sums_rows_f64(out: usize, sums: usize, classes: i32, features: i32): void {
  sums_rows<f64>(out, sums, classes, features);
}

export function column_sums_f32(sums: usize, g: usize, rows: i32, classes: i32): void {
  column_sums<f32>(sums, g, rows, classes);
}

export function column_sums_f64(sums: usize, g: usize, rows: i32, classes: i32): void {
  column_sums<f64>(sums, g, rows, classes);
}

export function canonical_f32(x: usize, count: i32): void {
  canonical<f32>(x, count);
}

export function canonical_f64(x: usize, count: i32): void {
  canonical<f64>(x, count);
}

export function add_bad_row_f32(out: usize, g: usize, x: usize, rows: i32, n: i32, gStride: i32): void {
  add_bad_row<f32>(out, g, x, rows, n, gStride);
}

export function add_bad_row_f64(out: usize, g: usize, x: usize, rows: i32, n: i32, gStride: i32): void {
  add_bad_row<f64>(out, g, x, rows, n, gStride);
}

export function add_bad_sums_f32(sums: usize, g: usize, x: usize, classes: i32, n: i32): void {
  add_bad_sums<f32>(sums, g, x, classes, n);
}

export function add_bad_sums_f64(sums: usize, g: usize, x: usize, classes: i32, n: i32): void {
  add_bad_sums<f64>(sums, g, x, classes, n);
}
