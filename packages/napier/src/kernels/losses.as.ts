// The kernels that the families core and linear have: a row of logits to what is wanted of it.
export { log_softmax_f32, log_softmax_f64, softmax_f32, softmax_f64 } from "./softmax.as";
export {
  cross_entropy_f32, cross_entropy_f64, cross_entropy_with_grad_f32, cross_entropy_with_grad_f64,
} from "./crossentropy.as";
export { exp_f64 } from "./exp.as";
export { log_f64 } from "./log1p.as";
