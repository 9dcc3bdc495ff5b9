// What the families core and linear have: a row of logits to its probabilities or their logarithms.
export { log_softmax_f32, log_softmax_f64, softmax_f32, softmax_f64 } from "./softmax.as";
