/** @file The door of the agents. LangChain is loaded by what needs it, when it is first called. */

import type { PassageRetriever, PassageRetrieverFields } from "./corpus/passage-retriever.js";
import type { PassageStore } from "./corpus/types.js";
import type { RevisionOptions } from "./environments/index.js";
import type { EngineChatModel, EngineChatModelFields, OpenEngineChatModelOptions } from "./models/engine-chat-model.js";
import type { EngineEmbeddings, OpenEngineEmbeddingsOptions } from "./models/engine-embeddings.js";
import type { OpenChatModelOptions, OpenedChatModel } from "./models/open-chat-model.js";
import { type PlainTextModel, studentText } from "./models/plain-text-model.js";
import type { ProgrammaticChatModel } from "./models/programmatic-chat-model.js";
import type { SelfCriticOptions } from "./models/self-critic.js";
import type { SelfTeacherOptions } from "./models/self-teacher.js";
import type { WorldTeacherOptions } from "./models/world-teacher.js";
import type { Evidence, ThinkingScorer } from "./reasoning/critic.js";
import type { ReasoningGraph, ReasoningGraphOptions } from "./reasoning/reasoning-graph.js";
import type { ReasoningContext, ReasoningSettings } from "./reasoning/reasoning-types.js";
import type { Sampling, Student } from "./student.js";

export { type AnswerWriter, createAnswerWriter, type WrittenAnswer } from "./answer-writer.js";
export { type AgentCalls, type AgentCallsOptions, type CallStats, createAgentCalls } from "./calls/index.js";
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
export { type AskOptions, askQuestions, type Respondent } from "./evaluation/ask-questions.js";
export { type BootstrapMean, bootstrapMean, pairedBootstrap } from "./evaluation/bootstrap.js";
export {
  evaluatePairs,
  type PairsOptions,
  type PairsResult,
  preferenceAccuracy,
} from "./evaluation/evaluate-pairs.js";
export {
  type EvaluationOptions,
  evaluateQuestions,
  evaluateSplit,
  type SamplingPlan,
  type SplitPlan,
  type SplitResult,
} from "./evaluation/evaluate-questions.js";
export { evaluationMarkdown } from "./evaluation/evaluation-markdown.js";
export {
  type EvaluatedModelFacts,
  type EvaluationReport,
  evaluationReportSchema,
  type OpenReport,
  type PairsReport,
  type SplitReport,
} from "./evaluation/evaluation-report.js";
export {
  type Interval,
  type Proportion,
  pairedInterval,
  proportion,
  unpairedDifference,
} from "./evaluation/intervals.js";
export {
  answerOf,
  type Bout,
  type BoutResult,
  type JudgedComparison,
  type JudgingOptions,
  judgeReplies,
  type PairJudge,
} from "./evaluation/judge-replies.js";
export {
  type AskedQuestion,
  type Mark,
  type MarkingEnvironment,
  type MarkSummary,
  markReply,
  summarizeMarks,
  type WholeReply,
} from "./evaluation/mark-replies.js";
export { type OpenQuestion, type OpenSummary, summarizeOpenReplies } from "./evaluation/open-questions.js";
export { comparePaired, type PairedComparison } from "./evaluation/paired-comparison.js";
export { type PassAtK, passAtK, passAtKs } from "./evaluation/pass-at-k.js";
export {
  accuracyByDepth,
  type DepthAccuracy,
  type DepthPlan,
  type Reasoner,
  recursiveReasoner,
  type ScoredReply,
} from "./evaluation/recursion-depth.js";
export { type McNemar, mcnemarTest, signTest } from "./evaluation/sign-test.js";
export { THINKING_MODES, type ThinkingMode } from "./evaluation/thinking-mode.js";
export { tokenF1 } from "./evaluation/token-f1.js";
export { type AnswerVerdict, createJudge, type Judge, type PairVerdict } from "./judge.js";
export { createLexicalJudge } from "./lexical-judge.js";
export { type Disclosure, type DisclosureOptions, disclosureOf, isLoopback } from "./models/disclosure.js";
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
  MODEL_SPEC_FORMS,
  type ModelRole,
  type ModelSpec,
  parseModelSpec,
  specText,
} from "./models/model-spec.js";
export type { OpenChatModelOptions, OpenedChatModel } from "./models/open-chat-model.js";
export { type PlainTextModel, studentText } from "./models/plain-text-model.js";
export type { SamplingClient } from "./models/sampling-chat-model.js";
export type { SamplingReply, SamplingRequest } from "./models/sampling-messages.js";
export { majorityVote, resample, type VoteSettings } from "./reasoning/controls.js";
export {
  type Critic,
  type CriticOptions,
  createCritic,
  type Evidence,
  type Feedback,
  type Improvement,
  nearestEvidence,
  type RoundScorer,
  type ScoreInput,
  supportScore,
  type ThinkingScorer,
} from "./reasoning/critic.js";
export { type ManyOptions, recursiveReasonMany } from "./reasoning/reason-many.js";
export type { ReasoningGraph, ReasoningGraphOptions, ReasoningNode } from "./reasoning/reasoning-graph.js";
export type {
  AnswerSettings,
  DraftRound,
  ReasoningContext,
  ReasoningCost,
  ReasoningEvent,
  ReasoningMode,
  ReasoningPlan,
  ReasoningResult,
  ReasoningRound,
  ReasoningSettings,
  RoundOpening,
  ScoredStudent,
  SectionOutcome,
  StopReason,
} from "./reasoning/reasoning-types.js";
export { recursiveReason } from "./reasoning/recursive-reasoning.js";
export { type AnswerExtractor, bestOf, costOf, mostVoted, normalisedAnswer } from "./reasoning/rounds.js";
export { type ClosedBookOptions, closedBook, type SelfCriticOptions, selfCritic } from "./reasoning/self-critic.js";
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
  type ActiveTrainer,
  type ActiveTrainerCallbacks,
  type ActiveTrainerOptions,
  createActiveTrainer,
  type LogRow,
} from "./teaching/active-trainer.js";
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
export { checkPlan, type PlanMeans } from "./teaching/check-plan.js";
export type { AccuracyByType, EvaluationResult, PromptSample, TeachEvent } from "./teaching/events.js";
export { type PushEvent, type PushRunOptions, pushRun } from "./teaching/push-run.js";
export { type LoggedNumbers, type RunLog, readRunLog } from "./teaching/read-run.js";
export type { Iteration, PairSource, TeachContext } from "./teaching/run.js";
export {
  createRunDirectory,
  type NewRun,
  openRunDirectory,
  RUN_KINDS,
  type RunDirectory,
  RunDirectoryError,
  type RunKind,
  removalProblem,
  removeRun,
  runNames,
  runPath,
  runsFolder,
} from "./teaching/run-directory.js";
export { readRunPairs } from "./teaching/run-journal.js";
export { type LockHolder, lockHolder, lockRun, type ReleaseRun } from "./teaching/run-lock.js";
export {
  type Activity,
  type ActivityLog,
  type Outcome,
  openActivityLog,
  RUN_STATUSES,
  type RunStanding,
  type RunStatus,
  runStanding,
  writeOutcome,
} from "./teaching/run-status.js";
export { type ListedRun, listRuns, type RunSummary, runSummary } from "./teaching/run-summary.js";
export { type TeachSummary, teach } from "./teaching/teach.js";
export {
  type PlanFacts,
  parseTeachConfig,
  STUDENT_SETTINGS,
  scaledRate,
  type TeachConfig,
  teachPlan,
} from "./teaching/teach-config.js";
export {
  type PhasePlan,
  pairsOf,
  placeOf,
  REJECTED_RULES,
  type RejectedRule,
  roundsOf,
  type TeachPlan,
} from "./teaching/teach-plan.js";
export { type TeachSettingName, teachSchemas } from "./teaching/teach-settings.js";
export {
  type ReplaySupplier,
  type RoundTrainingPlan,
  roundSteps,
  type TrainedStep,
  type TrainingContext,
  trainRound,
} from "./teaching/train-round.js";

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

