/** Makes docs/edges.md from the table that the tests run through every entry point. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BCE_TABLE, BINARY_TABLE, DIVERGENCES, LOSS_TABLE, MASK_TABLE, PICKED, TABLE } from "./edgetable.ts";
import { lsePart } from "./lsetable.ts";

const value = (x: number): string => (Object.is(x, -0) ? "−0" : String(x).replace("Infinity", "∞").replace("-", "−"));
const list = (xs: readonly number[]): string => `[${xs.map(value).join(", ")}]`;

export function edgesPage(): string {
  const rows = TABLE.map(
    ({ name, row, y, lse, softmax, logSoftmax, loss, grad }) =>
      `| ${name} | ${list(row)} | ${value(lse)} | ${list(softmax)} | ${list(logSoftmax)} | ${y} | ${value(loss)} | ${list(grad)} |`,
  );
  const given = (xs: readonly number[] | null): string => (xs === null ? "as ever" : list(xs));
  const one = (x: number | null): string => (x === null ? "as ever" : value(x));
  const picked = PICKED.map(
    ({ name, row, indices, logProbs, drawn, entropy, grad }) =>
      `| ${name} | ${list(row)} | ${list(indices)} | ${given(logProbs)} | ${one(drawn)} | ${one(entropy)} | ${list(grad)} |`,
  );
  const divergences = DIVERGENCES.map(
    ({ name, logProb, target, term, grad }) =>
      `| ${name} | ${value(logProb)} | ${value(target)} | ${value(term)} | ${value(grad)} |`,
  );
  const binary = BINARY_TABLE.map(
    ({ x, logSigmoid, log1pExp, log1mExp }) =>
      `| ${[x, ...logSigmoid, ...log1pExp, ...log1mExp].map(value).join(" | ")} |`,
  );
  const bce = BCE_TABLE.map((entry) => {
    const { weight = 1, posWeight = 1 } = entry as { weight?: number; posWeight?: number };
    return `| ${[entry.x, entry.t, weight, posWeight, entry.loss, entry.grad].map(value).join(" | ")} |`;
  });
  const losses = LOSS_TABLE.map(({ name, row, target, options = {}, loss, grad }) => {
    const given = Object.entries(options).map(([key, v]) => `${key} ${typeof v === "number" ? value(v) : list(v)}`);
    const y = typeof target === "number" ? value(target) : list(target);
    return `| ${name} | ${list(row)} | ${y} | ${given.join(", ")} | ${value(loss)} | ${list(grad)} |`;
  });
  const masks = MASK_TABLE.map(
    ({ name, row, mask, lse, softmax, logSoftmax }) =>
      `| ${name} | ${list(row)} | ${list(mask)} | ${value(lse)} | ${list(softmax)} | ${list(logSoftmax)} |`,
  );
  return `# Edges

Made by tools/edges.ts (npm run gen) from the table that packages/napier/test/edges.test.ts runs. Do not edit.

What a row with NaN, ±∞ or nothing in it gives. NaN comes before +∞, +∞ before −∞. Every line holds for number[], Float32Array and Float64Array, for a row alone, in a batch and along another axis, and with more classes at −∞; results
are compared with \`Object.is\`, so a zero is +0. A bad value is never an error.

| row | logits | logSumExp | softmax | logSoftmax | target | crossEntropy | gradient |
|---|---|---|---|---|---|---|---|
${rows.join("\n")}

- \`nllLoss(logSoftmax(x), y)\` and the loss of \`crossEntropyWithGrad\` are the column crossEntropy; \`logSumExpBackward(1, x)\` is the column softmax.
- An empty row: logSumExp −∞, softmax and logSoftmax [], crossEntropy an error ("at least 1 class"). No rows: a mean or sum of 0, empty gradients.
- A mean or sum over rows is NaN if one of its rows is, else +∞ if one is.
- \`logSoftmaxBackward\`: where the log-probability is −∞ the gradient passes unchanged; a NaN in dlogProbs makes its row NaN. \`softmaxBackward\`: p = 0 gives 0; a NaN makes its row NaN.
- \`logSumExpBackward\`: a dlse of ±∞ or NaN multiplies the softmax as it is rounded; 0·∞ is NaN.
- Results that underflow are +0: the winner of [0, −110] in f32 has log-probability 0, its gradient is 0.

## Masks

| row | logits | mask | logSumExp | softmax | logSoftmax |
|---|---|---|---|---|---|
${masks.join("\n")}

- The …Backward functions with a mask: what it leaves out has gradient 0, and no part in the sums of the rest.

## Picking and divergence

| row | logits | topLogProbs, indices | logProbs | sample | entropy | entropyBackward |
|---|---|---|---|---|---|---|
${picked.join("\n")}

- \`sample\`: −1 at temperature 0 and with filters too; a class of probability 0 is never drawn. \`topLogProbs\` and \`sample\` of no classes: an error ("at least 1 class"); entropy of an empty row: NaN.
- \`perplexity\` is e^loss: NaN and +∞ as the loss, 1 of no rows.

| klDiv | log-probability | target | term | klDivBackward |
|---|---|---|---|---|
${divergences.join("\n")}

- With \`logTarget\` a target of −∞ is a probability of 0. A negative target gives NaN. A sum or mean of no numbers is 0.

## Options of the losses

\`crossEntropy\` with "none", of probabilities \`softCrossEntropy\`, and the gradient; alone, in a batch and along another axis.

| row | logits | target | options | loss | gradient |
|---|---|---|---|---|---|
${losses.join("\n")}

- What is left out, a row that is ignored or masked whole, counts neither in a sum nor in what a mean divides by. Nothing that counts, or weights that sum to 0: a mean of 0, gradients of 0.
- A term whose target or weight is 0 adds nothing, at −∞ or masked, but a NaN in a row that counts stays NaN.

## Binary

Number by number, whatever stands beside it, and in every kind of array (in Float32Array the numbers are rounded). Gradients are those of …Backward for g = 1.

| x | logSigmoid | gradient | log1pExp | gradient | log1mExp | gradient |
|---|---|---|---|---|---|---|
${binary.join("\n")}

- An infinite g stays infinite at every finite x, however small the factor; at an infinite x a factor of 0 makes it NaN. g = 0 gives 0, but NaN for log1mExp at x = 0.

\`bceWithLogits\` with "none", and the gradient of \`bceWithLogitsWithGrad\`:

| x | target | weight | posWeight | loss | gradient |
|---|---|---|---|---|---|
${bce.join("\n")}

- 0·log 0 = 0: a term whose factor (weight·posWeight·t, or weight·(1 − t)) is 0 adds nothing, but NaN stays NaN. No numbers: a mean or sum of 0.

${lsePart(value, list)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(fileURLToPath(new URL("../../docs/edges.md", import.meta.url)), edgesPage());
}
