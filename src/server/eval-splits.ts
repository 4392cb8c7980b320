/** @file One held-out split of an environment, asked in one way: accuracy, pass@k, depth of recursion, and the other side. */
import type { EnvironmentQuestion } from "../agents/environments/index.js";
import {
  accuracyByDepth,
  comparePaired,
  type DepthAccuracy,
  evaluateSplit,
  type MarkingEnvironment,
  markReply,
  type SplitReport,
  type SplitResult,
  summarizeMarks,
  type ThinkingMode,
  type WholeReply,
} from "../agents/index.js";
import { type EvalContext, phaseOf } from "./eval-context.js";
import { judgedBouts, opponentReplies } from "./eval-opponent.js";

/** A split and how it is asked. */
interface Asked {
  readonly environment: MarkingEnvironment;
  readonly questions: readonly EnvironmentQuestion[];
  readonly thinking: ThinkingMode;
  readonly title: string;
}

export async function measureSplit(
  context: EvalContext,
  environment: MarkingEnvironment,
  questions: readonly EnvironmentQuestion[],
  thinking: ThinkingMode,
): Promise<SplitReport> {
  const asked = { environment, questions, thinking, title: `${questions[0]?.split}, thinking ${thinking}` };
  const ours: WholeReply[] = [];
  const result = await measureReplies(context, asked, (reply) => ours.push(reply));
  return {
    ...result,
    byDepth: await measureDepth(context, asked),
    against: await measureOther(context, asked, result, ours),
  };
}

function measureReplies(
  context: EvalContext,
  { environment, questions, thinking, title }: Asked,
  onGreedy: (reply: WholeReply) => void,
): Promise<SplitResult> {
  const { model, plan, maxNewTokens, seed, journal } = context;
  const { sampling } = plan;
  return evaluateSplit(model.respondent, environment, questions, {
    thinking,
    maxNewTokens,
    seed,
    ...(sampling && { sampling }),
    ...phaseOf(context, title, questions.length * (1 + (sampling?.samples ?? 0))),
    onMark: (mark, sample) => {
      journal.mark(mark, thinking, sample);
      if (sample === 0) onGreedy(mark.reply);
    },
  });
}

/** Recursion asks for thinking: it belongs to the questions that ask for it. */
async function measureDepth(
  context: EvalContext,
  { environment, questions, thinking, title }: Asked,
): Promise<readonly DepthAccuracy[]> {
  const { recursion, plan, seed } = context;
  if (recursion === undefined || thinking !== "on") return [];
  const shown = phaseOf(context, `${title}: recursion`, questions.length);
  return accuracyByDepth(recursion.reason, environment, questions, { depths: plan.depths, seed, ...shown });
}

async function measureOther(
  context: EvalContext,
  { environment, questions, thinking, title }: Asked,
  { greedy }: SplitResult,
  ours: readonly WholeReply[],
): Promise<SplitReport["against"]> {
  const { opponent, respondent } = context.model;
  if (opponent === undefined) return null;
  const theirs = await opponentReplies(context, opponent, questions, thinking);
  const other = summarizeMarks(
    environment,
    questions.map((question, i) => markReply(environment, question, theirs[i]!, respondent.tokenizer)),
  );
  return {
    other,
    change: comparePaired(other.verdicts, greedy.verdicts, context.seed),
    judged: await judgedBouts(context, title, questions, { ours, theirs }),
  };
}
