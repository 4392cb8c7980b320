/** @file The outer loop: pairs against the current model, training on them, evaluation, checkpoint, and again. */

import { join } from "node:path";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import {
  type PreferencePair,
  type ReplyMask,
  THINKING,
  type TokenizedPair,
  tokenizePairs,
} from "../../trainer/index.js";
import type { PassageStore } from "../corpus/types.js";
import type { Environment, EnvironmentQuestion } from "../environments/environment.js";
import { preferenceAccuracy } from "../evaluation/evaluate-pairs.js";
import { evaluateQuestions } from "../evaluation/evaluate-questions.js";
import { withReports } from "../report-progress.js";
import { createRng } from "../rng.js";
import type { Student } from "../student.js";
import { createPairMakers } from "./answer-pair.js";
import type { SelfTeachingEvent } from "./events.js";
import { makeRoundPairs, normalizedQuestion, type RoundContext, type RoundPlan } from "./pair-round.js";
import { openRunJournal, type RunJournal, readHeldOutPairs, writeHeldOutPairs } from "./run-journal.js";
import { type ReplaySupplier, stepsOf, type TrainingPlan, trainOnPairs } from "./train-on-pairs.js";

export interface SelfTeachingContext extends Student {
  readonly store: PassageStore;
  /** Writes questions and chosen replies; any LangChain chat model with tool calls. */
  readonly teacher: BaseChatModel;
  /** Checks answers, and names the questions that may be asked. */
  readonly environment?: Environment;
  /** Texts for `plan.replayRows`. */
  readonly replay?: ReplaySupplier;
  /** Where pairs, metrics and checkpoints go; without it nothing is written. */
  readonly runDir?: string;
  readonly signal?: AbortSignal;
}

export interface SelfTeachingPlan
  extends Omit<TrainingPlan, "maxSteps">,
    Pick<RoundPlan, "sampling" | "topics" | "onlyIncludeWrongAnswers" | "askToThink" | "concurrency"> {
  readonly rounds: number;
  /** First round's number, to go on after a checkpoint; default 1. */
  readonly firstRound?: number;
  readonly pairsPerRound: number;
  /** Passages joined as a question's context; default 3. */
  readonly contextPassages?: number;
  /** Passages of one retrieval of the agents; default 3. */
  readonly k?: number;
  readonly maxPromptLength: number;
  readonly maxLength: number;
  /** Default: none. */
  readonly mask?: ReplyMask;
  /** Held-out questions of the environment, of any splits. */
  readonly evaluationQuestions?: readonly EnvironmentQuestion[];
  readonly evaluationMaxNewTokens?: number;
  /** Pairs made before the first round and never trained on, the same ones when a run goes on; default 0. */
  readonly heldOutPairs?: number;
  /** Evaluates before the first round, after every so many rounds, and after the last; 0: never. Default 1. */
  readonly evaluateEvery?: number;
}

export interface SelfTeachingSummary {
  readonly pairs: number;
  readonly steps: number;
  /** How often each reason dropped a question or a pair. */
  readonly failures: Readonly<Record<string, number>>;
}

interface Run {
  readonly context: SelfTeachingContext;
  readonly plan: SelfTeachingPlan;
  readonly journal: RunJournal;
  readonly round: RoundContext;
  readonly heldOut: readonly TokenizedPair[];
  /** Questions of the held-out pairs. */
  readonly reserved: ReadonlySet<string>;
}

/** Yields everything that happens. Ends by throwing where the plan is impossible, a round yields no pair, or `signal` is aborted. */
export async function* selfTeach(
  context: SelfTeachingContext,
  plan: SelfTeachingPlan,
): AsyncGenerator<SelfTeachingEvent, SelfTeachingSummary> {
  checkPlan(context, plan);
  const { store, teacher, signal, policy } = context;
  const { k, contextPassages, rounds, firstRound = 1 } = plan;
  const makers = await createPairMakers({
    model: teacher,
    store,
    ...(k !== undefined && { k }),
    ...(contextPassages !== undefined && { contextPassages }),
  });
  const failures: Record<string, number> = {};
  const prepared = { context, plan, journal: await openRunJournal(context.runDir), round: { ...context, makers } };
  const reserved = new Set<string>();
  const heldOut = yield* counted(failures, heldOutPairs(prepared, reserved));
  const run: Run = { ...prepared, heldOut, reserved };
  if (isEvaluated(plan, firstRound - 1)) yield* evaluate(run, firstRound - 1);
  const firstStep = await policy.stepCount();
  let pairs = 0;
  for (let round = firstRound; round <= rounds; round++) {
    signal?.throwIfAborted();
    const made = yield* counted(failures, roundPairs(run, round));
    pairs += made.length;
    yield* train(run, round, made);
    // Before the evaluation, which can be made again from it.
    yield* checkpoint(run, round);
    if (isEvaluated(plan, round)) yield* evaluate(run, round);
  }
  return { pairs, steps: (await policy.stepCount()) - firstStep, failures };
}

