// The family of what is computed in f64 lanes whatever comes in; loaded by the operations that use it. Kernels as in core.as.ts.
export { widen_f32, narrow_f32 } from "./convert.as";
export {
  bce_f64, bce_with_grad_f64,
  log1m_exp_f64, log1m_exp_backward_f64,
  log1p_exp_f64, log1p_exp_backward_f64,
  log_sigmoid_f64, log_sigmoid_backward_f64,
} from "./binary.as";
export { sample_f64 } from "./sample.as";
export { kl_div_backward_f64, kl_div_f64, kl_div_log_backward_f64, kl_div_log_f64 } from "./divergence.as";
export { entropy_backward_f64, entropy_f64 } from "./entropy.as";
