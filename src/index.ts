/** @file The package's door: corpus, agents and self-teaching, and the MCP server with its context. */
export { type IngestResult, ingest, type OpenStoreOptions, openPassageStore } from "./agents/corpus/index.js";
export {
  createMaterialsWorld,
  type Environment,
  type EnvironmentQuestion,
  type MaterialsWorld,
} from "./agents/environments/index.js";
export {
  bestOf,
  createCritic,
  createReasoningGraph,
  type EngineCallOptions,
  type EngineChatModel,
  type EngineChatModelFields,
  type EngineEmbeddings,
  evaluateQuestions,
  loadEngineChatModel,
  loadExtractiveTeacher,
  loadTextCritic,
  loadWorldCritic,
  loadWorldJudge,
  loadWorldTeacher,
  majorityVote,
  makePreferencePair,
  type OpenEngineChatModelOptions,
  type OpenEngineEmbeddingsOptions,
  openEngineChatModel,
  openEngineEmbeddings,
  type Passage,
  type PassageStore,
  type ReasoningEvent,
  type ReasoningResult,
  recursiveReason,
  recursiveReasonMany,
  resample,
  retrieveContext,
  type ScoredPassage,
  type SelfTeachingEvent,
  type SelfTeachingPlan,
  type Student,
  selfTeach,
} from "./agents/index.js";
export { type Config, NANO_MODEL, readConfig } from "./server/config.js";
export { createContext, type ServerContext } from "./server/create-context.js";
export { createServer } from "./server/create-server.js";
export { type DoctorOptions, type DoctorReport, doctor } from "./server/doctor.js";
export { openModel } from "./server/models.js";
export type { ToolContext } from "./tools/index.js";
export {
  type Embedder,
  type EmbedderOptions,
  type ExportOptions,
  exportTrained,
  loadChatTemplate,
  loadTokenizer,
  openEmbedder,
  openPolicy,
  type Policy,
  type PolicyOptions,
  type PreferencePair,
  type PreferenceScores,
  parseTrainConfig,
  readPreferences,
  readSupervised,
  type ScorePreferencesOptions,
  scorePreferences,
  type TrainConfig,
  type TrainEvent,
  type TrainResult,
  train,
  trainOn,
} from "./trainer/index.js";
