/** @file The door of the run room. */

export { openPolicy } from "./engine.js";
export {
  availableMemory,
  estimateTrainingMemory,
  type MemoryEstimate,
  type RowSizes,
  type TrainingMemory,
} from "./memory-estimate.js";
export type {
  BaseModel,
  DeviceChoice,
  GenerateOptions,
  GenerateRequest,
  Generation,
  LossName,
  PairScore,
  PlannedStep,
  Policy,
  PolicyInfo,
  PolicyOptions,
  Precision,
  PrecisionChoice,
  ReplyScore,
  RolloutWeights,
  SamplingOptions,
  SamplingParameters,
  ScoreOptions,
  StepMetrics,
  StepOptions,
  TokenChunk,
  TrainBatch,
  Weights,
} from "./policy.js";
export { type RolloutGap, rolloutGap } from "./rollout-gap.js";
export { needsReference } from "./train-feeds.js";
export { baseModelOf, readAdapterSpec } from "./trained-files.js";
export { spanOver, withSpan } from "./with-span.js";
