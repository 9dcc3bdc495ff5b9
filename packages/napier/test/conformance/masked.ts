/** Cases with rows that are masked whole: NaN in PyTorch, by our contract probabilities of 0. All else in them is compared. */
const MASKED_WHOLE: Record<string, string> = {
  "torch.json": `
      masked.log_softmax#8 masked.log_softmax#10 masked.log_softmax#11 masked.log_softmax#12
      masked.log_softmax#14 masked.softmax#6 masked.softmax#8 masked.softmax#10 masked.softmax#11
      masked.softmax#12 masked.softmax#13 masked.softmin#6 masked.softmin#8 masked.softmin#10
      masked.softmin#12 masked.softmin#13 masked.softmin#14`,
};

export function maskedWhole(file: string): string[] {
  return (MASKED_WHOLE[file] ?? "").split(/\s+/).filter((name) => name !== "");
}
