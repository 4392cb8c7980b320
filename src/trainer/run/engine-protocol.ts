/** @file What the parent and the engine process say to each other. Typed arrays travel by structured clone. */

import type { LabelledTokens, TokenizedPair } from "../text/types.js";
import type {
  GenerateRequest,
  PlannedStep,
  PolicyInfo,
  PolicyOptions,
  SamplingOptions,
  StepOptions,
  TokenChunk,
  TrainBatch,
  Weights,
} from "./policy.js";

export type EngineCall =
  | { readonly method: "open"; readonly options: PolicyOptions }
  | { readonly method: "trainStep"; readonly batch: TrainBatch; readonly options: StepOptions }
  | { readonly method: "trainSteps"; readonly steps: readonly PlannedStep[] }
  | { readonly method: "scorePairs"; readonly pairs: readonly TokenizedPair[]; readonly weights: Weights }
  | { readonly method: "scoreTexts"; readonly texts: readonly LabelledTokens[]; readonly weights: Weights }
  | { readonly method: "markReference" }
  | {
      readonly method: "generate";
      readonly requests: readonly GenerateRequest[];
      readonly options: SamplingOptions;
      /** Whether somebody listens to each chunk. */
      readonly streams: boolean;
    }
  | { readonly method: "saveCheckpoint"; readonly directory: string; readonly state: Readonly<Record<string, unknown>> }
  | { readonly method: "loadCheckpoint"; readonly directory: string }
  | { readonly method: "saveAdapter"; readonly directory: string }
  | { readonly method: "loadAdapter"; readonly directory: string }
  | { readonly method: "resetOptimizer" }
  | { readonly method: "info" }
  | { readonly method: "stepCount" };

export type ToEngine =
  | { readonly kind: "call"; readonly id: number; readonly call: EngineCall }
  | { readonly kind: "cancel"; readonly id: number }
  /** One request of a call of `generate` has all it wanted. */
  | { readonly kind: "end"; readonly id: number; readonly request: number };

export type FromEngine =
  | { readonly kind: "result"; readonly id: number; readonly value: unknown; readonly info: PolicyInfo }
  | { readonly kind: "error"; readonly id: number; readonly message: string; readonly name: string }
  | { readonly kind: "tokens"; readonly id: number; readonly chunk: TokenChunk }
  | { readonly kind: "progress"; readonly id: number; readonly finished: number; readonly total: number };
