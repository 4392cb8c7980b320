/** @file The door of the agents. LangChain is loaded by what needs it, when it is first called. */

import type { PassageRetriever, PassageRetrieverFields } from "./corpus/passage-retriever.js";
import type { PassageStore } from "./corpus/types.js";
import type { RevisionOptions } from "./environments/index.js";
import type { EngineChatModel, EngineChatModelFields, OpenEngineChatModelOptions } from "./models/engine-chat-model.js";
import type { EngineEmbeddings, OpenEngineEmbeddingsOptions } from "./models/engine-embeddings.js";
import type { ProgrammaticChatModel } from "./models/programmatic-chat-model.js";
import type { WorldTeacherOptions } from "./models/world-teacher.js";
import type { Evidence, ThinkingScorer } from "./reasoning/critic.js";

export { type AnswerWriter, createAnswerWriter, type WrittenAnswer } from "./answer-writer.js";
export type { PassageMetadata, PassageRetriever, PassageRetrieverFields } from "./corpus/passage-retriever.js";
export type {
  Embedder,
  FoundBy,
  MmrOptions,
  Passage,
  PassageStore,
  ScoredPassage,
  SearchMode,
  SearchOptions,
} from "./corpus/types.js";
export {
  type EvaluationOptions,
  evaluateQuestions,
  pairedInterval,
  preferenceAccuracy,
} from "./evaluation/evaluation.js";
export type {
  EngineChatModel,
  EngineChatModelFields,
  OpenEngineChatModelOptions,
} from "./models/engine-chat-model.js";
export type {
  EngineEmbeddings,
  EngineEmbeddingsFields,
  OpenEngineEmbeddingsOptions,
} from "./models/engine-embeddings.js";
export type { EngineCallOptions, EngineSettings } from "./models/engine-settings.js";
export {
  type Critic,
  type CriticOptions,
  type Critique,
  createCritic,
  type Evidence,
  nearestEvidence,
  supportScore,
  type ThinkingScorer,
} from "./reasoning/critic.js";
export {
  type ReasoningContext,
  type ReasoningPlan,
  type ReasoningResult,
  type ReasoningRound,
  recursiveReason,
} from "./reasoning/recursive-reasoning.js";
export {
  DEFAULT_PASSAGES,
  MMR_DESCRIPTION,
  MODE_DESCRIPTION,
  MOST_FETCHED,
  MOST_PASSAGES,
  RETRIEVE_CONTEXT,
  type RetrieveRequest,
  retrieveContext,
  retrieveContextTool,
  retrieveRequestSchema,
  SEARCH_MODES,
} from "./retrieve-context.js";
export { type Reply, type ReplyOptions, replies, type Sampling, type Student, type StudentTurn } from "./student.js";
export { createTaskGenerator, type GeneratedTask, type TaskGenerator, type WriterOptions } from "./task-generator.js";
export {
  type ChosenDraft,
  completePairs,
  createPairMakers,
  type DraftOptions,
  type DraftOutcome,
  makeDrafts,
  makePreferencePair,
  type PairContext,
  type PairMakers,
  type PairTask,
  type RejectedOptions,
} from "./teaching/answer-pair.js";
export type { AccuracyByType, EvaluationResult, SelfTeachingEvent } from "./teaching/events.js";
export {
  type SelfTeachingContext,
  type SelfTeachingPlan,
  type SelfTeachingSummary,
  selfTeach,
} from "./teaching/self-teaching.js";
export {
  type ReplaySupplier,
  type TrainedStep,
  type TrainingContext,
  type TrainingPlan,
  trainOnPairs,
} from "./teaching/train-on-pairs.js";

/** The materials world's teacher. */
export async function loadWorldTeacher(options: WorldTeacherOptions): Promise<ProgrammaticChatModel> {
  return (await import("./models/world-teacher.js")).createWorldTeacher(options);
}

/** The teacher that needs no model, for any text. */
export async function loadExtractiveTeacher(): Promise<ProgrammaticChatModel> {
  return (await import("./models/extractive-teacher.js")).createExtractiveTeacher();
}

/** The materials world's retrieval critic. */
export async function loadWorldCritic(options: RevisionOptions = {}): Promise<ProgrammaticChatModel> {
  return (await import("./models/world-critic.js")).createWorldCritic(options);
}

/** How the materials world's critic judges: pass both to `recursiveReason`. */
export async function loadWorldJudge(
  store: PassageStore,
  k: number,
): Promise<{ score: ThinkingScorer; evidence: Evidence }> {
  const { worldEvidence, worldScore } = await import("./models/world-critic.js");
  return { score: worldScore, evidence: worldEvidence(store, k) };
}

/** The retrieval critic that needs no model, for any text. */
export async function loadTextCritic(): Promise<ProgrammaticChatModel> {
  return (await import("./models/text-critic.js")).createTextCritic();
}

/** A checkpoint of this project's engine as a chat model; `close()` closes it again. */
export async function openEngineChatModel(options: OpenEngineChatModelOptions): Promise<EngineChatModel> {
  return (await import("./models/engine-chat-model.js")).EngineChatModel.open(options);
}

/** A text model that is open already as a chat model, such as the policy that is being trained; whoever opened it closes it. */
export async function loadEngineChatModel(fields: EngineChatModelFields): Promise<EngineChatModel> {
  return (await import("./models/engine-chat-model.js")).createEngineChatModel(fields);
}

/** Embeddings of a sentence-transformers directory, in a process of its own. */
export async function openEngineEmbeddings(options: OpenEngineEmbeddingsOptions): Promise<EngineEmbeddings> {
  return (await import("./models/engine-embeddings.js")).EngineEmbeddings.open(options);
}

/** A passage store as a LangChain retriever; whoever opened the store closes it. */
export async function loadPassageRetriever(fields: PassageRetrieverFields): Promise<PassageRetriever> {
  const { PassageRetriever } = await import("./corpus/passage-retriever.js");
  return new PassageRetriever(fields);
}
