// What the products of products.as.ts read: rows of numbers as they come, packed so that a tile reads one stream.
//   lanes    [rows / group][steps][group][LANES]  a step is one vector of each row of a group; LANES = 16 / sizeof<T>
//   panels   [columns / width][rows][width]
// What they fill up is 0.

// @ts-ignore: decorator
@inline
export function up(count: usize, step: usize): usize {
  return (count + step - 1) / step * step;
}

/** Rows of n numbers, which follow each other, into lanes of `group` rows; `first` rows, a multiple of group, stand in out already. */
// @ts-ignore: decorator
@inline
function pack_lanes<T>(out: usize, x: usize, first: i32, rows: i32, n: i32, group: i32): void {
  const bytes = <usize>n * sizeof<T>();
  const whole = bytes & ~15;
  const space = <usize>group << 4;
  const groupBytes = (up(bytes, 16) >> 4) * space;
  const end = (rows + group - 1) / group * group;
  for (let i = 0; i < end; i++) {
    const at = first + i;
    let o = out + <usize>(at / group) * groupBytes + (<usize>(at % group) << 4);
    let a = x + <usize>i * bytes;
    if (i >= rows) {
      for (let k: usize = 0; k < bytes; k += 16, o += space) v128.store(o, v128.splat<T>(0));
      continue;
    }
    for (const last = a + whole; a < last; a += 16, o += space) v128.store(o, v128.load(a));
    if (whole == bytes) continue;
    v128.store(o, v128.splat<T>(0));
    memory.copy(o, a, bytes - whole);
  }
}

/** Two columns of LANES rows, from the vectors of those rows: the first two, or of f32 also the last two. */
// @ts-ignore: decorator
@inline
function store_pair<T>(out: usize, a: v128, b: v128, c: v128, d: v128, isLast: bool): void {
  if (sizeof<T>() == 8) {
    v128.store(out, v128.shuffle<f64>(a, b, 0, 2));
    v128.store(out, v128.shuffle<f64>(a, b, 1, 3), 16);
    return;
  }
  const u = isLast ? v128.shuffle<f32>(a, b, 2, 6, 3, 7) : v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const v = isLast ? v128.shuffle<f32>(c, d, 2, 6, 3, 7) : v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  v128.store(out, v128.shuffle<f64>(u, v, 0, 2));
  v128.store(out, v128.shuffle<f64>(u, v, 1, 3), 16);
}

/**
 * The columns of rows of n numbers, which follow each other, into lanes of two columns: LANES rows side by side. `first` rows
 * of `total`, a multiple of LANES, stand in out already.
 */
// @ts-ignore: decorator
@inline
function pack_columns<T>(out: usize, x: usize, first: i32, rows: i32, total: i32, n: i32): void {
  const lanes = 16 / <i32>sizeof<T>();
  const bytes = <usize>n * sizeof<T>();
  const pairBytes = up(<usize>total * sizeof<T>(), 16) << 1;
  for (let i = 0; i < rows; i += lanes, x += bytes * <usize>lanes) {
    let o = out + (<usize>((first + i) / lanes) << 5);
    let k = 0;
    if (rows - i >= lanes) {
      const x1 = x + bytes;
      const x2 = sizeof<T>() == 4 ? x1 + bytes : x;
      const x3 = sizeof<T>() == 4 ? x2 + bytes : x;
      for (; k + lanes <= n; k += lanes, o += pairBytes * <usize>(lanes >> 1)) {
        const at = <usize>k * sizeof<T>();
        const a = v128.load(x + at);
        const b = v128.load(x1 + at);
        const c = v128.load(x2 + at);
        const d = v128.load(x3 + at);
        store_pair<T>(o, a, b, c, d, false);
        if (sizeof<T>() == 4) store_pair<T>(o + pairBytes, a, b, c, d, true);
      }
    }
    for (; k < n; k += 2, o += pairBytes) {
      for (let l = 0; l < lanes; l++) {
        const from = x + <usize>l * bytes + <usize>k * sizeof<T>();
        const at = o + <usize>l * sizeof<T>();
        const inside = i + l < rows;
        store<T>(at, inside ? load<T>(from) : <T>0);
        store<T>(at, inside && k + 1 < n ? load<T>(from, sizeof<T>()) : <T>0, 16);
      }
    }
  }
}

