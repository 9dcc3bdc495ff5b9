// The family of linear layers and their training, with losses.as.ts. Kernels on rows as in core.as.ts.
export { column_sizes_f32, gradient_f32, gradient_of_sums_f32, gradient_sums_f32 } from "./gradients.as";
export { linear_f32, transpose_panels_f32 } from "./matmul.as";
export { move_rows_f32, relu_backward_f32, relu_f32, scale_rows_f32 } from "./rows.as";
export { adam_f32, adamw_f32, momentum_f32, nesterov_f32 } from "./optimizer.as";
export { scale_f32, square_sums_f32 } from "./clip.as";
export { regression_moments, regression_scratch_bytes, softmax_regression } from "./regression.as";
