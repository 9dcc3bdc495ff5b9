// The k largest logits of a row, and the log-probabilities of given logits. A heap of k entries has the least of them at
// its root; sixteen entries of the row are compared with it at once, and few of a long row are above it: k·log(n / k) where
// the order is by chance. Heapify, replacements and the final sort are O(n log k) on any row.

import { lane, left, LOG_AT, MAXIMUM_AT, spill, SUM_AT } from "./four.as";
import { log1p_f64 } from "./log1p.as";
import { sum_many, total_high, total_low } from "./many.as";
import { FLAT } from "./near.as";
import { SHORT } from "./scratch.as";
import { four_rows, sum_short } from "./short.as";
import { fill_f32, fill_f64, log_prob, log_prob_of, logarithm } from "./softmax.as";
import { m, special, sum_f32, sum_f64 } from "./sum.as";

/** Whether the entry (v, i) stands behind (w, j): larger logits first, equal ones by index. */
// @ts-ignore: decorator
@inline
function is_behind<T>(v: T, i: i32, w: T, j: i32): bool {
  return v < w || (v == w && i > j);
}

/** Puts (v, i) into a heap of `count` entries whose place `at` is free, or below it. */
function sift<T>(values: usize, indices: usize, at: i32, count: i32, v: T, i: i32): void {
  while (true) {
    let child = 2 * at + 1;
    if (child >= count) break;
    let w = load<T>(values + <usize>child * sizeof<T>());
    let j = load<i32>(indices + (<usize>child << 2));
    if (child + 1 < count) {
      const w2 = load<T>(values + <usize>(child + 1) * sizeof<T>());
      const j2 = load<i32>(indices + (<usize>(child + 1) << 2));
      if (is_behind<T>(w2, j2, w, j)) {
        child++;
        w = w2;
        j = j2;
      }
    }
    if (!is_behind<T>(w, j, v, i)) break;
    store<T>(values + <usize>at * sizeof<T>(), w);
    store<i32>(indices + (<usize>at << 2), j);
    at = child;
  }
  store<T>(values + <usize>at * sizeof<T>(), v);
  store<i32>(indices + (<usize>at << 2), i);
}

/**
 * The k largest of a row, 1 ≤ k ≤ classes, descending, equal ones by index. False where the row has a NaN or +∞: then
 * values and indices hold anything.
 */
export function select<T>(values: usize, indices: usize, x: usize, k: i32, classes: i32): bool {
  // 1. the first k
  for (let j = 0; j < k; j++) {
    const v = load<T>(x + <usize>j * sizeof<T>());
    if (!(v < <T>Infinity)) return false;
    store<T>(values + <usize>j * sizeof<T>(), v);
    store<i32>(indices + (<usize>j << 2), j);
  }
  for (let at = (k >> 1) - 1; at >= 0; at--) {
    sift<T>(values, indices, at, k, load<T>(values + <usize>at * sizeof<T>()), load<i32>(indices + (<usize>at << 2)));
  }
  // 2. whatever is above the least of them takes its place; a NaN is not as small as the least either
  let j = k;
  let least = load<T>(values);
  let leasts = v128.splat<T>(least);
  const lanes = <i32>(16 / sizeof<T>());
  while (j < classes) {
    let end = classes;
    if (j + 4 * lanes <= classes) {
      const p = x + <usize>j * sizeof<T>();
      const a = v128.and(v128.le<T>(v128.load(p), leasts), v128.le<T>(v128.load(p, 16), leasts));
      const b = v128.and(v128.le<T>(v128.load(p, 32), leasts), v128.le<T>(v128.load(p, 48), leasts));
      if (i32x4.all_true(v128.and(a, b))) {
        j += 4 * lanes;
        continue;
      }
      end = j + 4 * lanes;
    }
    for (; j < end; j++) {
      const v = load<T>(x + <usize>j * sizeof<T>());
      if (v <= least) continue;
      if (!(v < <T>Infinity)) return false;
      sift<T>(values, indices, 0, k, v, j);
      least = load<T>(values);
    }
    leasts = v128.splat<T>(least);
  }
  // 3. in order: the least goes to the end of a heap that shrinks
  for (let last = k - 1; last > 0; last--) {
    const v = load<T>(values + <usize>last * sizeof<T>());
    const i = load<i32>(indices + (<usize>last << 2));
    store<T>(values + <usize>last * sizeof<T>(), load<T>(values));
    store<i32>(indices + (<usize>last << 2), load<i32>(indices));
    sift<T>(values, indices, 0, last, v, i);
  }
  return true;
}

// @ts-ignore: decorator
@inline
function top<T>(values: usize, indices: usize, x: usize, k: i32, rows: i32, classes: i32): void {
  for (let i = 0; i < rows; i++) {
    if (!select<T>(values, indices, x, k, classes)) {
      for (let j = 0; j < k; j++) store<i32>(indices + (<usize>j << 2), j);
    }
    values += <usize>k * sizeof<T>();
    indices += <usize>k << 2;
    x += <usize>classes * sizeof<T>();
  }
}

/** values[i, j] and indices[i, j]: the k largest of row i, descending; 0 … k − 1 where the row has a NaN or +∞. */
export function top_f32(values: usize, indices: usize, x: usize, k: i32, rows: i32, classes: i32): void {
  top<f32>(values, indices, x, k, rows, classes);
}

export function top_f64(values: usize, indices: usize, x: usize, k: i32, rows: i32, classes: i32): void {
  top<f64>(values, indices, x, k, rows, classes);
}

/** out[i, j] becomes the log-probability that a class of row i with the logit out[i, j] has: the bits of log_softmax. */
export function log_probs_of_f32(out: usize, x: usize, k: i32, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  const step = <usize>k << 2;
  const isShort = classes <= SHORT;
  for (let i = 0; i < rows; i += 4) {
    const count = min(4, rows - i);
    if (isShort) sum_short(four_rows(x, count, classes), classes, false);
    else sum_many(0, x, count, classes, false);
    spill(total_low, total_high);
    for (let r = 0, again = left; r < count; r++, x += bytes, out += step) {
      if ((again >> r) & 1) {
        const s = sum_f32(0, x, classes, false);
        if (special(s)) {
          fill_f32(out, NaN, k);
          continue;
        }
        logarithm(s, x, classes);
        for (let j = <usize>0; j < step; j += 4) store<f32>(out + j, log_prob(load<f32>(out + j)));
        continue;
      }
      const most = lane(MAXIMUM_AT, r);
      const l = lane(LOG_AT, r);
      const flat = lane(SUM_AT, r) >= FLAT;
      for (let j = <usize>0; j < step; j += 4) {
        const v = load<f32>(out + j);
        // short rows subtract twice (short.as.ts)
        store<f32>(out + j, isShort ? <f32>(<f64>v - most - l) + 0 : log_prob_of(v, most, l, flat));
      }
    }
  }
}

export function log_probs_of_f64(out: usize, x: usize, k: i32, rows: i32, classes: i32): void {
  const step = <usize>k << 3;
  for (let i = 0; i < rows; i++, x += <usize>classes << 3, out += step) {
    const s = sum_f64(0, x, classes, false);
    if (special(s)) {
      fill_f64(out, NaN, k);
      continue;
    }
    const l = log1p_f64(s);
    for (let j = <usize>0; j < step; j += 8) store<f64>(out + j, load<f64>(out + j) - m - l);
  }
}
