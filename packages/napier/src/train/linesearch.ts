/** A point of the line: how far along it, the value there, and its derivative along the line. */
export interface Point {
  readonly length: number;
  readonly value: number;
  readonly slope: number;
}

/**
 * What a search ends with: "wolfe", a point that meets the conditions; "lower", one that is lower than the start, but
 * does not; "none", no lower point was found; "endless", the value falls as far as was looked.
 */
export type Found<P extends Point> =
  | { readonly kind: "wolfe" | "lower"; readonly point: P }
  | { readonly kind: "none" }
  | { readonly kind: "endless" };

/** The strong Wolfe conditions: value ≤ start + DECREASE·length·slope₀, and |slope| ≤ CURVATURE·|slope₀|. */
export const DECREASE = 1e-4;
export const CURVATURE = 0.9;

/**
 * Differences of values up to this part of the start's count as rounding noise: the slopes decide then (the approximate
 * Wolfe conditions of Hager & Zhang 2005, doi:10.1137/030601880; |slope| ≤ CURVATURE·|slope₀| implies theirs).
 */
export const NOISE = 1.4551915228366852e-11; // 2^-36

/** Most points of a search: with steps 10 times as long each, 10^20 of the first. */
export const TRIALS = 20;
/** How much longer a step may become at once, at least and at most. */
const LEAST_GROWTH = 1.1;
const MOST_GROWTH = 10;
/** A trial keeps this part of the interval away from its ends. */
const MARGIN = 0.1;
/** Two trials that leave more of the interval than this are followed by its middle. */
const SHRINK = 0.66;

const isUsable = ({ value, slope }: Point): boolean => Math.abs(value) < Infinity && Math.abs(slope) < Infinity;

/** Where the cubic through two points, with their slopes, is least; NaN where it has no minimum. */
function cubicMinimum(a: Point, b: Point): number {
  const chord = a.slope + b.slope - (3 * (a.value - b.value)) / (a.length - b.length);
  const size = Math.max(Math.abs(chord), Math.abs(a.slope), Math.abs(b.slope)); // its square may overflow
  const root = size * Math.sqrt((chord / size) * (chord / size) - (a.slope / size) * (b.slope / size));
  const signed = b.length > a.length ? root : -root;
  return b.length - ((b.length - a.length) * (b.slope + signed - chord)) / (b.slope - a.slope + 2 * signed);
}

/** Where the slope's chord through two points is 0. */
function secant(a: Point, b: Point): number {
  return a.length - (a.slope * (b.length - a.length)) / (b.slope - a.slope);
}

/** Beyond `low`, the last of the points so far, which all fall. */
function extrapolate(before: Point, low: Point, noise: number): number {
  const step = low.length - before.length;
  const guess = Math.abs(low.value - before.value) <= noise ? secant(before, low) : cubicMinimum(before, low);
  const most = low.length + (MOST_GROWTH - 1) * step;
  // a slope that does not flatten says nothing of where it ends
  if (!(guess > low.length)) return most;
  return Math.min(most, Math.max(guess, low.length + (LEAST_GROWTH - 1) * step));
}

/** Between the two ends of the interval. */
function interpolate(low: Point, high: Point, noise: number): number {
  const span = high.length - low.length;
  if (!isUsable(high)) return low.length === 0 ? MARGIN * span : low.length + span / 2;
  const guess = Math.abs(high.value - low.value) <= noise ? secant(low, high) : cubicMinimum(low, high);
  const part = (guess - low.length) / span;
  return (
    low.length + span * (part < MARGIN ? MARGIN : part < 1 - MARGIN ? part : part >= 1 - MARGIN ? 1 - MARGIN : 0.5)
  );
}

/**
 * Looks along a line for a point with the strong Wolfe conditions, from `start` (length 0, slope under 0), `first` tried
 * first. Brackets a minimum, then shrinks the interval by safeguarded cubic interpolation, as Nocedal & Wright's
 * algorithms 3.5 and 3.6 do; a value or slope that is NaN or ∞ ends the interval. `low` always is the start or a point
 * that is not above it; the interval between `low` and `high` has points that meet the conditions.
 */
export async function searchLine<P extends Point>(
  start: P,
  first: number,
  evaluate: (length: number) => Promise<P>,
): Promise<Found<P>> {
  const noise = NOISE * Math.abs(start.value);
  let low = start;
  let before = start;
  let high: P | undefined;
  let length = first;
  let width = Infinity;
  let widthBefore = Infinity;
  for (let trial = 0; trial < TRIALS; trial++) {
    const point = await evaluate(length);
    if (point.value === -Infinity) return { kind: "endless" };
    const rise = point.value - start.value;
    const falls = isUsable(point) && (rise <= DECREASE * length * start.slope || Math.abs(rise) <= noise);
    if (falls && Math.abs(point.slope) <= -CURVATURE * start.slope) return { kind: "wolfe", point };

    if (!falls || point.value > low.value + noise) {
      high = point;
    } else {
      const end = high ?? point;
      // the minimum is behind, not ahead
      if (point.slope * (end.length - low.length) >= 0) high = low;
      before = low;
      low = point;
    }
    if (high === undefined) {
      length = extrapolate(before, low, noise);
      continue;
    }
    const span = Math.abs(high.length - low.length);
    const isSlow = span > SHRINK * widthBefore;
    widthBefore = width;
    width = span;
    length = isSlow && isUsable(high) ? low.length + (high.length - low.length) / 2 : interpolate(low, high, noise);
    if (length === low.length || length === high.length) break; // nothing is between them
  }
  if (high === undefined) return { kind: "endless" };
  return low.value < start.value ? { kind: "lower", point: low } : { kind: "none" };
}
