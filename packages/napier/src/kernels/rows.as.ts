// What stands between the products of a network: scaling, ReLU, and rows moved from one stride to another.

/** out[i, j] = (x[i, j] − center[j])·factor[j], each step rounded; rows of x are dense, rows of out stride elements apart. */
export function scale_rows_f32(
  out: usize, x: usize, center: usize, factor: usize, rows: i32, features: i32, stride: i32,
): void {
  for (let i = 0; i < rows; i++, out += <usize>stride << 2, x += <usize>features << 2) {
    let j = 0;
    for (; j <= features - 4; j += 4) {
      const k = <usize>j << 2;
      v128.store(out + k, f32x4.mul(f32x4.sub(v128.load(x + k), v128.load(center + k)), v128.load(factor + k)));
    }
    for (; j < features; j++) {
      const k = <usize>j << 2;
      store<f32>(out + k, (load<f32>(x + k) - load<f32>(center + k)) * load<f32>(factor + k));
    }
  }
}

/** Rows of `columns` elements from stride xStride to outStride; what outStride leaves over becomes 0. */
export function move_rows_f32(out: usize, x: usize, rows: i32, columns: i32, outStride: i32, xStride: i32): void {
  const bytes = <usize>columns << 2;
  const outBytes = <usize>outStride << 2;
  for (let i = 0; i < rows; i++, out += outBytes, x += <usize>xStride << 2) {
    memory.copy(out, x, bytes);
    if (outBytes > bytes) memory.fill(out + bytes, 0, outBytes - bytes);
  }
}

/** out[k] = max(x[k], 0), zeros +0, NaN stays NaN; out may be x. */
export function relu_f32(out: usize, x: usize, count: i32): void {
  const zero = f32x4.splat(0);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = <usize>k << 2;
    v128.store(out + at, f32x4.add(f32x4.pmax(v128.load(x + at), zero), zero));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    const v = load<f32>(x + at);
    store<f32>(out + at, v < 0 ? 0 : v + 0);
  }
}

/** dx[k] = g[k] where relu(x)[k] > 0, else 0; dx may be g. */
export function relu_backward_f32(dx: usize, g: usize, out: usize, count: i32): void {
  const zero = f32x4.splat(0);
  let k = 0;
  for (; k <= count - 4; k += 4) {
    const at = <usize>k << 2;
    v128.store(dx + at, v128.and(v128.load(g + at), f32x4.gt(v128.load(out + at), zero)));
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    store<f32>(dx + at, load<f32>(out + at) > 0 ? load<f32>(g + at) : 0);
  }
}
