// The family that every program needs, with losses.as.ts. Each kernel: (out, …inputs, …saved, …numbers, rows, classes), row-major, in elements
// of its dtype.
export { log_sum_exp_f32, log_sum_exp_f64 } from "./logsumexp.as";
export {
  log_sum_exp_backward_f32, log_sum_exp_backward_f64,
  log_softmax_backward_f32, log_softmax_backward_f64,
  softmax_backward_f32, softmax_backward_f64,
} from "./backward.as";
export { divide_f32, divide_f64 } from "./tempered.as";
export { log_probs_of_f32, log_probs_of_f64, top_f32, top_f64 } from "./top.as";
