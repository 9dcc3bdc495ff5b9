// As blocks.as.ts, for what crossEntropy computes in f64: labelSmoothing, zLoss, softcap, temperature, huge weights. The
// numbers of softcap.as.ts, tempered.as.ts and softcrossentropy.as.ts, to the bit; a block has a multiple of 4 classes, all but
// the last. A row is read for its maximum, for its sums, and for its gradient.

import { widen_f32, narrow_f32 } from "./convert.as";
import { first_f64, max_f64 } from "./extrema.as";
import { fill_masked_f64 } from "./mask.as";
import { softcap_backward_f64, softcap_f64 } from "./softcap.as";
import { fill_f64 } from "./softmax.as";
import { soft_gradient_f64, store_loss, target_sums } from "./softcrossentropy.as";
import { AT as RECORD_AT, differences, store_left_out, store_record } from "./tempered.as";

const RECORD: usize = 256;
// at 0 the record of tempered.as.ts, 64 bytes
/** i32, as in blocks.as.ts; TAKEN counts the classes that the mask keeps */
const STATE: usize = 64;
const TARGET: usize = 68;
const AT: usize = 72;
const TAKEN: usize = 76;
/** f64 */
const MAXIMUM: usize = 80;
/** the target of the class left out */
const WINNER: usize = 88;
const LOSS: usize = 96;
const LSE: usize = 104;
/** the sums so far of `differences` and of `target_sums`, 64 bytes each */
const SUMS: usize = 128;
const TARGETS: usize = 192;

const SCAN: i32 = 0;
const SUM: i32 = 1;
const DONE: i32 = 2;

export function start_general(records: usize, targets: usize, rows: i32): void {
  memory.fill(records, 0, <usize>rows * RECORD);
  for (let i = 0; i < rows; i++, records += RECORD, targets += 4) {
    store<i32>(records, load<i32>(targets), TARGET);
    store<f64>(records, -Infinity, MAXIMUM);
  }
}

// What the kernels scribble on: rows of a block in f64, the last number of each for a class that is not in the block.
let capped: usize = 0;
let d: usize = 0;
let e: usize = 0;
let t: usize = 0;

// @ts-ignore: decorator
@inline
function set_room(room: usize, classes: i32): void {
  const bytes = (<usize>classes + 2) << 3;
  capped = room + bytes;
  d = capped + bytes;
  e = d + bytes;
  t = e + bytes;
}

/** A row of a block in f64, and capped; returns where the latter is. */
// @ts-ignore: decorator
@inline
function logits<T>(room: usize, x: usize, mask: usize, cap: f64, classes: i32): usize {
  if (sizeof<T>() == 4) widen_f32(room, x, 1, classes);
  else memory.copy(room, x, <usize>classes << 3);
  const out = cap == 0.0 ? room : capped;
  if (cap != 0.0) softcap_f64(capped, room, cap, 1, classes);
  fill_masked_f64(out, mask, -Infinity, 1, classes);
  return out;
}

/** Effective targets: w[j]·((1 − smoothing)·[j = y] + smoothing / taken, where the mask keeps j) */
// @ts-ignore: decorator
@inline
function hard_targets(target: i32, weights: usize, mask: usize, smoothing: f64, taken: i32, classes: i32): void {
  const each = smoothing == 0.0 || taken == 0 ? 0.0 : smoothing / <f64>taken;
  if (each == 0.0) memory.fill(t, 0, <usize>classes << 3);
  else {
    for (let j = 0; j < classes; j++) {
      const k = <usize>j << 3;
      store<f64>(t + k, load<u8>(mask + j) == 0 ? 0.0 : load<f64>(weights + k) * each);
    }
  }
  if (<u32>target >= <u32>classes) return;
  const own = 1.0 - smoothing + (load<u8>(mask + target) == 0 ? 0.0 : each);
  const k = <usize>target << 3;
  store<f64>(t + k, load<f64>(weights + k) * own);
}

/** d, e and t of a row of a block, and their sums where `sums` asks for them. */
function spread(
  record: usize, x: usize, mask: usize, weights: usize, smoothing: f64, temperature: f64, first: i32, classes: i32, sums: bool,
): void {
  const m = load<f64>(record, MAXIMUM);
  const at = <u32>(load<i32>(record, AT) - first);
  const inside = at < <u32>classes;
  const slot = (inside ? <usize>at : <usize>classes) << 3;
  if (inside) f64.store(x + slot, -Infinity);
  differences(d, e, x, m, temperature, classes, record + SUMS, sums);
  store_left_out(d + slot, e + slot);
  hard_targets(load<i32>(record, TARGET) - first, weights, mask, smoothing, load<i32>(record, TAKEN), classes);
  if (!sums) return;
  if (inside) {
    store<f64>(record, load<f64>(t + slot), WINNER);
    store<f64>(t + slot, 0);
  }
  target_sums(d, t, classes, record + TARGETS, true);
}

