// The gradient of a linear layer's weights, gᵀ·x, as a sum whose bits do not depend on the order in which rows are added, nor on
// who adds them. The rows of a batch come in pieces. Each piece's sum is one sequential f32 sum; it is rounded once to a multiple
// of a unit, and multiples are added in f64, without rounding, as integers below 2^52.
//
// The unit of output j and input k is one of two factors, cx[k]·cg[j] = 1.5·2^52·unit; adding that number and taking it away
// rounds to a multiple of the unit. With |x_ik| < 2^a, |g_ij| < 2^d and n ≤ 2^c rows, no sum reaches 2^(a + d + c + 1), which must
// be 2^50 units at most: so with cx = 2^a and cg = 1.5·2^52·2^(d + c + 1 − 50) an entry is off by pieces·2^-50·2^(a + d + c),
// beside what the f32 sums lose. A factor that is NaN makes a gradient NaN.

/** Rows that are gone through together: all 4,096 rows of a large batch at once take three times as long (12 → 37 GFLOP/s). */
const GROUP: i32 = 256;

/** Inputs that all panels are gone through with, so that their columns of x stay in the cache: 3 to 4 % at 128 × 784 × 128. */
const LINE: i32 = 64;

/** 1.5·2^52: what a factor is more than its unit. */
const MAGIC: f64 = 6755399441055744;

// @ts-ignore: decorator
@inline
function madd(c: v128, s: v128, b: v128): v128 {
  return f32x4.add(c, f32x4.mul(s, b));
}

/** Two sums of a piece, rounded to their unit. */
// @ts-ignore: decorator
@inline
function rounded(c: v128, cx: v128, cg: usize): v128 {
  const m = f64x2.mul(cx, v128.load(cg));
  return f64x2.sub(f64x2.add(f64x2.promote_low_f32x4(c), m), m);
}

/** acc[8 f64] += the 8 sums, each rounded to its unit; `first`: what was there is forgotten. With dw the 8 results go there, as f32. */
// @ts-ignore: decorator
@inline
function add_rounded(acc: usize, first: bool, dw: usize, c0: v128, c1: v128, cx: v128, cg: usize): void {
  let v0 = rounded(c0, cx, cg);
  let v1 = rounded(v128.shuffle<f32>(c0, c0, 2, 3, 2, 3), cx, cg + 16);
  let v2 = rounded(c1, cx, cg + 32);
  let v3 = rounded(v128.shuffle<f32>(c1, c1, 2, 3, 2, 3), cx, cg + 48);
  if (!first) {
    v0 = f64x2.add(v128.load(acc), v0);
    v1 = f64x2.add(v128.load(acc, 16), v1);
    v2 = f64x2.add(v128.load(acc, 32), v2);
    v3 = f64x2.add(v128.load(acc, 48), v3);
  }
  if (dw) {
    v128.store(dw, v128.shuffle<f32>(f32x4.demote_f64x2_zero(v0), f32x4.demote_f64x2_zero(v1), 0, 1, 4, 5));
    v128.store(dw, v128.shuffle<f32>(f32x4.demote_f64x2_zero(v2), f32x4.demote_f64x2_zero(v3), 0, 1, 4, 5), 16);
    return;
  }
  v128.store(acc, v0);
  v128.store(acc, v1, 16);
  v128.store(acc, v2, 32);
  v128.store(acc, v3, 48);
}

/** acc[4][8] (+)= Σ_i x[i][4]·g[i][8] over the rows of a part; see add_rounded */
// @ts-ignore: decorator
@inline
function outer_4x8(
  acc: usize, first: bool, dw: usize, g: usize, gBytes: usize, x: usize, xBytes: usize, rows: i32, cx: usize, cg: usize,
): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  let b0 = c00;
  let b1 = c00;
  let s = c00;
  const end = x + <usize>rows * xBytes;
  // two steps in one basic block would spill, see products.as.ts
  while (x < end) {
    b0 = v128.load(g);
    b1 = v128.load(g, 16);
    s = v128.load32_splat(x);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.load32_splat(x, 4);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.load32_splat(x, 8);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.load32_splat(x, 12);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
    x += xBytes;
    g += gBytes;
    if (x >= end) break;
    b0 = v128.load(g);
    b1 = v128.load(g, 16);
    s = v128.load32_splat(x);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.load32_splat(x, 4);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.load32_splat(x, 8);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.load32_splat(x, 12);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
    x += xBytes;
    g += gBytes;
  }
  const step: usize = dw ? 32 : 0;
  add_rounded(acc, first, dw, c00, c01, v128.load64_splat(cx), cg);
  add_rounded(acc + 64, first, dw + step, c10, c11, v128.load64_splat(cx, 8), cg);
  add_rounded(acc + 128, first, dw + 2 * step, c20, c21, v128.load64_splat(cx, 16), cg);
  add_rounded(acc + 192, first, dw + 3 * step, c30, c31, v128.load64_splat(cx, 24), cg);
}

