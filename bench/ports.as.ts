// What the vector units of a machine can do at most: independent multiplications and additions, nothing to wait for.

/** 24 operations a step, half multiplications and half additions, in 12 chains. */
export function ports(steps: i32, factor: f32, term: f32): f32 {
  const f = f32x4.splat(factor);
  const t = f32x4.splat(term);
  let a0 = f;
  let a1 = f;
  let a2 = f;
  let a3 = f;
  let a4 = f;
  let a5 = f;
  let b0 = t;
  let b1 = t;
  let b2 = t;
  let b3 = t;
  let b4 = t;
  let b5 = t;
  for (let i = 0; i < steps; i++) {
    a0 = f32x4.mul(a0, f);
    b0 = f32x4.add(b0, t);
    a1 = f32x4.mul(a1, f);
    b1 = f32x4.add(b1, t);
    a2 = f32x4.mul(a2, f);
    b2 = f32x4.add(b2, t);
    a3 = f32x4.mul(a3, f);
    b3 = f32x4.add(b3, t);
    a4 = f32x4.mul(a4, f);
    b4 = f32x4.add(b4, t);
    a5 = f32x4.mul(a5, f);
    b5 = f32x4.add(b5, t);
    a0 = f32x4.mul(a0, f);
    b0 = f32x4.add(b0, t);
    a1 = f32x4.mul(a1, f);
    b1 = f32x4.add(b1, t);
    a2 = f32x4.mul(a2, f);
    b2 = f32x4.add(b2, t);
    a3 = f32x4.mul(a3, f);
    b3 = f32x4.add(b3, t);
    a4 = f32x4.mul(a4, f);
    b4 = f32x4.add(b4, t);
    a5 = f32x4.mul(a5, f);
    b5 = f32x4.add(b5, t);
  }
  const a = f32x4.add(f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)), f32x4.add(a4, a5));
  const b = f32x4.add(f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3)), f32x4.add(b4, b5));
  return f32x4.extract_lane(f32x4.add(a, b), 0);
}
