/** @file Rounds compared and added up: the best, the most voted, their cost. */
import type { ReasoningCost, ReasoningRound } from "./reasoning-types.js";

/**
 * The best of the first `n` rounds (default: all): highest score, the earliest of equals; of equals one with an answer
 * goes before one without. Where fewer were made, the best of these.
 */
export function bestOf(rounds: readonly ReasoningRound[], n = rounds.length): ReasoningRound {
  return firstOf(rounds, n).reduce((best, round) => (isBetter(round, best) ? round : best));
}

function isBetter(a: ReasoningRound, b: ReasoningRound): boolean {
  return a.score > b.score || (a.score === b.score && b.answer === "" && a.answer !== "");
}

/** What an answer says, so that equal answers are equal texts; "" where it says nothing that could be counted. */
export type AnswerExtractor = (answer: string) => string;

/** Case, white space, compatible forms of letters and closing punctuation make no other answer. */
export const normalisedAnswer: AnswerExtractor = (answer) =>
  answer
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/[\s.!,;:]+$/, "")
    .trim();

/**
 * The earliest of the first `n` rounds whose answer is the most frequent one; of equally frequent answers the one that
 * came first. What extracts to "" has no vote; where nothing has one, the first round.
 */
export function mostVoted(
  rounds: readonly ReasoningRound[],
  n = rounds.length,
  extract: AnswerExtractor = normalisedAnswer,
): ReasoningRound {
  const [first, ...others] = firstOf(rounds, n);
  const counts = new Map<string, number>();
  const votes = [first, ...others].map((round) => ({ round, vote: extract(round.answer) }));
  for (const { vote } of votes) if (vote !== "") counts.set(vote, (counts.get(vote) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return votes.find(({ vote }) => counts.get(vote) === most)?.round ?? first;
}

function firstOf(rounds: readonly ReasoningRound[], n: number): [ReasoningRound, ...ReasoningRound[]] {
  if (rounds.length === 0) throw new Error("rounds: expected at least one, found none");
  if (!Number.isInteger(n) || n < 1) throw new Error(`n: expected a whole number of rounds from 1, found ${n}`);
  return rounds.slice(0, n) as [ReasoningRound, ...ReasoningRound[]];
}

export const NO_COST: ReasoningCost = { modelCalls: 0, newTokens: 0, criticCalls: 0 };

/** What rounds took together: `costOf(rounds.slice(0, n))` is the cost of n rounds. */
export function costOf(rounds: readonly Pick<ReasoningRound, "cost">[]): ReasoningCost {
  return rounds.reduce((sum, { cost }) => addCosts(sum, cost), NO_COST);
}

export function addCosts(a: ReasoningCost, b: Partial<ReasoningCost>): ReasoningCost {
  return {
    modelCalls: a.modelCalls + (b.modelCalls ?? 0),
    newTokens: a.newTokens + (b.newTokens ?? 0),
    criticCalls: a.criticCalls + (b.criticCalls ?? 0),
  };
}
