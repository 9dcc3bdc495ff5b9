// The family of a loss straight from a linear layer, with losses.as.ts.
export {
  pack_columns_f32, pack_columns_f64, pack_lanes_f32, pack_lanes_f64, pack_panels_f32, pack_panels_f64,
  clear_bad_rows_f32, clear_bad_rows_f64, repeat_row_f32, repeat_row_f64,
} from "./packing.as";
export {
  add_bad_row_f32, add_bad_row_f64, add_bad_sums_f32, add_bad_sums_f64, canonical_f32, canonical_f64,
  column_sums_f32, column_sums_f64, dots_f32, dots_f64, outer_f32, outer_f64, sums_rows_f32, sums_rows_f64,
} from "./products.as";
export {
  finish_blocks_f32, finish_blocks_f64, gradient_block_f32, gradient_block_f64, start_blocks, sum_block_f32, sum_block_f64,
} from "./blocks.as";
export {
  finish_general, gradient_general_f32, gradient_general_f64, start_general, sum_general_f32, sum_general_f64,
} from "./generalblocks.as";
