/** Cases that need what comes with "The whole surface", by file and by what they need. */
const LATER: Record<string, Record<string, string>> = {
  "onnx.json": {
    "an optimizer step as a function": `
      test_adam_multiple test_momentum test_momentum_multiple`,
  },
  "torch.json": {
    mask: `
      masked.log_softmax#2 masked.log_softmax#8 masked.log_softmax#10 masked.log_softmax#11 masked.log_softmax#12
      masked.log_softmax#14 masked.log_softmax#15 masked.log_softmax#18 masked.log_softmax#20 masked.log_softmax#21
      masked.log_softmax#22 masked.softmax#4 masked.softmax#6 masked.softmax#8 masked.softmax#10 masked.softmax#11
      masked.softmax#12 masked.softmax#13 masked.softmax#17 masked.softmax#18 masked.softmax#19 masked.softmin#2
      masked.softmin#4 masked.softmin#6 masked.softmin#8 masked.softmin#10 masked.softmin#12 masked.softmin#13
      masked.softmin#14 masked.softmin#15 masked.softmin#17 masked.softmin#21 masked.softmin#24`,
  },
};

/** Cases that the core refuses on purpose: a class weight below 0, of which PyTorch's samples have many. */
const REFUSED: Record<string, string> = {
  "torch.json": `
      nn.functional.cross_entropy#15 nn.functional.cross_entropy#18 nn.functional.cross_entropy#16
      nn.functional.cross_entropy#20 nn.functional.nll_loss#16 nn.functional.nll_loss#43
      nn.functional.nll_loss#50 nn.functional.nll_loss#11 nn.functional.nll_loss#37 nn.functional.nll_loss#31
      nn.functional.nll_loss#55 nn.functional.nll_loss#39 nn.functional.nll_loss#20 nn.functional.nll_loss#2
      nn.functional.nll_loss#33 nn.functional.nll_loss#6 nn.functional.nll_loss#35 nn.functional.nll_loss#52
      nn.functional.nll_loss#45 nn.functional.nll_loss#25 nn.functional.nll_loss#27 nn.functional.nll_loss#57`,
};

export function refused(file: string): string[] {
  return (REFUSED[file] ?? "").split(/\s+/).filter((name) => name !== "");
}

export function later(file: string): string[] {
  return Object.values(LATER[file] ?? {}).flatMap((names) => names.trim().split(/\s+/));
}
