/** @file Blind pairwise judging: two sets of replies to the same questions, thinking taken off, order drawn, names hidden. */
import { REFLECT, THINKING } from "../../trainer/index.js";
import { mapInOrder } from "../map-in-order.js";
import { createRng } from "../rng.js";
import { type Proportion, proportionOrNull } from "./intervals.js";
import { signTest } from "./sign-test.js";

/** Sees two answers and says which is better. It asks both ways round itself and calls a preference for a place a tie. */
export interface PairJudge {
  readonly name: string;
  comparePair(
    input: { readonly question: string; readonly a: string; readonly b: string; readonly reference?: string },
    signal?: AbortSignal,
  ): Promise<{ readonly winner: "a" | "b" | "tie" | "unjudged"; readonly reason?: string }>;
}

/** Whole replies of both sides to one question. */
export interface Bout {
  readonly question: string;
  readonly reference?: string;
  readonly ours: string;
  readonly theirs: string;
}

export interface JudgingOptions {
  /** Draws which side is shown as a. */
  readonly seed: number;
  /** Judge's calls under way at once; default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

export interface BoutResult {
  readonly outcome: "win" | "loss" | "tie" | "unjudged";
  /** Which side was shown as a; absent where no judge was asked: both answers are the same, or one is missing. */
  readonly shownFirst?: "ours" | "theirs";
  readonly reason?: string;
}

export interface JudgedComparison {
  readonly judge: string;
  readonly n: number;
  readonly wins: number;
  readonly losses: number;
  /** Left out of the win rate. */
  readonly ties: number;
  /** The judge failed or would not say; counted, and left out of the win rate. */
  readonly unjudged: number;
  /** Of the above, those that needed no judge. */
  readonly withoutJudge: number;
  /** Wins of wins and losses; null where there are neither. */
  readonly winRate: Proportion | null;
  /** Exact two-sided sign test of wins against losses. */
  readonly p: number;
  readonly bouts: readonly BoutResult[];
}

/** What follows thinking and reflection; nothing where one was opened and never closed. */
export function answerOf(reply: string): string {
  const sections = [THINKING, REFLECT];
  if (sections.some(({ start, end }) => reply.lastIndexOf(start) > reply.lastIndexOf(end))) return "";
  const ends = sections.map(({ end }) => (reply.includes(end) ? reply.lastIndexOf(end) + end.length : 0));
  return reply.slice(Math.max(...ends)).trim();
}

/** A judge that throws leaves its bout unjudged; an abort ends all. */
export async function judgeReplies(
  judge: PairJudge,
  bouts: readonly Bout[],
  { seed, concurrency = 4, signal, onProgress }: JudgingOptions,
): Promise<JudgedComparison> {
  const coin = createRng(seed, "judge", "order");
  const ordered = bouts.map((bout) => ({ bout, oursFirst: coin.uniform() < 0.5 }));
  const results = await mapInOrder(ordered, ({ bout, oursFirst }) => judgeBout(judge, bout, oursFirst, signal), {
    concurrency,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const count = (outcome: BoutResult["outcome"]): number => results.filter((each) => each.outcome === outcome).length;
  const [wins, losses] = [count("win"), count("loss")];
  return {
    judge: judge.name,
    n: bouts.length,
    wins,
    losses,
    ties: count("tie"),
    unjudged: count("unjudged"),
    withoutJudge: results.filter(({ shownFirst }) => shownFirst === undefined).length,
    winRate: proportionOrNull(wins, wins + losses),
    p: signTest(wins, losses),
    bouts: results,
  };
}

async function judgeBout(judge: PairJudge, bout: Bout, oursFirst: boolean, signal?: AbortSignal): Promise<BoutResult> {
  const { question, reference } = bout;
  const [ours, theirs] = [answerOf(bout.ours), answerOf(bout.theirs)];
  if (ours === theirs) return { outcome: "tie", reason: ours === "" ? "neither has an answer" : "the same answer" };
  if (ours === "") return { outcome: "loss", reason: "no answer" };
  if (theirs === "") return { outcome: "win", reason: "the other has no answer" };
  const shownFirst = oursFirst ? "ours" : "theirs";
  const [a, b] = oursFirst ? [ours, theirs] : [theirs, ours];
  try {
    const { winner, reason } = await judge.comparePair(
      { question, a, b, ...(reference !== undefined && { reference }) },
      signal,
    );
    const outcome = winner === "a" || winner === "b" ? ((winner === "a") === oursFirst ? "win" : "loss") : winner;
    return { outcome, shownFirst, ...(reason !== undefined && { reason }) };
  } catch (error) {
    signal?.throwIfAborted();
    return { outcome: "unjudged", shownFirst, reason: error instanceof Error ? error.message : String(error) };
  }
}
