/** @file The measurements of an evaluation, in order; knows nothing of the terminal but its display. */

import type { EnvironmentQuestion } from "../agents/environments/index.js";
import {
  accuracyByDepth,
  askQuestions,
  type Bout,
  comparePaired,
  type EvaluationReport,
  evaluatePairs,
  evaluateSplit,
  type Judge,
  judgeReplies,
  type Mark,
  markReply,
  type OpenReport,
  type PairsReport,
  type Reasoner,
  type SplitReport,
  summarizeMarks,
  summarizeOpenReplies,
  type ThinkingMode,
} from "../agents/index.js";
import type { Reply } from "../agents/student.js";
import { THINKING } from "../trainer/index.js";
import { tokenizePreferences } from "../trainer/text/index.js";
import type { Display } from "./demo-display.js";
import type { EnvironmentInputs, EvalInputs, PairsFile } from "./eval-inputs.js";
import type { EvaluatedModel } from "./eval-model.js";
import type { EvalPlan } from "./eval-plan.js";
import type { ReplyJournal } from "./eval-replies.js";

/** How the model recurses, and by whom its thinking is criticised. */
export interface Recursion {
  readonly critic: string;
  readonly reason: Reasoner;
}

export interface MeasureContext {
  readonly model: Pick<EvaluatedModel, "respondent" | "hasBase" | "opponent">;
  readonly inputs: EvalInputs;
  readonly plan: EvalPlan;
  readonly thinking: readonly ThinkingMode[];
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly recursion: Recursion | undefined;
  readonly journal: ReplyJournal;
  readonly display: Display;
  readonly signal: AbortSignal;
}

export type Measured = Pick<EvaluationReport, "splits" | "pairs" | "openQuestions">;

export async function measure(context: MeasureContext): Promise<Measured> {
  const { inputs, thinking } = context;
  const splits: SplitReport[] = [];
  for (const questions of inputs.environment?.splits ?? []) {
    for (const mode of thinking) splits.push(await measureSplit(context, inputs.environment!, questions, mode));
  }
  const openQuestions: OpenReport[] = [];
  for (const mode of inputs.questions === undefined ? [] : thinking) {
    openQuestions.push(await measureOpen(context, inputs.questions!, mode));
  }
  return {
    splits,
    pairs: inputs.pairs === undefined ? null : await measurePairs(context, inputs.pairs),
    openQuestions,
  };
}

/** Progress of one measurement after the other. */
function phase({ display, signal }: MeasureContext, title: string, total: number) {
  display.phase(title, total);
  return { signal, onProgress: (done: number, of: number): void => display.progress(done, of) };
}

async function measureSplit(
  context: MeasureContext,
  { environment }: EnvironmentInputs,
  questions: readonly EnvironmentQuestion[],
  thinking: ThinkingMode,
): Promise<SplitReport> {
  const { model, plan, maxNewTokens, seed, recursion, journal, inputs } = context;
  const name = `${questions[0]?.split}, thinking ${thinking}`;
  const marks: Mark[] = [];
  const { sampling } = plan;
  const result = await evaluateSplit(model.respondent, environment, questions, {
    thinking,
    maxNewTokens,
    seed,
    ...(sampling && { sampling }),
    ...phase(context, name, questions.length * (1 + (sampling?.samples ?? 0))),
    onMark: (mark, sample) => {
      journal.mark(mark, thinking, sample);
      if (sample === 0) marks.push(mark);
    },
  });
  const depth = { depths: plan.depths, seed };
  const byDepth =
    recursion === undefined || thinking !== "on"
      ? []
      : await accuracyByDepth(recursion.reason, environment, questions, {
          ...depth,
          ...phase(context, `${name}: recursion`, questions.length),
        });
  if (model.opponent === undefined) return { ...result, byDepth, against: null };
  const theirs = await opponentReplies(context, questions, thinking);
  const tokenizer = model.respondent.tokenizer;
  const others = questions.map((question, i) => markReply(environment, question, theirs[i]!, tokenizer));
  const other = summarizeMarks(environment, others);
  const bouts = marks.map(({ question, reply }, i) => ({
    question: question.text,
    ours: reply,
    theirs: theirs[i]!.text,
  }));
  return {
    ...result,
    byDepth,
    against: {
      other,
      change: comparePaired(other.verdicts, result.greedy.verdicts, seed),
      // References are the environment's own affair: its verdicts are exact, and a judge has to do without.
      judged: inputs.judge === undefined ? null : await judged(context, inputs.judge, bouts, name),
    },
  };
}

