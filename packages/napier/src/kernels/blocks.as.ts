// Cross-entropy and its gradient of rows that come in blocks of classes, hard targets: the numbers of crossentropy.as.ts for
// more than SHORT classes, to the bit. A block has a multiple of 16 classes, all but the last. What is known of a row, and
// what is to be found out next, stands in its record; a row is read from first to last class for each of these:
//   f32  SCAN the extremes, and Σ e^x as long as that is in range (many.as.ts); most rows are done then
//        NEAR, FAR the sum that sum.as.ts takes, the maximum left out; WIDE the sum of a winner on the brink again
//   f64  SCAN the maximum; FAR the sum without it
// and once more for its gradient.

import { EXP_F32, REDUCTION, REDUCTION_F32, EXP2 } from "./coefficients.as";
import { exp2_biased, exp_biased_f64, exp_f64, F32 as F32_WIDE, LOW, MAGIC, ONE, unbiased, UNBIAS_F32, UNBIAS_F64 } from "./exp.as";
import { first_f32, first_f64, lowest, max_f64, range_f32 } from "./extrema.as";
import { lane, left, LOG_AT, MAXIMUM_AT, spill, SUM_AT, TOTAL_AT } from "./four.as";
import { log1p_f64 } from "./log1p.as";
import { conclude_many, total_high, total_low } from "./many.as";
import {
  brink, exp_f32, F32, FILLED, FLAT, is_near, LEAST, shift_of, sum_plain_on, sum_shifted_on, sum_shifted_stored,
  sum_stored, UNSHIFTED,
} from "./near.as";
import { EXTREMES } from "./scratch.as";
import { fill_f32, fill_f64, log_prob_of, scale_f32, scale_stored_f64 } from "./softmax.as";
import { biased_sum, exponentials_far, exponentials_f64, special, sum_far_on, sum_on_f64, sum_wide_on_f32 } from "./sum.as";

const RECORD: usize = 128;
/** what is to be found out next (i32), and how the exponentials of the gradient are taken */
const STATE: usize = 0;
const KIND: usize = 4;
/** i32 */
const TARGET: usize = 8;
/** the class left out (i32) */
const AT: usize = 12;
/** f64, f32, f64: the maximum, the least logit, the target's */
const MAXIMUM: usize = 16;
const LOWEST: usize = 24;
const LOGIT: usize = 32;
/** what the gradient is multiplied by */
const SCALE: usize = 40;
/** the sum so far, 64 bytes; of the WIDE sum the first half, for the gradient's numbers are known by then */
const SUMS: usize = 48;
/** what a stored exponential is multiplied by, and the gradients of the class left out and of the target */
const FACTOR: usize = 80;
const TOP: usize = 88;
const OWN: usize = 96;
/** the results: f64, and f32 as −log_softmax has it */
const LOSS: usize = 112;
const ROUNDED: usize = 120;

const SCAN: i32 = 0;
const NEAR: i32 = 1;
const FAR: i32 = 2;
const WIDE: i32 = 3;
const DONE: i32 = 4;
/** KIND besides NEAR and FAR: e^x of the whole row, as in many.as.ts; a row of NaN */
const MANY: i32 = 5;
const NONE: i32 = 6;

/** Records of rows of which nothing is known but their targets and scales. */
export function start_blocks(records: usize, targets: usize, scales: usize, rows: i32): void {
  memory.fill(records, 0, <usize>rows * RECORD);
  for (let i = 0; i < rows; i++, records += RECORD, targets += 4, scales += 8) {
    store<i32>(records, load<i32>(targets), TARGET);
    store<f64>(records, load<f64>(scales), SCALE);
    store<f64>(records, -Infinity, MAXIMUM);
    store<f32>(records, Infinity, LOWEST);
  }
}

/** What is next for a row, with a sum that starts from nothing. */
// @ts-ignore: decorator
@inline
function go_on(record: usize, state: i32): void {
  store<i32>(record, state, STATE);
  memory.fill(record + SUMS, 0, state == WIDE ? 32 : 64);
}

// @ts-ignore: decorator
@inline
function set_nan(record: usize): void {
  store<i32>(record, DONE, STATE);
  store<i32>(record, NONE, KIND);
  store<f64>(record, NaN, LOSS);
  store<f32>(record, <f32>NaN, ROUNDED);
}

