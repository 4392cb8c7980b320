/** @file The pairs of one round: tasks in a seeded order, drafts that pass the filters, samples of the student, verdicts. */
import type { PreferencePair } from "../../trainer/index.js";
import type { Passage } from "../corpus/types.js";
import type { Environment, EnvironmentQuestion } from "../environments/environment.js";
import { withReports } from "../report-progress.js";
import { createRng } from "../rng.js";
import {
  type ChosenDraft,
  completeByTeacher,
  completePairs,
  type DraftFailure,
  type DraftOutcome,
  makeDrafts,
  type PairMakers,
  type PairOutcome,
  type PairStudent,
  type PairTask,
} from "./answer-pair.js";
import { draftProblem } from "./draft-checks.js";
import type { SampleJudge } from "./rejected-rule.js";
import { type PairPlan, pairsOf, type TextPlan } from "./teach-plan.js";

export interface RoundContext extends PairStudent {
  readonly makers: PairMakers;
  readonly environment?: Environment;
  /** Marks the student's samples. */
  readonly judge?: SampleJudge;
  /** Picks passages for questions without a topic, by what was asked before; default: random draws. */
  readonly draws?: (count: number, seed: number) => readonly (readonly Passage[])[];
  /** Why a question is not asked, beyond what this round has asked already. */
  readonly refuse?: (question: string) => string | undefined;
  readonly signal?: AbortSignal;
}

export interface RoundPlan extends PairPlan, Pick<TextPlan, "markers" | "promptSuffix"> {
  /** Over all phases; 0 for held-out pairs. */
  readonly round: number;
  readonly phase: string;
  readonly seed: number;
  readonly concurrency: number;
  /** In place of what the topics come to. */
  readonly pairs?: number;
}

export type RoundEvent =
  | { readonly kind: "progress"; readonly done: number; readonly total: number; readonly note: string }
  | (DraftFailure & { readonly round: number });

/** Draws again this often where pairs were dropped. */
const MOST_DRAWS = 4;

/** A pair, and the passages that its question was made from. */
export interface MadePair {
  readonly pair: PreferencePair;
  readonly askedFrom: readonly string[];
}

/** Makes up to as many pairs as the plan asks for, about questions that are not in `taken`, to which it adds its own. */
export async function* makeRoundPairs(
  context: RoundContext,
  plan: RoundPlan,
  taken: Set<string>,
): AsyncGenerator<RoundEvent, MadePair[]> {
  const wanted = plan.pairs ?? pairsOf(plan);
  const tasks = roundTasks(plan, context);
  const made: MadePair[] = [];
  for (let draw = 0; draw < MOST_DRAWS && made.length < wanted; draw++) {
    const batch = take(tasks, wanted - made.length);
    if (batch.length === 0) break;
    const drafts: ChosenDraft[] = [];
    for (const outcome of yield* draftsOf(context, plan, batch)) {
      const failure = draftFailure(outcome, taken);
      if (failure !== undefined) yield { ...failure, kind: "failure", round: plan.round };
      else if (outcome.kind === "draft") {
        taken.add(normalizedQuestion(outcome.draft.question));
        drafts.push(outcome.draft);
      }
    }
    const outcomes = yield* completed(context, plan, drafts);
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.kind === "failure") yield { ...outcome, round: plan.round };
      else made.push({ pair: placed(outcome.pair, plan), askedFrom: (drafts[i] as ChosenDraft).askedFrom });
    }
  }
  return made;
}

const placed = (pair: PreferencePair, { phase, round }: RoundPlan): PreferencePair => ({
  ...pair,
  provenance: { ...pair.provenance, phase, round },
});

/** An endless or finite series of tasks. Depends on plan, round and what was asked before alone. */
function* roundTasks(plan: RoundPlan, { environment, draws }: RoundContext): Generator<PairTask> {
  const { seed, round, topics, questionsForEach } = plan;
  const seedOf = (i: number): number => createRng(seed, "task", round, i).int(2 ** 31);
  if (typeof topics !== "number") {
    // Topics come round again, with another seed, where pairs were dropped.
    for (let i = 0; ; i++)
      yield { seed: seedOf(i), topic: topics[Math.floor(i / questionsForEach) % topics.length] ?? "" };
  }
  if (environment !== undefined) {
    const list = balancedTopics(environment, seed, round);
    for (const [i, topic] of list.entries()) yield { seed: seedOf(i), topic };
    return;
  }
  const drawSeed = createRng(seed, "draws", round).int(2 ** 31);
  for (let drawn = 0; ; ) {
    const contexts = draws?.(plan.pairs ?? pairsOf(plan), drawSeed + drawn) ?? [];
    for (const passages of contexts) yield { seed: seedOf(drawn++), passages };
    if (contexts.length === 0) yield { seed: seedOf(drawn++) };
  }
}

