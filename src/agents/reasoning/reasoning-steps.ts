/** @file The steps of recursive reasoning: each takes a state and says what changes. In which order they run is not their business. */
import { prefilledThinking, THINKING } from "../../trainer/index.js";
import type { Passage } from "../corpus/types.js";
import { DEFAULT_PASSAGES } from "../retrieve-context.js";
import { type Reply, replies, type StudentTurn, turnIds } from "../student.js";
import { type Critic, type Improvement, nearestEvidence, type StudentSpending, supportScore } from "./critic.js";
import { withoutMarkers } from "./read-reply.js";
import {
  afterRound,
  answersOf,
  draftOf,
  endingOf,
  type Opening,
  type ReasoningState,
  type StepName,
  turnOf,
  type Update,
} from "./reasoning-state.js";
import type {
  AnswerSettings,
  DraftRound,
  ReasoningContext,
  ReasoningRound,
  ReasoningSettings,
  ScoredStudent,
} from "./reasoning-types.js";
import { addCosts, NO_COST } from "./rounds.js";

export type Step = (state: ReasoningState, signal?: AbortSignal) => Promise<Update>;

export interface ReasoningSteps extends Readonly<Record<StepName, Step>> {
  /** The two halves of "answer", for those who ask many questions in one batch. */
  turn(state: ReasoningState): StudentTurn;
  takeReply(state: ReasoningState, reply: Reply): Update;
}

interface Run {
  readonly context: ReasoningContext;
  readonly settings: ReasoningSettings;
  readonly critic: () => Promise<Critic>;
}