/** Adds a block, classes from `first` on, to what its rows' records hold. */
export function sum_block_f32(records: usize, x: usize, first: i32, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, records += RECORD, x += bytes) {
    const state = load<i32>(records, STATE);
    const sums = records + SUMS;
    if (state == SCAN) {
      const most = <f64>range_f32(x, classes);
      let largest = load<f64>(records, MAXIMUM);
      if (most > largest) {
        largest = most;
        store<f64>(records, most, MAXIMUM);
        store<i32>(records, first + first_f32(x, <f32>most, classes), AT);
      }
      const least = min(load<f32>(records, LOWEST), lowest);
      store<f32>(records, least, LOWEST);
      const target = <u32>(load<i32>(records, TARGET) - first);
      if (target < <u32>classes) store<f64>(records, <f64>load<f32>(x + (<usize>target << 2)), LOGIT);
      if (largest <= <f64>UNSHIFTED && least >= LEAST) sum_plain_on(sums, x, classes);
      continue;
    }
    const m = load<f64>(records, MAXIMUM);
    const at = <u32>(load<i32>(records, AT) - first);
    const hole = x + (<usize>at << 2);
    const shift = shift_of(<f32>m);
    if (at < <u32>classes) f32.store(hole, state == NEAR ? shift + LEAST : -Infinity);
    if (state == WIDE) sum_wide_on_f32(sums, x, classes, m);
    else if (state == FAR) sum_far_on(sums, x, classes, m);
    else if (shift == 0.0) sum_plain_on(sums, x, classes);
    else sum_shifted_on(sums, x, classes, shift);
    if (at < <u32>classes) f32.store(hole, <f32>m);
  }
}

/** e^x as a near row has it in its lanes */
function exp_lane(x: f32): f32 {
  const e = exp_f32(
    f32x4.splat(x),
    v128.load32_splat(REDUCTION_F32), v128.load32_splat(REDUCTION_F32, 4), v128.load32_splat(REDUCTION_F32, 8),
    v128.load32_splat(F32), v128.load32_splat(F32, 4),
    v128.load32_splat(EXP_F32), v128.load32_splat(EXP_F32, 4), v128.load32_splat(EXP_F32, 8),
    v128.load32_splat(EXP_F32, 12), v128.load32_splat(EXP_F32, 16),
  );
  return f32x4.extract_lane(e, 0);
}

/** e^(x − m)·2^127 as a far row stores it */
function exp_lane_far(x: f64, m: f64): f32 {
  const e = exp2_biased(
    f64x2.mul(f64x2.splat(x - m), v128.load64_splat(REDUCTION)),
    v128.load64_splat(F32_WIDE, LOW), v128.load64_splat(F32_WIDE, MAGIC), v128.load64_splat(F32_WIDE, ONE),
    v128.load64_splat(EXP2, 0), v128.load64_splat(EXP2, 8), v128.load64_splat(EXP2, 16),
    v128.load64_splat(EXP2, 24), v128.load64_splat(EXP2, 32), v128.load64_splat(EXP2, 40),
  );
  return f32x4.extract_lane(f32x4.demote_f64x2_zero(e), 0);
}

/** The loss of a row whose l is known. */
// @ts-ignore: decorator
@inline
function store_losses(record: usize, l: f64, flat: bool): void {
  const m = load<f64>(record, MAXIMUM);
  const xy = load<f64>(record, LOGIT);
  store<i32>(record, DONE, STATE);
  store<f64>(record, l - (xy - m), LOSS);
  store<f32>(record, <f32>0 - log_prob_of(<f32>xy, m, l, flat), ROUNDED);
}

/** A row that was summed with others: lane r of conclude_many. */
// @ts-ignore: decorator
@inline
function settle_many(record: usize, r: i32): void {
  const total = lane(TOTAL_AT, r);
  const others = total - <f64>exp_lane(<f32>load<f64>(record, LOGIT));
  const factor = load<f64>(record, SCALE) / total;
  store<i32>(record, MANY, KIND);
  store<f64>(record, factor, FACTOR);
  store<f64>(record, -others * factor, OWN);
  store_losses(record, lane(LOG_AT, r), lane(SUM_AT, r) >= FLAT);
}

