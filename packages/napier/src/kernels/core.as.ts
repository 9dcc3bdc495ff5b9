// The family that every program needs. Each kernel: (out, …inputs, …saved, …numbers, rows, classes), row-major, in elements
// of its dtype.
export { exp_f64 } from "./exp.as";
export { log_f64 } from "./log1p.as";
export { log_sum_exp_f32, log_sum_exp_f64 } from "./logsumexp.as";
export { log_softmax_f32, log_softmax_f64, softmax_f32, softmax_f64 } from "./softmax.as";
export {
  log_sum_exp_backward_f32, log_sum_exp_backward_f64,
  log_softmax_backward_f32, log_softmax_backward_f64,
  softmax_backward_f32, softmax_backward_f64,
} from "./backward.as";
export {
  cross_entropy_f32, cross_entropy_f64, cross_entropy_with_grad_f32, cross_entropy_with_grad_f64,
} from "./crossentropy.as";
export { linear_f32, linear_backward_weight_f32, transpose_panels_f32 } from "./matmul.as";
export { move_rows_f32, relu_backward_f32, relu_f32, scale_rows_f32 } from "./rows.as";
export { adamw_f32 } from "./optimizer.as";
export { divide_f32, divide_f64 } from "./tempered.as";
export { log_probs_of_f32, log_probs_of_f64, top_f32, top_f64 } from "./top.as";
