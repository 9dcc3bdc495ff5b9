// The family of what is computed in f64 lanes whatever comes in; loaded by the operations that use it. Kernels as in core.as.ts.
export { widen_f32, narrow_f32, narrow_rows_f32 } from "./convert.as";
export { log_add_exp_f64, log_add_exp_backward_f64 } from "./logaddexp.as";
export { log_cum_sum_exp_f64, log_cum_sum_exp_backward_f64 } from "./cumulative.as";
export { log_mean_exp_f64 } from "./logmeanexp.as";
export { log_sum_exp_weighted_f64, log_sum_exp_weighted_backward_f64, nan_where_negative_f64 } from "./weighted.as";
