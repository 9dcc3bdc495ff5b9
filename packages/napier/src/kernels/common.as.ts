// The kernels that both families have.
export { fill_masked_f32, fill_masked_f64 } from "./mask.as";
export { widen_f32, narrow_f32 } from "./convert.as";
export { prepare_f64, log_probs_f64, probs_f64 } from "./tempered.as";
