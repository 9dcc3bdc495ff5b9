export { fit } from "./fit.ts";
export type { Labels } from "./labels.ts";
export type { Layer } from "./layers.ts";
export type { Feature, Label, Matrix } from "./matrix.ts";
export { Model, type ModelParts, type Scores } from "./model.ts";
export type { FitData, FitOptions, FitSettings, Progress } from "./options.ts";
export type { Scaling } from "./scale.ts";
export type { Score } from "./score.ts";
export type { Block, Source } from "./source.ts";
export type { CheckpointStore } from "./store.ts";
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
