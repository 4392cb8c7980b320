/** @file The other side of a comparison: its replies to the same questions, and who is judged to be better. */
import {
  askQuestions,
  type Bout,
  type JudgedComparison,
  judgeReplies,
  type OpenQuestion,
  type ThinkingMode,
  type WholeReply,
} from "../agents/index.js";
import { type EvalContext, greedily, phaseOf } from "./eval-context.js";
import type { Opponent } from "./eval-model.js";

/** Greedy replies, asked in the same way. */
export async function opponentReplies(
  context: EvalContext,
  opponent: Opponent,
  questions: readonly OpenQuestion[],
  thinking: ThinkingMode,
): Promise<WholeReply[]> {
  if (opponent.kind === "model") {
    const title = `${opponent.name}, thinking ${thinking}`;
    const options = { thinking, ...greedily(context), ...phaseOf(context, title, questions.length) };
    return (await askQuestions(opponent.respondent, questions, options)).flat();
  }
  const found = questions.map(({ text }) => opponent.replies.find(text, thinking));
  const missing = found.filter((reply) => reply === undefined).length;
  if (missing === 0) return found as WholeReply[];
  throw new Error(
    `${opponent.name} has no reply to ${missing} of ${questions.length} questions (thinking ${thinking}): write it with --replies, by the same questions and --thinking`,
  );
}

/** Null where no judge was asked for. */
export async function judgedBouts(
  context: EvalContext,
  title: string,
  questions: readonly OpenQuestion[],
  replies: { readonly ours: readonly WholeReply[]; readonly theirs: readonly WholeReply[] },
): Promise<JudgedComparison | null> {
  const { judge } = context.inputs;
  if (judge === undefined) return null;
  const bouts = questions.map(
    ({ text, reference }, i): Bout => ({
      question: text,
      ours: replies.ours[i]!.text,
      theirs: replies.theirs[i]!.text,
      ...(reference !== undefined && { reference }),
    }),
  );
  const shown = phaseOf(context, `${title}: ${judge.name} judges`, bouts.length);
  const judged = await judgeReplies(judge, bouts, { seed: context.seed, ...shown });
  const failed = judged.bouts.find(({ outcome }) => outcome === "unjudged");
  if (failed !== undefined) context.display.line(`  ${judged.unjudged} of ${judged.n} not judged: ${failed.reason}`);
  return judged;
}