/** The other side's greedy replies, asked in the same way. */
async function opponentReplies(
  context: MeasureContext,
  questions: readonly { readonly id: string; readonly text: string }[],
  thinking: ThinkingMode,
): Promise<Reply[]> {
  const { model, maxNewTokens, seed } = context;
  const { opponent } = model;
  if (opponent === undefined) throw new Error("internal: there is nobody to compare with");
  if (opponent.kind === "stored") {
    const found = questions.map(({ text }) => opponent.replies.find(text, thinking));
    const missing = found.filter((reply) => reply === undefined).length;
    if (missing === 0) return found.map((text) => ({ text: text!, finish: "stop" }));
    throw new Error(
      `${opponent.name} has no reply to ${missing} of ${questions.length} questions (thinking ${thinking}): write it with --replies, by the same questions and --thinking`,
    );
  }
  const asked = await askQuestions(opponent.respondent, questions, {
    thinking,
    maxNewTokens,
    seed,
    temperature: 0,
    topP: 1,
    ...phase(context, `${opponent.name}, thinking ${thinking}`, questions.length),
  });
  return asked.flat();
}

const judged = (context: MeasureContext, judge: Judge, bouts: readonly Bout[], name: string) =>
  judgeReplies(judge, bouts, { seed: context.seed, ...phase(context, `${name}: judge`, bouts.length) });

async function measureOpen(
  context: MeasureContext,
  { file, list }: NonNullable<EvalInputs["questions"]>,
  thinking: ThinkingMode,
): Promise<OpenReport> {
  const { model, maxNewTokens, seed, journal, inputs } = context;
  const name = `questions, thinking ${thinking}`;
  const asked = await askQuestions(model.respondent, list, {
    thinking,
    maxNewTokens,
    seed,
    temperature: 0,
    topP: 1,
    ...phase(context, name, list.length),
  });
  const ours = asked.flat();
  list.forEach(({ text }, i) => void journal.reply(text, ours[i]!.text, thinking));
  const summary = summarizeOpenReplies(list, ours, model.respondent.tokenizer, seed);
  if (model.opponent === undefined || inputs.judge === undefined) return { file, thinking, ...summary, judged: null };
  const theirs = await opponentReplies(context, list, thinking);
  const bouts = list.map(({ text, reference }, i) => ({
    question: text,
    ours: ours[i]!.text,
    theirs: theirs[i]!.text,
    ...(reference !== undefined && { reference }),
  }));
  return { file, thinking, ...summary, judged: await judged(context, inputs.judge, bouts, name) };
}

/** Tokens of a prompt; a longer one loses its beginning, as in training. */
const MAX_PROMPT = 512;

async function measurePairs(context: MeasureContext, dataset: PairsFile): Promise<PairsReport> {
  const { model, seed } = context;
  const { tokenizer, template, policy } = model.respondent;
  const maxLength = Math.min(2048, policy.info.contextLength);
  const { pairs, left } = tokenizePreferences(dataset, {
    tokenizer,
    template,
    maxPromptLength: Math.min(MAX_PROMPT, maxLength - 1),
    maxLength,
    mask: "none",
    includeThinkingTokenInLabels: true,
    markers: THINKING,
  });
  const scores = pairs.length * (model.hasBase ? 2 : 1);
  const result = await evaluatePairs(policy, pairs, {
    seed,
    withBase: model.hasBase,
    ...phase(context, "score the pairs", scores),
  });
  return { file: dataset.file, leftOut: left, ...result };
}
