/** @file Verified accuracy: questions of one split asked closed-book and marked by their environment. */
import { PROMPT_SUFFIX } from "../../trainer/index.js";
import type { Environment, EnvironmentQuestion } from "../environments/index.js";
import { replies, type Student } from "../student.js";
import type { EvaluationResult } from "../teaching/events.js";
import { askQuestions, type Respondent } from "./ask-questions.js";
import { type Mark, type MarkingEnvironment, type MarkSummary, markReply, summarizeMarks } from "./mark-replies.js";
import { type PassAtK, passAtKs } from "./pass-at-k.js";
import type { ThinkingMode } from "./thinking-mode.js";

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

/** What a training run reports of one split. All questions must be of that split. */
export async function evaluateQuestions(
  student: Student,
  environment: Environment,
  questions: readonly EnvironmentQuestion[],
  options: EvaluationOptions,
): Promise<EvaluationResult> {
  const split = splitOf(questions);
  const { suffix = PROMPT_SUFFIX, seed = 0, temperature = 0 } = options;
  const turns = questions.map((question, i) => ({ prompt: question.text + suffix, seed: seed + i }));
  const answers = await replies(student, turns, { ...options, temperature, topP: 1 });
  const marks = questions.map((question, i) => {
    const reply = answers[i]!;
    options.onReply?.(question, reply.text);
    return markReply(environment, question, reply, student.tokenizer);
  });
  const { accuracy, n, chance, byType, markable, verdicts } = summarizeMarks(environment, marks);
  return {
    split,
    accuracy: accuracy.share,
    n,
    chance,
    byType: byType.map((type) => ({ type: type.type, right: type.count, n: type.n, chance: type.chance })),
    markable: markable.share,
    thinkingRight: marks.filter(({ thinkingRight }) => thinkingRight === true).length / n,
    verdicts,
  };
}

function splitOf(questions: readonly EnvironmentQuestion[]): string {
  const splits = [...new Set(questions.map((question) => question.split))];
  const [split] = splits;
  if (split !== undefined && splits.length === 1) return split;
  throw new Error(`expected questions of one split, found ${splits.length} (${splits.join(", ")})`);
}

export interface SamplingPlan {
  /** Samples of each question. */
  readonly samples: number;
  /** The ks of pass@k, at most `samples` each. */
  readonly ks: readonly number[];
  readonly temperature: number;
  readonly topP: number;
}

export interface SplitPlan {
  readonly thinking: ThinkingMode;
  readonly maxNewTokens: number;
  readonly seed: number;
  /** Without it one greedy reply a question is all. */
  readonly sampling?: SamplingPlan;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
  /** Sees every mark: sample 0 is the greedy reply, 1 … n are drawn ones. */
  readonly onMark?: (mark: Mark, sample: number) => void;
}

export interface SplitResult {
  readonly split: string;
  readonly thinking: ThinkingMode;
  /** One greedy reply a question. */
  readonly greedy: MarkSummary;
  readonly passAtK: readonly PassAtK[];
}

/** What a researcher asks of one split: everything that its replies tell, with intervals. */
export async function evaluateSplit(
  respondent: Respondent,
  environment: MarkingEnvironment,
  questions: readonly EnvironmentQuestion[],
  plan: SplitPlan,
): Promise<SplitResult> {
  const split = splitOf(questions);
  const { thinking, sampling, onMark } = plan;
  const total = questions.length * (1 + (sampling?.samples ?? 0));
  const ask = async (samples: number, temperature: number, topP: number, before: number): Promise<Mark[][]> => {
    const { maxNewTokens, seed, signal, onProgress } = plan;
    const asked = await askQuestions(respondent, questions, {
      thinking,
      maxNewTokens,
      seed,
      samples,
      temperature,
      topP,
      ...(signal && { signal }),
      onProgress: (finished) => onProgress?.(before + finished, total),
    });
    return questions.map((question, q) =>
      asked[q]!.map((reply) => markReply(environment, question, reply, respondent.tokenizer)),
    );
  };
  const greedy = (await ask(1, 0, 1, 0)).flat();
  const sampled = sampling && (await ask(sampling.samples, sampling.temperature, sampling.topP, questions.length));
  for (const mark of greedy) onMark?.(mark, 0);
  for (const marks of sampled ?? []) marks.forEach((mark, i) => void onMark?.(mark, i + 1));
  const verdicts = sampled?.map((marks) => marks.map(({ right }) => right)) ?? [];
  return {
    split,
    thinking,
    greedy: summarizeMarks(environment, greedy),
    passAtK: sampling === undefined ? [] : passAtKs(verdicts, sampling.ks, plan.seed),
  };
}
