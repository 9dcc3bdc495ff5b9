// Kullback and Leibler's divergence, term by term. Whatever comes in is followed where the formula
// leads, but a target of probability 0 adds 0.

import { clean, times_exp } from "./backward.as";
import { log1p_rest, log_f64 } from "./log1p.as";

/**
 * out[k] = t[k]·(log t[k] − x[k]), 0 where t is 0. The difference carries its rounding error and what the logarithm lost,
 * so that ≤ 1.5 ulp of the larger part are the logarithm's and the products'.
 */
export function kl_div_f64(out: usize, x: usize, t: usize, rows: i32, classes: i32): void {
  const end = (<usize>rows * <usize>classes) << 3;
  for (let k = <usize>0; k < end; k += 8) {
    const v = load<f64>(x + k);
    const p = load<f64>(t + k);
    let term: f64 = v == v ? 0.0 : NaN;
    if (p != 0.0) {
      const l = log_f64(p);
      const d = l - v;
      term = p * d;
      if (abs(term) < Infinity) {
        const back = l - d; // TwoDiff
        term += p * ((l - (d + back)) + (back - v) + log1p_rest);
      }
    }
    store<f64>(out + k, clean<f64>(term));
  }
}

/** out[k] = e^t[k]·(t[k] − x[k]), 0 where t is −∞. */
export function kl_div_log_f64(out: usize, x: usize, t: usize, rows: i32, classes: i32): void {
  const end = (<usize>rows * <usize>classes) << 3;
  for (let k = <usize>0; k < end; k += 8) {
    const v = load<f64>(x + k);
    const l = load<f64>(t + k);
    let term: f64 = v == v ? 0.0 : NaN;
    if (l != -Infinity) {
      const d = l - v;
      // 0 and ∞ are what the product would be, if e^l neither under- nor overflowed
      term = d == 0.0 || abs(d) == Infinity ? d : times_exp(d, l);
    }
    store<f64>(out + k, clean<f64>(term));
  }
}

/** dx[k] = −g[k]·t[k] */
export function kl_div_backward_f64(dx: usize, g: usize, t: usize, rows: i32, classes: i32): void {
  const end = (<usize>rows * <usize>classes) << 3;
  for (let k = <usize>0; k < end; k += 8) store<f64>(dx + k, clean<f64>(-(load<f64>(g + k) * load<f64>(t + k))));
}

/** dx[k] = −g[k]·e^t[k] */
export function kl_div_log_backward_f64(dx: usize, g: usize, t: usize, rows: i32, classes: i32): void {
  const end = (<usize>rows * <usize>classes) << 3;
  for (let k = <usize>0; k < end; k += 8) {
    const v = load<f64>(g + k);
    store<f64>(dx + k, clean<f64>(v == 0.0 ? 0.0 : -times_exp(v, load<f64>(t + k))));
  }
}