/** A row by its s = Σ e^(x − m) without the maximum, and the unit of its exponentials. */
function settle(record: usize, s: f64, unit: f64, kind: i32): void {
  const m = load<f64>(record, MAXIMUM);
  if (!(s < Infinity)) return set_nan(record);
  const target = load<i32>(record, TARGET);
  const xy = load<f64>(record, LOGIT);
  let others = s;
  if (target != load<i32>(record, AT)) {
    const e = kind == NEAR ? exp_lane(<f32>xy - shift_of(<f32>m)) : exp_lane_far(xy, m);
    others = 1.0 + (s - <f64>e * unit);
  }
  const c = load<f64>(record, SCALE) / (1.0 + s);
  store<i32>(record, kind, KIND);
  store<f64>(record, c * unit, FACTOR);
  store<f64>(record, c, TOP);
  store<f64>(record, -others * c, OWN);
  const flat = kind == NEAR && s >= FLAT;
  const l = log1p_f64(s);
  if (kind == NEAR && !flat && brink(l)) return go_on(record, WIDE);
  store_losses(record, l, flat);
}

/** A row of which all blocks were summed: its results, or what is next. */
function finish_f32(record: usize): void {
  const state = load<i32>(record, STATE);
  const m = load<f64>(record, MAXIMUM);
  const sums = record + SUMS;
  if (state == SCAN) {
    if (!(abs(m) < Infinity)) return set_nan(record);
    go_on(record, is_near(<f32>m, load<f32>(record, LOWEST), shift_of(<f32>m)) ? NEAR : FAR);
  } else if (state == NEAR) {
    const sum = sum_plain_on(sums, 0, 0);
    if (sum < FILLED) return go_on(record, FAR);
    const unit = shift_of(<f32>m) == 0.0 ? exp_f64(-m) : 1.0;
    settle(record, unit * sum, unit, NEAR);
  } else if (state == FAR) settle(record, sum_far_on(sums, 0, 0, m), UNBIAS_F32, FAR);
  else if (state == WIDE) store_losses(record, log1p_f64(sum_wide_on_f32(sums, 0, 0, m)), false);
}

/** After all blocks of the rows, `classes` in all; returns how many rows are to be read again. */
export function finish_blocks_f32(records: usize, rows: i32, classes: i32): i32 {
  let again = 0;
  for (let i = 0; i < rows; i += 4, records += 4 * RECORD) {
    const count = min(4, rows - i);
    let many = 0;
    for (let r = 0; r < 4; r++) {
      const record = records + <usize>r * RECORD;
      let largest: f32 = 0;
      let total: f64 = 1;
      if (r < count && load<i32>(record, STATE) == SCAN) {
        const m = <f32>load<f64>(record, MAXIMUM);
        if (abs(m) <= UNSHIFTED && load<f32>(record, LOWEST) >= LEAST) {
          largest = m;
          total = sum_plain_on(record + SUMS, 0, 0);
          many |= 1 << r;
        }
      }
      f32.store(EXTREMES + (<usize>r << 2), largest);
      f64.store(EXTREMES + 32 + (<usize>r << 3), total);
    }
    conclude_many(0, classes);
    spill(total_low, total_high);
    many &= ~left;
    for (let r = 0; r < count; r++) {
      const record = records + <usize>r * RECORD;
      if ((many >> r) & 1) settle_many(record, r);
      else finish_f32(record);
      if (load<i32>(record, STATE) != DONE) again++;
    }
  }
  return again;
}

