export { type CalibrateOptions, type CalibrateReport, calibrate } from "./calibrate.ts";
export { type CheckOptions, check } from "./check.ts";
export type { CheckReport } from "./checkreport.ts";
export { type EvaluateOptions, type EvaluateReport, evaluate } from "./evaluate.ts";
export type { Findings } from "./findings.ts";
export { run } from "./main.ts";
export { type PredictOptions, predict } from "./predict.ts";
export { type Block, gather, openSource, type Source, type SourceOptions } from "./source.ts";
export { type TrainOptions, type TrainReport, train } from "./train.ts";