/** The chat model of a teacher, critic or judge, from what a user wrote; see {@link MODEL_SPEC_FORMS}. `close()` closes it again. */
export async function openChatModel(spec: string, options: OpenChatModelOptions): Promise<OpenedChatModel> {
  return (await import("./models/open-chat-model.js")).openChatModel(spec, options);
}

/** What self-play and the self critic ask: the model that learns, or any model that is asked in plain text. */
export type SelfModel =
  | { readonly student: Student; readonly sampling?: Sampling }
  | { readonly model: PlainTextModel };

/** Self-play: given the retrieved passages, the model writes the chosen reply to what it answers without them. */
export async function loadSelfTeacher(
  options: SelfModel & Omit<SelfTeacherOptions, "model">,
): Promise<ProgrammaticChatModel> {
  return (await import("./models/self-teacher.js")).createSelfTeacher({ ...options, model: plainModelOf(options) });
}

/** The self critic: the control of recursion that retrieves nothing. */
export async function loadSelfCritic(
  options: SelfModel & Omit<SelfCriticOptions, "model">,
): Promise<ProgrammaticChatModel> {
  return (await import("./models/self-critic.js")).createSelfCritic({ ...options, model: plainModelOf(options) });
}

const plainModelOf = (of: SelfModel): PlainTextModel =>
  "model" in of ? of.model : studentText(async () => of.student, of.sampling);

/** Recursive reasoning as a LangGraph graph: takes `{question}`, gives `{answer, result}`, streams, stops and continues. */
export async function createReasoningGraph(
  context: ReasoningContext,
  settings: ReasoningSettings,
  options: ReasoningGraphOptions = {},
): Promise<ReasoningGraph> {
  return (await import("./reasoning/reasoning-graph.js")).createReasoningGraph(context, settings, options);
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
