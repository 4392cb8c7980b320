/** @file The pairs of one round: tasks in a seeded order, drafts, samples of the student, and what the checker says. */
import type { PreferencePair } from "../../trainer/index.js";
import type { Environment, EnvironmentQuestion } from "../environments/environment.js";
import { withReports } from "../report-progress.js";
import { createRng } from "../rng.js";
import type { Sampling, Student } from "../student.js";
import {
  type ChosenDraft,
  completePairs,
  type DraftOutcome,
  makeDrafts,
  type PairMakers,
  type PairTask,
} from "./answer-pair.js";

export interface RoundPlan {
  readonly round: number;
  readonly pairs: number;
  readonly seed: number;
  readonly sampling: Sampling;
  /** Examples in turn for each topic; without it (and without an environment), random passages. */
  readonly topics?: readonly string[];
  /** Keeps a pair only where the environment's checker finds the student's answer wrong. */
  readonly onlyIncludeWrongAnswers?: boolean;
  readonly askToThink?: boolean;
  readonly concurrency?: number;
}

export interface RoundContext extends Student {
  readonly makers: PairMakers;
  readonly environment?: Environment;
  readonly signal?: AbortSignal;
}

export type RoundEvent =
  | { readonly kind: "progress"; readonly done: number; readonly total: number; readonly note: string }
  | { readonly kind: "failure"; readonly round: number; readonly topic: string; readonly reason: string };

/** Draws again this often where pairs were dropped. */
const MOST_DRAWS = 4;

/** Makes up to `plan.pairs` pairs about questions that are not in `taken`, to which it adds its own. Every failure is an event. */
export async function* makeRoundPairs(
  context: RoundContext,
  plan: RoundPlan,
  taken: Set<string>,
): AsyncGenerator<RoundEvent, PreferencePair[]> {
  const tasks = roundTasks(plan, context.environment);
  const pairs: PreferencePair[] = [];
  for (let draw = 0; draw < MOST_DRAWS && pairs.length < plan.pairs; draw++) {
    const batch = take(tasks, plan.pairs - pairs.length);
    if (batch.length === 0) break;
    const outcomes = yield* draftsOf(context, plan, batch);
    const drafts: ChosenDraft[] = [];
    for (const outcome of outcomes) {
      const failure = draftFailure(outcome, taken);
      if (failure !== undefined) yield { kind: "failure", round: plan.round, ...failure };
      else if (outcome.kind === "draft") {
        taken.add(normalizedQuestion(outcome.draft.question));
        drafts.push(outcome.draft);
      }
    }
    for (const outcome of yield* completed(context, plan, drafts)) {
      if (outcome.kind === "pair") pairs.push(outcome.pair);
      else yield { ...outcome, round: plan.round };
    }
  }
  return pairs;
}

/** An endless or finite series of tasks. Depends on seed and round alone. */
function* roundTasks(plan: RoundPlan, environment: Environment | undefined): Generator<PairTask> {
  const { seed, round, topics } = plan;
  const seedOf = (i: number): number => createRng(seed, "task", round, i).int(2 ** 31);
  const list = topics ?? (environment === undefined ? undefined : balancedTopics(environment, seed, round));
  // Each question of an environment is asked once a round; other topics come round again with another seed.
  const end = topics === undefined && list !== undefined ? list.length : Number.POSITIVE_INFINITY;
  for (let i = 0; i < end; i++) {
    const topic = list?.[i % list.length];
    yield { seed: seedOf(i), ...(topic !== undefined && { topic }) };
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
  { makers, environment, signal }: RoundContext,
  { concurrency }: RoundPlan,
  tasks: readonly PairTask[],
): AsyncGenerator<RoundEvent, DraftOutcome[]> {
  const refuse = environment && refusals(environment);
  return yield* withReports<RoundEvent, DraftOutcome[]>((report) =>
    makeDrafts(makers, tasks, {
      onProgress: (done, total) => report({ kind: "progress", done, total, note: "questions and chosen replies" }),
      ...(refuse && { refuse }),
      ...(concurrency !== undefined && { concurrency }),
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

function draftFailure(
  outcome: DraftOutcome,
  taken: ReadonlySet<string>,
): { topic: string; reason: string } | undefined {
  if (outcome.kind === "failure") return { topic: outcome.topic, reason: outcome.reason };
  const { question, topic } = outcome.draft;
  return taken.has(normalizedQuestion(question))
    ? { topic: topic ?? question, reason: "the question was asked before" }
    : undefined;
}

type Judged =
  | { readonly kind: "pair"; readonly pair: PreferencePair }
  | { readonly kind: "failure"; readonly topic: string; readonly reason: string };

async function* completed(
  context: RoundContext,
  plan: RoundPlan,
  drafts: readonly ChosenDraft[],
): AsyncGenerator<RoundEvent, Judged[]> {
  const { sampling, askToThink = true } = plan;
  const outcomes = yield* withReports<RoundEvent, Judged[]>((report) =>
    completePairs(context, drafts, {
      ...sampling,
      askToThink,
      onProgress: (done, total) => report({ kind: "progress", done, total, note: "samples of the student" }),
      ...(context.signal && { signal: context.signal }),
    }),
  );
  const { environment } = context;
  return environment === undefined ? outcomes : outcomes.map((outcome) => judge(outcome, environment, plan));
}

/** Adds the checker's verdicts to a pair's provenance. They choose pairs only where wrong answers alone are wanted. */
function judge(outcome: Judged, environment: Environment, { onlyIncludeWrongAnswers = false }: RoundPlan): Judged {
  if (outcome.kind === "failure") return outcome;
  const { pair } = outcome;
  const asked = normalizedQuestion(pair.provenance.question ?? "");
  const question = environment.questions("train").find(({ text }) => normalizedQuestion(text) === asked);
  if (question === undefined)
    return { kind: "failure", topic: asked, reason: "the question is none of the environment's" };
  const verdict = {
    chosen: environment.check(question, pair.chosen),
    rejected: environment.check(question, pair.rejected),
  };
  if (onlyIncludeWrongAnswers && verdict.rejected.right) {
    return { kind: "failure", topic: topicOf(question), reason: "the student's answer is right" };
  }
  return { kind: "pair", pair: { ...pair, provenance: { ...pair.provenance, verdict } } };
}