/** How the teacher is told which question of an environment to ask. */
export const topicOf = ({ subject, type }: EnvironmentQuestion): string => `${subject}: ${type.replaceAll("-", " ")}`;

/** Topics of all training questions, types in turn, in a seeded order. */
export function balancedTopics(environment: Environment, seed: number, round: number): string[] {
  const questions = environment.questions("train");
  const types = [...new Set(questions.map((question) => question.type))].sort();
  const columns = types.map((type) =>
    createRng(seed, "topics", round, type).shuffle(questions.filter((question) => question.type === type)),
  );
  const longest = Math.max(0, ...columns.map((column) => column.length));
  return Array.from({ length: longest }, (_, row) => columns.flatMap((column) => column.slice(row, row + 1)))
    .flat()
    .map(topicOf);
}

function take<T>(items: Generator<T>, count: number): T[] {
  const taken: T[] = [];
  while (taken.length < count) {
    const next = items.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

/** Two questions are the same where only case and white space differ. */
export const normalizedQuestion = (question: string): string => question.toLowerCase().replace(/\s+/g, " ").trim();

async function* draftsOf(
  { makers, environment, refuse: refuseMore, signal }: RoundContext,
  { concurrency, promptSuffix, markers }: RoundPlan,
  tasks: readonly PairTask[],
): AsyncGenerator<RoundEvent, DraftOutcome[]> {
  const refuse = environment && refusals(environment);
  return yield* withReports<RoundEvent, DraftOutcome[]>((report) =>
    makeDrafts(makers, tasks, {
      onProgress: (done, total) => report({ kind: "progress", done, total, note: "questions and chosen replies" }),
      refuse: (question) => refuse?.(question) ?? refuseMore?.(question),
      // An environment's questions are closed choices in one wording; the filters are for free text.
      ...(environment === undefined && { refuseDraft: draftProblem }),
      suffix: promptSuffix,
      markers,
      concurrency,
      ...(signal && { signal }),
    }),
  );
}

/** A teacher that asks what is held out would spoil the measure; one that asks anything else cannot be checked. */
function refusals(environment: Environment): (question: string) => string | undefined {
  const trained = new Set(environment.questions("train").map((question) => normalizedQuestion(question.text)));
  const splits = ["unseen-combination", "unseen-material"] as const;
  const heldOut = new Set(
    splits.flatMap((split) => environment.questions(split).map((question) => normalizedQuestion(question.text))),
  );
  return (question) => {
    if (heldOut.has(normalizedQuestion(question))) return "the question is held out";
    return trained.has(normalizedQuestion(question))
      ? undefined
      : "the question is none of the environment's, so it cannot be checked";
  };
}

function draftFailure(outcome: DraftOutcome, taken: ReadonlySet<string>): Omit<DraftFailure, "kind"> | undefined {
  if (outcome.kind === "failure") return outcome;
  const { question, topic } = outcome.draft;
  return taken.has(normalizedQuestion(question))
    ? { topic: topic ?? question, reason: "the question was asked before" }
    : undefined;
}

async function* completed(
  context: RoundContext,
  plan: RoundPlan,
  drafts: readonly ChosenDraft[],
): AsyncGenerator<RoundEvent, PairOutcome[]> {
  const { sampling, askToThink, samples, rejectedRule: rule, concurrency } = plan;
  const { makers, judge, signal } = context;
  const shared = signal === undefined ? {} : { signal };
  return yield* withReports<RoundEvent, PairOutcome[]>((report) => {
    const onProgress = (done: number, total: number): void =>
      report({
        kind: "progress",
        done,
        total,
        note: plan.rejectedFromStudent ? "samples of the student" : "wrong answers",
      });
    if (!plan.rejectedFromStudent)
      return completeByTeacher(makers, context, drafts, { concurrency, onProgress, ...shared });
    const options = { ...sampling, askToThink, samples, rule, onProgress, ...(judge && { judge }), ...shared };
    return completePairs(context, drafts, options);
  });
}
