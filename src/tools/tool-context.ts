/** @file What the tools see of the building: everything is opened when it is first asked for. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { ReadLimits } from "../agents/corpus/index.js";
import type { Environment, MaterialsWorld } from "../agents/environments/index.js";
import type { PassageStore, ReasoningContext, SamplingClient, Student } from "../agents/index.js";
import type { ActiveCorpus } from "./active-corpus.js";
import type { Changes } from "./changes.js";
import type { PathGuard } from "./roots.js";
import type { RunFolder } from "./run-folder.js";
import type { RunKeeper } from "./run-keeper.js";
import type { RecipeName } from "./run-settings.js";
import type { Exclusive } from "./serial.js";

export type Judge = Pick<ReasoningContext, "critic" | "score" | "evidence">;

export interface TrainedStudent {
  readonly student: Student;
  /** Of the run. */
  readonly directory: string;
  readonly recipe: RecipeName;
  /** Name of what was opened: adapter, model or checkpoint-<step>. */
  readonly trained: string;
}

export interface ToolContext {
  /** Where corpora and runs live; absolute. */
  readonly home: string;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
  /** What the user should know, such as a store that could not be started; each once. */
  notices(): readonly string[];
  activeCorpus(): Promise<ActiveCorpus | undefined>;
  /** The store of a corpus, active or not; opened once. */
  openCorpus(corpus: ActiveCorpus): Promise<PassageStore>;
  /** Remembers the corpus, in this process and the next. */
  activate(corpus: ActiveCorpus): Promise<void>;
  /** The store of the active corpus. Throws "the corpus is empty: call ingest-corpus first" where there is none. */
  store(): Promise<PassageStore>;
  /** The built-in world. */
  world(): Promise<MaterialsWorld>;
  /** The environment that can check answers about the active corpus, or undefined. */
  environment(): Promise<Environment | undefined>;
  /** Writes questions and chosen replies for the active corpus. `client` is who asked: its model may be the teacher. */
  teacher(client?: SamplingClient): Promise<BaseChatModel>;
  /** The critic of the thinking, and how its support by the active corpus is measured. */
  judge(client?: SamplingClient): Promise<Judge>;
  /** The model that learns, continued from the current run's last checkpoint. */
  student(): Promise<Student>;
  /** What a run of start-run has trained so far, to be asked. Throws where there is no such run, or nothing trained in it. */
  runStudent(id: string): Promise<TrainedStudent>;
  /** How the student is sampled and trained. */
  readonly recipe: RecipeName;
  /** The run that the tools work on; created when it is first asked for. */
  run(): Promise<RunFolder>;
  /** Which paths may be read and written. */
  readonly paths: PathGuard;
  /** Of one ingest. */
  readonly corpusLimits: Partial<ReadLimits>;
  /** Whole self-teaching runs, as processes of their own. */
  readonly runs: RunKeeper;
  /** Tells who listens that a resource has new content. */
  readonly changes: Changes;
  /** The report of a run as one HTML page, where whoever made the context can render it. Throws where there is no such run. */
  readonly report?: (id: string) => Promise<string>;
  /** The page that clients show beside a run (MCP Apps), where there is one. */
  readonly appPage?: () => Promise<string>;
  /** One at a time, in order of asking: for work that changes the model or the run. */
  readonly exclusive: Exclusive;
}

/** Ends with whichever comes first: the request is cancelled, or the server stops. */
export function callSignal(
  context: ToolContext,
  request: { readonly mcpReq: { readonly signal: AbortSignal } },
): AbortSignal {
  return AbortSignal.any([context.signal, request.mcpReq.signal]);
}
