// The family of what is computed in f64 lanes whatever comes in; loaded by the operations that use it. Kernels as in core.as.ts.
export { hard_targets_f64, soft_targets_f64, soft_loss_f64, soft_gradient_f64 } from "./softcrossentropy.as";
export { softcap_f64, softcap_backward_f64 } from "./softcap.as";
export {
  bce_f64, bce_with_grad_f64,
  log1m_exp_f64, log1m_exp_backward_f64,
  log1p_exp_f64, log1p_exp_backward_f64,
  log_sigmoid_f64, log_sigmoid_backward_f64,
} from "./binary.as";
export { sample_f64 } from "./sample.as";