export function reasoningSteps(context: ReasoningContext, settings: ReasoningSettings): ReasoningSteps {
  const run: Run = { context, settings, critic: once(context.critic) };
  return {
    turn: (state) => turnAt(run, state),
    takeReply,
    answer: async (state, signal) => {
      const [reply] = await replies(context, [turnAt(run, state)], { ...settings.sampling, ...(signal && { signal }) });
      return takeReply(state, reply as Reply);
    },
    score: (state, signal) => score(run, state, signal),
    feedback: (state, signal) => unlessCriticFails(state, signal, () => feedback(run, state, signal)),
    improve: (state, signal) => unlessCriticFails(state, signal, () => improve(run, state, signal)),
    integrate: (state, signal) => unlessCriticFails(state, signal, () => integrate(run, state, signal)),
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const turnAt = ({ settings }: Run, { question, rounds, opening }: ReasoningState): StudentTurn =>
  turnOf(settings, question, rounds.length + 1, opening.prefill);

function takeReply({ rounds, opening, feedback, criticCost }: ReasoningState, reply: Reply): Update {
  const { cost, ...read } = draftOf(reply, rounds.length + 1, opening.kind);
  const draft: DraftRound = {
    ...read,
    ...(opening.kind === "improved" && feedback !== undefined && { feedback }),
    cost: addCosts(cost, criticCost),
  };
  return { draft, criticCost: NO_COST, next: "score" };
}

async function score(run: Run, state: ReasoningState, signal?: AbortSignal): Promise<Update> {
  const { settings, context } = run;
  if (state.draft === undefined) throw new Error("internal: no draft to score");
  const { round, passages } = await scoreRound(context, settings, state.question, state.draft, signal);
  const scored = { rounds: [...state.rounds, round], passages };
  const after = afterRound(settings, scored.rounds);
  if ("opening" in after) return openNext(run, { ...state, ...scored }, after.opening, scored);
  if ("stopped" in after) return { ...scored, ...after, next: endingOf(settings, scored.rounds) };
  return { ...scored, ...after };
}

/** Looks for the evidence of a round and judges by it. */
export async function scoreRound(
  context: ScoredStudent,
  { k = DEFAULT_PASSAGES }: AnswerSettings,
  question: string,
  draft: DraftRound,
  signal?: AbortSignal,
): Promise<{ round: ReasoningRound; passages: readonly Passage[] }> {
  const { thinking, answer } = draft;
  const gather = context.evidence ?? nearestEvidence(context.store, k);
  const passages = await gather({ question, thinking }, signal);
  const judge = context.score ?? supportScore;
  const points = thinking === "" || answer === "" ? 0 : await judge({ question, thinking, answer, passages }, signal);
  return { round: { ...draft, score: points, evidence: passages.map(({ id }) => id) }, passages };
}

/** On to the next answer, where the context has room for what it begins with. */
function openNext(run: Run, state: ReasoningState, opening: Opening, changed: Partial<ReasoningState>): Update {
  const { context, settings } = run;
  const length = turnIds(context, turnAt(run, { ...state, opening })).length + settings.sampling.maxNewTokens;
  if (length > context.policy.info.contextLength)
    return { ...changed, stopped: "no-room", next: endingOf(settings, state.rounds) };
  return { ...changed, opening, next: "answer" };
}

async function feedback({ settings, critic }: Run, state: ReasoningState, signal?: AbortSignal): Promise<Update> {
  const { thinking, reflection } = lastRound(state);
  if (settings.mode === "reflection") return { feedback: reflection, next: "improve" };
  const asked = await critic();
  const { question, passages } = state;
  const given = await asked.giveFeedback({ question, thinking, passages }, signal);
  return { feedback: given.feedback, ...called(asked, state, given.spent), next: "improve" };
}

async function improve(run: Run, state: ReasoningState, signal?: AbortSignal): Promise<Update> {
  const round = lastRound(state);
  const { question, passages, feedback: given = "" } = state;
  const asked = await run.critic();
  const input = { question, thinking: round.thinking, passages, feedback: given };
  const improved = await asked.improveThinking(input, signal);
  const changed = called(asked, state, improved.spent);
  const opening = improvedOpening(round, improved);
  if (run.settings.keepGoing !== true && changesNothing(round, opening.improved))
    return { ...changed, stopped: "critic-content", next: endingOf(run.settings, state.rounds) };
  return openNext(run, state, opening, changed);
}

/** A critic that hands in nothing leaves the thinking as it is. */
function improvedOpening(round: ReasoningRound, { thinking, complete }: Improvement) {
  const text = withoutMarkers(thinking);
  const kept = text.trim() === "" ? round.thinking : complete ? text.trim() : text;
  const prefill = complete ? prefilledThinking(kept) : `${THINKING.start}\n${kept}`;
  return { kind: "improved", prefill, improved: { thinking: kept, complete } } as const satisfies Opening;
}

/** The same thinking, of a reply that came to its answer. */
function changesNothing(
  { thinking, answer }: ReasoningRound,
  improved: Pick<Improvement, "thinking" | "complete">,
): boolean {
  return improved.complete && improved.thinking === thinking && answer !== "";
}

async function integrate({ critic }: Run, state: ReasoningState, signal?: AbortSignal): Promise<Update> {
  const asked = await critic();
  const merged = await asked.integrate({ question: state.question, answers: answersOf(state.rounds) }, signal);
  return { merged, ...called(asked, state), next: "end" };
}

function lastRound({ rounds }: ReasoningState): ReasoningRound {
  const last = rounds.at(-1);
  if (last === undefined) throw new Error("internal: no round to criticise");
  return last;
}

function called({ modelName }: Critic, { criticCost }: ReasoningState, spent: Partial<StudentSpending> = {}) {
  return { critic: modelName, criticCost: addCosts(criticCost, { ...spent, criticCalls: 1 }) };
}

/** A critic that fails ends the recursion and costs no round that was made; only an abort throws. */
async function unlessCriticFails(
  { next, stopped }: ReasoningState,
  signal: AbortSignal | undefined,
  work: () => Promise<Update>,
): Promise<Update> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    const failure = error instanceof Error ? error.message : String(error);
    return { failure, stopped: next === "integrate" ? stopped : "critic-failed", next: "end" };
  }
}
