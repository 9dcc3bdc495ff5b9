// The family of what is computed in f64 lanes whatever comes in; loaded by the operations that use it. Kernels as in core.as.ts.
export { widen_f32, narrow_f32 } from "./convert.as";
export { sample_f64 } from "./sample.as";
