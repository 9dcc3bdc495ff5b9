/** How a learning rate goes over the steps of a training. */
export interface Schedule {
  readonly schedule: "constant" | "cosine";
  /** The largest rate. */
  readonly learningRate: number;
  /** Steps until it is reached, in a straight line from 0. */
  readonly warmup: number;
}

const HALF_PI = 1.5707963267948966;

/**
 * sin²(π·t/2) for t in [0, 1/2], z·(1 − z²/6 + … + z^16/17!) squared. What is left out is below 2^-63 of it. In parts of
 * 2^-53, z is within 2.4 of π·t/2, the sum within 1.5, their product 1 more; squared that is below 11.
 */
function squaredSine(t: number): number {
  const z = HALF_PI * t;
  const z2 = z * z;
  let sum = 1;
  for (let n = 17; n >= 3; n -= 2) sum = 1 - (z2 / (n * (n - 1))) * sum;
  return z * sum * (z * sum);
}

/** (1 + cos(π·k/n)) / 2 for k from 0 to n, within 12·2^-53 of it, near its zero too. */
export function cosineFall(k: number, n: number): number {
  return 2 * k <= n ? 1 - squaredSine(k / n) : squaredSine((n - k) / n);
}

/**
 * The rate of a step, 1 to `steps`: rate·step/warmup while it warms up; then the rate itself, or
 *
 *   rate·(1 + cos(π·k/(steps − warmup))) / 2 at the k-th step after that, k from 0
 *
 * as PyTorch's CosineAnnealingLR has it: the last step is not yet 0. A function of these numbers alone.
 */
export function learningRateAt(step: number, steps: number, { schedule, learningRate, warmup }: Schedule): number {
  if (step <= warmup) return (learningRate * step) / warmup;
  if (schedule === "constant") return learningRate;
  return learningRate * cosineFall(step - warmup - 1, steps - warmup);
}