/** Rows of n numbers, which follow each other, into panels of `width` bytes, a multiple of 16, of `rows` rows each. */
// @ts-ignore: decorator
@inline
function pack_panels<T>(out: usize, x: usize, rows: i32, n: i32, width: usize): void {
  const bytes = <usize>n * sizeof<T>();
  const panelBytes = <usize>rows * width;
  for (let i = 0; i < rows; i++, out += width) {
    let o = out;
    const a = x + <usize>i * bytes;
    let k: usize = 0;
    for (; k + width <= bytes; k += width, o += panelBytes) {
      for (let part: usize = 0; part < width; part += 16) v128.store(o + part, v128.load(a + k + part));
    }
    if (k == bytes) continue;
    memory.fill(o, 0, width);
    memory.copy(o, a + k, bytes - k);
  }
}

/** `rows` times the row of `columns` numbers at x */
// @ts-ignore: decorator
@inline
function repeat_row<T>(out: usize, x: usize, rows: i32, columns: i32): void {
  const bytes = <usize>columns * sizeof<T>();
  for (let i = 0; i < rows; i++, out += bytes) memory.copy(out, x, bytes);
}

/**
 * Of rows of n numbers, those that have a NaN or an infinity: a 1 each in `bad`, else a 0, and 0 in all their numbers. Returns
 * how many. 0 times them would be NaN, where a class of a row that is left out must add nothing.
 */
// @ts-ignore: decorator
@inline
function clear_bad_rows<T>(bad: usize, x: usize, rows: i32, n: i32): i32 {
  const bytes = <usize>n * sizeof<T>();
  let count = 0;
  for (let i = 0; i < rows; i++, x += bytes, bad++) {
    let s = v128.splat<T>(0);
    let k: usize = 0;
    for (; k + 16 <= bytes; k += 16) s = v128.add<T>(s, v128.mul<T>(v128.load(x + k), v128.splat<T>(0)));
    let isBad = v128.any_true(v128.ne<T>(s, s));
    for (; k < bytes; k += sizeof<T>()) {
      const v = load<T>(x + k) * <T>0;
      if (v != v) isBad = true;
    }
    store<u8>(bad, isBad ? 1 : 0);
    if (!isBad) continue;
    memory.fill(x, 0, bytes);
    count++;
  }
  return count;
}

export function pack_lanes_f32(out: usize, x: usize, first: i32, rows: i32, n: i32, group: i32): void {
  pack_lanes<f32>(out, x, first, rows, n, group);
}

export function pack_lanes_f64(out: usize, x: usize, first: i32, rows: i32, n: i32, group: i32): void {
  pack_lanes<f64>(out, x, first, rows, n, group);
}

export function pack_columns_f32(out: usize, x: usize, first: i32, rows: i32, total: i32, n: i32): void {
  pack_columns<f32>(out, x, first, rows, total, n);
}

export function pack_columns_f64(out: usize, x: usize, first: i32, rows: i32, total: i32, n: i32): void {
  pack_columns<f64>(out, x, first, rows, total, n);
}

export function pack_panels_f32(out: usize, x: usize, rows: i32, n: i32, width: usize): void {
  pack_panels<f32>(out, x, rows, n, width);
}

export function pack_panels_f64(out: usize, x: usize, rows: i32, n: i32, width: usize): void {
  pack_panels<f64>(out, x, rows, n, width);
}

export function repeat_row_f32(out: usize, x: usize, rows: i32, columns: i32): void {
  repeat_row<f32>(out, x, rows, columns);
}

export function repeat_row_f64(out: usize, x: usize, rows: i32, columns: i32): void {
  repeat_row<f64>(out, x, rows, columns);
}

export function clear_bad_rows_f32(bad: usize, x: usize, rows: i32, n: i32): i32 {
  return clear_bad_rows<f32>(bad, x, rows, n);
}

export function clear_bad_rows_f64(bad: usize, x: usize, rows: i32, n: i32): i32 {
  return clear_bad_rows<f64>(bad, x, rows, n);
}
