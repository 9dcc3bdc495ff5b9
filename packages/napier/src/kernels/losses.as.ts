// Losses of rows of logits, of the families core, linear and fused.
export {
  cross_entropy_f32, cross_entropy_f64, cross_entropy_with_grad_f32, cross_entropy_with_grad_f64,
} from "./crossentropy.as";
export { exp_f64 } from "./exp.as";
export { log_f64 } from "./log1p.as";
