/** @file Accuracy against the depth of recursion: the best of the first N rounds by score, N = 1 … M, from one recursion. */
import { setMaxListeners } from "node:events";
import { prefilledThinking, THINKING } from "../../trainer/index.js";
import type { EnvironmentQuestion } from "../environments/index.js";
import { mapInOrder } from "../map-in-order.js";
import type { ReasoningContext, ReasoningRound } from "../reasoning/reasoning-types.js";
import { recursiveReason } from "../reasoning/recursive-reasoning.js";
import { createRng } from "../rng.js";
import type { Sampling } from "../student.js";
import { type Proportion, proportion } from "./intervals.js";
import type { MarkingEnvironment } from "./mark-replies.js";
import { comparePaired, type PairedComparison } from "./paired-comparison.js";

/** One answer of a recursion, as whole reply, and how it was scored without an answer key. */
export interface ScoredReply {
  readonly reply: string;
  readonly score: number;
  readonly hasAnswer: boolean;
}

/** Answers a question in up to so many rounds; fewer where it stops by itself. */
export type Reasoner = (
  question: string,
  rounds: number,
  seed: number,
  signal?: AbortSignal,
) => Promise<readonly ScoredReply[]>;

/** {@link recursiveReason} as a reasoner. */
export function recursiveReasoner(context: ReasoningContext, plan: { readonly sampling: Sampling }): Reasoner {
  return async (question, rounds, seed, signal) => {
    const found: ScoredReply[] = [];
    for await (const event of recursiveReason(context, { ...plan, question, rounds, seed }, signal)) {
      if (event.kind !== "score") continue;
      const { round } = event;
      found.push({ reply: wholeReply(round), score: round.score, hasAnswer: round.answer !== "" });
    }
    return found;
  };
}

function wholeReply({ section, thinking, answer }: ReasoningRound): string {
  if (section === "missing") return answer;
  return section === "found" ? `${prefilledThinking(thinking)}\n${answer}` : `${THINKING.start}\n${thinking}`;
}

/** The highest score of the first `depth` rounds, the earliest of equals; with an answer before without, as recursion has it. */
export function bestOfFirst(rounds: readonly ScoredReply[], depth: number): ScoredReply {
  const isBetter = (a: ScoredReply, b: ScoredReply): boolean =>
    a.score > b.score || (a.score === b.score && a.hasAnswer && !b.hasAnswer);
  return rounds.slice(0, depth).reduce((best, round) => (isBetter(round, best) ? round : best));
}

export interface DepthPlan {
  /** Ascending numbers of rounds, e.g. [1, 2, 3, 4]. */
  readonly depths: readonly number[];
  readonly seed: number;
  /** Recursions under way at once; their calls meet in one batch. Default 64. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

export interface DepthAccuracy {
  readonly rounds: number;
  readonly accuracy: Proportion;
  /** Rounds that were made of those allowed. */
  readonly meanRounds: number;
  /** Before: the smallest depth; after: this one. Null for the smallest. */
  readonly change: PairedComparison | null;
}

/** Many calls of one recursion listen at once, and many recursions run on one signal. */
function ownSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  const own = signal && AbortSignal.any([signal]);
  if (own !== undefined) setMaxListeners(0, own);
  return own;
}

/** A recursion that stopped by itself keeps its best answer at every greater depth. */
export async function accuracyByDepth(
  reason: Reasoner,
  environment: MarkingEnvironment,
  questions: readonly EnvironmentQuestion[],
  { depths, seed, concurrency = 64, signal, onProgress }: DepthPlan,
): Promise<DepthAccuracy[]> {
  const most = Math.max(...depths);
  const recursions = await mapInOrder(
    questions,
    // A round may draw with the seed of its recursion plus its number.
    ({ id, text }) => reason(text, most, createRng(seed, "recursion", id).int(2 ** 30), ownSignal(signal)),
    { concurrency, ...(signal && { signal }), ...(onProgress && { onProgress }) },
  );
  const verdictsAt = (depth: number): number[] =>
    questions.map((question, q) =>
      environment.check(question, bestOfFirst(recursions[q]!, depth).reply).right ? 1 : 0,
    );
  const [shallowest = 1] = depths;
  const first = verdictsAt(shallowest);
  return depths.map((depth) => {
    const verdicts = verdictsAt(depth);
    const made = recursions.reduce((sum, rounds) => sum + Math.min(depth, rounds.length), 0);
    return {
      rounds: depth,
      accuracy: proportion(verdicts.filter((verdict) => verdict === 1).length, verdicts.length),
      meanRounds: made / questions.length,
      change: depth === shallowest ? null : comparePaired(first, verdicts, seed),
    };
  });
}
