/** @file The door of the trainer. */
export { type CheckpointDir, expectedTensors, type ModelConfig, openCheckpointDir, writeModelDir } from "./checkpoint/index.js";
export { LORA_TARGETS, type LoraSpec, type TrainableSpec } from "./model/index.js";
export {
  type GenerateOptions,
  type GenerateRequest,
  type Generation,
  openPolicy,
  type PairScore,
  type Policy,
  type PolicyInfo,
  type PolicyOptions,
  type ReplyScore,
  type SamplingOptions,
  type StepMetrics,
  type StepOptions,
  type TrainBatch,
} from "./run/index.js";
export {
  type ChatMessage,
  type ChatTemplate,
  createTokenizerFiles,
  extractSection,
  type LabelledTokens,
  loadChatTemplate,
  loadTokenizer,
  PROMPT_SUFFIX,
  type PreferencePair,
  prefilledThinking,
  preferencePairSchema,
  type Section,
  type SectionMarkers,
  THINKING,
  type TokenizedPair,
  type Tokenizer,
  tokenizeChat,
  tokenizePairs,
  tokenizeText,
} from "./text/index.js";