// @ts-ignore: decorator
@inline
function outer_1x8(
  acc: usize, first: bool, dw: usize, g: usize, gBytes: usize, x: usize, xBytes: usize, rows: i32, cx: usize, cg: usize,
): void {
  let c0 = f32x4.splat(0);
  let c1 = c0;
  for (let i = 0; i < rows; i++, x += xBytes, g += gBytes) {
    const s = v128.load32_splat(x);
    c0 = madd(c0, s, v128.load(g));
    c1 = madd(c1, s, v128.load(g, 16));
  }
  add_rounded(acc, first, dw, c0, c1, v128.load64_splat(cx), cg);
}

/** How many of the pieces go together, one at least. */
// @ts-ignore: decorator
@inline
function group_of(counts: usize, pieces: i32): i32 {
  let rows = pieces > 0 ? load<i32>(counts) : 0;
  let n = 1;
  for (; n < pieces; n++) {
    rows += load<i32>(counts + (<usize>n << 2));
    if (rows > GROUP) break;
  }
  return min(n, pieces);
}

/** Adds the sums of 4 or 1 inputs × 8 outputs over the pieces of a group to acc; with dw the results go there. */
// @ts-ignore: decorator
@inline
function add_group(
  acc: usize, first: bool, dw: usize, g: usize, x: usize, counts: usize, pieces: i32, four: bool, gBytes: usize, xBytes: usize,
  cx: usize, cg: usize,
): void {
  for (let p = 0; p < pieces; p++, counts += 4) {
    const rows = load<i32>(counts);
    const to: usize = p == pieces - 1 ? dw : 0;
    if (four) outer_4x8(acc, first, to, g, gBytes, x, xBytes, rows, cx, cg);
    else outer_1x8(acc, first, to, g, gBytes, x, xBytes, rows, cx, cg);
    first = false;
    g += <usize>rows * gBytes;
    x += <usize>rows * xBytes;
  }
}

/** sums[8·panels·inputs] f64 = the sums over all pieces; with dw, rounded to f32 there. */
// @ts-ignore: decorator
@inline
function sum_pieces(
  dw: usize, sums: usize, g: usize, x: usize, counts: usize, pieces: i32, inputs: i32, panels: i32, gStride: i32, xStride: i32,
  cx: usize, cg: usize,
): void {
  const xBytes = <usize>xStride << 2;
  const gBytes = <usize>gStride << 2;
  let first = true;
  do {
    const n = group_of(counts, pieces);
    pieces -= n;
    // a single group's sums are needed no longer than until they are rounded: they stay where the cache has them
    const isLast = pieces == 0 && dw != 0;
    const step: usize = first && isLast ? 0 : 1;
    for (let from = 0; from < inputs; from += LINE) {
      const end = min(from + LINE, inputs);
      for (let p = 0; p < panels; p++) {
        const at = <usize>p * <usize>inputs + <usize>from;
        const b = g + (<usize>p << 5);
        const d = cg + (<usize>p << 6);
        let acc = sums + step * (at << 6);
        let out = dw + (at << 5);
        let a = x + (<usize>from << 2);
        let c = cx + (<usize>from << 3);
        let k = from;
        for (; k <= end - 4; k += 4, out += 128, acc += step << 8, a += 16, c += 32) {
          add_group(acc, first, isLast ? out : 0, b, a, counts, n, true, gBytes, xBytes, c, d);
        }
        for (; k < end; k++, out += 32, acc += step << 6, a += 4, c += 8) {
          add_group(acc, first, isLast ? out : 0, b, a, counts, n, false, gBytes, xBytes, c, d);
        }
      }
    }
    for (let p = 0; p < n; p++, counts += 4) {
      g += <usize>load<i32>(counts) * gBytes;
      x += <usize>load<i32>(counts) * xBytes;
    }
    first = false;
  } while (pieces > 0);
}

