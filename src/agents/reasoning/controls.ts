/** @file What recursion is held against at equal cost: as many independent samples, of which the scorer or a vote picks one. */
import { mapInOrder } from "../map-in-order.js";
import { replies } from "../student.js";
import { DEFAULT_CONCURRENCY, type ManyOptions } from "./reason-many.js";
import { checkReasoning, draftOf, mostAnswers, turnOf } from "./reasoning-state.js";
import { scoreRound } from "./reasoning-steps.js";
import type { AnswerSettings, ReasoningResult, ReasoningRound, ScoredStudent } from "./reasoning-types.js";
import { type AnswerExtractor, bestOf, costOf, mostVoted, normalisedAnswer } from "./rounds.js";

/** Independent samples, all of one batch; the scorer picks the best. The first is the first answer of recursion. */
export async function resample(
  context: ScoredStudent,
  questions: readonly string[],
  settings: AnswerSettings,
  options: ManyOptions = {},
): Promise<ReasoningResult[]> {
  const sampled = await sampleRounds(context, questions, settings, options);
  return sampled.map((rounds) => resultOf(rounds, bestOf(rounds)));
}

export interface VoteSettings extends AnswerSettings {
  /** What of an answer is counted; default: the normalised text. */
  readonly extract?: AnswerExtractor;
}

/** The samples of `resample`; the most frequent answer wins, whatever the scores. */
export async function majorityVote(
  context: ScoredStudent,
  questions: readonly string[],
  { extract = normalisedAnswer, ...settings }: VoteSettings,
  options: ManyOptions = {},
): Promise<ReasoningResult[]> {
  const sampled = await sampleRounds(context, questions, settings, options);
  return sampled.map((rounds) => resultOf(rounds, mostVoted(rounds, rounds.length, extract)));
}

function resultOf(rounds: readonly ReasoningRound[], picked: ReasoningRound): ReasoningResult {
  const { answer, round: best } = picked;
  return { answer, best, rounds, stopped: "rounds", integrated: false, cost: costOf(rounds) };
}

async function sampleRounds(
  context: ScoredStudent,
  questions: readonly string[],
  settings: AnswerSettings,
  { concurrency = DEFAULT_CONCURRENCY, signal, onProgress }: ManyOptions,
): Promise<ReasoningRound[][]> {
  checkReasoning(settings, questions);
  const each = mostAnswers(settings);
  const { temperature } = settings.sampling;
  if (each > 1 && !(temperature > 0))
    throw new Error(`temperature: expected more than 0, found ${temperature}: greedy samples are all the same`);
  const samples = questions.flatMap((question) => Array.from({ length: each }, (_, i) => ({ question, round: i + 1 })));
  const turns = samples.map(({ question, round }) => turnOf(settings, question, round));
  const drawn = await replies(context, turns, {
    ...settings.sampling,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const rounds = await mapInOrder(
    samples,
    async ({ question, round }, i) =>
      (await scoreRound(context, settings, question, draftOf(drawn[i]!, round), signal)).round,
    { concurrency, ...(signal && { signal }) },
  );
  return questions.map((_, i) => rounds.slice(i * each, (i + 1) * each));
}
