// One class of each row, drawn by a number from 0 to 1. All sums run over the classes in one order, so that the same
// number draws the same class everywhere.

import { exp_any_f64 } from "./exp.as";
import { first_f64, max_f64 } from "./extrema.as";
import { select } from "./top.as";

/** How many classes are sorted first to find the nucleus; eight times as many where they do not reach it. */
const FIRST: i32 = 64;

function has_nan(x: usize, classes: i32): bool {
  for (let j = 0; j < classes; j++) {
    const v = load<f64>(x + (<usize>j << 3));
    if (v != v) return true;
  }
  return false;
}

/** From here on a difference that overflows may matter: below, it is more than 2^64 times T, and e^ of it 0. */
const HUGE: f64 = 9.745314011399999e288; // 2^960

/** weights[j] = e^((x[j] − m) / T), 1 at the maximum; a NaN stays one. */
function weigh(weights: usize, x: usize, m: f64, temperature: f64, classes: i32): void {
  // of huge logits x − m may overflow where (x − m) / T does not; both halves are exact there, and T is not subnormal
  const part = f64x2.splat(temperature > HUGE ? 0.5 : 1.0);
  const mm = f64x2.mul(f64x2.splat(m), part);
  const t = f64x2.mul(f64x2.splat(temperature), part);
  const whole = <usize>(classes & ~1) << 3;
  for (let k = <usize>0; k < whole; k += 16) {
    v128.store(weights + k, exp_any_f64(f64x2.div(f64x2.sub(f64x2.mul(v128.load(x + k), part), mm), t)));
  }
  if (classes & 1) {
    const d = f64x2.div(f64x2.sub(f64x2.mul(v128.load64_splat(x + whole), part), mm), t);
    store<f64>(weights + whole, f64x2.extract_lane(exp_any_f64(d), 0));
  }
}

/** Makes weights[j] 0 where x[j] stands behind (least, last), larger logits first and equal ones by index. */
function keep(weights: usize, x: usize, least: f64, last: i32, classes: i32): void {
  for (let j = 0; j < classes; j++) {
    const v = load<f64>(x + (<usize>j << 3));
    if (v < least || (v == least && j > last)) store<f64>(weights + (<usize>j << 3), 0);
  }
}

/** The first class up to which the weights add up to more than `target`; −1 if they do not. Leaves the sum in `total`. */
function reach(weights: usize, target: f64, classes: i32): i32 {
  let sum: f64 = 0;
  for (let j = 0; j < classes; j++) {
    sum += load<f64>(weights + (<usize>j << 3));
    if (sum > target) return j;
  }
  total = sum;
  return -1;
}

let total: f64 = 0;

/** Of the k largest, in their order, how many weigh at least `target` together; 0 if all of them do not. */
function nucleus(weights: usize, indices: usize, target: f64, k: i32): i32 {
  let sum: f64 = 0;
  for (let n = 0; n < k; n++) {
    sum += load<f64>(weights + (<usize>load<i32>(indices + (<usize>n << 2)) << 3));
    if (sum >= target) return n + 1;
  }
  return 0;
}

/** Keeps the weights of the k largest, then of the smallest set of the largest that weighs topP of what is left. */
function filter(
  weights: usize, values: usize, indices: usize, x: usize, k: i32, topP: f64, classes: i32,
): void {
  if (k < classes) {
    select<f64>(values, indices, x, k, classes);
    keep(weights, x, load<f64>(values + (<usize>(k - 1) << 3)), load<i32>(indices + (<usize>(k - 1) << 2)), classes);
  }
  if (topP == 1.0) return;
  reach(weights, Infinity, classes);
  const target = topP * total;
  let tried = k < classes ? k : min(k, FIRST);
  while (true) {
    select<f64>(values, indices, x, tried, classes);
    const n = nucleus(weights, indices, target, tried) - 1;
    if (n >= 0) {
      keep(weights, x, load<f64>(values + (<usize>n << 3)), load<i32>(indices + (<usize>n << 2)), classes);
      return;
    }
    // where rounding keeps all of them under the target, all are kept
    if (tried == k) return;
    tried = tried > k >> 3 ? k : tried << 3;
  }
}

/**
 * out[i]: the class drawn from row i by u[i], 0 ≤ u < 1; −1 where the row has a NaN or +∞, or nothing but −∞. Temperature 0
 * is the first maximum. values and indices have room for the classes where topK < classes or topP < 1.
 */
export function sample_f64(
  out: usize, x: usize, u: usize, weights: usize, values: usize, indices: usize,
  temperature: f64, topK: i32, topP: f64, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, x += bytes, out += 4, u += 8) {
    let drawn = -1;
    const m = max_f64(x, classes);
    if (abs(m) < Infinity && !has_nan(x, classes)) {
      if (temperature == 0.0) {
        drawn = first_f64(x, m, classes);
      } else {
        weigh(weights, x, m, temperature, classes);
        if (topK < classes || topP < 1.0) filter(weights, values, indices, x, topK, topP, classes);
        reach(weights, Infinity, classes);
        // u·total rounds to less than the total, so a class is found; one of weight 0 never takes the sum over it
        drawn = reach(weights, load<f64>(u) * total, classes);
      }
    }
    store<i32>(out, drawn);
  }
}
