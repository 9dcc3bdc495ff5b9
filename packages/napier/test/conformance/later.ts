/** Cases that need what comes with "The whole surface", by file and by what they need. */
const LATER: Record<string, Record<string, string>> = {
  "onnx.json": {
    "an optimizer step as a function": `
      test_adam_multiple test_momentum test_momentum_multiple`,
    "class weights": `
      test_nllloss_NCd1d2_with_weight_reduction_mean test_nllloss_NCd1d2_with_weight_reduction_sum
      test_nllloss_NCd1d2d3d4d5_mean_weight test_sce_NCd1d2d3d4d5_mean_weight test_sce_mean_weight
      test_sce_mean_weight_log_prob test_sce_none_weights`,
    "class weights and ignoreIndex": `
      test_nllloss_NCd1_mean_weight_negative_ii test_nllloss_NCd1d2_with_weight_reduction_sum_ii
      test_nllloss_NCd1d2d3_sum_weight_high_ii test_sce_NCd1_mean_weight_negative_ii_log_prob
      test_sce_NCd1d2d3_sum_weight_high_ii test_sce_mean_weight_ii test_sce_mean_weight_ii_3d
      test_sce_mean_weight_ii_3d_log_prob`,
    ignoreIndex: `
      test_nllloss_NCd1d2d3_none_no_weight_negative_ii test_sce_NCd1d2d3_none_no_weight_negative_ii
      test_sce_NCd1d2d3_none_no_weight_negative_ii_log_prob test_sce_mean_no_weight_ii
      test_sce_mean_no_weight_ii_3d test_sce_mean_no_weight_ii_4d test_sce_mean_no_weight_ii_4d_log_prob
      test_sce_mean_no_weight_ii_log_prob`,
  },
  "torch.json": {
    mask: `
      masked.log_softmax#2 masked.log_softmax#8 masked.log_softmax#10 masked.log_softmax#11 masked.log_softmax#12
      masked.log_softmax#14 masked.log_softmax#15 masked.log_softmax#18 masked.log_softmax#20 masked.log_softmax#21
      masked.log_softmax#22 masked.softmax#4 masked.softmax#6 masked.softmax#8 masked.softmax#10 masked.softmax#11
      masked.softmax#12 masked.softmax#13 masked.softmax#17 masked.softmax#18 masked.softmax#19 masked.softmin#2
      masked.softmin#4 masked.softmin#6 masked.softmin#8 masked.softmin#10 masked.softmin#12 masked.softmin#13
      masked.softmin#14 masked.softmin#15 masked.softmin#17 masked.softmin#21 masked.softmin#24`,
    "class weights": `
      nn.functional.cross_entropy#15 nn.functional.nll_loss#2 nn.functional.nll_loss#11
      nn.functional.nll_loss#16 nn.functional.nll_loss#17 nn.functional.nll_loss#24 nn.functional.nll_loss#25
      nn.functional.nll_loss#29 nn.functional.nll_loss#30 nn.functional.nll_loss#31 nn.functional.nll_loss#35
      nn.functional.nll_loss#36 nn.functional.nll_loss#37 nn.functional.nll_loss#42 nn.functional.nll_loss#43
      nn.functional.nll_loss#48 nn.functional.nll_loss#49 nn.functional.nll_loss#50 nn.functional.nll_loss#55
      nn.functional.nll_loss#56 nn.functional.nll_loss#57`,
    "probability targets": `
      nn.functional.cross_entropy#2 nn.functional.cross_entropy#6 nn.functional.cross_entropy#8
      nn.functional.cross_entropy#10 nn.functional.cross_entropy#14 nn.functional.cross_entropy#16
      nn.functional.cross_entropy#18 nn.functional.cross_entropy#20`,
    ignoreIndex: `
      nn.functional.cross_entropy#21 nn.functional.nll_loss#5 nn.functional.nll_loss#7
      nn.functional.nll_loss#32 nn.functional.nll_loss#38 nn.functional.nll_loss#44 nn.functional.nll_loss#60
      nn.functional.nll_loss#61`,
    "class weights and ignoreIndex": `
      nn.functional.nll_loss#6 nn.functional.nll_loss#20 nn.functional.nll_loss#27 nn.functional.nll_loss#33
      nn.functional.nll_loss#39 nn.functional.nll_loss#45 nn.functional.nll_loss#52`,
  },
};

export function later(file: string): string[] {
  return Object.values(LATER[file] ?? {}).flatMap((names) => names.trim().split(/\s+/));
}
