// Numbers v·2^n, for products and quotients that are in range where their parts are not. One number at a time.

import { mantissa, power, times_power } from "./parts.as";

/** The number: scaled_part·2^scale_of. The part stays near 1, or is 0. */
export let scaled_part: f64 = 0;
export let scale_of: i32 = 0;

/** v·2^n; v finite, here and below */
export function set_scaled(v: f64, n: i32): void {
  scaled_part = 0;
  scale_of = 0;
  if (v == 0.0) return;
  scaled_part = mantissa(v);
  scale_of = n + power;
}

export function multiply(v: f64): void {
  if (v == 0.0 || scaled_part == 0.0) {
    scaled_part = 0;
    return;
  }
  scaled_part *= mantissa(v);
  scale_of += power;
}

/** v is not 0. */
export function divide(v: f64): void {
  if (scaled_part == 0.0) return;
  scaled_part /= mantissa(v);
  scale_of -= power;
}

/** Adds v·2^n: at the larger scale, where what falls below f64 is nothing beside the other. */
export function plus(v: f64, n: i32): void {
  if (v == 0.0) return;
  if (scaled_part == 0.0) {
    scaled_part = v;
    scale_of = n;
  } else if (n > scale_of) {
    scaled_part = times_power(scaled_part, scale_of - n) + v;
    scale_of = n;
  } else scaled_part += times_power(v, n - scale_of);
}

/** As an f64, rounded once. */
export function scaled_value(): f64 {
  return times_power(scaled_part, scale_of);
}
