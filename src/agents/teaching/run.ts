/** @file A self-teaching run under way: what it works with, how far it has come, and how that is made durable. */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import {
  checkpointSteps,
  needsReference,
  type Policy,
  type PreferencePair,
  pruneCheckpoints,
  removeStaging,
  type TokenizedPair,
} from "../../trainer/index.js";
import type { AgentCalls } from "../calls/index.js";
import type { PassageStore } from "../corpus/types.js";
import type { Environment } from "../environments/environment.js";
import type { Judge } from "../judge.js";
import type { Student } from "../student.js";
import { writeWhole } from "../write-whole.js";
import type { PairMakers } from "./answer-pair.js";
import { AskedQuestions } from "./asked-questions.js";
import { readRunLog } from "./read-run.js";
import type { MadePair, RoundContext, RoundEvent, RoundPlan } from "./round-pairs.js";
import { HELD_OUT_FILE, JOURNALS, openRunJournal, type RunJournal } from "./run-journal.js";
import { openRunTensorBoard } from "./run-tensorboard.js";
import { type PhasePlan, placeOf, roundsOf, type TeachPlan } from "./teach-plan.js";
import { freshState, readState, type TeachState, writeState } from "./teach-state.js";
import type { ReplaySupplier } from "./train-round.js";

/** Makes the pairs of a round in its own way; events tell progress and what failed. */
export type PairSource = (
  context: Omit<RoundContext, "makers">,
  plan: RoundPlan,
  taken: Set<string>,
) => AsyncGenerator<RoundEvent, readonly MadePair[]>;

export interface Iteration {
  readonly round: number;
  readonly step: number;
  readonly policy: Policy;
}

export interface TeachContext extends Student {
  readonly store: PassageStore;
  /** Writes questions and chosen replies; any LangChain chat model with tool calls. */
  readonly teacher: BaseChatModel;
  /** Says whether the student's answers are right, where no environment can check them. */
  readonly judge?: Judge;
  /** Checks answers, and names the questions that may be asked. */
  readonly environment?: Environment;
  /** Texts for `replayShare`. */
  readonly replay?: ReplaySupplier;
  /** In place of the agents. */
  readonly pairSource?: PairSource;
  /** In place of the trainer's tokenization; may leave pairs out. */
  readonly process?: (pairs: readonly PreferencePair[], phase: PhasePlan) => readonly TokenizedPair[];
  /** Called after each round, e.g. to upload it; says where it went. */
  readonly publish?: (iteration: Iteration, signal?: AbortSignal) => Promise<string>;
  /** Limits, cache and counts that all agents share. */
  readonly calls?: AgentCalls;
  /** Where pairs, metrics and checkpoints go; without it nothing is kept. */
  readonly directory?: string;
  /** As Hugging Face's report_to: "none" leaves TensorBoard's event files out. Default: "tensorboard", where there is a directory. */
  readonly reportTo?: "tensorboard" | "none";
  readonly signal?: AbortSignal;
}

export interface Run {
  readonly context: TeachContext;
  readonly plan: TeachPlan;
  readonly journal: RunJournal;
  /** Of the directory, or a folder that is removed when the run ends. */
  readonly checkpoints: string;
  readonly failures: Record<string, number>;
  state: TeachState;
  heldOut: readonly PreferencePair[];
  /** What was asked so far, as the graph that steers what to ask next. */
  readonly questions: AskedQuestions;
  /** By the way of writing. */
  readonly makers: Map<string, PairMakers>;
  /** Whether a round's weights have to be found again, by this process or another. */
  readonly keepsCheckpoints: boolean;
  /** Pairs made in this process, by round. */
  readonly made: Map<number, readonly PreferencePair[]>;
  pairs: number;
  /** Steps taken of the round under way. */
  roundSteps: number;
}