function isEvaluated({ evaluateEvery = 1, rounds }: SelfTeachingPlan, round: number): boolean {
  return evaluateEvery > 0 && (round % evaluateEvery === 0 || round === rounds);
}

/** All problems at once. */
function checkPlan(context: SelfTeachingContext, plan: SelfTeachingPlan): void {
  const positive = ["rounds", "pairsPerRound", "epochs", "batchPairs", "maxPromptLength", "maxLength"] as const;
  const problems: string[] = positive
    .filter((name) => !Number.isInteger(plan[name]) || plan[name] < 1)
    .map((name) => `${name}: expected a whole number from 1, found ${plan[name]}`);
  if (plan.onlyIncludeWrongAnswers === true && context.environment === undefined) {
    problems.push(
      "onlyIncludeWrongAnswers: needs an environment that can check answers; leave it off for other corpora",
    );
  }
  if ((plan.evaluationQuestions?.length ?? 0) > 0 && context.environment === undefined) {
    problems.push("evaluationQuestions: need the environment that they are of");
  }
  if ((plan.evaluationQuestions ?? []).some((question) => question.split === "train")) {
    problems.push("evaluationQuestions: expected held-out questions, found some of the split train");
  }
  if ((plan.replayRows ?? 0) > 0 && context.replay === undefined)
    problems.push("replayRows: need a supplier of texts (replay)");
  if (plan.topics?.length === 0)
    problems.push("topics: expected at least one, found an empty list; leave it out for random passages");
  if (problems.length > 0) throw new Error(`self-teaching plan: ${problems.join("; ")}`);
}

/** Counts the failures among the events that pass. */
async function* counted<T>(
  failures: Record<string, number>,
  events: AsyncGenerator<SelfTeachingEvent, T>,
): AsyncGenerator<SelfTeachingEvent, T> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
    if (next.value.kind === "failure") failures[next.value.reason] = (failures[next.value.reason] ?? 0) + 1;
    yield next.value;
  }
}

type Prepared = Pick<Run, "context" | "plan" | "journal" | "round">;

async function* heldOutPairs(
  run: Prepared,
  reserved: Set<string>,
): AsyncGenerator<SelfTeachingEvent, readonly TokenizedPair[]> {
  const { heldOutPairs: pairs = 0, seed } = run.plan;
  if (pairs === 0) return [];
  yield { kind: "phase", phase: "pairs", round: 0, total: pairs };
  const { runDir } = run.context;
  const known = runDir === undefined || (run.plan.firstRound ?? 1) === 1 ? undefined : await readHeldOutPairs(runDir);
  let made: readonly PreferencePair[];
  if (known === undefined) {
    const heldOutSeed = createRng(seed, "held-out").int(2 ** 31);
    // Right answers are a fair test of preference, so none are left out here.
    const plan = { ...run.plan, pairs, seed: heldOutSeed, round: 0, onlyIncludeWrongAnswers: false };
    made = yield* makeRoundPairs(run.round, plan, reserved);
    if (runDir !== undefined) await writeHeldOutPairs(runDir, made);
  } else {
    made = known;
    for (const { provenance } of made) reserved.add(normalizedQuestion(provenance.question ?? ""));
  }
  const { kept } = yield* tokenized(run, 0, made);
  return kept;
}

interface MadePair {
  readonly text: PreferencePair;
  readonly tokens: TokenizedPair;
}

async function* roundPairs(run: Run, round: number): AsyncGenerator<SelfTeachingEvent, MadePair[]> {
  const { plan, journal, reserved } = run;
  yield { kind: "phase", phase: "pairs", round, total: plan.pairsPerRound };
  const reasons: Record<string, number> = {};
  const taken = new Set(reserved);
  const made = yield* counted(reasons, makeRoundPairs(run.round, { ...plan, pairs: plan.pairsPerRound, round }, taken));
  const { kept, texts } = yield* counted(reasons, tokenized(run, round, made));
  if (kept.length === 0) throw new Error(noPairs(round, plan.pairsPerRound, reasons));
  await journal.pairs(texts);
  for (const pair of texts) yield { kind: "pair", round, pair };
  return kept.map((tokens, i) => ({ tokens, text: texts[i] as PreferencePair }));
}

