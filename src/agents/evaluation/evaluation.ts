/** @file Held-out measures: verified accuracy, preference accuracy, and the interval of a paired difference. */
import { type Policy, PROMPT_SUFFIX, type TokenizedPair } from "../../trainer/index.js";

import type { Environment, EnvironmentQuestion } from "../environments/environment.js";
import { replies, type Student } from "../student.js";
import type { AccuracyByType, EvaluationResult } from "../teaching/events.js";

export interface EvaluationOptions {
  /** Appended to every question; default: the request to think. */
  readonly suffix?: string;
  readonly maxNewTokens: number;
  /** Default 0: greedy. */
  readonly temperature?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
  /** Sees every reply; for a report or a look by eye. */
  readonly onReply?: (question: EnvironmentQuestion, reply: string) => void;
}

/** Asks closed-book and marks with the environment's checker. All questions must be of one split. */
export async function evaluateQuestions(
  student: Student,
  environment: Environment,
  questions: readonly EnvironmentQuestion[],
  options: EvaluationOptions,
): Promise<EvaluationResult> {
  const splits = [...new Set(questions.map((question) => question.split))];
  if (splits.length !== 1)
    throw new Error(`expected questions of one split, found ${splits.length} (${splits.join(", ")})`);
  const { suffix = PROMPT_SUFFIX, seed = 0, temperature = 0 } = options;
  const turns = questions.map((question, i) => ({ prompt: question.text + suffix, seed: seed + i }));
  const answers = await replies(student, turns, { ...options, temperature, topP: 1 });
  const verdicts = questions.map((question, i) => {
    const reply = answers[i]?.text ?? "";
    options.onReply?.(question, reply);
    return environment.check(question, reply);
  });
  const n = questions.length;
  const share = (count: number): number => count / n;
  return {
    split: splits[0] ?? "",
    accuracy: share(verdicts.filter((v) => v.right).length),
    n,
    chance: share(questions.reduce((sum, q) => sum + environment.chance(q.type), 0)),
    byType: accuracyByType(
      environment,
      questions,
      verdicts.map((v) => v.right),
    ),
    markable: share(verdicts.filter((v) => v.markable).length),
    thinkingRight: share(verdicts.filter((v) => v.thinkingRight === true).length),
    verdicts: verdicts.map((v) => (v.right ? 1 : 0)),
  };
}

function accuracyByType(
  environment: Environment,
  questions: readonly EnvironmentQuestion[],
  right: readonly boolean[],
): AccuracyByType[] {
  const types = [...new Set(questions.map((question) => question.type))].sort();
  return types.map((type) => {
    const of = questions.flatMap((question, i) => (question.type === type ? [right[i] === true] : []));
    return { type, right: of.filter(Boolean).length, n: of.length, chance: environment.chance(type) };
  });
}

/** Share of pairs whose chosen reply has the higher mean log-probability under the policy. */
export async function preferenceAccuracy(
  policy: Policy,
  pairs: readonly TokenizedPair[],
): Promise<{ accuracy: number; n: number; margin: number }> {
  if (pairs.length === 0)
    throw new Error("expected held-out pairs to score, found none: raise heldOutPairs or make more pairs");
  const scores = await policy.scorePairs(pairs);
  const margins = scores.map(({ chosen, rejected }) => chosen.sum / chosen.count - rejected.sum / rejected.count);
  return {
    accuracy: margins.filter((margin) => margin > 0).length / margins.length,
    n: margins.length,
    margin: margins.reduce((a, b) => a + b, 0) / margins.length,
  };
}

/** Two-sided 95 % quantile of the standard normal distribution. */
const Z_95 = 1.959964;

/**
 * Difference of two accuracies on the same questions, with the half-width of its 95 % interval:
 * d_i = after_i − before_i, difference = mean(d), halfWidth95 = 1.959964 · sqrt(Σ (d_i − mean(d))² / (n − 1) / n)
 * (paired normal approximation).
 */
export function pairedInterval(
  before: readonly number[],
  after: readonly number[],
): { readonly difference: number; readonly halfWidth95: number } {
  const n = before.length;
  if (n !== after.length || n < 2) {
    throw new Error(`expected two lists of verdicts on the same two or more questions, found ${n} and ${after.length}`);
  }
  const differences = before.map((value, i) => (after[i] ?? 0) - value);
  const difference = differences.reduce((a, b) => a + b, 0) / n;
  const squares = differences.reduce((sum, d) => sum + (d - difference) ** 2, 0);
  return { difference, halfWidth95: Z_95 * Math.sqrt(squares / (n - 1) / n) };
}
