/** @file Recursive reasoning: answer, criticise the thinking, answer again from the better thinking; the best round wins. */
import { extractSection, PROMPT_SUFFIX, prefilledThinking, type Section, THINKING } from "../../trainer/index.js";
import type { Passage, PassageStore } from "../corpus/types.js";
import { DEFAULT_PASSAGES } from "../retrieve-context.js";
import { replies, type Sampling, type Student } from "../student.js";
import { type Critic, type Evidence, nearestEvidence, supportScore, type ThinkingScorer } from "./critic.js";

export interface ReasoningContext extends Student {
  readonly store: PassageStore;
  /** Needed from the second round on, and to integrate; made when first needed. */
  readonly critic: () => Promise<Critic>;
  /** Default: lexical support by the evidence. */
  readonly score?: ThinkingScorer;
  /** Default: what is nearest to the question and to the sentences of the thinking. */
  readonly evidence?: Evidence;
}

export interface ReasoningPlan {
  readonly question: string;
  /** Number of answers; 1 calls no critic. */
  readonly rounds: number;
  readonly sampling: Sampling;
  readonly seed: number;
  /** Default: the request to think. */
  readonly suffix?: string;
  /** Passages a retrieval. */
  readonly k?: number;
  /** Lets the critic merge all answers into one. Default false: the best round's answer is the answer. */
  readonly integrate?: boolean;
}

export interface ReasoningRound {
  /** From 1. */
  readonly round: number;
  /** The model's thinking section: closed, still open where the reply broke off, or absent (`thinking` is empty). */
  readonly section: Section["kind"];
  readonly thinking: string;
  readonly answer: string;
  /** Share of the thinking that retrieval supports, in [0, 1]; 0 without an answer or without thinking. */
  readonly score: number;
  /** Passages that the round was judged by. */
  readonly evidence: readonly string[];
  /** What the critic said of the round before, where it was asked. */
  readonly feedback?: string;
}

export interface ReasoningResult {
  readonly answer: string;
  /** The round with the highest score, the earliest of equals; from 1. */
  readonly best: number;
  readonly rounds: readonly ReasoningRound[];
  /** Why it ended: all rounds done, or a round that could bring nothing or brought nothing. */
  readonly stopped: "rounds" | "critic-content" | "no-gain";
  readonly integrated: boolean;
}

/** Yields every round as it is scored. Throws where the plan is impossible or `signal` is aborted. */
export async function* recursiveReason(
  context: ReasoningContext,
  plan: ReasoningPlan,
  signal?: AbortSignal,
): AsyncGenerator<ReasoningRound, ReasoningResult> {
  const { question, rounds: most } = plan;
  if (!Number.isInteger(most) || most < 1) throw new Error(`rounds: expected a whole number from 1, found ${most}`);
  if (question.trim() === "") throw new Error("question: expected a text, found nothing");
  const run: Run = { context, plan, critic: once(context.critic), ...(signal && { signal }) };
  const rounds: ReasoningRound[] = [];
  let stopped: ReasoningResult["stopped"] = "rounds";
  let next: Opening = {};
  while (rounds.length < most) {
    const judged = await answerRound(run, next, rounds.length + 1);
    rounds.push(judged.round);
    yield judged.round;
    if (rounds.length > 1 && bringsNothing(rounds)) {
      stopped = "no-gain";
      break;
    }
    if (rounds.length === most) break;
    const improved = await improvedOpening(run, judged);
    if (improved === undefined) {
      stopped = "critic-content";
      break;
    }
    next = improved;
  }
  const best = bestRound(rounds);
  const merged = plan.integrate === true ? await integrate(run, rounds) : undefined;
  return { answer: merged ?? best.answer, best: best.round, rounds, stopped, integrated: merged !== undefined };
}

interface Run {
  readonly context: ReasoningContext;
  readonly plan: ReasoningPlan;
  readonly critic: () => Promise<Critic>;
  readonly signal?: AbortSignal;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** What a round begins with. */
interface Opening {
  readonly prefill?: string;
  readonly feedback?: string;
}

/** A round with the passages that it was judged by. */
interface JudgedRound {
  readonly round: ReasoningRound;
  readonly passages: readonly Passage[];
}

async function answerRound(
  { context, plan, signal }: Run,
  { prefill, feedback }: Opening,
  round: number,
): Promise<JudgedRound> {
  const { question, suffix = PROMPT_SUFFIX, seed, sampling, k = DEFAULT_PASSAGES } = plan;
  const turn = { prompt: question + suffix, seed: seed + round - 1, ...(prefill !== undefined && { prefill }) };
  const [reply] = await replies(context, [turn], { ...sampling, ...(signal && { signal }) });
  const section = extractSection(reply?.text ?? "", THINKING);
  const thinking = section.text.trim();
  const answer = section.after.trim();
  const gather = context.evidence ?? nearestEvidence(context.store, k);
  const passages = await gather({ question, thinking }, signal);
  const judge = context.score ?? supportScore;
  const made: ReasoningRound = {
    round,
    section: section.kind,
    thinking,
    answer,
    score: thinking === "" || answer === "" ? 0 : judge({ question, thinking, passages }),
    evidence: passages.map((passage) => passage.id),
    ...(feedback !== undefined && { feedback }),
  };
  return { round: made, passages };
}

/** How the next round begins, or undefined where the critic has nothing to change. */
async function improvedOpening(
  { plan, critic, signal }: Run,
  { round, passages }: JudgedRound,
): Promise<Opening | undefined> {
  const { thinking, section } = round;
  // There is nothing to criticise: the section is opened for the model, which then has to think.
  if (thinking === "") return { prefill: `${THINKING.start}\n` };
  const improved = await (await critic()).critique({ question: plan.question, thinking, passages }, signal);
  const unchanged = improved.thinking.trim() === thinking;
  if (unchanged && improved.complete && section === "found") return undefined;
  return {
    prefill: improved.complete
      ? prefilledThinking(improved.thinking.trim())
      : `${THINKING.start}\n${improved.thinking}`,
    feedback: improved.feedback,
  };
}

/** The last round scores no higher than the best before it. One without an answer may still lead to one. */
function bringsNothing(rounds: readonly ReasoningRound[]): boolean {
  const last = rounds.at(-1);
  if (last === undefined || last.thinking === "" || last.answer === "") return false;
  return last.score <= Math.max(...rounds.slice(0, -1).map((round) => round.score));
}

function bestRound(rounds: readonly ReasoningRound[]): ReasoningRound {
  const isBetter = (a: ReasoningRound, b: ReasoningRound): boolean =>
    a.score > b.score || (a.score === b.score && b.answer === "" && a.answer !== "");
  return rounds.reduce((best, round) => (isBetter(round, best) ? round : best));
}

/** Undefined where there are no two different answers to merge. */
async function integrate(
  { plan, critic, signal }: Run,
  rounds: readonly ReasoningRound[],
): Promise<string | undefined> {
  const answers = [...new Set(rounds.map((round) => round.answer).filter((answer) => answer !== ""))];
  if (answers.length < 2) return undefined;
  return (await critic()).integrate({ question: plan.question, answers }, signal);
}