// @ts-ignore: decorator
@inline
function sum_general<T>(
  records: usize, x: usize, mask: usize, weights: usize, room: usize, cap: f64, smoothing: f64, temperature: f64,
  first: i32, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes * sizeof<T>();
  set_room(room, classes);
  for (let i = 0; i < rows; i++, records += RECORD, x += bytes, mask += classes) {
    const state = load<i32>(records, STATE);
    if (state == DONE) continue;
    const row = logits<T>(room, x, mask, cap, classes);
    if (state == SUM) {
      spread(records, row, mask, weights, smoothing, temperature, first, classes, true);
      continue;
    }
    const most = max_f64(row, classes);
    if (most > load<f64>(records, MAXIMUM)) {
      store<f64>(records, most, MAXIMUM);
      store<i32>(records, first + first_f64(row, most, classes), AT);
    }
    let taken = load<i32>(records, TAKEN);
    for (let j = 0; j < classes; j++) taken += load<u8>(mask + j);
    store<i32>(records, taken, TAKEN);
  }
}

/** After all blocks of the rows; returns how many rows are to be read again. */
export function finish_general(records: usize, temperature: f64, rows: i32): i32 {
  let again = 0;
  for (let i = 0; i < rows; i++, records += RECORD) {
    const m = load<f64>(records, MAXIMUM);
    const state = load<i32>(records, STATE);
    if (state == SCAN && abs(m) < Infinity) {
      store<i32>(records, SUM, STATE);
      again++;
      continue;
    }
    if (state == DONE) continue;
    store<i32>(records, DONE, STATE);
    if (state == SUM) {
      const biased = differences(d, e, 0, m, temperature, 0, records + SUMS, true);
      store_record(records, biased, m, load<i32>(records, AT), temperature);
      const s = load<f64>(records, 8);
      if (s == s) {
        target_sums(0, 0, 0, records + TARGETS, true);
        store_loss(records + LOSS, records + LSE, records, load<f64>(records, WINNER));
        continue;
      }
    }
    for (let n: usize = 0; n < 64; n += 8) store<f64>(records + n, NaN);
    store<f64>(records, NaN, LOSS);
    store<f64>(records, NaN, LSE);
  }
  return again;
}

// @ts-ignore: decorator
@inline
function gradient_general<T>(
  dx: usize, x: usize, records: usize, mask: usize, weights: usize, room: usize, cap: f64, smoothing: f64, temperature: f64,
  divisor: f64, count: f64, zLoss: f64, first: i32, rows: i32, classes: i32,
): void {
  const bytes = <usize>classes * sizeof<T>();
  set_room(room, classes);
  for (let i = 0; i < rows; i++, records += RECORD, x += bytes, dx += bytes, mask += classes) {
    if (!(abs(load<f64>(records, MAXIMUM)) < Infinity)) fill_f64(e, NaN, classes);
    else {
      const row = logits<T>(room, x, mask, cap, classes);
      spread(records, row, mask, weights, smoothing, temperature, first, classes, false);
      const at = <u32>(load<i32>(records, AT) - first);
      store<f64>(records, at < <u32>classes ? <f64>at : <f64>classes, RECORD_AT);
      soft_gradient_f64(e, e, t, records, divisor, count, zLoss, temperature, 1, classes);
      if (cap != 0.0) softcap_backward_f64(e, room, cap, 1, classes);
    }
    fill_masked_f64(e, mask, 0, 1, classes);
    if (sizeof<T>() == 4) narrow_f32(dx, e, 1, classes);
    else memory.copy(dx, e, bytes);
  }
}

export function sum_general_f32(
  records: usize, x: usize, mask: usize, weights: usize, room: usize, cap: f64, smoothing: f64, temperature: f64,
  first: i32, rows: i32, classes: i32,
): void {
  sum_general<f32>(records, x, mask, weights, room, cap, smoothing, temperature, first, rows, classes);
}

export function sum_general_f64(
  records: usize, x: usize, mask: usize, weights: usize, room: usize, cap: f64, smoothing: f64, temperature: f64,
  first: i32, rows: i32, classes: i32,
): void {
  sum_general<f64>(records, x, mask, weights, room, cap, smoothing, temperature, first, rows, classes);
}

export function gradient_general_f32(
  dx: usize, x: usize, records: usize, mask: usize, weights: usize, room: usize, cap: f64, smoothing: f64, temperature: f64,
  divisor: f64, count: f64, zLoss: f64, first: i32, rows: i32, classes: i32,
): void {
  gradient_general<f32>(
    dx, x, records, mask, weights, room, cap, smoothing, temperature, divisor, count, zLoss, first, rows, classes,
  );
}

export function gradient_general_f64(
  dx: usize, x: usize, records: usize, mask: usize, weights: usize, room: usize, cap: f64, smoothing: f64, temperature: f64,
  divisor: f64, count: f64, zLoss: f64, first: i32, rows: i32, classes: i32,
): void {
  gradient_general<f64>(
    dx, x, records, mask, weights, room, cap, smoothing, temperature, divisor, count, zLoss, first, rows, classes,
  );
}
