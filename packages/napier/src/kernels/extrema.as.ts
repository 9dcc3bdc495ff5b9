// The first pass over a row: its extremes, and where the maximum stands.

/** the least entry of the row that range_f32 saw last, NaNs left out */
export let lowest: f32 = 0;

/** Largest entry that is not NaN, −∞ if none; leaves the least one in `lowest`. */
export function range_f32(x: usize, classes: i32): f32 {
  // pmax(a, b) and pmin(a, b) keep a where b is a NaN
  let m0 = f32x4.splat(-Infinity);
  let m1 = m0;
  let l0 = f32x4.splat(Infinity);
  let l1 = l0;
  let p = x;
  const end = x + (<usize>classes << 2);
  for (const last = x + (<usize>(classes & ~7) << 2); p < last; p += 32) {
    const a = v128.load(p);
    const b = v128.load(p, 16);
    m0 = f32x4.pmax(m0, a);
    m1 = f32x4.pmax(m1, b);
    l0 = f32x4.pmin(l0, a);
    l1 = f32x4.pmin(l1, b);
  }
  m0 = f32x4.pmax(m0, m1);
  l0 = f32x4.pmin(l0, l1);
  m0 = f32x4.pmax(m0, v128.shuffle<f32>(m0, m0, 2, 3, 2, 3));
  l0 = f32x4.pmin(l0, v128.shuffle<f32>(l0, l0, 2, 3, 2, 3));
  m0 = f32x4.pmax(m0, v128.shuffle<f32>(m0, m0, 1, 1, 1, 1));
  l0 = f32x4.pmin(l0, v128.shuffle<f32>(l0, l0, 1, 1, 1, 1));
  let best = f32x4.extract_lane(m0, 0);
  let least = f32x4.extract_lane(l0, 0);
  for (; p < end; p += 4) {
    const v = load<f32>(p);
    if (v > best) best = v;
    if (v < least) least = v;
  }
  lowest = least;
  return best;
}

/** Largest entry that is not NaN; −∞ if none. */
export function max_f64(x: usize, classes: i32): f64 {
  let m0 = f64x2.splat(-Infinity);
  let m1 = m0;
  let j = 0;
  for (; j <= classes - 4; j += 4) {
    const p = x + (<usize>j << 3);
    m0 = f64x2.pmax(m0, v128.load(p));
    m1 = f64x2.pmax(m1, v128.load(p, 16));
  }
  m0 = f64x2.pmax(m0, m1);
  let best = f64x2.extract_lane(m0, 0);
  const l1 = f64x2.extract_lane(m0, 1);
  if (l1 > best) best = l1;
  for (; j < classes; j++) {
    const v = load<f64>(x + (<usize>j << 3));
    if (v > best) best = v;
  }
  return best;
}

/** First class equal to `value`, which must be there. */
// @ts-ignore: decorator
@inline
export function first_f32(x: usize, value: f32, classes: i32): i32 {
  const wanted = f32x4.splat(value);
  let j = 0;
  for (; j <= classes - 16; j += 16) {
    const p = x + (<usize>j << 2);
    const a = v128.or(f32x4.eq(v128.load(p), wanted), f32x4.eq(v128.load(p, 16), wanted));
    const b = v128.or(f32x4.eq(v128.load(p, 32), wanted), f32x4.eq(v128.load(p, 48), wanted));
    if (v128.any_true(v128.or(a, b))) break;
  }
  while (load<f32>(x + (<usize>j << 2)) != value) j++;
  return j;
}

// @ts-ignore: decorator
@inline
export function first_f64(x: usize, value: f64, classes: i32): i32 {
  const wanted = f64x2.splat(value);
  let j = 0;
  for (; j <= classes - 4; j += 4) {
    const p = x + (<usize>j << 3);
    if (v128.any_true(v128.or(f64x2.eq(v128.load(p), wanted), f64x2.eq(v128.load(p, 16), wanted)))) break;
  }
  while (load<f64>(x + (<usize>j << 3)) != value) j++;
  return j;
}