/** dx[i, j] = scale[i]·(softmax(x)[i, j] − [j = y[i]]) for a block of finished rows; dx must not be x */
export function gradient_block_f32(dx: usize, x: usize, records: usize, first: i32, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  for (let i = 0; i < rows; i++, records += RECORD, x += bytes, dx += bytes) {
    const kind = load<i32>(records, KIND);
    const m = load<f64>(records, MAXIMUM);
    if (kind == NONE) {
      fill_f32(dx, NaN, classes);
      continue;
    }
    const shift = shift_of(<f32>m);
    if (kind == FAR) exponentials_far(dx, x, classes, m);
    else if (kind == MANY || shift == 0.0) sum_stored(dx, x, classes);
    else sum_shifted_stored(dx, x, classes, shift);
    scale_f32(dx, dx, load<f64>(records, FACTOR), classes);
    const at = <u32>(load<i32>(records, AT) - first);
    if (kind != MANY && at < <u32>classes) store<f32>(dx + (<usize>at << 2), <f32>load<f64>(records, TOP) + 0);
    const target = <u32>(load<i32>(records, TARGET) - first);
    if (target < <u32>classes) store<f32>(dx + (<usize>target << 2), <f32>load<f64>(records, OWN) + 0);
  }
}

export function sum_block_f64(records: usize, x: usize, first: i32, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, records += RECORD, x += bytes) {
    const state = load<i32>(records, STATE);
    const m = load<f64>(records, MAXIMUM);
    if (state == SCAN) {
      const most = max_f64(x, classes);
      if (most > m) {
        store<f64>(records, most, MAXIMUM);
        store<i32>(records, first + first_f64(x, most, classes), AT);
      }
      const target = <u32>(load<i32>(records, TARGET) - first);
      if (target < <u32>classes) store<f64>(records, load<f64>(x + (<usize>target << 3)), LOGIT);
    } else if (state == FAR) {
      const at = <u32>(load<i32>(records, AT) - first);
      const hole = x + (<usize>at << 3);
      if (at < <u32>classes) f64.store(hole, -Infinity);
      sum_on_f64(records + SUMS, x, classes, m);
      if (at < <u32>classes) f64.store(hole, m);
    }
  }
}

/** As finish_f32. */
function finish_f64(record: usize): void {
  const state = load<i32>(record, STATE);
  const m = load<f64>(record, MAXIMUM);
  if (state == SCAN) {
    if (!(abs(m) < Infinity)) set_nan(record);
    else go_on(record, FAR);
    return;
  }
  if (state != FAR) return;
  const s = sum_on_f64(record + SUMS, 0, 0, m);
  if (special(s)) return set_nan(record);
  const biased = biased_sum;
  const xy = load<f64>(record, LOGIT);
  const isTop = load<i32>(record, TARGET) == load<i32>(record, AT);
  const e = f64x2.extract_lane(exp_biased_f64(f64x2.splat(xy), f64x2.splat(m), false), 0);
  const others = isTop ? s : 1.0 + (s - e * UNBIAS_F64);
  const c = load<f64>(record, SCALE) / (1.0 + s);
  store<i32>(record, FAR, KIND);
  store<f64>(record, c, FACTOR);
  store<f64>(record, c, TOP);
  // a sum that may be subnormal keeps its digits times 2^960; c there is the scale itself
  store<f64>(record, isTop && s < 1e-290 ? unbiased(biased, -c) : -others * c, OWN);
  store<i32>(record, DONE, STATE);
  store<f64>(record, log1p_f64(s) - (xy - m), LOSS);
}

export function finish_blocks_f64(records: usize, rows: i32, _classes: i32): i32 {
  let again = 0;
  for (let i = 0; i < rows; i++, records += RECORD) {
    finish_f64(records);
    if (load<i32>(records, STATE) != DONE) again++;
  }
  return again;
}

export function gradient_block_f64(dx: usize, x: usize, records: usize, first: i32, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 3;
  for (let i = 0; i < rows; i++, records += RECORD, x += bytes, dx += bytes) {
    if (load<i32>(records, KIND) == NONE) {
      fill_f64(dx, NaN, classes);
      continue;
    }
    exponentials_f64(dx, x, classes, load<f64>(records, MAXIMUM));
    scale_stored_f64(dx, dx, load<f64>(records, FACTOR), classes);
    const at = <u32>(load<i32>(records, AT) - first);
    if (at < <u32>classes) store<f64>(dx + (<usize>at << 3), load<f64>(records, TOP) + 0);
    const target = <u32>(load<i32>(records, TARGET) - first);
    if (target < <u32>classes) store<f64>(dx + (<usize>target << 3), load<f64>(records, OWN) + 0);
  }
}
