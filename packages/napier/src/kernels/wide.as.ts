// The family of what is computed in f64 lanes whatever comes in; loaded by the operations that use it. Kernels as in core.as.ts.
export { narrow_rows_f32 } from "./convert.as";
export { hard_targets_f64, soft_targets_f64, soft_loss_f64, soft_gradient_f64 } from "./softcrossentropy.as";
export { softcap_f64, softcap_backward_f64 } from "./softcap.as";
export {
  bce_f64, bce_with_grad_f64,
  log1m_exp_f64, log1m_exp_backward_f64,
  log1p_exp_f64, log1p_exp_backward_f64,
  log_sigmoid_f64, log_sigmoid_backward_f64,
} from "./binary.as";
export { sample_f64 } from "./sample.as";
export { kl_div_backward_f64, kl_div_f64, kl_div_log_backward_f64, kl_div_log_f64 } from "./divergence.as";
export { entropy_backward_f64, entropy_f64 } from "./entropy.as";
export { log_add_exp_f64, log_add_exp_backward_f64 } from "./logaddexp.as";
export { log_cum_sum_exp_f64, log_cum_sum_exp_backward_f64 } from "./cumulative.as";
export { log_mean_exp_f64 } from "./logmeanexp.as";
export { log_sum_exp_weighted_f64, log_sum_exp_weighted_backward_f64, nan_where_negative_f64 } from "./weighted.as";
