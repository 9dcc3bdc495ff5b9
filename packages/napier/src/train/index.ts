export { type CalibrateOptions, type Calibration, calibrate } from "./calibrate.ts";
export { fit } from "./fit.ts";
export type { SampleWeight } from "./labelled.ts";
export type { Labels } from "./labels.ts";
export type { Layer } from "./layers.ts";
export type { Feature, Label, Matrix } from "./matrix.ts";
export { Model, type ModelParts, type ModelReliabilityOptions, type Scores } from "./model.ts";
export type { CheckpointOptions, FitData, FitOptions, FitSettings, Progress } from "./options.ts";
export { batchParts, gatherJson, ownBlocks, type Reducer } from "./reducer.ts";
export { type Reliability, type ReliabilityBin, type ReliabilityOptions, reliability } from "./reliability.ts";
export type { Scaling } from "./scale.ts";
export type { Score } from "./score.ts";
export { heldRows } from "./shuffle.ts";
export type { Block, Source } from "./source.ts";
export type { CheckpointStore } from "./store.ts";
export {
  type FoundTemperature,
  type TemperatureLimit,
  type TemperatureOptions,
  temperatureScaling,
} from "./temperature.ts";
export {
  type AdamOptions,
  type AdamState,
  type AdamWOptions,
  adam,
  adamW,
  type SgdOptions,
  type SgdState,
  sgd,
} from "./updates.ts";
