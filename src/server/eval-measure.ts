/** @file The measurements of an evaluation, in order; knows nothing of the terminal but its display. */
import {
  askQuestions,
  type EvaluationReport,
  evaluatePairs,
  type OpenQuestion,
  type OpenReport,
  type PairsReport,
  type SplitReport,
  summarizeOpenReplies,
  type ThinkingMode,
} from "../agents/index.js";
import { THINKING } from "../trainer/index.js";
import { tokenizePreferences } from "../trainer/text/index.js";
import { type EvalContext, greedily, phaseOf } from "./eval-context.js";
import type { PairsFile, QuestionsFile } from "./eval-inputs.js";
import { judgedBouts, opponentReplies } from "./eval-opponent.js";
import { measureSplit } from "./eval-splits.js";

export type Measured = Pick<EvaluationReport, "splits" | "pairs" | "openQuestions">;

export async function measure(context: EvalContext): Promise<Measured> {
  const { environment, pairs, questions } = context.inputs;
  const splits: SplitReport[] = [];
  const openQuestions: OpenReport[] = [];
  for (const thinking of context.thinking) {
    for (const split of environment?.splits ?? []) {
      splits.push(await measureSplit(context, environment!.environment, split, thinking));
    }
    if (questions !== undefined) openQuestions.push(await measureOpen(context, questions, thinking));
  }
  return { splits, openQuestions, pairs: pairs === undefined ? null : await measurePairs(context, pairs) };
}

async function measureOpen(
  context: EvalContext,
  { file, list }: QuestionsFile,
  thinking: ThinkingMode,
): Promise<OpenReport> {
  const { model, seed, journal } = context;
  const { respondent, opponent } = model;
  const title = `questions, thinking ${thinking}`;
  const options = { thinking, ...greedily(context), ...phaseOf(context, title, list.length) };
  const ours = (await askQuestions(respondent, list, options)).flat();
  list.forEach((question: OpenQuestion, i) => {
    journal.reply(question, ours[i]!, thinking);
  });
  const summary = summarizeOpenReplies(list, ours, respondent.tokenizer, seed);
  const judged =
    opponent === undefined
      ? null
      : await judgedBouts(context, title, list, {
          ours,
          theirs: await opponentReplies(context, opponent, list, thinking),
        });
  return { file, thinking, ...summary, judged };
}

/** Tokens of a prompt, and of prompt and reply: a longer prompt loses its beginning, a longer reply leaves its pair out. */
const MAX_PROMPT = 512;
const MAX_LENGTH = 2048;

async function measurePairs(context: EvalContext, dataset: PairsFile): Promise<PairsReport> {
  const { respondent, hasBase } = context.model;
  const { tokenizer, template, policy } = respondent;
  const maxLength = Math.min(MAX_LENGTH, policy.info.contextLength);
  const { pairs, left } = tokenizePreferences(dataset, {
    tokenizer,
    template,
    maxPromptLength: Math.min(MAX_PROMPT, maxLength - 1),
    maxLength,
    mask: "none",
    includeThinkingTokenInLabels: true,
    markers: THINKING,
  });
  const result = await evaluatePairs(policy, pairs, {
    seed: context.seed,
    withBase: hasBase,
    ...phaseOf(context, "score the pairs", pairs.length * (hasBase ? 2 : 1)),
  });
  return { file: dataset.file, leftOut: left, ...result };
}
