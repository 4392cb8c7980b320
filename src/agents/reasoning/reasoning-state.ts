/** @file The state of one recursion between two steps, and the rules by which it goes on or ends. Knows no model and no critic. */
import { PROMPT_SUFFIX, prefilledThinking, REFLECT, THINKING } from "../../trainer/index.js";
import type { Passage } from "../corpus/types.js";
import { createRng } from "../rng.js";
import type { Reply, StudentTurn } from "../student.js";
import type { Improvement } from "./critic.js";
import { readReply } from "./read-reply.js";
import type {
  AnswerSettings,
  DraftRound,
  ReasoningCost,
  ReasoningResult,
  ReasoningRound,
  ReasoningSettings,
  RoundOpening,
  StopReason,
} from "./reasoning-types.js";
import { addCosts, bestOf, costOf, NO_COST } from "./rounds.js";

export type StepName = "answer" | "score" | "feedback" | "improve" | "integrate";

/** How the next answer begins. */
export interface Opening {
  readonly kind: RoundOpening;
  readonly prefill?: string;
  /** What the critic made of the thinking, where it is what the answer begins with. */
  readonly improved?: Pick<Improvement, "thinking" | "complete">;
}

/** Plain data, so that a checkpointer can keep it. */
export interface ReasoningState {
  readonly question: string;
  readonly next: StepName | "end";
  readonly rounds: readonly ReasoningRound[];
  readonly opening: Opening;
  /** The reply that is not scored yet. */
  readonly draft?: DraftRound;
  /** What the last round was judged by. */
  readonly passages: readonly Passage[];
  /** On the last round's thinking. */
  readonly feedback?: string;
  /** Of the critic since the last answer. */
  readonly criticCost: ReasoningCost;
  readonly stopped: StopReason;
  readonly merged?: string;
  readonly critic?: string;
  readonly failure?: string;
}

export type Update = Partial<ReasoningState> & Pick<ReasoningState, "next">;

export function startState(question: string): ReasoningState {
  return {
    question,
    next: "answer",
    rounds: [],
    opening: { kind: "none" },
    passages: [],
    criticCost: NO_COST,
    stopped: "rounds",
  };
}

/** Answers that are made at most. */
export const mostAnswers = ({ rounds, mode }: AnswerSettings): number => (mode === "reflection" ? rounds + 1 : rounds);

/** Refuses settings and questions that nothing can come of, all problems at once. */
export function checkReasoning(settings: ReasoningSettings, questions: readonly string[]): void {
  const { rounds, stopAtScore, keepGoing } = settings;
  const problems = questions.flatMap((question, i) =>
    question.trim() === "" ? [`question ${i + 1}: expected a text, found nothing`] : [],
  );
  if (!Number.isInteger(rounds) || rounds < 1) problems.push(`rounds: expected a whole number from 1, found ${rounds}`);
  if (stopAtScore !== undefined && !(stopAtScore >= 0 && stopAtScore <= 1))
    problems.push(`stopAtScore: expected a number from 0 to 1, found ${stopAtScore}`);
  if (stopAtScore !== undefined && keepGoing === true)
    problems.push("stopAtScore: expected none beside keepGoing, which makes all rounds: leave one of them out");
  if (problems.length > 0) throw new Error(problems.join("; "));
}

/** The user turn of a round, from 1, and what its reply begins with. */
export function turnOf(
  { seed, suffix = PROMPT_SUFFIX }: AnswerSettings,
  question: string,
  round: number,
  prefill?: string,
): StudentTurn {
  const drawn = createRng(seed, "reasoning", question, round).int(2 ** 31);
  return { prompt: question + suffix, seed: drawn, ...(prefill !== undefined && { prefill }) };
}

export function draftOf(reply: Reply, round: number, opening: RoundOpening = "none"): DraftRound {
  const cost = addCosts(NO_COST, { modelCalls: 1, newTokens: reply.newTokens });
  return { round, opening, ...readReply(reply.text), cost };
}

/** What comes after a scored round: the end, a section opened for the model, or feedback. */
export function afterRound(
  settings: ReasoningSettings,
  rounds: readonly ReasoningRound[],
): { readonly stopped: StopReason } | { readonly opening: Opening } | { readonly next: "feedback" } {
  const last = rounds.at(-1);
  if (last === undefined) throw new Error("internal: no round to go on from");
  const missing = missingSection(settings, last);
  const stopped = stopAfter(settings, rounds, missing);
  if (stopped !== undefined) return { stopped };
  if (missing === "thinking") return { opening: { kind: missing, prefill: `${THINKING.start}\n` } };
  if (missing === "reflection")
    return { opening: { kind: missing, prefill: `${prefilledThinking(last.thinking)}\n${REFLECT.start}\n` } };
  return { next: "feedback" };
}

/** What the next step needs and the reply lacks. A section that broke off has a text to work on. */
function missingSection(
  { mode }: ReasoningSettings,
  { thinking, reflection }: ReasoningRound,
): "thinking" | "reflection" | undefined {
  if (thinking === "") return "thinking";
  return mode === "reflection" && reflection === "" ? "reflection" : undefined;
}

function stopAfter(
  settings: ReasoningSettings,
  rounds: readonly ReasoningRound[],
  missing: "thinking" | "reflection" | undefined,
): StopReason | undefined {
  const last = rounds.at(-1);
  const allMade = rounds.length >= mostAnswers(settings);
  if (last === undefined || settings.keepGoing === true) return allMade ? "rounds" : undefined;
  if (settings.stopAtScore !== undefined && last.score >= settings.stopAtScore) return "score-reached";
  if (bringsNothing(rounds, last)) return "no-gain";
  if (missing !== undefined && missing === last.opening) return `no-${missing}`;
  return allMade ? "rounds" : undefined;
}

/** An improvement that scores no higher than the best before it. One without an answer may still lead to one. */
function bringsNothing(rounds: readonly ReasoningRound[], last: ReasoningRound): boolean {
  if (last.opening !== "improved" || last.thinking === "" || last.answer === "") return false;
  return last.score <= Math.max(...rounds.slice(0, -1).map((round) => round.score));
}

/** Where it goes when no further round is made. */
export function endingOf({ integrate }: ReasoningSettings, rounds: readonly ReasoningRound[]): "integrate" | "end" {
  return integrate === true && new Set(answersOf(rounds)).size > 1 ? "integrate" : "end";
}

export const answersOf = (rounds: readonly ReasoningRound[]): string[] =>
  rounds.flatMap(({ answer }) => (answer === "" ? [] : [answer]));

export function resultOf(state: ReasoningState): ReasoningResult {
  const { rounds, stopped, merged, critic, failure, criticCost } = state;
  const best = bestOf(rounds);
  return {
    answer: merged ?? best.answer,
    best: best.round,
    rounds,
    stopped,
    integrated: merged !== undefined,
    cost: addCosts(costOf(rounds), criticCost),
    ...(critic !== undefined && { critic }),
    ...(failure !== undefined && { failure }),
  };
}
