/** What the kernels' modules export. */

type Both<Name extends string> = `${Name}_f32` | `${Name}_f64`;

/** Kernels over rows that do not depend on each other: (…areas, …numbers, rows, classes). */
export type RowKernel = CoreKernel | CommonKernel | WideKernel | OptimizerKernel;

type CoreKernel = Both<
  | "log_sum_exp"
  | "log_softmax"
  | "softmax"
  | "cross_entropy"
  | "cross_entropy_with_grad"
  | "log_sum_exp_backward"
  | "log_softmax_backward"
  | "softmax_backward"
  | "fill_masked"
  | "divide"
  | "top"
  | "log_probs_of"
>;

/** In both families. */
type CommonKernel = "widen_f32" | "narrow_f32" | "prepare_f64" | "log_probs_f64" | "probs_f64";

/** Kernels of f64 rows, whatever the caller's dtype. */
type WideKernel =
  | `kl_div${"" | "_log"}${"" | "_backward"}_f64`
  | `entropy${"" | "_backward"}_f64`
  | "narrow_rows_f32"
  | `${"log_sigmoid" | "log1p_exp" | "log1m_exp"}${"" | "_backward"}_f64`
  | `bce${"" | "_with_grad"}_f64`
  | "sample_f64"
  | `log_sum_exp_weighted${"" | "_backward"}_f64`
  | "nan_where_negative_f64"
  | "log_mean_exp_f64"
  | `log_add_exp${"" | "_backward"}_f64`
  | `log_cum_sum_exp${"" | "_backward"}_f64`
  | `${"hard" | "soft"}_targets_f64`
  | `soft_${"loss" | "gradient"}_f64`
  | `softcap${"" | "_backward"}_f64`;

/** Steps of an optimizer: (w, …state, gradient, …numbers, count); a number is a row of one class. */
type OptimizerKernel = `${"adam" | "adamw" | "momentum" | "nesterov"}_f32`;

/** The family fused: kernels on blocks of a product; what they return, if anything, their sources say. */
type FusedKernel =
  | Both<
      | `pack_${"lanes" | "columns" | "panels"}`
      | "clear_bad_rows"
      | "repeat_row"
      | `add_bad_${"row" | "sums"}`
      | "canonical"
      | "column_sums"
      | "dots"
      | "outer"
      | "sums_rows"
      | `${"sum" | "gradient"}_${"block" | "general"}`
      | "finish_blocks"
    >
  | "start_blocks"
  | "start_general"
  | "finish_general";

/** The exports that are called by name; addresses are in bytes. The kernels' sources say what each writes. */
interface Named {
  exp_f64(x: number): number;
  log_f64(x: number): number;
  linear_f32(
    out: number,
    x: number,
    w: number,
    bias: number,
    rows: number,
    inputs: number,
    panels: number,
    xStride: number,
    outStride: number,
  ): void;
  gradient_f32(
    dw: number,
    sums: number,
    g: number,
    x: number,
    counts: number,
    pieces: number,
    inputs: number,
    panels: number,
    gStride: number,
    xStride: number,
    cx: number,
    cg: number,
  ): void;
  gradient_sums_f32(
    sums: number,
    g: number,
    x: number,
    counts: number,
    pieces: number,
    inputs: number,
    panels: number,
    gStride: number,
    xStride: number,
    cx: number,
    cg: number,
  ): void;
  gradient_of_sums_f32(dw: number, sums: number, inputs: number, panels: number, cx: number, cg: number): void;
  column_sizes_f32(sizes: number, x: number, rows: number, columns: number, stride: number): void;
  transpose_panels_f32(wt: number, w: number, inputs: number, outputs: number): void;
  scale_rows_f32(
    out: number,
    x: number,
    center: number,
    factor: number,
    rows: number,
    features: number,
    stride: number,
  ): void;
  move_rows_f32(out: number, x: number, rows: number, columns: number, outStride: number, xStride: number): void;
  relu_f32(out: number, x: number, count: number): void;
  relu_backward_f32(dx: number, g: number, out: number, count: number): void;
  scale_f32(x: number, factor: number, count: number): void;
  square_sums_f32(out: number, x: number, count: number): void;
  softmax_regression(
    losses: number,
    sums: number,
    x: number,
    targets: number,
    weights: number,
    w: number,
    center: number,
    factor: number,
    shift: number,
    scratch: number,
    rows: number,
    inputs: number,
    classes: number,
  ): void;
  regression_scratch_bytes(inputs: number, classes: number): number;
  regression_moments(
    sizes: number,
    squares: number,
    totals: number,
    x: number,
    weights: number,
    center: number,
    factor: number,
    rows: number,
    inputs: number,
  ): void;
}

export type Kernels = Named &
  Record<RowKernel, (...args: number[]) => void> &
  Record<FusedKernel, (...args: number[]) => number>;
