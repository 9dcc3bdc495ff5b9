import type { Exact } from "../../../napier/src/exact.ts";

const minus = (isNegative: boolean): string => (isNegative ? "−" : "");

/** n·2^e to so many significant decimal digits, the last one cut off, not rounded: more digits only make it longer. */
export function toDecimal({ n, e }: Exact, digits: number): string {
  if (n === 0n) return "0";
  const magnitude = n < 0n ? -n : n;
  // magnitude·2^e·10^places, for enough places
  const bits = magnitude.toString(2).length + e;
  const places = digits + 2 - Math.floor(bits * Math.LOG10E * Math.LN2);
  const scaled = places >= 0 ? magnitude * 10n ** BigInt(places) : magnitude / 10n ** BigInt(-places);
  const whole = (e >= 0 ? scaled << BigInt(e) : scaled >> BigInt(-e)).toString();
  const exponent = whole.length - 1 - places;
  const kept = whole.slice(0, digits);
  const trimmed = kept.replace(/0+$/, "");
  const sign = minus(n < 0n);
  if (exponent < -6 || exponent > 20) {
    return `${sign}${trimmed[0]}${trimmed.length > 1 ? `.${trimmed.slice(1)}` : ""}e${minus(exponent < 0)}${Math.abs(exponent)}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${trimmed}`;
  const fraction = kept.slice(exponent + 1).replace(/0+$/, "");
  return `${sign}${kept.slice(0, exponent + 1).padEnd(exponent + 1, "0")}${fraction === "" ? "" : `.${fraction}`}`;
}

/** As many digits as tell a format's numbers apart. */
const DIGITS = { f16: 5, bf16: 4, f32: 9, f64: 17 } as const;

export function formatNumber(x: number, format: keyof typeof DIGITS): string {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return `${minus(x < 0)}∞`;
  return String(Number(x.toPrecision(DIGITS[format]))).replaceAll("-", "−");
}
