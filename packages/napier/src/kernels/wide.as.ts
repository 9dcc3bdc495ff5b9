// The family of what is computed in f64 lanes whatever comes in; loaded by the operations that use it. Kernels as in core.as.ts.
export { hard_targets_f64, soft_targets_f64, soft_loss_f64, soft_gradient_f64 } from "./softcrossentropy.as";