/** Opens the directory's run, or begins one there. */
export async function beginRun(context: TeachContext, plan: TeachPlan): Promise<Run> {
  const { directory, store } = context;
  const known = directory === undefined ? undefined : await readState(directory, plan);
  if (directory !== undefined && known === undefined) await refuseForeignFiles(directory);
  const state = known ?? freshState(plan);
  const tensorboard =
    directory === undefined || context.reportTo === "none" ? undefined : openRunTensorBoard(directory, state);
  const journal = await openRunJournal(directory, known?.journals ?? {}, tensorboard);
  const { pairs, failures } = directory === undefined ? { pairs: 0, failures: {} } : await readRunLog(directory);
  const run: Run = {
    context,
    plan,
    journal,
    checkpoints: directory ?? (await mkdtemp(join(tmpdir(), "preflexor-run-"))),
    failures: { ...failures },
    state,
    heldOut: [],
    questions: AskedQuestions.over(await store.list(), await readGraph(directory, state)),
    makers: new Map(),
    keepsCheckpoints: directory !== undefined || plan.phases.some(({ rollBack }) => rollBack),
    made: new Map(),
    pairs,
    roundSteps: state.roundSteps,
  };
  await restoreWeights(run);
  if (known === undefined) await commit(run, {});
  return run;
}

async function restoreWeights({ context, plan, state, checkpoints }: Run): Promise<void> {
  const { policy, directory } = context;
  if (directory !== undefined) await removeStaging(directory);
  if (state.checkpoint !== null) {
    await policy.loadCheckpoint(join(checkpoints, state.checkpoint));
    return;
  }
  // A phase that began with the model as it was opened has no checkpoint yet, and its reference is in none.
  const begun = plan.phases[state.phasesBegun - 1];
  if (begun !== undefined && needsReference(begun.loss)) await policy.markReference();
}

/** Journals are cut back to what the state says, and checkpoints pruned; without a state they are somebody else's. */
async function refuseForeignFiles(directory: string): Promise<void> {
  const found = (await checkpointSteps(directory)).map((step) => `checkpoint-${step}`);
  for (const name of [...JOURNALS, HELD_OUT_FILE]) {
    const file = await stat(join(directory, name)).catch(() => undefined);
    if (file !== undefined && file.size > 0) found.push(name);
  }
  if (found.length > 0)
    throw new Error(`${directory} holds ${found.join(", ")} but no run to go on with: give an empty directory`);
}

/** Optimizer steps of the run behind the weights between two rounds; those that were taken back are not among them. */
export const stepOfWeights = ({ state }: Pick<Run, "state">): number =>
  state.checkpoint === null ? state.step : Number(/\d+$/.exec(state.checkpoint)?.[0]);

export async function endRun(run: Run): Promise<void> {
  if (run.context.directory === undefined) await rm(run.checkpoints, { recursive: true, force: true });
}

/** What was done so far counts from here on: journals on the disk first, the state that names their sizes last. */
export async function commit(run: Run, change: Partial<TeachState>): Promise<void> {
  const { context, plan } = run;
  const journals = await run.journal.commit();
  const moved = { ...run.state, ...change, journals };
  const place = placeOf(plan, moved.round);
  const state = {
    ...moved,
    phase: (place?.phase ?? plan.phases.at(-1))?.name ?? "",
    finished: moved.round > roundsOf(plan),
  };
  if (context.directory === undefined) {
    run.state = state;
    return;
  }
  const graph = await writeGraph(context.directory, run, state);
  run.state = { ...state, graph };
  await writeState(context.directory, run.state);
  await removeOldGraphs(context.directory, graph);
  const protect = [run.state.checkpoint, run.state.best?.checkpoint].flatMap((name) =>
    name ? [join(run.checkpoints, name)] : [],
  );
  await pruneCheckpoints(run.checkpoints, { limit: plan.saveTotalLimit, protect, resumedFrom: undefined });
}

const GRAPH = /^question-graph-\d+\.json$/;

async function readGraph(directory: string | undefined, { graph }: TeachState): Promise<unknown> {
  if (directory === undefined || graph === null) return undefined;
  const file = join(directory, graph);
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new Error(`${file} is missing or damaged: start a new run`, { cause });
  }
}

/** A new name for each round, so that the state never names a graph of a later moment. */
async function writeGraph(directory: string, { questions }: Run, state: TeachState): Promise<string | null> {
  const name = `question-graph-${state.round}${state.stage === "pairs" ? "0" : state.stage === "train" ? "1" : "2"}.json`;
  if (questions.isChanged() || state.graph === null) {
    await writeWhole(join(directory, name), `${JSON.stringify(questions.toJSON())}\n`);
    questions.saved();
    return name;
  }
  return state.graph;
}

async function removeOldGraphs(directory: string, kept: string | null): Promise<void> {
  for (const name of await readdir(directory))
    if (GRAPH.test(name) && name !== kept) await rm(join(directory, name), { force: true });
}