function noPairs(round: number, wanted: number, reasons: Readonly<Record<string, number>>): string {
  const counts = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  const list = counts.map(([reason, count]) => `${count} × ${reason}`).join("; ");
  return (
    `round ${round}: expected up to ${wanted} preference pairs, found none (${list || "no question could be asked"}). ` +
    "Nothing was trained. Ingest more text, choose other topics, or use another teacher; where the student's answers are all right, " +
    "turn onlyIncludeWrongAnswers off or stop here; where pairs are too long, raise maxLength."
  );
}

async function* tokenized(
  { context, plan }: Prepared,
  round: number,
  made: readonly PreferencePair[],
): AsyncGenerator<SelfTeachingEvent, { kept: readonly TokenizedPair[]; texts: readonly PreferencePair[] }> {
  const { tokenizer, template } = context;
  const { maxPromptLength, maxLength, mask = "none" } = plan;
  const options = {
    tokenizer,
    template,
    maxPromptLength,
    maxLength,
    mask,
    includeThinkingTokenInLabels: true,
    markers: THINKING,
  };
  const { pairs, indices, dropped } = tokenizePairs(made, options);
  for (const [reason, count] of Object.entries(dropped)) {
    for (let i = 0; i < count; i++)
      yield { kind: "failure", round, topic: "", reason: `dropped when tokenized: ${reason}` };
  }
  return { kept: pairs, texts: indices.map((index) => made[index] as PreferencePair) };
}

async function* train(run: Run, round: number, pairs: readonly MadePair[]): AsyncGenerator<SelfTeachingEvent> {
  const { context, plan, journal } = run;
  const seed = createRng(plan.seed, "train", round).int(2 ** 31);
  const tokens = pairs.map((pair) => pair.tokens);
  yield { kind: "phase", phase: "train", round, total: stepsOf(tokens.length, plan) };
  for await (const { step, metrics } of trainOnPairs(context, tokens, { ...plan, seed })) {
    await journal.metrics({ kind: "step", step, round, ...metrics });
    yield { kind: "step", round, step, metrics };
  }
}

async function* evaluate(run: Run, round: number): AsyncGenerator<SelfTeachingEvent> {
  const { context, plan, journal, heldOut } = run;
  const { evaluationQuestions = [], evaluationMaxNewTokens = plan.sampling.maxNewTokens } = plan;
  const { environment, signal, policy } = context;
  if (evaluationQuestions.length + heldOut.length === 0) return;
  yield { kind: "phase", phase: "evaluate", round, total: evaluationQuestions.length + heldOut.length };
  const step = await policy.stepCount();
  const splits = [...new Set(evaluationQuestions.map((question) => question.split))];
  for (const split of environment === undefined ? [] : splits) {
    const questions = evaluationQuestions.filter((question) => question.split === split);
    const result = yield* withReports<SelfTeachingEvent, Awaited<ReturnType<typeof evaluateQuestions>>>((report) =>
      evaluateQuestions(context, environment as Environment, questions, {
        maxNewTokens: evaluationMaxNewTokens,
        onProgress: (done, total) => report({ kind: "progress", done, total, note: split }),
        ...(signal && { signal }),
      }),
    );
    const { verdicts: _verdicts, ...metrics } = result;
    await journal.metrics({ kind: "evaluation", step, round, ...metrics });
    yield { kind: "evaluation", round, result };
  }
  if (heldOut.length === 0) return;
  const preference = await preferenceAccuracy(policy, heldOut);
  await journal.metrics({ kind: "preference-accuracy", step, round, ...preference });
  yield { kind: "preference-accuracy", round, accuracy: preference.accuracy, n: preference.n };
}

async function* checkpoint({ context, plan }: Run, round: number): AsyncGenerator<SelfTeachingEvent> {
  const { runDir, policy } = context;
  if (runDir === undefined) return;
  yield { kind: "phase", phase: "checkpoint", round, total: 1 };
  const step = await policy.stepCount();
  const path = await policy.saveCheckpoint(join(runDir, `checkpoint-${step}`), { round, step, seed: plan.seed });
  yield { kind: "checkpoint", round, path };
}
