/** @file The door of the run room. */
export { openPolicy } from "./engine.js";
export type {
  GenerateOptions,
  GenerateRequest,
  Generation,
  PairScore,
  Policy,
  PolicyInfo,
  PolicyOptions,
  ReplyScore,
  SamplingOptions,
  StepMetrics,
  StepOptions,
  TrainBatch,
} from "./policy.js";
