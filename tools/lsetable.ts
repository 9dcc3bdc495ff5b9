const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];

/** A row under weights: logSumExp with returnSign (without it a negative sign makes the value NaN), the gradient of a dlse of 1. */
export const WEIGHTED = [
  { name: "weight 0 at a NaN", row: [nan, 5], weights: [0, 1], value: 5, sign: 1, grad: [0, 1] },
  { name: "weight 0 at +∞", row: [inf, 5], weights: [0, 1], value: 5, sign: 1, grad: [0, 1] },
  { name: "NaN in the row", row: [nan, inf], weights: [1, 1], value: nan, sign: nan, grad: [nan, nan] },
  { name: "+∞, weight above 0", row: [inf, 0], weights: [2, -1], value: inf, sign: 1, grad: [nan, nan] },
  { name: "+∞, weight below 0", row: [inf, 0], weights: [-2, 1], value: inf, sign: -1, grad: [nan, nan] },
  { name: "+∞ under both signs", row: [inf, inf], weights: [1, -1], value: nan, sign: nan, grad: [nan, nan] },
  { name: "all −∞", row: [-inf, -inf], weights: [1, -1], value: -inf, sign: 0, grad: [nan, nan] },
  { name: "some −∞", row: [-inf, 5], weights: [3, -1], value: 5, sign: -1, grad: [0, 1] },
  { name: "a sum of 0", row: [5, 5], weights: [1, -1], value: -inf, sign: 0, grad: [nan, nan] },
  { name: "all weights 0", row: [1, nan], weights: [0, -0], value: -inf, sign: 0, grad: [0, 0] },
  { name: "a weight of −∞", row: [1, 2, -inf], weights: [-inf, 1, inf], value: inf, sign: -1, grad: [nan, nan, nan] },
  { name: "−0 and ones", row: [-0, -inf], weights: [1, 1], value: 0, sign: 1, grad: [1, 0] },
] as const;

/** Two numbers: logAddExp(a, b), and its gradients for a dout of 1. */
export const PAIRS = [
  { name: "NaN", a: nan, b: 0, lae: nan, da: nan, db: nan },
  { name: "NaN beside +∞", a: inf, b: nan, lae: nan, da: nan, db: nan },
  { name: "+∞", a: inf, b: 0, lae: inf, da: nan, db: nan },
  { name: "+∞ twice", a: inf, b: inf, lae: inf, da: nan, db: nan },
  { name: "+∞ and −∞", a: -inf, b: inf, lae: inf, da: nan, db: nan },
  { name: "−∞", a: -inf, b: 5, lae: 5, da: 0, db: 1 },
  { name: "−∞ twice", a: -inf, b: -inf, lae: -inf, da: nan, db: nan },
  { name: "far apart", a: 5000, b: -5000, lae: 5000, da: 1, db: 0 },
  { name: "−0 and −∞", a: -0, b: -inf, lae: 0, da: 1, db: 0 },
] as const;

/** A row and its logCumSumExp, and its gradient for a dout of ones. */
export const RUNNING = [
  { name: "NaN in the row", row: [5, nan, 0], out: [5, nan, nan], grad: [nan, nan, nan] },
  { name: "+∞ in the row", row: [5, inf, 0], out: [5, inf, inf], grad: [nan, nan, nan] },
  { name: "NaN after +∞", row: [inf, nan, 0], out: [inf, nan, nan], grad: [nan, nan, nan] },
  { name: "+∞ after NaN", row: [nan, inf, 0], out: [nan, nan, nan], grad: [nan, nan, nan] },
  { name: "all −∞", row: [-inf, -inf], out: [-inf, -inf], grad: [nan, nan] },
  { name: "−∞ first", row: [-inf, 5, -inf], out: [-inf, 5, 5], grad: [nan, 2, 0] },
  { name: "overflow and underflow of e^x", row: [-1000, 0, 1000], out: [-1000, 0, 1000], grad: [1, 1, 1] },
  { name: "one class, −0", row: [-0], out: [0], grad: [1] },
] as const;

/** The log-sum-exp family's part of docs/edges.md. */
export function lsePart(value: (x: number) => string, list: (xs: readonly number[]) => string): string {
  const weighted = WEIGHTED.map(
    ({ name, row, weights, value: sum, sign, grad }) =>
      `| ${name} | ${list(row)} | ${list(weights)} | ${value(sum)} | ${value(sign)} | ${list(grad)} |`,
  );
  const pairs = PAIRS.map(
    ({ name, a, b, lae, da, db }) => `| ${name} | ${[a, b, lae, da, db].map(value).join(" | ")} |`,
  );
  const running = RUNNING.map(({ name, row, out, grad }) => `| ${name} | ${[row, out, grad].map(list).join(" | ")} |`);
  return `## Log-sum-exp

\`logMeanExp\` is the column logSumExp above where that is NaN or ±∞. A row that is masked whole gives −∞ in both, and gradients of 0.

| row under weights | logits | weights | logSumExp | sign | gradient |
|---|---|---|---|---|---|
${weighted.join("\n")}

- Without \`returnSign\` a negative sum is NaN. The gradient is logSumExpBackward's for a dlse of 1.

| two numbers | a | b | logAddExp | da | db |
|---|---|---|---|---|---|
${pairs.join("\n")}

- The gradients are logAddExpBackward's for a dout of 1; a and b can change places.

| row | logits | logCumSumExp | gradient |
|---|---|---|---|
${running.join("\n")}

- The gradient is logCumSumExpBackward's for a dout of ones. With \`reverse\` the same holds from the last class on.
`;
}