/**
 * dw[j, k] = Σ over the rows of all pieces of g[i, j]·x[i, k], in panels of 8 outputs as linear_f32 has them; counts [pieces] i32
 * are the rows of each piece, one after the other, 1 piece or more. cx [inputs] and cg [8·panels] f64 are the factors of the
 * units; sums [8·panels·inputs] f64 is scribbled on. With one input that is 1 at stride 0, the gradient of a bias.
 */
export function gradient_f32(
  dw: usize, sums: usize, g: usize, x: usize, counts: usize, pieces: i32, inputs: i32, panels: i32, gStride: i32, xStride: i32,
  cx: usize, cg: usize,
): void {
  sum_pieces(dw, sums, g, x, counts, pieces, inputs, panels, gStride, xStride, cx, cg);
}

/** As gradient_f32, but sums [8·panels·inputs] i64 become the gradient in its units; 0 without a piece. */
export function gradient_sums_f32(
  sums: usize, g: usize, x: usize, counts: usize, pieces: i32, inputs: i32, panels: i32, gStride: i32, xStride: i32,
  cx: usize, cg: usize,
): void {
  if (pieces == 0) {
    memory.fill(sums, 0, <usize>panels * <usize>inputs << 6);
    return;
  }
  sum_pieces(0, sums, g, x, counts, pieces, inputs, panels, gStride, xStride, cx, cg);
  for (let p = 0; p < panels; p++, cg += 64) {
    for (let k: usize = 0; k < <usize>inputs; k++, sums += 64) {
      const c = v128.load64_splat(cx + (k << 3));
      for (let j: usize = 0; j < 64; j += 16) {
        const m = f64x2.mul(c, v128.load(cg + j));
        v128.store(sums + j, i64x2.sub(f64x2.add(v128.load(sums + j), m), m));
      }
    }
  }
}

/** Two sums as f64: they are below 2^51, so MAGIC's last bits take them. */
// @ts-ignore: decorator
@inline
function multiples(sums: usize, magic: v128): v128 {
  return f64x2.sub(i64x2.add(v128.load(sums), magic), magic);
}

/** dw[4] = 4 sums in their units */
// @ts-ignore: decorator
@inline
function in_units(dw: usize, sums: usize, magic: v128, u0: v128, u1: v128): void {
  const low = f32x4.demote_f64x2_zero(f64x2.mul(multiples(sums, magic), u0));
  const high = f32x4.demote_f64x2_zero(f64x2.mul(multiples(sums + 16, magic), u1));
  v128.store(dw, v128.shuffle<f32>(low, high, 0, 1, 4, 5));
}

/** dw = sums in their units, rounded to f32: what gradient_f32 makes of the rows of all ranks. */
export function gradient_of_sums_f32(dw: usize, sums: usize, inputs: i32, panels: i32, cx: usize, cg: usize): void {
  const magic = f64x2.splat(MAGIC);
  for (let p = 0; p < panels; p++, cg += 64) {
    // powers of two, exactly
    const u0 = f64x2.div(v128.load(cg), magic);
    const u1 = f64x2.div(v128.load(cg, 16), magic);
    const u2 = f64x2.div(v128.load(cg, 32), magic);
    const u3 = f64x2.div(v128.load(cg, 48), magic);
    for (let k: usize = 0; k < <usize>inputs; k++, dw += 32, sums += 64) {
      const c = v128.load64_splat(cx + (k << 3));
      in_units(dw, sums, magic, f64x2.mul(c, u0), f64x2.mul(c, u1));
      in_units(dw + 16, sums + 32, magic, f64x2.mul(c, u2), f64x2.mul(c, u3));
    }
  }
}

/** sizes[j] = the largest |x[i, j]|, NaN where one is NaN, 0 without rows; columns a multiple of 8, stride in elements. */
export function column_sizes_f32(sizes: usize, x: usize, rows: i32, columns: i32, stride: i32): void {
  memory.fill(sizes, 0, <usize>columns << 2);
  const bytes = <usize>columns << 2;
  for (let i = 0; i < rows; i++, x += <usize>stride << 2) {
    for (let j: usize = 0; j < bytes; j += 32) {
      const to = sizes + j;
      // a NaN may have any sign
      v128.store(to, f32x4.abs(f32x4.max(v128.load(to), f32x4.abs(v128.load(x + j)))));
      v128.store(to, f32x4.abs(f32x4.max(v128.load(to, 16), f32x4.abs(v128.load(x + j, 16)))), 16);
    }
  }
}
